//! The console over HTTP, as a hostile page, a proxy and curl reach it: who sees it, what acts, and
//! that a `GET` changes nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use console::access::{Access, Keys};
use console::{self, Console, Watched};
use dead_letters::Queues;
use host::clock::SystemClock;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::json;
use shared::catalog::Catalog;
use shared::dead_letter::{FailureReason, Reason, dead_letter};
use shared::envelope::deduplication_id;
use shared::ports::{Clock, Delivery, Depth, Outgoing, Receipt, ReceiveRequest};
use simulation::clock::VirtualClock;
use simulation::entropy::SeededEntropy;
use sqlite::{QueueSettings, SqliteQueues};
use tests::running::Running;
use tokio::net::TcpListener;
use tokio::sync::watch;

const TOKEN: &str = "a-token-of-the-tests";
const FORM: &str = "application/x-www-form-urlencoded";

/// A console over embedded queues, as `milepost console` has it over any.
struct Page {
    url: String,
    queues: Queues,
    http: Client,
    _stop: watch::Sender<bool>,
}

impl Page {
    /// Opens one that thinks it listens on this address.
    async fn open(address: &str, token: Option<&str>) -> Self {
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let entropy = Arc::new(SeededEntropy::new(1));
        let embedded =
            SqliteQueues::in_memory(clock.clone(), entropy.clone(), QueueSettings::default());
        let embedded = embedded.unwrap();
        let (events, dead_letters) = (embedded.events(), embedded.dead_letters());
        let queues = Queues { events, dead_letters, clock, entropy };
        let keys = Keys { token: token.map(str::to_owned), secret: [7; 32] };
        let access = Access::new(address.parse().unwrap(), keys);
        let (stop, stopped) = watch::channel(false);
        let watched = Watched {
            queues: queues.clone(),
            embedded: None,
            stats: None,
            portal: None,
            place: "a test".into(),
        };
        let page = Arc::new(Console::new(watched, access, stopped.clone()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut until = stopped;
        let until = async move {
            let _gone = until.wait_for(|stopped| *stopped).await;
        };
        tokio::spawn(console::serve(listener, page, until));
        let redirect = reqwest::redirect::Policy::none();
        let http = Client::builder().no_proxy().redirect(redirect).build().unwrap();
        Self { url, queues, http, _stop: stop }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url))
    }

    fn post(&self, path: &str, form: &str) -> RequestBuilder {
        let request = self.http.post(format!("{}{path}", self.url));
        request.header("content-type", FORM).body(form.to_owned())
    }

    /// The visitor's cookie, and the CSRF token and time in the form on the page of a dry run.
    async fn visit(&self) -> (String, String, String) {
        let answer = self.get("/console/replay?reason=REJECTED").send().await.unwrap();
        let cookie = cookie(&answer).expect("a first visit sets a cookie");
        let html = text(answer).await;
        (cookie, value_of(&html, "csrf_token"), value_of(&html, "until"))
    }

    /// Puts dead letters of one contact there.
    async fn put_letters(&self, count: usize) {
        let group = "g".repeat(64);
        let letters = (0..count).map(|number| {
            let body = format!("no envelope {number}");
            let delivery = Delivery {
                message_id: String::new(),
                receipt: Receipt::new(""),
                deduplication_id: deduplication_id(&group, &body),
                group: group.clone(),
                body,
                receive_count: 1,
                sent_at: self.queues.clock.now(),
                attributes: Default::default(),
            };
            let failure = FailureReason {
                reason: Reason::Rejected,
                detail: "<b>a rule</b>".into(),
                correlation_id: String::new(),
            };
            dead_letter(&delivery, &failure, self.queues.clock.now())
        });
        let letters: Vec<Outgoing> = letters.collect();
        assert!(self.queues.dead_letters.send(letters).await.iter().all(Result::is_ok));
        // What died in the very millisecond of a dry run is not part of it.
        self.queues.clock.sleep(Duration::from_millis(5)).await;
    }

    async fn depths(&self) -> [Depth; 2] {
        let Queues { events, dead_letters, .. } = &self.queues;
        [events.depth().await.unwrap(), dead_letters.depth().await.unwrap()]
    }
}

async fn text(answer: Response) -> String {
    String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap()
}

fn cookie(answer: &Response) -> Option<String> {
    let set = answer.headers().get("set-cookie")?.to_str().ok()?;
    Some(set.split(';').next()?.to_owned())
}

