//! One look at one line of the log, reduced to what counting needs.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::event::{BadLine, Event, Minute};

/// What stands for the text of a line: a keyed hash, so that saved ones tell nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub u64);

/// A map by what holds a [`Fingerprint`], and a set of it.
pub type ByFingerprint<K, V> = HashMap<K, V, BuildHasherDefault<Keyed>>;
pub type Fingerprints<K> = HashSet<K, BuildHasherDefault<Keyed>>;

/// Hashes what holds a [`Fingerprint`], which nobody can choose who does not know the key: it only
/// has to be mixed with what stands beside it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keyed(u64);

impl Hasher for Keyed {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u64(&mut self, value: u64) {
        // Odd, and without a pattern: the golden ratio.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        self.0 = (self.0.rotate_left(23) ^ value).wrapping_mul(SPREAD);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        // Tables look at the lower bits, which the product leaves poor.
        self.0 ^ self.0 >> 32
    }
}

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
    Event(Event),
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
