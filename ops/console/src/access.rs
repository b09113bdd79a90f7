//! Who may see the console, and which requests may act.
//!
//! On loopback the console needs no token, but answers only under a literal address or `localhost`,
//! so that no other site's name can lead to it. On any other address, and wherever a token is set,
//! a visitor logs in with the token. A session is a signed cookie and is stored nowhere: a restart
//! ends them all.
//!
//! **Invariant**: a request acts only if it has a session, comes from a page of this origin, and
//! brings its session's CSRF token.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, header};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The session's cookie.
const COOKIE: &str = "milepost-console";
/// How long a session lasts.
const SESSION_S: i64 = 12 * 60 * 60;
/// After this many wrong tokens, no token is accepted until the window ends.
const WRONG_MAX: u32 = 10;
const WRONG_WINDOW: Duration = Duration::from_secs(60);
/// What a proxy adds to a request that it passes on.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// What locks the console.
#[derive(Clone)]
pub struct Keys {
    /// The log-in token; without one, the console is open on loopback and closed elsewhere.
    pub token: Option<String>,
    /// The key that signs sessions: random, and new in each process.
    pub secret: [u8; 32],
}

/// The rule, and the wrong tokens that it has seen.
pub struct Access {
    rule: Rule,
    secret: [u8; 32],
    wrong: Mutex<Wrong>,
}

#[derive(Debug, PartialEq, Eq)]
enum Rule {
    Open,
    Token(String),
    Closed,
}

/// The wrong tokens of the present window.
#[derive(Debug, Default)]
struct Wrong {
    since: Duration,
    count: u32,
}

/// A visitor who may see the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visitor {
    session: String,
    /// The cookie to set, if the visitor has none yet.
    pub(crate) cookie: Option<String>,
    /// The token that this session's forms carry.
    pub(crate) csrf_token: String,
}

/// Why a visitor may not see the console, or a request may not act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// No token is set, and this is not loopback.
    Closed,
    /// The page was opened by a name, which may be another site's.
    Name,
    /// The request came through a proxy, so its origin is unknown.
    Proxy,
    /// The visitor has not logged in.
    LogIn,
    /// The request comes from another origin.
    Elsewhere,
    /// The form has another session's CSRF token, or none.
    CsrfToken,
}

/// The result of a log-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogIn {
    /// The session's cookie.
    Welcome(String),
    /// The token is wrong.
    Wrong,
    /// Too many wrong tokens.
    Later,
}

impl Access {
    /// The rule for a console that listens on this address.
    pub fn new(listens_on: IpAddr, keys: Keys) -> Self {
        let rule = match keys.token {
            Some(token) => Rule::Token(token),
            None if listens_on.to_canonical().is_loopback() => Rule::Open,
            None => Rule::Closed,
        };
        Self { rule, secret: keys.secret, wrong: Mutex::default() }
    }

    /// Whether visitors have to log in.
    pub(crate) fn asks_for_token(&self) -> bool {
        matches!(self.rule, Rule::Token(_))
    }

    /// The visitor who sent a request. `chance` makes the name of a new session unique; only the
    /// signature makes it valid.
    pub(crate) fn visitor(
        &self,
        headers: &HeaderMap,
        now: DateTime<Utc>,
        chance: u64,
    ) -> Result<Visitor, Denied> {
        let known = self.session(headers, now);
        match self.rule {
            Rule::Closed => return Err(Denied::Closed),
            Rule::Token(_) if known.is_none() => return Err(Denied::LogIn),
            Rule::Token(_) => {}
            Rule::Open if !is_literal_host(headers) => return Err(Denied::Name),
            Rule::Open if FORWARDED.iter().any(|name| headers.contains_key(*name)) => {
                return Err(Denied::Proxy);
            }
            // The other site could not read the page, but would make the console receive dead letters.
            Rule::Open if is_embedded_elsewhere(headers) => return Err(Denied::Elsewhere),
            Rule::Open => {}
        }
        let (session, cookie) = match known {
            Some(session) => (session, None),
            None => {
                let session = self.new_session(now, chance);
                let cookie = cookie(&session, SESSION_S, headers);
                (session, Some(cookie))
            }
        };
        Ok(Visitor { csrf_token: self.seal("form", &session), session, cookie })
    }

    /// Whether a visitor's request may act. `csrf_token` is what its form carried.
    pub(crate) fn may_act(
        &self,
        visitor: &Visitor,
        headers: &HeaderMap,
        csrf_token: &str,
    ) -> Result<(), Denied> {
        if !is_same_origin(headers) {
            return Err(Denied::Elsewhere);
        }
        match self.is_seal_of("form", &visitor.session, csrf_token) {
            true => Ok(()),
            false => Err(Denied::CsrfToken),
        }
    }