/// The value of a hidden field.
fn value_of(html: &str, field: &str) -> String {
    let (_, rest) = html.split_once(&format!("name=\"{field}\" value=\"")).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

fn visible(count: u64) -> Depth {
    Depth { visible: count, in_flight: 0, delayed: 0 }
}

#[tokio::test]
async fn the_page_and_a_dry_run_change_nothing() {
    let page = Page::open("127.0.0.1", None).await;
    page.put_letters(12).await;
    let html = text(page.get("/").send().await.unwrap()).await;
    assert!(html.contains("REJECTED <span class=\"count\">10</span>"), "{html}");
    assert!(html.contains("These are 10 of 12."));
    assert!(html.contains("&lt;b&gt;a rule&lt;/b&gt;") && !html.contains("<b>a rule"));
    assert_eq!(page.depths().await, [visible(0), visible(12)]);

    let dry = text(page.get("/console/replay?reason=REJECTED").send().await.unwrap()).await;
    assert!(dry.contains("<strong>10 dead letters</strong> would go back"), "{dry}");
    assert!(dry.contains("among 2 more"), "{dry}");
    assert_eq!(page.depths().await, [visible(0), visible(12)]);
}

#[tokio::test]
async fn a_replay_sends_what_its_dry_run_showed_and_nothing_later() {
    let page = Page::open("127.0.0.1", None).await;
    page.put_letters(12).await;
    let (cookie, csrf_token, until) = page.visit().await;
    let later = Outgoing {
        body: "died later".into(),
        group: "h".repeat(64),
        deduplication_id: "later".into(),
        attributes: [("reason".to_owned(), "REJECTED".to_owned())].into(),
    };
    assert!(page.queues.dead_letters.send(vec![later]).await[0].is_ok());

    let form =
        format!("csrf_token={csrf_token}&until={}&reason=REJECTED", until.replace(':', "%3A"));
    let request = page.post("/console/replay", &form).header("cookie", &cookie);
    let answer = request.header("origin", &page.url).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], "/#replay");
    let again = page.post("/console/replay", &form).header("cookie", &cookie);
    let again = again.header("origin", &page.url).send().await.unwrap();
    assert_eq!(again.status(), 409, "one replay at a time");

    let begun_at = page.queues.clock.uptime();
    loop {
        let [events, dead_letters] = page.depths().await;
        if events.total() == 12 && dead_letters == visible(1) {
            break;
        }
        let waited = page.queues.clock.uptime() - begun_at;
        assert!(waited < Duration::from_secs(60), "{events:?} {dead_letters:?}");
        page.queues.clock.sleep(Duration::from_millis(50)).await;
    }
    let request = ReceiveRequest {
        messages_max: 10,
        visibility: Duration::from_secs(30),
        wait: Duration::ZERO,
        attempt_id: "left".into(),
    };
    let left = page.queues.dead_letters.receive(request).await.unwrap();
    assert_eq!(left[0].body, "died later");
}

#[tokio::test]
async fn no_request_from_elsewhere_acts() {
    let page = Page::open("127.0.0.1", None).await;
    page.put_letters(1).await;
    let (cookie, csrf_token, until) = page.visit().await;
    let fields = format!("until={}&reason=REJECTED", until.replace(':', "%3A"));
    let right = format!("csrf_token={csrf_token}&{fields}");
    let own = page.url.clone();
    let check = async |headers: &[(&str, &str)], form: &str| {
        let mut request = page.post("/console/replay", form);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 403, "{headers:?}");
        assert_eq!(page.depths().await, [visible(0), visible(1)], "{headers:?}");
    };
    let cookie = ("cookie", cookie.as_str());
    check(&[cookie], &right).await;
    check(&[cookie, ("origin", "null")], &right).await;
    check(&[cookie, ("origin", "https://evil.example")], &right).await;
    check(&[cookie, ("origin", "http://127.0.0.1:1")], &right).await;
    check(&[cookie, ("origin", &own), ("sec-fetch-site", "cross-site")], &right).await;
    check(&[cookie, ("origin", &own), ("sec-fetch-site", "same-site")], &right).await;
    check(&[cookie, ("origin", &own)], &fields).await;
    check(&[cookie, ("origin", &own)], &format!("csrf_token=00&{fields}")).await;
    // Another session's token, and no session at all.
    check(&[("origin", &own)], &right).await;
    // By another name, as after rebinding it; and through a proxy.
    check(&[cookie, ("origin", "http://evil.example"), ("host", "evil.example")], &right).await;
    check(&[cookie, ("origin", &own), ("x-forwarded-for", "203.0.113.9")], &right).await;
}

