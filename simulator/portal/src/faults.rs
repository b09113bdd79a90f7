//! Faults that can be switched on: which calls they hit, and what they do to them.
//!
//! A rule has a kind and a matcher; without a matcher it hits every call. The first rule of each
//! sort that matches is used: one that ends the call, one that slows it, and all that change what
//! the call finds.
//!
//! **Invariant**: a rule that can't match any more (its count used up) does nothing, for ever.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::Method;
use serde::{Deserialize, Serialize};

use crate::chance::Chance;

/// What a fault does to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// 401, as for a revoked token.
    Unauthorized,
    /// 403, as for a missing scope.
    Forbidden,
    /// 423: the record is locked for 2 s.
    Locked,
    /// 429 of the ten-second window.
    TenSecondly,
    /// 429 of the second.
    Secondly,
    /// 429 of the day.
    Daily,
    /// 477 with `Retry-After` in seconds: the account moves.
    Migrating {
        /// Seconds to stay away.
        retry_after_s: u64,
    },
    /// 500 with HubSpot's JSON, before anything is applied.
    InternalError,
    /// A page of the edge in HTML, before anything is applied: 502, 503, 504, 521 to 524.
    Edge {
        /// The status.
        status: u16,
    },
    /// The answer comes late; the request is applied when it arrives.
    Slow {
        /// How late, in milliseconds.
        wait_ms: u64,
    },
    /// The connection breaks before the request is applied.
    CutBefore,
    /// The request is applied, and the connection breaks instead of an answer.
    CutAfter,
    /// The request is applied, and a page of the edge comes instead of the answer; 500 comes as
    /// HubSpot's JSON.
    AppliedThen {
        /// The status.
        status: u16,
    },
    /// The connection breaks, and the request is applied only later, over whatever came between.
    LateLanding {
        /// How much later, in milliseconds; at most 25,000.
        after_ms: u64,
    },
    /// A batch write succeeds, and some of its rows were passed over without a word.
    SilentNoOp {
        /// How many rows.
        rows: usize,
    },
    /// The call finds this property undefined.
    UnknownProperty {
        /// Its name.
        name: String,
    },
    /// Nobody listens. Over HTTP, where somebody must, the connection is cut at once.
    Refused,
    /// The portal is away: by chance a refused or cut connection, or a 502, 503, 521 or 522.
    Away,
}

/// One rule. Every part of the matcher that is given must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// What it does.
    pub kind: FaultKind,
    /// Only calls of this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only paths that hold this text.
    #[serde(default)]
    pub path: Option<String>,
    /// Only the nth call that matches the rest, counted from 1 when the rule was set.
    #[serde(default)]
    pub nth: Option<u64>,
    /// Only with this probability, from 0 to 1, by the portal's seed.
    #[serde(default)]
    pub probability: Option<f64>,
    /// Only from this instant on.
    #[serde(default)]
    pub from: Option<DateTime<Utc>>,
    /// Only before this instant.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
    /// At most this many times.
    #[serde(default)]
    pub count: Option<u64>,
}

impl FaultRule {
    /// A rule that hits every call.
    pub fn every(kind: FaultKind) -> Self {
        Self {
            kind,
            method: None,
            path: None,
            nth: None,
            probability: None,
            from: None,
            until: None,
            count: None,
        }
    }

    /// A rule that hits calls whose path holds this text.
    pub fn on(path: &str, kind: FaultKind) -> Self {
        Self { path: Some(path.into()), ..Self::every(kind) }
    }

    /// Whether the rule can be meant.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        match self.kind {
            FaultKind::Edge { status: 502..=504 | 521..=524 }
            | FaultKind::AppliedThen { status: 500 | 502..=504 | 521..=524 } => {}
            FaultKind::Edge { .. } => return Err("status is one of 502-504 and 521-524".into()),
            FaultKind::AppliedThen { .. } => {
                return Err("status is one of 500, 502-504 and 521-524".into());
            }
            FaultKind::LateLanding { after_ms } if after_ms > LANDING_MS_MAX => {
                return Err(format!("after_ms is at most {LANDING_MS_MAX}"));
            }
            _ => {}
        }
        if self.probability.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return Err("probability is from 0 to 1".into());
        }
        Ok(())
    }

    /// The same rule, used up after this many times.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        Self { count: Some(count), ..self }
    }
}

