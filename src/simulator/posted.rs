//! The JSON that may be posted to the control plane.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::fault::{Fault, Kind, Target, Wait};
use super::line::{Line, minute_at};
use super::log::{Order, Purge, Raw};
use super::settings::Drift;
use crate::event::{EventType, Minute};

/// One of the logs, by its name or by the API's parameter.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub struct LogName(pub EventType);

impl TryFrom<Value> for LogName {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let matches = |log: &EventType| value == log.as_str() || value == log.parameter();
        let found = EventType::ALL.into_iter().find(matches);
        found
            .map(Self)
            .ok_or_else(|| format!("event_type {value} is neither \"device\" nor \"admin\""))
    }
}

/// A line to log, or a malformed entry where it has `raw`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostedLine {
    event_type: LogName,
    /// `2013-12-06`, with `time`; the simulator's present minute where both are missing.
    date: Option<String>,
    /// `17:28`
    time: Option<String>,
    /// Whole minutes since the Unix epoch, in place of `date` and `time`.
    minute: Option<i64>,
    #[serde(default = "metaaccess")]
    category: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    event: String,
    description: Option<String>,
    #[serde(default, deserialize_with = "even_null")]
    raw: Option<Value>,
    #[serde(default, deserialize_with = "even_null")]
    raw_date: Option<Value>,
}

fn metaaccess() -> String {
    "MetaAccess".to_owned()
}

/// Tells `null` from nothing.
fn even_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What a posted line asks to be logged.
#[derive(Clone, Debug, PartialEq)]
pub enum Posted {
    Line(Line),
    Malformed(EventType, Minute, Raw),
}

impl PostedLine {
    /// The line in a log of this zone, dated `present` where it has no date of its own.
    pub fn posted(self, zone: &TimeZone, present: Minute) -> Result<Posted, String> {
        let minute = self.dated(zone)?.unwrap_or(present);
        let event_type = self.event_type.0;
        if let Some(value) = self.raw {
            return Ok(Posted::Malformed(
                event_type,
                minute,
                Raw {
                    value,
                    date: self.raw_date,
                },
            ));
        }
        let line = Line::device(
            minute,
            &self.category,
            &self.version,
            &self.hostname,
            &self.event,
        );
        let line = Line { event_type, ..line };
        Ok(Posted::Line(match self.description {
            Some(description) => line.described(&description),
            None => line,
        }))
    }

    fn dated(&self, zone: &TimeZone) -> Result<Option<Minute>, String> {
        if let Some(minute) = self.minute {
            return Ok(Some(Minute(minute)));
        }
        let (date, time) = match (&self.date, &self.time) {
            (None, None) => return Ok(None),
            (Some(date), Some(time)) => (date, time),
            _ => return Err("date and time go together: give both or neither".to_owned()),
        };
        let day: Date = date
            .parse()
            .map_err(|_| format!("date {date:?} is not like 2013-12-06"))?;
        let clock: Time = time
            .parse()
            .map_err(|_| format!("time {time:?} is not like 17:28"))?;
        let minute = minute_at(day.to_datetime(clock), zone);
        minute
            .map(Some)
            .ok_or_else(|| format!("date {date:?} is beyond the calendar"))
    }
}

/// A fault to inject.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostedFault {
    kind: String,
    #[serde(default)]
    target: TargetName,
    event_type: Option<LogName>,
    page: Option<u64>,
    #[serde(default)]
    skip: u64,
    #[serde(default)]
    every: u64,
    times: Option<u64>,
    status: Option<u16>,
    retry_after: Option<u64>,
    location: Option<String>,
    lines: Option<usize>,
    ms: Option<u64>,
    #[serde(default)]
    spread_ms: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TargetName {
    Logs,
    Token,
    Account,
    #[default]
    All,
}

impl PostedFault {
    pub fn fault(self) -> Result<Fault, String> {
        Ok(Fault {
            kind: self.kind()?,
            target: match self.target {
                TargetName::Logs => Target::Logs,
                TargetName::Token => Target::Token,
                TargetName::Account => Target::Account,
                TargetName::All => Target::All,
            },
            event_type: self.event_type.map(|log| log.0),
            page: self.page,
            skip: self.skip,
            every: self.every.max(1),
            times: self.times,
        })
    }

    fn kind(&self) -> Result<Kind, String> {
        Ok(match self.kind.as_str() {
            "status" => Kind::Status {
                status: self
                    .status
                    .filter(|status| (200..600).contains(status))
                    .ok_or("status from 200 to 599 is missing")?,
                retry_after: self.retry_after,
            },
            "html" => Kind::Html,
            "truncated" => Kind::Truncated,
            "cut_off" => Kind::CutOff,
            "endless" => Kind::Endless,
            "redirect" => Kind::Redirect {
                location: self.location.clone().ok_or("location is missing")?,
            },
            "hang" => Kind::Hang,
            "delay" => Kind::Delay(self.wait()?),
            "late_arrival" => Kind::LateArrival(self.wait()?),
            "garbage" => Kind::Garbage,
            "extra_lines" => Kind::ExtraLines {
                lines: self.lines.ok_or("lines is missing")?,
            },
            "reversed" => Kind::Reversed,
            "reset" => Kind::Reset,
            other => return Err(format!("there is no fault of kind {other:?}")),
        })
    }