    /// Tries a token.
    pub(crate) fn log_in(
        &self,
        token: &str,
        headers: &HeaderMap,
        now: DateTime<Utc>,
        uptime: Duration,
        chance: u64,
    ) -> LogIn {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if uptime.saturating_sub(wrong.since) >= WRONG_WINDOW {
            *wrong = Wrong { since: uptime, count: 0 };
        }
        if wrong.count >= WRONG_MAX {
            return LogIn::Later;
        }
        // It compares seals, so that the time it takes reveals nothing about the token.
        let Rule::Token(right) = &self.rule else { return LogIn::Wrong };
        if !self.is_seal_of("token", right, &self.seal("token", token)) {
            wrong.count += 1;
            return LogIn::Wrong;
        }
        LogIn::Welcome(cookie(&self.new_session(now, chance), SESSION_S, headers))
    }

    /// The cookie that ends a session in the browser.
    pub(crate) fn log_out(&self, headers: &HeaderMap) -> String {
        cookie("", 0, headers)
    }

    fn new_session(&self, now: DateTime<Utc>, chance: u64) -> String {
        let open = format!("{}.{chance:016x}", now.timestamp() + SESSION_S);
        let seal = self.seal("session", &open);
        format!("{open}.{seal}")
    }

    /// The session in the cookie, if its signature is right and it has not ended.
    fn session(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Option<String> {
        let cookies =
            headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut named = cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='));
        named
            .find(|session| {
                let Some((open, seal)) = session.rsplit_once('.') else { return false };
                let ends_s = open.split('.').next().and_then(|ends_s| ends_s.parse::<i64>().ok());
                ends_s.is_some_and(|ends_s| now.timestamp() < ends_s)
                    && self.is_seal_of("session", open, seal)
            })
            .map(str::to_owned)
    }

    fn seal(&self, use_: &str, text: &str) -> String {
        let Some(mac) = self.mac(use_, text) else { return String::new() };
        hex::encode(mac.finalize().into_bytes())
    }

    fn is_seal_of(&self, use_: &str, text: &str, seal: &str) -> bool {
        match (hex::decode(seal), self.mac(use_, text)) {
            (Ok(bytes), Some(mac)) => mac.verify_slice(&bytes).is_ok(),
            _ => false,
        }
    }

    /// Never `None`: HMAC takes keys of any length.
    fn mac(&self, use_: &str, text: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).ok()?;
        mac.update(use_.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        Some(mac)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// Whether a page was opened by an address or `localhost`. Any other name may be another site's.
pub fn is_literal_host(headers: &HeaderMap) -> bool {
    let host = host(headers);
    let is_literal = host.parse::<SocketAddr>().is_ok() || host.parse::<IpAddr>().is_ok();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    is_literal || name == "localhost"
}

/// Whether the browser says that a page of this origin sent the request. The console does not serve
/// browsers that say nothing.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let site = text("sec-fetch-site");
    if site.is_some_and(|site| site != "same-origin") {
        return false;
    }
    match text("origin") {
        None => site.is_some(),
        Some(origin) => origin.split_once("://").is_some_and(|(scheme, authority)| {
            matches!(scheme, "http" | "https") && authority == host(headers)
        }),
    }
}

/// Whether another site's page loads this as a part of itself, rather than a person following a link.
fn is_embedded_elsewhere(headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|held| held == value);
    is("sec-fetch-site", "cross-site") && !is("sec-fetch-dest", "document")
}

fn host(headers: &HeaderMap) -> &str {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}

fn cookie(session: &str, max_age_s: i64, headers: &HeaderMap) -> String {
    let is_tls =
        headers.get("origin").is_some_and(|origin| origin.as_bytes().starts_with(b"https"));
    let secure = if is_tls { "; Secure" } else { "" };
    format!("{COOKIE}={session}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const NOW: DateTime<Utc> = DateTime::from_timestamp_nanos(1_800_000_000_000_000_000);

    fn access(address: &str, token: Option<&str>) -> Access {
        let keys = Keys { token: token.map(str::to_owned), secret: [7; 32] };
        Access::new(address.parse().unwrap(), keys)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn without_a_token_the_console_is_open_on_loopback_only() {
        let check = |address: &str, headers: &HeaderMap, expected: Result<(), Denied>| {
            let seen = access(address, None).visitor(headers, NOW, 1);
            assert_eq!(seen.map(|_| ()), expected, "{address} {headers:?}");
        };
        let here = headers(&[("host", "127.0.0.1:8787")]);
        check("127.0.0.1", &here, Ok(()));
        check("::1", &headers(&[("host", "[::1]:8787")]), Ok(()));
        check("::ffff:127.0.0.1", &headers(&[("host", "localhost:8787")]), Ok(()));
        check("0.0.0.0", &here, Err(Denied::Closed));
        check("192.168.1.7", &headers(&[("host", "192.168.1.7:8787")]), Err(Denied::Closed));
        check("127.0.0.1", &headers(&[("host", "evil.example:8787")]), Err(Denied::Name));
        check("127.0.0.1", &headers(&[]), Err(Denied::Name));
        let through = headers(&[("host", "127.0.0.1:8787"), ("x-forwarded-for", "203.0.113.9")]);
        check("127.0.0.1", &through, Err(Denied::Proxy));
        let from_elsewhere = |dest: &str| {
            let site = ("sec-fetch-site", "cross-site");
            headers(&[("host", "127.0.0.1:8787"), site, ("sec-fetch-dest", dest)])
        };
        check("127.0.0.1", &from_elsewhere("document"), Ok(()));
        check("127.0.0.1", &from_elsewhere("image"), Err(Denied::Elsewhere));
        check("127.0.0.1", &from_elsewhere("iframe"), Err(Denied::Elsewhere));
    }

    #[test]
    fn with_a_token_visitors_log_in_on_every_address() {
        for address in ["127.0.0.1", "0.0.0.0"] {
            let access = access(address, Some("sesame-sesame-16"));
            let from = headers(&[("host", "ops.example"), ("origin", "https://ops.example")]);
            assert_eq!(access.visitor(&from, NOW, 1), Err(Denied::LogIn));
            let LogIn::Welcome(cookie) =
                access.log_in("sesame-sesame-16", &from, NOW, Duration::ZERO, 2)
            else {
                panic!("the right token is wrong")
            };
            assert!(cookie.ends_with("HttpOnly; SameSite=Strict; Secure"), "{cookie}");
            let pair = cookie.split(';').next().unwrap();
            let with = headers(&[("host", "ops.example"), ("cookie", &format!("a=b; {pair}"))]);
            assert!(access.visitor(&with, NOW, 3).is_ok());
            let ended = NOW + chrono::TimeDelta::seconds(SESSION_S);
            assert_eq!(access.visitor(&with, ended, 3), Err(Denied::LogIn));
            let forged = headers(&[("cookie", &pair.replace("=18", "=28"))]);
            assert_eq!(access.visitor(&forged, NOW, 3), Err(Denied::LogIn));
        }
    }

    #[test]
    fn tokens_can_be_guessed_ten_times_a_minute() {
        let access = access("0.0.0.0", Some("sesame-sesame-16"));
        let none = HeaderMap::new();
        let tried = |token: &str, uptime_s| {
            access.log_in(token, &none, NOW, Duration::from_secs(uptime_s), 1)
        };
        for _ in 0..WRONG_MAX {
            assert_eq!(tried("sesame", 1), LogIn::Wrong);
        }
        assert_eq!(tried("sesame-sesame-16", 2), LogIn::Later);
        assert!(matches!(tried("sesame-sesame-16", 61), LogIn::Welcome(_)));
    }

    #[test]
    fn a_request_acts_with_this_origin_and_its_session_s_csrf_token() {
        let access = access("127.0.0.1", None);
        let host = ("host", "127.0.0.1:8787");
        let visitor = access.visitor(&headers(&[host]), NOW, 1).unwrap();
        let other = access.visitor(&headers(&[host]), NOW, 2).unwrap();
        let origin = ("origin", "http://127.0.0.1:8787");
        let check = |given: &[(&'static str, &str)], token: &str, expected: Result<(), Denied>| {
            let done = access.may_act(&visitor, &headers(given), token);
            assert_eq!(done, expected, "{given:?}");
        };
        check(&[host, origin], &visitor.csrf_token, Ok(()));
        check(&[host, ("sec-fetch-site", "same-origin")], &visitor.csrf_token, Ok(()));
        check(&[host, origin], &other.csrf_token, Err(Denied::CsrfToken));
        check(&[host, origin], "", Err(Denied::CsrfToken));
        for foreign in ["null", "http://127.0.0.1:9999", "http://evil.example", "127.0.0.1:8787"] {
            check(&[host, ("origin", foreign)], &visitor.csrf_token, Err(Denied::Elsewhere));
        }
        for site in ["cross-site", "same-site", "none"] {
            let given = [host, origin, ("sec-fetch-site", site)];
            check(&given, &visitor.csrf_token, Err(Denied::Elsewhere));
        }
        check(&[host], &visitor.csrf_token, Err(Denied::Elsewhere));
    }
}
