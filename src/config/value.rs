//! Values that are one word: names, choices, numbers, paths, zones.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use jiff::tz::{self, TimeZone};

use super::duration;
use super::mistake::Wrong;
use super::settings::{LogFormat, LogLevel};
use crate::births::ZeroFor;
use crate::budget::RateLimit;
use crate::event::{Account, EventType};
use crate::order::Order;
use crate::plan::OrderSetting;

/// The words of `--api.order`.
pub const ORDERS: [(&str, OrderSetting); 3] = [
    ("auto", OrderSetting::Auto),
    ("newest-first", OrderSetting::Fixed(Order::NewestFirst)),
    ("oldest-first", OrderSetting::Fixed(Order::OldestFirst)),
];
/// The words of `--log.level`.
pub const LOG_LEVELS: [(&str, LogLevel); 5] = [
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];
/// The words of `--log.format`.
pub const LOG_FORMATS: [(&str, LogFormat); 2] =
    [("logfmt", LogFormat::Logfmt), ("json", LogFormat::Json)];
/// The words of a flag that is on or off.
pub const SWITCH: [(&str, bool); 2] = [("true", true), ("false", false)];

/// Reads one of several words.
pub fn choice<T: Copy>(words: &[(&str, T)]) -> impl Fn(&str) -> Result<T, Wrong> {
    move |text| {
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Wrong::new(listed(&words), "write one of these, in lower case")
        })
    }
}

