//! The vendor's API without a socket: a request and the time in, a reply out.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::fault::{Faults, Kind};
use super::limit::{Limiter, PathKind, Received, Verdict};
use super::rng::Rng;
use super::settings::{HeaderMode, ResetForm, Settings};
use super::token::Tokens;
use super::world::World;
use crate::event::EventType;
use crate::moment::Moment;

const LOGS: &str = "/o/api/v2/logs";
const ACCOUNT: &str = "/o/api/v2/account";
const TOKEN: &str = "/o/oauth/token";

const JSON: &str = "application/json;charset=UTF-8";

/// A request, taken apart.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: PathKind,
    pub method: Method,
    /// The parameters in the URL, or for a token the fields of the form.
    pub fields: Vec<(String, String)>,
}

impl Asked {
    /// Takes a request apart; `form` is its body.
    pub fn new(method: Method, path: &str, query: &str, form: &[u8]) -> Self {
        let path = match path {
            LOGS => PathKind::Logs,
            ACCOUNT => PathKind::Account,
            TOKEN => PathKind::Token,
            _ => PathKind::Other,
        };
        let encoded = if path == PathKind::Token {
            form
        } else {
            query.as_bytes()
        };
        Self {
            path,
            method,
            fields: form_urlencoded::parse(encoded).into_owned().collect(),
        }
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A parameter of a request for a log: 1 where it is missing, nothing where it is no number.
    fn number(&self, name: &str) -> Option<u64> {
        self.field(name).map_or(Some(1), |text| text.parse().ok())
    }

    fn event_type(&self) -> Option<EventType> {
        let parameter = self.number("event_type")?;
        EventType::ALL
            .into_iter()
            .find(|log| u64::from(log.parameter()) == parameter)
    }

    /// What the record keeps of the request.
    pub fn received(&self, at: Moment) -> Received {
        let of_log = self.path == PathKind::Logs;
        Received {
            at,
            path: self.path,
            event_type: self.event_type().filter(|_| of_log),
            limit: self.number("limit").filter(|_| of_log),
            page: self.number("page").filter(|_| of_log),
            status: None,
        }
    }
}

/// An answer as the vendor would give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    fn new(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type", media_type.to_owned())],
            body: body.into(),
        }
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, JSON, body.to_string())
    }

    /// A refusal with a body that says why.
    pub fn error(status: u16, error: &str, description: &str) -> Self {
        Self::json(
            status,
            &json!({ "error": error, "error_description": description }),
        )
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Answered(Answer),
    CutOff(Answer),
    Endless(Answer),
    Unanswered,
    Reset,
}

/// What becomes of a request, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub delay: Duration,
    pub fate: Fate,
}

/// The present of both clocks, as told by the one who received the request.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub moment: Moment,
    /// Since the Unix epoch.
    pub unix: Duration,
}

/// The API's state: the world, who may ask about it, how often, and what goes wrong.
#[derive(Debug)]
pub struct Vendor {
    pub world: World,
    pub limiter: Limiter,
    pub faults: Faults,
    pub tokens: Tokens,
    rng: Rng,
    settings: Arc<Settings>,
}

impl Vendor {
    pub fn new(settings: Arc<Settings>, world: World) -> Self {
        Self {
            world,
            limiter: Limiter::new(settings.rate_limit),
            faults: Faults::default(),
            tokens: Tokens::new(
                &settings.access_token,
                settings.token_lifetime,
                settings.reuse_tokens,
            ),
            // Apart from the company's, so that requests do not change what happens there.
            rng: Rng::new(settings.seed ^ 0xfa11),
            settings,
        }
    }

    /// How long this request is on its way before [`Vendor::receive`] is to be called.
    pub fn on_the_way(&mut self, asked: &Asked, now: Moment) -> Duration {
        self.faults.on_the_way(&asked.received(now), &mut self.rng)
    }

    /// Receives a request in a world that has been advanced to now, and records it.
    pub fn receive(&mut self, asked: &Asked, now: Now) -> Reply {
        let received = asked.received(now.moment);
        let verdict = self.limiter.arrive(received);
        let mut reply = if verdict.admitted {
            self.admitted(asked, &received)
        } else {
            Reply {
                delay: Duration::ZERO,
                fate: Fate::Answered(self.over_limit(verdict)),
            }
        };
        if let Fate::Answered(answer) | Fate::CutOff(answer) | Fate::Endless(answer) =
            &mut reply.fate
        {
            self.limiter.answered(verdict, answer.status);
            self.add_limit_headers(answer, verdict, now.unix);
        }
        reply
    }

    fn over_limit(&self, verdict: Verdict) -> Answer {
        let mut answer = Answer::error(429, "too_many_requests", "the rate limit is exceeded");
        if self.settings.retry_after {
            answer
                .headers
                .push(("retry-after", seconds_up(verdict.reset_in).to_string()));
        }
        answer
    }

