//! A line as the one who logs it knows it: what it says, and what should be counted of it.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::event::{EventType, Minute};

/// A line to be logged, together with the labels under which it should be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The log that it goes to.
    pub event_type: EventType,
    /// The minute that it is dated, which may lie before the newest line's.
    pub minute: Minute,
    /// The category without its version.
    pub category: Arc<str>,
    /// The version that the log writes behind the category; empty for none.
    pub version: Arc<str>,
    /// The hostname field, as logged.
    pub hostname: Arc<str>,
    /// The `event` label that an exporter should give it.
    pub event: Arc<str>,
    /// The description that the log shows; it may say more than `event`, such as a policy's name.
    pub description: Arc<str>,
}

impl Line {
    /// A device's line of `category` and `version`, whose description is the event itself.
    pub fn device(
        minute: Minute,
        category: &str,
        version: &str,
        hostname: &str,
        event: &str,
    ) -> Self {
        let event: Arc<str> = event.into();
        Self {
            event_type: EventType::Device,
            minute,
            category: category.into(),
            version: version.into(),
            hostname: hostname.into(),
            description: Arc::clone(&event),
            event,
        }
    }

    /// The same line in the administrators' log.
    pub fn for_admin(self) -> Self {
        Self {
            event_type: EventType::Admin,
            ..self
        }
    }

    /// The same line, to be counted the same, with this description in the log.
    pub fn described(self, description: &str) -> Self {
        Self {
            description: description.into(),
            ..self
        }
    }

    /// The event category field: `MetaAccess (Version 1.1.1.1)`, or the category alone.
    pub fn category_field(category: &str, version: &str) -> String {
        if version.is_empty() {
            category.to_owned()
        } else {
            format!("{category} (Version {version})")
        }
    }
}

/// The wall-clock date and time that the log writes for a minute in this zone.
///
/// Minutes beyond what a calendar holds are written as its first moment.
pub fn written(minute: Minute, zone: &TimeZone) -> DateTime {
    Timestamp::from_second(minute.unix_seconds())
        .map(|at| zone.to_datetime(at))
        .unwrap_or(DateTime::MIN)
}

/// The minute that a wall-clock reading in this zone names: the first of two where the hour occurs
/// twice, and nothing where the calendar ends.
pub fn minute_at(wall_clock: DateTime, zone: &TimeZone) -> Option<Minute> {
    let at = zone.to_timestamp(wall_clock).ok()?;
    Some(Minute(at.as_second().div_euclid(60)))
}

/// The minute that a Unix time in seconds falls in.
pub fn minute_of_unix(seconds: u64) -> Minute {
    Minute(i64::try_from(seconds / 60).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_written_in_the_zone_of_the_log() {
        let noon = Minute(23_111_280);
        assert_eq!(
            written(noon, &TimeZone::UTC).to_string(),
            "2013-12-10T12:00:00"
        );
        let zone = TimeZone::get("America/New_York").unwrap();
        let there = written(noon, &zone);
        assert_eq!(there.to_string(), "2013-12-10T07:00:00");
        assert_eq!(minute_at(there, &zone), Some(noon));
    }

    #[test]
    fn the_hour_that_occurs_twice_is_written_twice_and_the_one_that_is_left_out_never() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let clocks = |first: Minute| {
            let minutes = (0..3).map(|hour| first.minus(-hour * 60));
            let hours = minutes.map(|minute| written(minute, &zone).hour());
            hours.collect::<Vec<_>>()
        };
        let autumn = minute_at("2025-10-26T01:30:00".parse().unwrap(), &zone).unwrap();
        assert_eq!(clocks(autumn), [1, 2, 2]);
        let spring = minute_at("2025-03-30T01:30:00".parse().unwrap(), &zone).unwrap();
        assert_eq!(clocks(spring), [1, 3, 4]);
    }

    #[test]
    fn a_category_without_a_version_stands_alone() {
        assert_eq!(Line::category_field("Console", ""), "Console");
        assert_eq!(
            Line::category_field("MetaAccess", "1.1.1.1"),
            "MetaAccess (Version 1.1.1.1)"
        );
    }
}
