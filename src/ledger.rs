//! What has been counted, minute by minute, so that no line counts twice.
//!
//! For each minute the ledger keeps the multiset of the lines already counted. What a stretch of the
//! log shows beyond it is new; what it shows less of is merely out of sight. So a stretch may be
//! applied in parts, twice or late, and a part never counts more than the truth as long as the
//! stretch holds no line twice, which is the care of `stitch`.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use crate::event::Minute;
use crate::sighting::{Bucket, Fingerprint, What};

/// How long closed minutes are remembered, in minutes of log time: the reach of late lines and of
/// purges that bring old lines back into view.
const REMEMBERED_MINUTES: i64 = 24 * 60;

/// How often a minute that could not be told apart is read again, at least, before it is given up.
const ATTEMPTS: u8 = 10;

/// A minute is given up only if more lines than this have to be read to see it again.
const LINES_TO_SEE_IT_AGAIN: usize = 500;

/// More undated entries than this are not told apart any more, so that they cannot fill the memory.
const UNDATED_AT_MOST: usize = 10_000;

/// The lines of one bucket that were seen at once: how often each, and what each adds to.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub lines: HashMap<Fingerprint, (u32, What)>,
}

impl Seen {
    /// So many lines with this fingerprint, or more, are there.
    pub fn at_least(&mut self, fingerprint: Fingerprint, count: u32, what: &What) {
        let entry = self.lines.entry(fingerprint);
        let held = entry.or_insert_with(|| (0, what.clone()));
        held.0 = held.0.max(count);
    }

    /// How many lines were seen at once.
    pub fn total(&self) -> u32 {
        self.lines.values().map(|(count, _)| count).sum()
    }
}

/// What applying a stretch counted anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gains {
    pub lines: Vec<Gain>,
    /// New lines of which it is known that they are new, but not which of several they are.
    pub unattributed: u64,
    /// Lines look new in a part of this minute, but may be rewritten ones: only the whole minute
    /// tells, and nothing was counted of it.
    pub withheld: Option<Minute>,
}

/// So many new lines that add to the same thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gain {
    pub what: What,
    pub bucket: Bucket,
    pub count: u32,
}

/// What has been counted of one log.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Nothing below counts; unknown until the first line was seen.
    horizon: Option<Minute>,
    /// Every minute from the horizon to here, exclusive, was read whole, but for `left_open`.
    closed_below: Option<Minute>,
    /// Minutes that were read but could not be told apart, and how often that was tried.
    left_open: BTreeMap<Minute, u8>,
    buckets: BTreeMap<Bucket, Tally>,
}

/// What was counted of one bucket.
#[derive(Clone, Debug, Default)]
struct Tally {
    counted: HashMap<Fingerprint, u32>,
    total: u32,
    /// The most lines that were ever seen at once. More were never there at once, so more are not
    /// counted: lines that the vendor rewrites are not new lines.
    most_at_once: u32,
}

impl Ledger {
    /// Sets what counts at all: the lines from `horizon` on. Only the first call does anything.
    pub fn begin(&mut self, horizon: Minute) {
        self.horizon.get_or_insert(horizon);
    }

    /// The minute below which nothing counts, if a line was ever seen.
    pub fn horizon(&self) -> Option<Minute> {
        self.horizon
    }

    /// The oldest minute that a read has to cover whole; none if nothing was ever read.
    pub fn must_reach(&self) -> Option<Minute> {
        let frontier = self.closed_below.or(self.horizon)?;
        let oldest_open = self.left_open.keys().next().copied();
        Some(oldest_open.map_or(frontier, |open| open.min(frontier)))
    }

    /// Counts the lines of a bucket that were not counted before. Applying them twice gives the
    /// same ledger, and no gains the second time. `whole` says that all its lines were seen.
    pub fn apply(&mut self, bucket: Bucket, seen: &Seen, whole: bool) -> Gains {
        if !self.counts(bucket) {
            return Gains::default();
        }
        let tally = match self.buckets.entry(bucket) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Tally::default()),
        };
        tally.apply(bucket, seen, whole)
    }

    /// Notes that every minute from [`Self::must_reach`] to `below`, exclusive, was read whole,
    /// except those in `ambiguous`, each with how many lines are as new or newer. Returns how many of
    /// those are given up after too many tries, since reading them again costs too much.
    pub fn close(&mut self, below: Minute, ambiguous: &BTreeMap<Minute, usize>) -> u64 {
        let before = std::mem::take(&mut self.left_open);
        let mut given_up = 0;
        for (minute, lines) in ambiguous.range(..below) {
            let attempts = before
                .get(minute)
                .map_or(1, |tries| tries.saturating_add(1));
            if attempts < ATTEMPTS || *lines <= LINES_TO_SEE_IT_AGAIN {
                self.left_open.insert(*minute, attempts);
            } else {
                given_up += 1;
            }
        }
        self.closed_below = self.closed_below.max(Some(below));
        self.forget();
        given_up
    }

    /// Moves the horizon on and drops what lies below it; never past a minute that is still open.
    fn forget(&mut self) {
        let (Some(horizon), Some(frontier)) = (self.horizon, self.must_reach()) else {
            return;
        };
        let horizon = horizon.max(frontier.minus(REMEMBERED_MINUTES));
        self.horizon = Some(horizon);
        self.buckets
            .retain(|bucket, _| at_or_above(*bucket, horizon));
    }

    fn counts(&self, bucket: Bucket) -> bool {
        if bucket == Bucket::Undated {
            let undated = self.buckets.get(&bucket).map_or(0, |t| t.counted.len());
            return undated < UNDATED_AT_MOST;
        }
        self.horizon
            .is_some_and(|horizon| at_or_above(bucket, horizon))
    }
}

