//! The nouns: what a log line is, whose it is, and what is counted of it.

use std::fmt;
use std::sync::Arc;

/// The name of a configured account; the `account` label of every series.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account(Arc<str>);

impl Account {
    /// Names an account. Any text is a valid label value; `config` decides what a user may type.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which of the vendor's two logs: Get Logs v2.0's `event_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventType {
    Device,
    Admin,
}

impl EventType {
    /// Both logs, in the order in which they are read and shown.
    pub const ALL: [Self; 2] = [Self::Device, Self::Admin];

    /// The value of the API's `event_type` parameter.
    pub fn parameter(self) -> u8 {
        match self {
            Self::Device => 1,
            Self::Admin => 2,
        }
    }

    /// The value of the `event_type` label and of `--api.logs`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A minute of log time as an instant: whole minutes since 1970-01-01 00:00 UTC.
///
/// The log writes wall-clock minutes without a zone; `sighting` places them in the configured one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Minute(pub i64);

impl Minute {
    /// This minute moved back by whole minutes of log time.
    pub fn minus(self, minutes: i64) -> Self {
        Self(self.0.saturating_sub(minutes))
    }

    /// Seconds since the Unix epoch at which this minute begins.
    pub fn unix_seconds(self) -> i64 {
        self.0.saturating_mul(60)
    }
}

/// What is counted of a line: the labels of its series beside `account` and `event_type`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Event {
    /// The event category without its version, such as `MetaAccess`.
    pub category: String,
    /// The version that the category named, or empty.
    pub version: String,
    /// The hostname field as the line has it.
    pub hostname: String,
    /// The description in the vendor's words, with what varies taken out.
    pub event: String,
}

/// Why an entry of the log could not be read as a line. Each is counted once too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BadLine {
    /// The date of the line's day is missing or is not a date.
    Date,
    /// The time is missing, is not a time, or there is none such.
    Time,
    /// There are fewer than the five fields of a line.
    Fields,
    /// The entry is not a string.
    NotText,
}

impl BadLine {
    pub const ALL: [Self; 4] = [Self::Date, Self::Time, Self::Fields, Self::NotText];

    /// The value of the `reason` label.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Date => "bad_date",
            Self::Time => "bad_time",
            Self::Fields => "missing_fields",
            Self::NotText => "not_text",
        }
    }
}