/// A rule that was set, with how often it was met and used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetFault {
    /// What clears it.
    pub id: u64,
    /// The rule.
    pub rule: FaultRule,
    /// Calls that matched it, before `nth`, probability and count.
    pub met: u64,
    /// Calls it was used on.
    pub used: u64,
}

/// The longest that a late landing may take, in milliseconds.
pub const LANDING_MS_MAX: u64 = 25_000;

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Vec<SetFault>,
    last_id: u64,
    used: u64,
}

/// What the rules do to one call.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fired {
    /// How the call ends, if not as it would.
    pub end: Option<FaultKind>,
    /// How much later the answer comes.
    pub wait: Duration,
    /// Properties that the call finds undefined.
    pub undefined: Vec<String>,
    /// How many rows of a batch write are dropped in silence.
    pub silent_rows: usize,
}

impl Faults {
    /// Adds a rule; what clears it comes back.
    pub fn set(&mut self, rule: FaultRule) -> u64 {
        self.last_id += 1;
        self.rules.push(SetFault { id: self.last_id, rule, met: 0, used: 0 });
        self.last_id
    }

    /// Removes a rule; whether there was one.
    pub fn clear(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id != id);
        self.rules.len() < before
    }

    /// Removes all rules.
    pub fn clear_all(&mut self) {
        self.rules.clear();
    }

    /// The rules in force.
    pub fn list(&self) -> &[SetFault] {
        &self.rules
    }

    /// How many times any rule was used, cleared ones included.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// The rules that hit this call.
    pub fn fire(
        &mut self,
        now: DateTime<Utc>,
        method: &Method,
        path: &str,
        chance: &mut Chance,
    ) -> Fired {
        let mut fired = Fired::default();
        for set in &mut self.rules {
            let is_taken = match set.rule.kind {
                FaultKind::UnknownProperty { .. } => false,
                FaultKind::SilentNoOp { .. } => fired.silent_rows > 0,
                FaultKind::Slow { .. } => !fired.wait.is_zero(),
                _ => fired.end.is_some(),
            };
            if is_taken || !set.hits(now, method, path, chance) {
                continue;
            }
            self.used += 1;
            match &set.rule.kind {
                FaultKind::UnknownProperty { name } => fired.undefined.push(name.clone()),
                FaultKind::SilentNoOp { rows } => fired.silent_rows = *rows,
                FaultKind::Slow { wait_ms } => fired.wait = Duration::from_millis(*wait_ms),
                FaultKind::Away => fired.end = Some(away(chance)),
                kind => fired.end = Some(kind.clone()),
            }
        }
        fired
    }
}

impl SetFault {
    fn hits(
        &mut self,
        now: DateTime<Utc>,
        method: &Method,
        path: &str,
        chance: &mut Chance,
    ) -> bool {
        let rule = &self.rule;
        let matches = rule.count.is_none_or(|count| self.used < count)
            && rule.method.as_deref().is_none_or(|of| of.eq_ignore_ascii_case(method.as_str()))
            && rule.path.as_deref().is_none_or(|part| path.contains(part))
            && rule.from.is_none_or(|from| from <= now)
            && rule.until.is_none_or(|until| now < until);
        if !matches {
            return false;
        }
        self.met += 1;
        let hits = rule.nth.is_none_or(|nth| self.met == nth)
            && rule.probability.is_none_or(|probability| chance.happens(probability));
        self.used += u64::from(hits);
        hits
    }
}

fn away(chance: &mut Chance) -> FaultKind {
    match chance.between(0, 5) {
        0 => FaultKind::Refused,
        1 => FaultKind::CutBefore,
        2 => FaultKind::Edge { status: 502 },
        3 => FaultKind::Edge { status: 503 },
        4 => FaultKind::Edge { status: 521 },
        _ => FaultKind::Edge { status: 522 },
    }
}
