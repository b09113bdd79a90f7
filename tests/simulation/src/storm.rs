//! What goes wrong in a history: faults of the portal and the queue, strikes on processes, and
//! spells that begin and end.

use std::time::Duration;

use shared::ports::{Clock as _, Outgoing, Queue as _};
use simulator::LOCAL_TOKEN;
use simulator::faults::{FaultKind, FaultRule};

use crate::fate::Strikes;
use crate::queue::Troubles;
use crate::site::grown_catalog;
use crate::world::World;

/// Something that is so for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spell {
    /// HubSpot is away.
    Outage,
    /// The token is revoked.
    TokenRevoked,
    /// The token has lost the scope to write.
    ScopeLost,
    /// Somebody archived one of our properties.
    PropertyGone,
    /// The day's calls are spent.
    DaySpent,
    /// Another integration uses half of the burst.
    BusyOthers,
    /// The queue does not answer.
    QueueAway,
    /// HubSpot's clock is off.
    ClockSkew,
    /// A new catalog is deployed; it stays.
    CatalogGrows,
    /// A message of a newer version is on the queue; it ends when the message is taken off again.
    NewerMessage,
    /// Somebody puts what is no envelope on the queue; it stays until the worker buries it.
    Poison,
}

impl Spell {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::TokenRevoked => "token revoked",
            Self::ScopeLost => "scope lost",
            Self::PropertyGone => "property archived",
            Self::DaySpent => "day spent",
            Self::BusyOthers => "another integration",
            Self::QueueAway => "queue away for a minute",
            Self::ClockSkew => "clock skew",
            Self::CatalogGrows => "catalog grows",
            Self::NewerMessage => "newer envelope",
            Self::Poison => "poison on the queue",
        }
    }
}

/// All that goes wrong.
#[derive(Debug, Clone, Default)]
pub struct Storm {
    /// How long it lasts.
    pub lasts: Duration,
    /// What HubSpot does to calls, each with a name and a probability.
    pub portal: Vec<(&'static str, FaultKind, f64)>,
    /// Both queues' troubles.
    pub queue: Troubles,
    /// What happens to processes.
    pub strikes: Strikes,
    /// Spells, of which a history has one or more.
    pub spells: Vec<Spell>,
}

/// Goes on until its time is over, and then is over altogether.
pub async fn rage(world: &World, storm: &Storm) {
    let begun_at = world.clock.uptime();
    for (_, kind, probability) in &storm.portal {
        let rule = FaultRule::on("/batch", kind.clone());
        world.portal.set_fault(FaultRule { probability: Some(*probability), ..rule });
    }
    world.events.trouble(storm.queue);
    world.dead_letters.trouble(storm.queue);
    world.fates.set(storm.strikes);
    let mut left = storm.spells.clone();
    while let Some(spell) = world.chance.pick(&left) {
        left.retain(|one| *one != spell && world.below(2) == 0);
        let calm = storm.lasts.saturating_sub(world.clock.uptime() - begun_at);
        if calm < Duration::from_secs(2) {
            break;
        }
        world.clock.sleep(calm.mul_f64(0.1 + world.below(40) as f64 / 100.0)).await;
        let calm = storm.lasts.saturating_sub(world.clock.uptime() - begun_at);
        cast(world, spell, storm, calm.mul_f64(0.3 + world.below(60) as f64 / 100.0)).await;
    }
    let rest = storm.lasts.saturating_sub(world.clock.uptime() - begun_at);
    world.clock.sleep(rest).await;
    for fault in world.portal.faults() {
        let name = storm.portal.iter().find(|(_, kind, _)| *kind == fault.rule.kind);
        if let Some((name, ..)) = name {
            world.fired.add(name, fault.used);
        }
    }
    world.portal.clear_faults();
    world.events.trouble(Troubles::default());
    world.dead_letters.trouble(Troubles::default());
    world.fates.set(Strikes::default());
    world.trace.note(world.clock.uptime(), format_args!("calm"));
}

async fn cast(world: &World, spell: Spell, storm: &Storm, lasts: Duration) {
    let portal = &world.portal;
    world.fired.strike(spell.name());
    world.trace.note(world.clock.uptime(), format_args!("{} for {lasts:?}", spell.name()));
    let wait = world.clock.sleep(lasts);
    match spell {
        Spell::Outage => {
            let id = portal.set_fault(FaultRule::every(FaultKind::Away));
            wait.await;
            portal.clear_fault(id);
        }
        Spell::TokenRevoked => {
            portal.revoke(LOCAL_TOKEN);
            wait.await;
            portal.grant(LOCAL_TOKEN, &[]);
        }
        Spell::ScopeLost => {
            portal.grant(LOCAL_TOKEN, &["crm.objects.contacts.read"]);
            wait.await;
            portal.grant(LOCAL_TOKEN, &[]);
        }
        Spell::PropertyGone => {
            portal.archive_property(world.clock.now(), "hhl_total_progress");
            wait.await;
            portal.define_milepost_properties();
        }
        Spell::DaySpent => {
            let max = portal.settings().daily_max;
            portal.spend_today(world.clock.now(), max);
            wait.await;
            portal.spend_today(world.clock.now(), 0);
        }
        Spell::BusyOthers => {
            let half = f64::from(portal.settings().burst_max) / 20.0;
            portal.set(|settings| settings.others.burst_per_s = half);
            wait.await;
            portal.set(|settings| settings.others.burst_per_s = 0.0);
        }
        Spell::QueueAway => {
            let away = Troubles { away: true, ..storm.queue };
            world.events.trouble(away);
            world.dead_letters.trouble(away);
            world.clock.sleep(lasts.min(Duration::from_secs(60))).await;
            world.events.trouble(storm.queue);
            world.dead_letters.trouble(storm.queue);
        }
        Spell::ClockSkew => {
            let skew_ms = 600_000 - world.below(1_200_000) as i64;
            portal.set(|settings| settings.clock_skew_ms = skew_ms);
            wait.await;
            portal.set(|settings| settings.clock_skew_ms = 0);
        }
        Spell::CatalogGrows => world.deploy(grown_catalog()),
        Spell::NewerMessage => {
            let newer = message("{\"v\":99,\"kind\":\"canary\"}", "newer");
            let _sent = world.events.send(vec![newer]).await;
            wait.await;
            world.events.take_off(|message| message.deduplication_id == "newer");
        }
        Spell::Poison => {
            let poison = message("{\"v\":1, canary", "poison");
            let _sent = world.events.send(vec![poison]).await;
        }
    }
}

fn message(body: &str, name: &str) -> Outgoing {
    Outgoing {
        body: body.into(),
        group: name.into(),
        deduplication_id: name.into(),
        attributes: Default::default(),
    }
}
