//! What a simulator can be told.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::answer::Style;
use super::limit::RateLimit;
use super::log::Order;
use crate::event::Minute;

/// The access token that is always valid, unless the settings name another.
pub const ACCESS_TOKEN: &str = "00000000-0000-4000-8000-000000000000";
/// The OAuth client, unless the settings name another.
pub const CLIENT_ID: &str = "simulated-client";
/// The OAuth client's secret, unless the settings name another. It opens nothing but a simulator.
pub const CLIENT_SECRET: &str = "simulated-secret";

/// Everything that makes one simulated API differ from another.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Equal seeds give equal companies.
    pub seed: u64,
    /// The order in which the logs are shown.
    pub order: Order,
    /// Lines per simulated minute over both logs, on the average of a day; 0 for none.
    pub rate: f64,
    /// Hours of log before the start of simulated time.
    pub history_hours: u32,
    /// Lines per minute of that history, over both logs.
    pub history_rate: f64,
    /// Simulated seconds in a real second, up to a million; 0 for a clock that stands still.
    pub speed: f64,
    /// Where simulated time starts; none for the present minute of this machine's clock.
    pub start: Option<Minute>,
    /// The zone of the wall clock that the logs write. They are ordered by instant.
    pub timezone: TimeZone,
    /// The share, from 0 to 1, of generated lines that arrive up to 90 simulated seconds after
    /// their minute is over.
    pub late_fraction: f64,
    /// What happens to the log between two page requests.
    pub drift: Drift,
    /// How much of each log is kept.
    pub retention: Retention,
    /// How many requests are answered.
    pub rate_limit: RateLimit,
    /// Which answers carry the `X-RateLimit-` headers.
    pub headers: HeaderMode,
    /// How `X-RateLimit-Reset-Time` is written.
    pub reset: ResetForm,
    /// Whether refusals for the rate limit carry `Retry-After` in seconds.
    pub retry_after: bool,
    /// The largest `limit` of a page; above it 406 is answered.
    pub page_cap: usize,
    /// An access token that is always valid, beside those issued by OAuth; empty for none.
    pub access_token: String,
    pub client_id: String,
    pub client_secret: String,
    /// How long an issued token is valid, in real time.
    pub token_lifetime: Duration,
    /// Whether a repeated token request returns the same token with less time left.
    pub reuse_tokens: bool,
    /// How pages are written.
    pub style: Style,
    /// Whether page 1 of an empty log is past the end rather than a page without logs.
    pub empty_is_413: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            order: Order::NewestFirst,
            // Something happens while a newcomer looks, and 10 requests a minute keep up with it.
            rate: 4.0,
            // An hour short of the exporter's default lookback, so that its starting values are
            // the truth; about 220 lines, which are five pages or six.
            history_hours: 23,
            history_rate: 0.16,
            speed: 1.0,
            start: None,
            timezone: TimeZone::UTC,
            late_fraction: 0.0,
            drift: Drift::default(),
            retention: Retention::default(),
            rate_limit: RateLimit::default(),
            headers: HeaderMode::EveryAnswer,
            reset: ResetForm::Seconds,
            retry_after: false,
            page_cap: 50,
            access_token: ACCESS_TOKEN.to_owned(),
            client_id: CLIENT_ID.to_owned(),
            client_secret: CLIENT_SECRET.to_owned(),
            token_lifetime: Duration::from_secs(43_199),
            reuse_tokens: false,
            style: Style::default(),
            empty_is_413: false,
        }
    }
}

/// What happens to a log right after every `every`-th answer, while not paused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Generated lines that arrive, dated in the present minute.
    pub lines: u32,
    /// How many answers of either log come to one drift; 0 is read as 1.
    pub every: u64,
    /// Oldest lines that go.
    pub purge: usize,
}

/// What is kept of each log; both bounds hold. By default the number of lines bounds memory, and no
/// line is too old, so that tests may log lines of any date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// At most this many entries.
    pub lines: usize,
    /// Only entries dated within so many hours before the present minute.
    pub hours: Option<u32>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            lines: 200_000,
            hours: None,
        }
    }
}

/// Which answers carry the rate limit's headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderMode {
    #[default]
    EveryAnswer,
    Never,
    /// Only answers that refuse a request for the rate limit.
    OnlyRefusals,
}

/// How the time at which the rate limit frees a request is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetForm {
    /// Whole seconds from now, rounded up.
    #[default]
    Seconds,
    /// A Unix time in whole seconds, rounded up.
    UnixTime,
}