/// `a`, `a or b`, `a, b or c`.
fn listed(words: &[&str]) -> String {
    match words {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// Reads a number within the bounds.
pub fn number<T>(bounds: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, Wrong>
where
    T: FromStr + PartialOrd + std::fmt::Display,
{
    move |text| {
        let read = text.parse().ok().filter(|number| bounds.contains(number));
        read.ok_or_else(|| {
            let (least, most) = (bounds.start(), bounds.end());
            let expected = format!("a number from {least} to {most}");
            Wrong::new(expected, "write it in digits, without a unit")
        })
    }
}

/// Reads the account's name: the value of a label.
pub fn account(text: &str) -> Result<Account, Wrong> {
    const LONGEST: usize = 128;
    let plain = !text.chars().any(char::is_control);
    if plain && (1..=LONGEST).contains(&text.chars().count()) {
        return Ok(Account::new(text));
    }
    Err(Wrong::new(
        "1 to 128 characters without control characters",
        "write a short name such as default",
    ))
}

/// Reads the path of the metrics.
pub fn telemetry_path(text: &str) -> Result<String, Wrong> {
    let wrong = |mend: &str| Wrong::new("a path such as /metrics", mend);
    if !text.starts_with('/') {
        return Err(wrong("start it with a slash"));
    }
    if text == "/" || text == "/-" || text.starts_with("/-/") {
        return Err(wrong(
            "/ and everything in /-/ are the exporter's own: choose another",
        ));
    }
    let plain = |c: char| c.is_ascii_graphic() && !"?#%\"<>\\".contains(c);
    if !text.chars().all(plain) {
        return Err(wrong(
            "leave out queries, spaces and characters that would need escaping",
        ));
    }
    Ok(text.to_owned())
}

/// Reads `10/1m`.
pub fn rate_limit(text: &str) -> Result<RateLimit, Wrong> {
    let wrong = |mend: String| Wrong::new("requests/duration such as 10/1m", mend);
    let (requests, window) = text
        .split_once('/')
        .ok_or_else(|| wrong("put a slash between the two".to_owned()))?;
    let bounds = Duration::from_millis(100)..=Duration::from_secs(3600);
    let requests = number(1..=10_000)(requests)
        .map_err(|_| wrong("write 1 to 10000 requests before the slash".to_owned()))?;
    let window = duration::within(bounds)(window)
        .map_err(|_| wrong("write a duration from 100ms to 1h after the slash".to_owned()))?;
    Ok(RateLimit { requests, window })
}

/// Reads which logs, in any order, each once.
pub fn logs(text: &str) -> Result<Vec<EventType>, Wrong> {
    let wrong = |mend: &str| Wrong::new("device, admin or both separated by a comma", mend);
    let words: Vec<&str> = text.split(',').map(str::trim).collect();
    let all = EventType::ALL.into_iter();
    let found: Vec<EventType> = all.filter(|log| words.contains(&log.as_str())).collect();
    let is_log = |word: &&str| EventType::ALL.iter().any(|log| log.as_str() == *word);
    if !words.iter().all(is_log) {
        return Err(wrong("there are no other logs"));
    }
    if found.len() < words.len() {
        return Err(wrong("name each log once"));
    }
    Ok(found)
}

/// Reads the log's order.
pub fn order(text: &str) -> Result<OrderSetting, Wrong> {
    choice(&ORDERS)(text)
}

/// Reads how long a new series is shown at zero.
pub fn zero_for(text: &str) -> Result<ZeroFor, Wrong> {
    if text == "auto" {
        return Ok(ZeroFor::Auto);
    }
    let bounds = Duration::ZERO..=Duration::from_secs(3600);
    let fixed = duration::within(bounds)(text).map(ZeroFor::Fixed);
    fixed.map_err(|_| {
        Wrong::new(
            "auto or a duration from 0s to 1h",
            "leave it out for auto; 0s shows new series at their value at once",
        )
    })
}

/// Reads a time zone by its IANA name, in any case. An offset such as `+02:00` is refused: it would
/// be wrong for half of the year wherever clocks are changed.
pub fn zone(text: &str) -> Result<TimeZone, Wrong> {
    let zone = TimeZone::get(text).ok().filter(|zone| !zone.is_unknown());
    zone.ok_or_else(|| {
        let mend = match zone_of_place(text) {
            Some(name) => format!("did you mean {name}?"),
            None if text.starts_with(['+', '-']) => {
                "write the place instead of an offset, which would not follow summer time \
                 (where there is none, Etc/GMT-2 is two hours east)"
                    .to_owned()
            }
            None => "look it up at https://www.iana.org/time-zones".to_owned(),
        };
        Wrong::new("an IANA time zone such as UTC or Europe/Berlin", mend)
    })
}

/// The zone whose last part is what was typed: `Europe/Berlin` for `berlin`.
fn zone_of_place(text: &str) -> Option<String> {
    let place = text.trim().replace(' ', "_");
    let mut names = tz::db().available().map(|name| name.as_str().to_owned());
    names.find(|name| {
        let last = name.rsplit('/').next();
        last.is_some_and(|last| last.eq_ignore_ascii_case(&place))
    })
}

/// Reads how much is logged.
pub fn log_level(text: &str) -> Result<LogLevel, Wrong> {
    choice(&LOG_LEVELS)(text)
}

/// Reads how log lines are written.
pub fn log_format(text: &str) -> Result<LogFormat, Wrong> {
    choice(&LOG_FORMATS)(text)
}

/// Reads a flag that is on or off.
pub fn switch(text: &str) -> Result<bool, Wrong> {
    choice(&SWITCH)(text)
}

/// A path to a file that may be made yet.
pub fn path(text: &str) -> Result<PathBuf, Wrong> {
    match text {
        "" => Err(Wrong::new("the path of a file", "it is empty")),
        _ => Ok(PathBuf::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_a_name_of_1_to_128_plain_characters() {
        assert_eq!(account("Zürich office"), Ok(Account::new("Zürich office")));
        assert!(account(&"ä".repeat(128)).is_ok());
        for text in ["", "a\nb", "a\u{7f}", &"a".repeat(129)] {
            assert!(account(text).is_err(), "{text:?} was read as a name");
        }
    }

    #[test]
    fn the_telemetry_path_is_none_of_the_other_paths() {
        assert!(telemetry_path("/metrics").is_ok());
        assert!(telemetry_path("/prometheus/meta-access").is_ok());
        for text in [
            "",
            "metrics",
            "/",
            "/-",
            "/-/healthy",
            "/-/ready",
            "/-/reload",
            "/a?b",
            "/a b",
            "/a#b",
            "/ä",
            "/%20",
        ] {
            assert!(telemetry_path(text).is_err(), "{text:?} was read as a path");
        }
    }

    #[test]
    fn a_rate_limit_is_requests_in_a_window() {
        let read = rate_limit("10/1m").unwrap();
        assert_eq!((read.requests, read.window), (10, Duration::from_secs(60)));
        assert_eq!(read.to_string(), "10/1m");
        assert_eq!(read.time_for(2), Duration::from_secs(12));
        for text in [
            "", "10", "10/", "/1m", "0/1m", "10001/1m", "10/60", "10/99ms", "10/61m", "1.5/1m",
            "10/1m/1m",
        ] {
            assert!(
                rate_limit(text).is_err(),
                "{text:?} was read as a rate limit"
            );
        }
    }

    #[test]
    fn logs_are_a_set() {
        assert_eq!(logs("admin, device"), Ok(EventType::ALL.to_vec()));
        assert_eq!(logs("admin"), Ok(vec![EventType::Admin]));
        for text in ["", "device,device", "device,", "Device", "webhook"] {
            assert!(logs(text).is_err(), "{text:?} was read as logs");
        }
    }

    #[test]
    fn a_zone_goes_by_its_iana_name_in_any_case() {
        assert_eq!(
            zone("europe/berlin").unwrap().iana_name(),
            Some("Europe/Berlin")
        );
        assert!(zone("UTC").is_ok());
        assert!(
            zone("Berlin")
                .unwrap_err()
                .to_string()
                .ends_with("did you mean Europe/Berlin?")
        );
        assert!(
            zone("+02:00")
                .unwrap_err()
                .to_string()
                .contains("summer time")
        );
        for text in ["", "CEST", "Etc/Unknown", "Europe/", "UTC+2"] {
            assert!(zone(text).is_err(), "{text:?} was read as a zone");
        }
    }

    #[test]
    fn a_number_keeps_to_its_bounds() {
        let read = number(1..=10_000_usize);
        assert_eq!((read("1"), read("10000")), (Ok(1), Ok(10_000)));
        for text in [
            "0",
            "10001",
            "-1",
            "1.0",
            "",
            "1k",
            "99999999999999999999999",
        ] {
            assert!(read(text).is_err(), "{text:?} was read as a number");
        }
        for text in ["NaN", "inf", "-0.1"] {
            assert!(
                number(0.0..=1.0)(text).is_err(),
                "{text:?} was read as a fraction"
            );
        }
    }

    #[test]
    fn a_choice_names_its_words() {
        assert_eq!(
            order("newest-first"),
            Ok(OrderSetting::Fixed(Order::NewestFirst))
        );
        assert_eq!(log_level("trace"), Ok(LogLevel::Trace));
        assert_eq!(log_format("json"), Ok(LogFormat::Json));
        assert_eq!(switch("true"), Ok(true));
        assert_eq!(
            order("newest").unwrap_err().to_string(),
            "expected auto, newest-first or oldest-first; write one of these, in lower case"
        );
    }
}
