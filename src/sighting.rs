//! One look at one line of the log, reduced to what counting needs.

use std::sync::Arc;

use crate::event::{BadLine, Event, Minute};

/// What stands for the text of a line: a keyed hash, so that saved ones tell nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub u64);

/// The part of the log within which equal lines cannot be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bucket {
    /// Entries whose day could not be read.
    Undated,
    /// Entries of the day that begins at this minute, whose time could not be read.
    Day(Minute),
    /// The lines of one minute.
    At(Minute),
}

impl Bucket {
    /// The minute of a line that has one.
    pub fn minute(self) -> Option<Minute> {
        match self {
            Self::At(minute) => Some(minute),
            Self::Undated | Self::Day(_) => None,
        }
    }
}

/// What a line adds to when it is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    Event(Arc<Event>),
    Bad(BadLine),
}

/// Which line was seen. Two equal ones in one answer are two lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId {
    pub bucket: Bucket,
    pub fingerprint: Fingerprint,
}

/// A line as one answer showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Of a line whose local time occurs twice: as if it were the first time.
    pub id: LineId,
    /// The minute of the second time, where the line's local time occurs twice.
    pub again: Option<Minute>,
    /// The date it stands under, where that can be read: days since 1970-01-01.
    pub day: Option<i32>,
    pub what: What,
}