#[tokio::test]
async fn the_oldest_event_is_the_first_one_still_on_the_queue() {
    let clock = Arc::new(VirtualClock::starting_at("2026-01-18T12:00:00Z".parse().unwrap()));
    let entropy = Arc::new(SeededEntropy::new(1));
    let settings = QueueSettings { delay: Duration::ZERO, ..QueueSettings::default() };
    let queues = SqliteQueues::in_memory(clock.clone(), entropy, settings).unwrap();
    assert_eq!(queues.oldest_event().await, Ok(None));
    let send = async |group: &str| {
        let message = Outgoing {
            body: "an event".into(),
            group: group.into(),
            deduplication_id: format!("{group}-{}", clock.uptime().as_secs()),
            attributes: Default::default(),
        };
        assert_eq!(queues.events().send(vec![message]).await, [Ok(())]);
        clock.advance(Duration::from_secs(10));
    };
    let first = clock.now();
    send("ada").await;
    let second = clock.now();
    send("bob").await;
    send("ada").await;
    assert_eq!(queues.oldest_event().await, Ok(Some(first)));
    let request = ReceiveRequest {
        messages_max: 1,
        visibility: Duration::from_secs(30),
        wait: Duration::ZERO,
        attempt_id: "first".into(),
    };
    let held = queues.events().receive(request).await.unwrap();
    assert_eq!(queues.oldest_event().await, Ok(Some(first)), "it is in flight, and still there");
    let receipts = held.into_iter().map(Receipt::from).collect();
    assert!(queues.events().delete(receipts).await.is_empty());
    assert_eq!(queues.oldest_event().await, Ok(Some(second)));
}

#[tokio::test]
async fn a_get_never_acts() {
    let stack = Running::start(Catalog::default()).await;
    let http = Client::builder().no_proxy().build().unwrap();
    let url = &stack.stack.urls().api;
    for path in ["/console/fault?fault=away&on=true", "/console/logout", "/console/login"] {
        let answer = http.get(format!("{url}{path}")).header("origin", url).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
    assert_eq!(stack.portal.faults(), []);
}

#[tokio::test]
async fn off_loopback_there_is_no_page_without_the_token() {
    let closed = Page::open("0.0.0.0", None).await;
    closed.put_letters(1).await;
    for path in ["/", "/console/replay?reason=REJECTED"] {
        let answer = closed.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 403);
        assert!(text(answer).await.contains("hint: set MILEPOST_CONSOLE_TOKEN"));
    }
    let login = closed.post("/console/login", "token=").header("origin", &closed.url);
    let login = login.send().await.unwrap();
    assert_eq!((login.status().as_u16(), cookie(&login)), (401, None));

    let page = Page::open("0.0.0.0", Some(TOKEN)).await;
    page.put_letters(1).await;
    for path in ["/", "/console/replay?reason=REJECTED"] {
        let answer = page.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let html = text(answer).await;
        assert!(html.contains("Log in") && !html.contains("REJECTED"), "{html}");
    }
    let log_in = async |token: &str, origin: &str| {
        let request = page.post("/console/login", &format!("token={token}"));
        request.header("origin", origin).send().await.unwrap()
    };
    assert_eq!(log_in(TOKEN, "https://evil.example").await.status(), 403);
    assert_eq!(log_in("another-token-of-any-kind", &page.url).await.status(), 401);
    let welcome = log_in(TOKEN, &page.url).await;
    assert_eq!(welcome.status(), 303);
    let set = welcome.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(set.contains("HttpOnly; SameSite=Strict"), "{set}");
    let cookie = cookie(&welcome).unwrap();
    let answer = page.get("/").header("cookie", &cookie).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(text(answer).await.contains("REJECTED"));
    let forged = cookie.replace('=', "=9");
    let answer = page.get("/").header("cookie", forged).send().await.unwrap();
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn the_stack_s_own_page_shows_its_work_and_switches_its_faults() {
    let stack = Running::start(Catalog::default()).await;
    let url = stack.stack.urls().api.clone();
    let http = Client::builder().no_proxy().build().unwrap();
    let event = json!({
        "eventName": "learning_course_enrolled",
        "contactIdentifier": {"email": "shown@example.com"},
        "course_slug": "c",
    });
    assert_eq!(stack.post(event.to_string()).await.0, 200);
    stack.until_held("shown@example.com", "hhl_enrolled_courses", "c").await;
    stack.until_at_rest().await;
    let answer = http.get(format!("{url}/")).send().await.unwrap();
    let cookie = cookie(&answer).unwrap();
    let html = text(answer).await;
    for shown in [
        "shown@example.com",
        "<dt>Waiting</dt><dd>0</dd>",
        "<dt>Applied</dt><dd>1</dd>",
        "<dt>Per contact</dt><dd>1.0</dd>",
        "Nothing waits.",
    ] {
        assert!(html.contains(shown), "{shown}: {html}");
    }
    assert!(!html.contains("<dt>Day left</dt><dd>–</dd>"), "the quota is not known");

    let form = format!("csrf_token={}&fault=away&on=true", value_of(&html, "csrf_token"));
    let request = http.post(format!("{url}/console/fault")).header("content-type", FORM).body(form);
    let request = request.header("cookie", cookie).header("sec-fetch-site", "same-origin");
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(stack.portal.faults().len(), 1);
    let other = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let named =
        http.get(format!("{url}/")).header("host", format!("evil.example:{}", other.port()));
    assert_eq!(named.send().await.unwrap().status(), 403);
}
