//! Get Logs v2.0: bytes to lines, statuses and headers to meaning. Source: the vendor's documentation.

mod date;
#[cfg(test)]
mod fuzz_tests;
mod headers;
mod line;
mod page;
#[cfg(test)]
mod page_tests;
mod plain;

use std::borrow::Cow;

use jiff::civil;

use crate::api::failure::Failure;
use crate::event::{BadLine, EventType};

pub use headers::{LONGEST_WAIT, RateHeaders, date};
pub use page::parse;

/// The path of Get Logs v2.0 below the API's base URL.
pub const LOGS_PATH: &str = "/o/api/v2/logs";

/// One answer of Get Logs: its entries in the order of the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<'a> {
    pub entries: Vec<Entry<'a>>,
}

/// One entry of the log: a line, or what could not be read as one.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry<'a> {
    Line(Line<'a>),
    /// `date` is the date object's own text, `text` the entry's: together they are its identity.
    Bad {
        reason: BadLine,
        day: Option<civil::Date>,
        date: Cow<'a, str>,
        text: Cow<'a, str>,
    },
}

/// A line of the log, its fields trimmed: `hh:mm|AM/PM|category|hostname|description`.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'a> {
    /// The wall-clock minute as written, in the log's own unnamed time zone.
    pub wall: civil::DateTime,
    pub category: Cow<'a, str>,
    pub hostname: Cow<'a, str>,
    pub description: Cow<'a, str>,
}

/// What the status of an answer to Get Logs says about its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The body holds lines: `parse` it.
    Lines,
    /// The page lies beyond the log's last one, or the log is empty.
    PastTheEnd,
    Failed(Failure),
}

/// The meaning of an HTTP status; whatever the vendor does not document has failed.
pub fn meaning(status: u16) -> Meaning {
    match status {
        200 => Meaning::Lines,
        413 => Meaning::PastTheEnd,
        other => Meaning::Failed(Failure::of_status(other)),
    }
}

/// The query of one page without its token. `limit` is 1 to 50, `page` counts from 1.
pub fn parameters(event_type: EventType, limit: u64, page: u64) -> [(&'static str, String); 3] {
    [
        ("limit", limit.to_string()),
        ("page", page.to_string()),
        ("event_type", event_type.parameter().to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_names_limit_page_and_log() {
        let query = parameters(EventType::Admin, 44, 2);
        let expected = [("limit", "44"), ("page", "2"), ("event_type", "2")];
        assert_eq!(query, expected.map(|(key, value)| (key, value.to_owned())));
    }

    #[test]
    fn only_200_holds_lines_and_only_413_is_past_the_end() {
        for status in 0..=u16::MAX {
            match meaning(status) {
                Meaning::Lines => assert_eq!(status, 200),
                Meaning::PastTheEnd => assert_eq!(status, 413),
                Meaning::Failed(failure) => assert_eq!(failure, Failure::of_status(status)),
            }
        }
    }
}
