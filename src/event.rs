//! The nouns: what a log line is, whose it is, and what is counted of it.

use std::cmp::Ordering;
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

/// The labels of a series beside `account` and `event_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels<'a> {
    /// The event category without its version, such as `MetaAccess`.
    pub category: &'a str,
    /// The version that the category named, or empty.
    pub version: &'a str,
    /// The hostname field as the line has it.
    pub hostname: &'a str,
    /// The description in the vendor's words, with what varies taken out.
    pub event: &'a str,
}

/// What is counted of a line: its labels. There is one of every line that is read, so that all of
/// them are one text; clones share it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Event {
    texts: Arc<str>,
    /// Where the texts of category, version and hostname end.
    ends: [u32; 3],
}

impl Event {
    pub fn new(labels: Labels<'_>) -> Self {
        let Labels {
            category,
            version,
            hostname,
            event,
        } = labels;
        let version_from = category.len();
        let hostname_from = version_from + version.len();
        let ends = [version_from, hostname_from, hostname_from + hostname.len()];
        Self {
            texts: one_text([category, version, hostname, event]),
            // No answer is as large as what that leaves out.
            ends: ends.map(|end| u32::try_from(end).unwrap_or(u32::MAX)),
        }
    }

    pub fn labels(&self) -> Labels<'_> {
        let [category, version, hostname] = self.ends.map(|end| end as usize);
        let text = |from, to| self.texts.get(from..to).unwrap_or_default();
        Labels {
            category: text(0, category),
            version: text(category, version),
            hostname: text(version, hostname),
            event: text(hostname, self.texts.len()),
        }
    }
}

/// The texts one after the other, in one allocation where they are as short as most are.
fn one_text(texts: [&str; 4]) -> Arc<str> {
    let mut buffer = [0; 256];
    let mut length = 0;
    for text in texts {
        let end = length + text.len();
        let Some(room) = buffer.get_mut(length..end) else {
            return texts.concat().into();
        };
        room.copy_from_slice(text.as_bytes());
        length = end;
    }
    let text = buffer.get(..length).map(str::from_utf8);
    match text {
        Some(Ok(text)) => text.into(),
        _ => texts.concat().into(),
    }
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        self.labels().cmp(&other.labels())
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.labels().fmt(f)
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_event_has_the_labels_that_it_was_made_of(texts: [String; 4], others: [String; 4]) {
            let labels = |[category, version, hostname, event]: &'_ [String; 4]| {
                Event::new(Labels { category, version, hostname, event })
            };
            let (event, other) = (labels(&texts), labels(&others));
            let Labels { category, version, hostname, event: name } = event.labels();
            prop_assert_eq!([category, version, hostname, name], texts.each_ref().map(String::as_str));
            prop_assert_eq!(event == other, texts == others);
        }
    }

    #[test]
    fn where_one_label_ends_and_the_next_begins_makes_a_difference() {
        let event = |category, version| {
            Event::new(Labels {
                category,
                version,
                hostname: "",
                event: "",
            })
        };
        assert_ne!(event("ab", "c"), event("a", "bc"));
    }
}
