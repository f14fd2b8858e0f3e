//! Get Logs v2.0: bytes to lines, statuses and headers to meaning. Source: the vendor's documentation.

use std::borrow::Cow;

use jiff::civil;

use crate::event::BadLine;

/// One answer of Get Logs: its entries in the order of the answer.
#[derive(Debug, PartialEq)]
pub struct Page<'a> {
    pub entries: Vec<Entry<'a>>,
}

/// One entry of the log: a line, or what could not be read as one.
#[derive(Debug, PartialEq)]
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
#[derive(Debug, PartialEq)]
pub struct Line<'a> {
    /// The wall-clock minute as written, in the log's own unnamed time zone.
    pub wall: civil::DateTime,
    pub category: Cow<'a, str>,
    pub hostname: Cow<'a, str>,
    pub description: Cow<'a, str>,
}