/// Whether any minute of the bucket is at or above the horizon.
fn at_or_above(bucket: Bucket, horizon: Minute) -> bool {
    const LONGEST_DAY_MINUTES: i64 = 25 * 60;
    match bucket {
        Bucket::Undated => true,
        Bucket::Day(start) => start > horizon.minus(LONGEST_DAY_MINUTES),
        Bucket::At(minute) => minute >= horizon,
    }
}

/// Lines beyond those counted before: which, how many, and what they add to.
type Fresh<'a> = (Fingerprint, u32, &'a What);

impl Tally {
    fn apply(&mut self, bucket: Bucket, seen: &Seen, whole: bool) -> Gains {
        let most_at_once = self.most_at_once.max(seen.total());
        let fresh: Vec<Fresh> = seen
            .lines
            .iter()
            .filter_map(|(fingerprint, (count, what))| {
                let known = self.counted.get(fingerprint).copied().unwrap_or(0);
                let more = count.checked_sub(known).filter(|more| *more > 0)?;
                Some((*fingerprint, more, what))
            })
            .collect();
        let wanted: u32 = fresh.iter().map(|(_, more, _)| more).sum();
        let room = most_at_once.saturating_sub(self.total);
        if bucket.minute().is_some() && wanted > room && !whole {
            return Gains {
                withheld: bucket.minute(),
                ..Gains::default()
            };
        }
        self.most_at_once = most_at_once;
        match bucket.minute() {
            // The lines of a day are never seen at once, so that tells nothing.
            None => self.count_all(bucket, &fresh),
            Some(_) if wanted <= room => self.count_all(bucket, &fresh),
            Some(_) => self.count_some(bucket, &fresh, room),
        }
    }

    fn count_all(&mut self, bucket: Bucket, fresh: &[Fresh]) -> Gains {
        self.know(fresh);
        let gain = |(_, count, what): &Fresh| Gain {
            what: (*what).clone(),
            bucket,
            count: *count,
        };
        let lines: Vec<Gain> = fresh.iter().map(gain).collect();
        self.total += lines.iter().map(|gain| gain.count).sum::<u32>();
        Gains {
            lines,
            ..Gains::default()
        }
    }

    /// Some of what looks new was rewritten: only `room` lines are new. Which of them is known only
    /// where all add to the same thing.
    fn count_some(&mut self, bucket: Bucket, fresh: &[Fresh], room: u32) -> Gains {
        self.know(fresh);
        self.total += room;
        let mut gains = Gains::default();
        match fresh {
            _ if room == 0 => {}
            [(_, _, first), rest @ ..] if rest.iter().all(|(_, _, what)| what == first) => {
                gains.lines.push(Gain {
                    what: (*first).clone(),
                    bucket,
                    count: room,
                });
            }
            _ => gains.unattributed = u64::from(room),
        }
        gains
    }

