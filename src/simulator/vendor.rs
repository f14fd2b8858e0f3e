//! The vendor's API without a socket: a request and the time in, a reply out.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use serde_json::json;

use super::asked::Asked;
use super::fault::{Faults, Kind};
use super::limit::{Limiter, PathKind, Received, Verdict};
use super::reply::{Answer, Fate, JSON, Reply, without_the_api};
use super::rng::Rng;
use super::settings::{HeaderMode, ResetForm, Settings};
use super::token::Tokens;
use super::world::{Twist, World};
use crate::moment::Moment;

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
        let straight = Twist::default();
        let fate = match stroke.kind {
            None => Fate::Answered(self.answer(asked, received.at, straight)),
            Some(Kind::ExtraLines { lines: extra }) => {
                let twist = Twist { extra, ..straight };
                Fate::Answered(self.answer(asked, received.at, twist))
            }
            Some(Kind::Reversed) => {
                let twist = Twist {
                    reversed: true,
                    ..straight
                };
                Fate::Answered(self.answer(asked, received.at, twist))
            }
            Some(Kind::Truncated) => {
                let mut answer = self.answer(asked, received.at, straight);
                answer.body.truncate(answer.body.len() / 2);
                Fate::Answered(answer)
            }
            Some(Kind::CutOff) => Fate::CutOff(self.answer(asked, received.at, straight)),
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

    fn answer(&mut self, asked: &Asked, now: Moment, twist: Twist) -> Answer {
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
            _ => self.page(asked, twist),
        }
    }

    fn is_authorised(&self, asked: &Asked, now: Moment) -> bool {
        asked
            .field("access_token")
            .is_some_and(|token| self.tokens.accepts(token, now))
    }

    fn page(&mut self, asked: &Asked, twist: Twist) -> Answer {
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
        match self.world.page(event_type, limit, page, twist) {
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

/// Whole seconds, rounded up: one who waits them out is not early.
fn seconds_up(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::fault::Fault;
    use super::super::settings::{ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET};
    use super::*;
    use crate::event::Minute;

    fn vendor(settings: Settings) -> Vendor {
        let settings = Arc::new(settings);
        let world = World::new(Arc::clone(&settings), Minute(29_000_000));
        Vendor::new(settings, world)
    }

    fn at(seconds: u64) -> Now {
        let since = Duration::from_secs(seconds);
        Now {
            moment: Moment(since),
            unix: Duration::from_millis(1_700_000_000_500) + since,
        }
    }

    fn logs(query: &str) -> Asked {
        let query = format!("access_token={ACCESS_TOKEN}&{query}");
        Asked::new(Method::GET, "/o/api/v2/logs", &query, b"")
    }

    fn form(secret: &str) -> Asked {
        let form =
            format!("client_id={CLIENT_ID}&client_secret={secret}&grant_type=client_credentials");
        Asked::new(Method::POST, "/o/oauth/token", "", form.as_bytes())
    }

    fn answer(vendor: &mut Vendor, asked: &Asked, seconds: u64) -> Answer {
        match vendor.receive(asked, at(seconds)).fate {
            Fate::Answered(answer) => answer,
            other => panic!("not an answer: {other:?}"),
        }
    }

    fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
        answer
            .headers
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.as_str())
    }

    #[test]
    fn each_mistake_has_the_documented_code() {
        let expected = [
            ("limit=50&page=1&event_type=2", 200),
            ("", 200),
            ("limit=51", 406),
            ("limit=0", 400),
            ("page=0", 400),
            ("page=one", 400),
            ("event_type=3", 400),
            ("limit=50&page=1000", 413),
        ];
        for (query, status) in expected {
            assert_eq!(
                answer(&mut vendor(Settings::default()), &logs(query), 0).status,
                status,
                "{query}"
            );
        }
        let get = |path| Asked::new(Method::GET, path, "access_token=unknown", b"");
        let mut vendor = vendor(Settings::default());
        assert_eq!(answer(&mut vendor, &get("/o/api/v2/logs"), 0).status, 401);
        assert_eq!(
            answer(&mut vendor, &get("/o/api/v2/devices"), 0).status,
            404
        );
        assert_eq!(answer(&mut vendor, &get("/o/oauth/token"), 0).status, 405);
    }

    #[test]
    fn a_token_opens_the_logs_until_it_ends() {
        let mut vendor = vendor(Settings {
            token_lifetime: Duration::from_secs(30),
            ..Settings::default()
        });
        assert_eq!(answer(&mut vendor, &form("wrong"), 0).status, 401);
        let granted: Value =
            serde_json::from_slice(&answer(&mut vendor, &form(CLIENT_SECRET), 0).body).unwrap();
        assert_eq!(granted["expires_in"], 30);
        let query = format!("access_token={}", granted["access_token"].as_str().unwrap());
        let asked = Asked::new(Method::GET, "/o/api/v2/account", &query, b"");
        assert_eq!(answer(&mut vendor, &asked, 29).status, 200);
        assert_eq!(answer(&mut vendor, &asked, 30).status, 401);
    }

    #[test]
    fn all_requests_share_one_window_and_the_headers_say_where_it_stands() {
        let mut vendor = vendor(Settings {
            retry_after: true,
            ..Settings::default()
        });
        let granted = answer(&mut vendor, &form(CLIENT_SECRET), 0);
        assert_eq!(header(&granted, "x-ratelimit-remaining"), Some("9"));
        for second in 1..10 {
            assert_eq!(answer(&mut vendor, &logs("limit=50"), second).status, 200);
        }
        let refused = answer(&mut vendor, &logs("limit=50"), 20);
        assert_eq!(refused.status, 429);
        assert_eq!(header(&refused, "retry-after"), Some("40"));
        assert_eq!(vendor.limiter.record().over_limit, 1);
        assert_eq!(vendor.limiter.record().by_status[&200], 10);
    }

    #[test]
    fn headers_come_as_and_when_the_settings_say() {
        let unix = Settings {
            reset: ResetForm::UnixTime,
            ..Settings::default()
        };
        let first = answer(&mut vendor(unix), &logs(""), 0);
        assert_eq!(header(&first, "x-ratelimit-reset-time"), Some("1700000061"));
        for headers in [HeaderMode::Never, HeaderMode::OnlyRefusals] {
            let silent = answer(
                &mut vendor(Settings {
                    headers,
                    ..Settings::default()
                }),
                &logs(""),
                0,
            );
            assert_eq!(header(&silent, "x-ratelimit-limit"), None);
        }
    }

    #[test]
    fn a_fault_strikes_before_the_token_is_looked_at_and_counts_in_the_window() {
        let mut vendor = vendor(Settings::default());
        vendor.faults.inject(Fault::next(
            Kind::Status {
                status: 503,
                retry_after: Some(7),
            },
            1,
        ));
        let struck = answer(
            &mut vendor,
            &Asked::new(Method::GET, "/o/api/v2/logs", "", b""),
            0,
        );
        assert_eq!(
            (struck.status, header(&struck, "retry-after")),
            (503, Some("7"))
        );
        assert_eq!(header(&struck, "x-ratelimit-remaining"), Some("9"));
    }

    #[test]
    fn extra_lines_come_on_top_of_the_limit() {
        let mut vendor = vendor(Settings::default());
        vendor
            .faults
            .inject(Fault::next(Kind::ExtraLines { lines: 2 }, 1));
        let page = answer(&mut vendor, &logs("limit=3"), 0);
        let page: Value = serde_json::from_slice(&page.body).unwrap();
        let days = page["logs"].as_array().unwrap().iter();
        assert_eq!(
            days.map(|day| day["eventlog"].as_array().unwrap().len())
                .sum::<usize>(),
            5
        );
    }
}