    fn wait(&self) -> Result<Wait, String> {
        let ms = self.ms.ok_or("ms is missing")?;
        Ok(Wait {
            ms,
            spread_ms: self.spread_ms,
        })
    }
}

/// What to remove from a log: exactly one of the three.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostedPurge {
    pub event_type: LogName,
    oldest: Option<usize>,
    newest: Option<usize>,
    hostname: Option<String>,
}

impl PostedPurge {
    pub fn purge(self) -> Result<Purge, String> {
        match (self.oldest, self.newest, self.hostname) {
            (Some(lines), None, None) => Ok(Purge::Oldest(lines)),
            (None, Some(lines), None) => Ok(Purge::Newest(lines)),
            (None, None, Some(host)) => Ok(Purge::Hostname(host)),
            _ => Err("give one of oldest, newest and hostname".to_owned()),
        }
    }
}

/// A host's new name in lines already logged.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostedRename {
    pub event_type: LogName,
    pub from: String,
    pub to: String,
}

/// The log whose hostnames are to be hidden.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostedHiding {
    pub event_type: LogName,
}

/// The order in which the logs are to be shown.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostedOrder {
    order: String,
}

impl PostedOrder {
    pub fn order(&self) -> Result<Order, String> {
        match self.order.as_str() {
            "newest-first" => Ok(Order::NewestFirst),
            "oldest-first" => Ok(Order::OldestFirst),
            "newest-day-oldest-time" => Ok(Order::NewestDayOldestTime),
            "oldest-day-newest-time" => Ok(Order::OldestDayNewestTime),
            "newest-page-oldest-time" => Ok(Order::NewestPageOldestTime),
            other => Err(format!("there is no order {other:?}")),
        }
    }
}

/// How many places of every window others take.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostedOthers {
    pub requests: usize,
}

/// What is to happen to the logs between page requests.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostedDrift {
    #[serde(default)]
    lines: u32,
    #[serde(default)]
    every: u64,
    #[serde(default)]
    purge: usize,
}

impl PostedDrift {
    pub fn drift(self) -> Drift {
        Drift {
            lines: self.lines,
            every: self.every.max(1),
            purge: self.purge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(text: &str) -> Result<Posted, String> {
        let line: PostedLine = serde_json::from_str(text).map_err(|error| error.to_string())?;
        line.posted(&TimeZone::UTC, Minute(7))
    }

    #[test]
    fn a_line_without_a_date_is_dated_the_present_minute() {
        let line = posted(r#"{"event_type":"admin","hostname":"TEST-R1W3Y","event":"Installed"}"#);
        let expected = Line::device(Minute(7), "MetaAccess", "", "TEST-R1W3Y", "Installed");
        assert_eq!(line, Ok(Posted::Line(expected.for_admin())));
    }

    #[test]
    fn a_date_goes_with_a_time() {
        let both = posted(r#"{"event_type":1,"date":"1970-01-01","time":"01:02","raw":null}"#);
        let raw = Raw {
            value: Value::Null,
            date: None,
        };
        assert_eq!(
            both,
            Ok(Posted::Malformed(EventType::Device, Minute(62), raw))
        );
        assert!(posted(r#"{"event_type":1,"date":"1970-01-01"}"#).is_err());
        assert!(posted(r#"{"event_type":1,"date":"soon","time":"01:02"}"#).is_err());
        assert!(posted(r#"{"event_type":3}"#).is_err());
        assert!(posted(r#"{"event_type":1,"hostnmae":"TEST-R1W3Y"}"#).is_err());
    }

    fn fault(text: &str) -> Result<Fault, String> {
        let fault: PostedFault = serde_json::from_str(text).map_err(|error| error.to_string())?;
        fault.fault()
    }

    #[test]
    fn a_fault_names_its_kind_and_whom_it_strikes() {
        let read = fault(
            r#"{"kind":"status","status":503,"target":"logs","event_type":"admin","page":2,"skip":1,"every":2,"times":3}"#,
        );
        let expected = Fault {
            event_type: Some(EventType::Admin),
            page: Some(2),
            skip: 1,
            every: 2,
            ..Fault::next(
                Kind::Status {
                    status: 503,
                    retry_after: None,
                },
                3,
            )
            .on_logs()
        };
        assert_eq!(read, Ok(expected));
        assert_eq!(fault(r#"{"kind":"hang"}"#), Ok(Fault::always(Kind::Hang)));
        assert!(fault(r#"{"kind":"status"}"#).is_err());
        assert!(fault(r#"{"kind":"hang","time":1}"#).is_err());
        assert!(fault(r#"{"kind":"flood"}"#).is_err());
    }
}