    fn admitted(&mut self, asked: &Asked, received: &Received) -> Reply {
        let stroke = self.faults.strike(received, &mut self.rng);
        let fate = match stroke.kind {
            None => Fate::Answered(self.answer(asked, received.at, 0)),
            Some(Kind::ExtraLines { lines }) => {
                Fate::Answered(self.answer(asked, received.at, lines))
            }
            Some(Kind::Truncated) => {
                let mut answer = self.answer(asked, received.at, 0);
                answer.body.truncate(answer.body.len() / 2);
                Fate::Answered(answer)
            }
            Some(Kind::CutOff) => Fate::CutOff(self.answer(asked, received.at, 0)),
            Some(kind) => without_the_api(kind),
        };
        Reply {
            delay: stroke.delay,
            fate,
        }
    }

    fn add_limit_headers(&self, answer: &mut Answer, verdict: Verdict, unix: Duration) {
        let wanted = match self.settings.headers {
            HeaderMode::EveryAnswer => true,
            HeaderMode::Never => false,
            HeaderMode::OnlyRefusals => answer.status == 429,
        };
        if !wanted {
            return;
        }
        let reset = match self.settings.reset {
            ResetForm::Seconds => seconds_up(verdict.reset_in),
            ResetForm::UnixTime => seconds_up(unix.saturating_add(verdict.reset_in)),
        };
        answer.headers.extend([
            (
                "x-ratelimit-limit",
                self.settings.rate_limit.requests.to_string(),
            ),
            ("x-ratelimit-remaining", verdict.remaining.to_string()),
            ("x-ratelimit-reset-time", reset.to_string()),
        ]);
    }

    fn answer(&mut self, asked: &Asked, now: Moment, extra: usize) -> Answer {
        let expected = if asked.path == PathKind::Token {
            Method::POST
        } else {
            Method::GET
        };
        if asked.path == PathKind::Other {
            return Answer::error(404, "not_found", "there is no such path");
        }
        if asked.method != expected {
            return Answer::error(405, "method_not_allowed", "this path has another method");
        }
        match asked.path {
            PathKind::Token => self.token(asked, now),
            _ if !self.is_authorised(asked, now) => Answer::error(
                401,
                "invalid_token",
                "the access token is missing, unknown or expired",
            ),
            PathKind::Account => self.account(),
            _ => self.page(asked, extra),
        }
    }

    fn is_authorised(&self, asked: &Asked, now: Moment) -> bool {
        asked
            .field("access_token")
            .is_some_and(|token| self.tokens.accepts(token, now))
    }

    fn page(&mut self, asked: &Asked, extra: usize) -> Answer {
        let numbers = (
            asked.event_type(),
            asked.number("limit"),
            asked.number("page"),
        );
        let (Some(event_type), Some(limit @ 1..), Some(page @ 1..)) = numbers else {
            return Answer::error(
                400,
                "bad_request",
                "event_type, limit or page has a bad value",
            );
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if limit > self.settings.page_cap {
            return Answer::error(406, "not_acceptable", "the limit is above the largest page");
        }
        let page = usize::try_from(page).unwrap_or(usize::MAX);
        match self.world.page(event_type, limit, page, extra) {
            Ok(body) => Answer::new(200, JSON, body),
            Err(_) => Answer::error(413, "page_too_large", "the page is past the last one"),
        }
    }

    fn token(&mut self, asked: &Asked, now: Moment) -> Answer {
        if asked.field("grant_type") != Some("client_credentials") {
            return Answer::error(400, "unsupported_grant_type", "use client_credentials");
        }
        let known = asked.field("client_id") == Some(&self.settings.client_id)
            && asked.field("client_secret") == Some(&self.settings.client_secret);
        if !known {
            return Answer::error(401, "invalid_client", "bad client credentials");
        }
        let issued = self.tokens.issue(now, &mut self.rng);
        Answer::json(
            200,
            &json!({
                "access_token": issued.token,
                "token_type": "bearer",
                "expires_in": issued.expires_in.as_secs(),
                "scope": "read",
            }),
        )
    }

    fn account(&self) -> Answer {
        let (used, uncompliant) = self.world.company().devices_used();
        Answer::json(
            200,
            &json!({
                "devices_allowed": 100,
                "devices_used": used,
                "devices_uncompliant": uncompliant,
                "devices_critical": 0,
                "devices_issues": uncompliant,
            }),
        )
    }
}

/// What becomes of a request that a fault keeps from the API.
fn without_the_api(kind: Kind) -> Fate {
    let html = "<!doctype html><title>Sign in</title><p>Sign in to go on.</p>";
    Fate::Answered(match kind {
        Kind::Status {
            status,
            retry_after,
        } => {
            let mut answer = Answer::error(status, "injected", "this fault was asked for");
            let header = retry_after.map(|seconds| ("retry-after", seconds.to_string()));
            answer.headers.extend(header);
            answer
        }
        Kind::Redirect { location } => {
            let mut answer = Answer::new(302, "text/html", html);
            answer.headers.push(("location", location));
            answer
        }
        Kind::Html => Answer::new(200, "text/html;charset=UTF-8", html),
        Kind::Endless => return Fate::Endless(Answer::new(200, JSON, "")),
        Kind::Reset => return Fate::Reset,
        Kind::Hang => return Fate::Unanswered,
        // The kinds that need the API's answer, and delays, do not come here.
        _ => Answer::new(200, JSON, &b"{\"logs\": [\xff\xfe not json"[..]),
    })
}

/// Whole seconds, rounded up: one who waits them out is not early.
fn seconds_up(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