    fn know(&mut self, fresh: &[Fresh]) {
        for (fingerprint, more, _) in fresh {
            *self.counted.entry(*fingerprint).or_default() += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use std::sync::Arc;

    const NOON: Minute = Minute(720);

    fn installed_on(host: &str) -> What {
        What::Event(Arc::new(Event {
            category: "MetaAccess".into(),
            version: "1.1.1.1".into(),
            hostname: host.into(),
            event: "Installed".into(),
        }))
    }

    fn seen(lines: &[(u64, &str)]) -> Seen {
        let mut seen = Seen::default();
        for (fingerprint, host) in lines {
            let count = lines.iter().filter(|line| line.0 == *fingerprint).count();
            let count = u32::try_from(count).expect("few");
            seen.at_least(Fingerprint(*fingerprint), count, &installed_on(host));
        }
        seen
    }

    fn begun() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.begin(Minute(0));
        ledger
    }

    fn total(gains: &Gains) -> u32 {
        gains.lines.iter().map(|gain| gain.count).sum()
    }

    #[test]
    fn applying_a_stretch_twice_counts_it_once() {
        let mut ledger = begun();
        let three = seen(&[(1, "TEST-A"), (1, "TEST-A"), (2, "TEST-B")]);
        assert_eq!(total(&ledger.apply(Bucket::At(NOON), &three, true)), 3);
        assert_eq!(
            ledger.apply(Bucket::At(NOON), &three, true),
            Gains::default()
        );
    }

    #[test]
    fn an_equal_line_more_in_the_same_minute_is_a_new_line() {
        let mut ledger = begun();
        ledger.apply(Bucket::At(NOON), &seen(&[(1, "TEST-A")]), true);
        let again = ledger.apply(
            Bucket::At(NOON),
            &seen(&[(1, "TEST-A"), (1, "TEST-A")]),
            true,
        );
        assert_eq!(total(&again), 1);
        let later = ledger.apply(Bucket::At(Minute(721)), &seen(&[(1, "TEST-A")]), true);
        assert_eq!(total(&later), 1);
    }

    #[test]
    fn a_part_of_a_minute_takes_nothing_back_and_counts_nothing_twice() {
        let mut ledger = begun();
        ledger.apply(
            Bucket::At(NOON),
            &seen(&[(1, "TEST-A"), (2, "TEST-B")]),
            true,
        );
        let part = ledger.apply(Bucket::At(NOON), &seen(&[(2, "TEST-B")]), true);
        assert_eq!(part, Gains::default());
    }

    #[test]
    fn a_rewritten_line_is_not_a_new_line() {
        let mut ledger = begun();
        ledger.apply(
            Bucket::At(NOON),
            &seen(&[(1, "TEST-A"), (2, "TEST-B")]),
            true,
        );
        let renamed = ledger.apply(
            Bucket::At(NOON),
            &seen(&[(1, "TEST-A"), (3, "TEST-C")]),
            true,
        );
        assert_eq!(renamed, Gains::default());
        let and_new = seen(&[(1, "TEST-A"), (3, "TEST-C"), (4, "TEST-D")]);
        assert_eq!(total(&ledger.apply(Bucket::At(NOON), &and_new, true)), 1);
    }

    #[test]
    fn a_new_line_among_rewritten_ones_is_counted_as_nobodys() {
        let mut ledger = begun();
        let two = seen(&[(1, "TEST-A"), (2, "TEST-B")]);
        ledger.apply(Bucket::At(NOON), &two, true);
        let three = seen(&[(1, "TEST-A"), (3, "TEST-C"), (4, "TEST-D")]);
        let gains = ledger.apply(Bucket::At(NOON), &three, true);
        assert_eq!((total(&gains), gains.unattributed), (0, 1));
        let again = ledger.apply(Bucket::At(NOON), &three, true);
        assert_eq!(again, Gains::default());
    }

    #[test]
    fn what_a_part_of_a_minute_shows_beyond_what_was_there_waits_for_the_whole() {
        let mut ledger = begun();
        let two = seen(&[(1, "TEST-A"), (2, "TEST-B")]);
        ledger.apply(Bucket::At(NOON), &two, true);
        let part = ledger.apply(Bucket::At(NOON), &seen(&[(3, "TEST-C")]), false);
        assert_eq!((total(&part), part.withheld), (0, Some(NOON)));
        let whole = seen(&[(1, "TEST-A"), (2, "TEST-B"), (3, "TEST-C")]);
        assert_eq!(total(&ledger.apply(Bucket::At(NOON), &whole, true)), 1);
    }

    #[test]
    fn entries_without_a_time_are_counted_once_by_day_and_text() {
        let mut ledger = begun();
        let day = Bucket::Day(Minute(0));
        for fingerprint in [1, 2, 1, 2] {
            let bad = seen(&[(fingerprint, "TEST-A")]);
            ledger.apply(day, &bad, false);
        }
        let gains = ledger.apply(day, &seen(&[(1, ""), (2, ""), (3, "")]), false);
        assert_eq!(total(&gains), 1);
    }

    #[test]
    fn nothing_below_the_horizon_counts() {
        let mut ledger = Ledger::default();
        ledger.begin(NOON);
        ledger.begin(Minute(0));
        let below = ledger.apply(Bucket::At(NOON.minus(1)), &seen(&[(1, "TEST-A")]), true);
        assert_eq!(below, Gains::default());
        assert_eq!(ledger.must_reach(), Some(NOON));
    }

    #[test]
    fn the_horizon_follows_what_is_closed_but_never_passes_what_is_open() {
        let mut ledger = begun();
        let line = seen(&[(1, "TEST-A")]);
        ledger.apply(Bucket::At(Minute(10)), &line, true);
        ledger.close(Minute(10_000), &BTreeMap::from([(Minute(10), 100)]));
        assert_eq!(ledger.must_reach(), Some(Minute(10)));
        assert_eq!(ledger.horizon(), Some(Minute(0)));
        ledger.close(Minute(10_000), &BTreeMap::new());
        assert_eq!(ledger.horizon(), Some(Minute(10_000 - REMEMBERED_MINUTES)));
        assert_eq!(
            ledger.apply(Bucket::At(Minute(10)), &line, true),
            Gains::default()
        );
    }

    #[test]
    fn a_minute_that_can_not_be_told_apart_is_given_up_when_it_is_far_down() {
        let after_reads = |lines| {
            let mut ledger = begun();
            let ambiguous = BTreeMap::from([(NOON, lines)]);
            let reads = (0..ATTEMPTS).map(|_| ledger.close(Minute(800), &ambiguous));
            (reads.sum::<u64>(), ledger.must_reach())
        };
        assert_eq!(after_reads(501), (1, Some(Minute(800))));
        assert_eq!(after_reads(500), (0, Some(NOON)));
    }
}
