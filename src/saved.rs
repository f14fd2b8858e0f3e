//! What is kept of an account from one process to the next, as plain data: the counts, what was
//! counted of each minute, how far each log was read, and the requests that the window still holds.
//!
//! The core makes and takes these values and knows no store; a store knows their fields and nothing
//! of what they mean.

use std::time::Duration;

use crate::births::{Birth, SavedScraper};
use crate::event::{Event, EventType, Minute};
use crate::moment::Moment;
use crate::order::Order;
use crate::sighting::{Bucket, Fingerprint};

/// All that is kept of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    pub logs: Vec<SavedLog>,
    pub buckets: Vec<SavedBucket>,
    /// Of changes alone: what a store has of them it gives one by one.
    pub series: Vec<SavedSeries>,
    /// Fingerprints of the label sets and event names that found no room among the series; of
    /// changes, the new ones.
    pub overflowed: Vec<u64>,
    pub tallies: Vec<SavedTally>,
    pub requests: Option<SavedRequests>,
    /// The regular scrapers; of changes, all of them where any changed.
    pub scrapers: Option<Vec<SavedScraper>>,
}

/// What one commit changes: every entry replaces the one of the same key, wholly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub changed: Saved,
    /// Buckets that are not remembered any more.
    pub forgotten: Vec<(EventType, Bucket)>,
}

/// How far one log was read. Its key is the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedLog {
    pub event_type: EventType,
    pub order: Option<Order>,
    pub closed_place: Option<u64>,
    pub horizon: Option<Minute>,
    pub closed_below: Option<Minute>,
    /// The oldest minute that late lines may have come to since they were looked for.
    pub late_from: Option<Minute>,
    /// The repeated hour of autumn that has begun the second time, by its first minute.
    pub second_hour: Option<Minute>,
    pub empty_answers: u32,
    pub complete: bool,
    /// The time zone in which the minutes were read: an IANA name.
    pub zone: String,
    pub open: Vec<SavedOpen>,
}

impl SavedLog {
    /// A log of which nothing is known.
    pub fn new(event_type: EventType) -> Self {
        Self {
            event_type,
            order: None,
            closed_place: None,
            horizon: None,
            closed_below: None,
            late_from: None,
            second_hour: None,
            empty_answers: 0,
            complete: false,
            zone: String::new(),
            open: Vec::new(),
        }
    }
}

/// A minute that was read but could not be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedOpen {
    pub minute: Minute,
    /// How often that was tried.
    pub attempts: u8,
    /// Whether it waits until the log is at rest.
    pub postponed: bool,
    /// How many of its lines are not counted, at most.
    pub uncounted: u32,
}

/// What was counted of one bucket of a log. Its key is the log and the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedBucket {
    pub event_type: EventType,
    pub bucket: Bucket,
    pub total: u32,
    pub most_at_once: u32,
    /// How often each line was counted.
    pub counted: Vec<(Fingerprint, u32)>,
}

/// The count of one label set. Its key is the log and the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedSeries {
    pub event_type: EventType,
    pub event: Event,
    /// Where it stands in the text that is shown, from 0; of no meaning where one process shows it.
    pub place: usize,
    pub count: u64,
    pub birth: Birth,
}

/// A count of lines that are in no series, as those that could not be parsed. Its key is the log and
/// the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedTally {
    pub event_type: EventType,
    pub name: String,
    pub lines: u64,
}

/// The requests that the window held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedRequests {
    /// Which boot of which machine the moments are of; empty where that cannot be told.
    pub boot: String,
    pub places: Vec<SavedPlace>,
    /// The server asked for no request before this moment.
    pub paused_until: Option<Moment>,
}

impl SavedRequests {
    /// Adds what another had paid for, by moments of the same boot. Of more places than any window has
    /// (`most`) those are left that are freed last.
    pub fn join(&mut self, mut other: Self, most: usize) {
        self.paused_until = self.paused_until.max(other.paused_until);
        self.places.append(&mut other.places);
        self.places
            .sort_unstable_by_key(|place| std::cmp::Reverse(place.free_at));
        self.places.truncate(most);
    }
}

/// One place of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedPlace {
    pub free_at: Moment,
    /// Held for a request that others sent.
    pub foreign: bool,
}

/// How an account stands after a refresh, as those show it who do not refresh it themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedStanding {
    pub up: bool,
    pub logs: Vec<SavedLogStanding>,
}

/// How one log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedLogStanding {
    pub event_type: EventType,
    /// When it was last read to its newest line, and when that was logged, since the Unix epoch.
    pub read: Option<Duration>,
    pub newest_line: Option<Duration>,
    /// Lines that were not read yet, and those that could not be told apart, at most.
    pub behind: u64,
    pub unsettled: u64,
    pub order: Option<Order>,
    /// Why it could not be read, as the value of a label.
    pub failing: Option<&'static str>,
}

/// Which state this is: a fresh one has another identity than the one that was lost.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// Random, as 16 hexadecimal digits.
    pub epoch: String,
    /// When it was made, since the Unix epoch.
    pub created: Duration,
    /// The key of the fingerprints in it.
    pub key: [u8; 16],
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("epoch", &self.epoch)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}

impl Changes {
    /// Whether there is nothing to save.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_several_had_paid_for_no_more_is_left_than_a_window_has_places() {
        let at = |seconds| Moment(Duration::from_secs(seconds));
        let paid = |free_at: &[u64], paused_until: Option<u64>| SavedRequests {
            boot: "boot".to_owned(),
            places: (free_at.iter())
                .map(|seconds| SavedPlace {
                    free_at: at(*seconds),
                    foreign: false,
                })
                .collect(),
            paused_until: paused_until.map(at),
        };
        let mut all = paid(&[5, 30, 20], None);
        all.join(paid(&[25, 10], Some(40)), 3);
        all.join(paid(&[], Some(35)), 3);
        assert_eq!(all, paid(&[30, 25, 20], Some(40)));
    }
}
