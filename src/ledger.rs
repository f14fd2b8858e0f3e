//! What has been counted, minute by minute, so that no line counts twice.
//!
//! For each minute the ledger keeps the multiset of the lines already counted. What a stretch of the
//! log shows beyond it is new; what it shows less of is merely out of sight. So a stretch may be
//! applied in parts, twice or late, and a part never counts more than the truth as long as the
//! stretch holds no line twice, which is the care of `stitch`.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::event::{EventType, Minute};
use crate::saved::{SavedBucket, SavedLog, SavedOpen};
use crate::sighting::{Bucket, Fingerprint, LineId, What};

/// How long closed minutes are remembered, in minutes of log time: the reach of late lines and of
/// purges that bring old lines back into view.
const REMEMBERED_MINUTES: i64 = 24 * 60;

/// How often a minute that could not be told apart is read again at once, at least, before it is
/// postponed until the log rests.
const ATTEMPTS: u8 = 10;

/// A minute is postponed only if more lines than this have to be read to see it again.
const LINES_TO_SEE_IT_AGAIN: usize = 500;

/// More undated entries than this are not told apart any more, so that they cannot fill the memory.
const UNDATED_AT_MOST: usize = 10_000;

/// The lines of one bucket that were seen at once: how often each, and what each adds to.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub lines: HashMap<Fingerprint, (u32, What)>,
    /// Where answers could not be joined for certain: the first and the last place of a line. There
    /// were no more lines than places; more of them look different only because one was rewritten
    /// between two answers.
    pub places: Option<(u64, u64)>,
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
        let lines = self.lines.values().map(|(count, _)| count).sum();
        let places = self.places.map(|(first, last)| last - first + 1);
        let places = places.map(|places| u32::try_from(places).unwrap_or(u32::MAX));
        places.map_or(lines, |places| places.min(lines))
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
    left_open: BTreeMap<Minute, LeftOpen>,
    buckets: BTreeMap<Bucket, Tally>,
    /// Buckets that were counted in since they were saved, and saved ones that are forgotten.
    unsaved: BTreeSet<Bucket>,
    forgotten: Vec<Bucket>,
}

/// A minute that was read but could not be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LeftOpen {
    /// How often that was tried.
    attempts: u8,
    /// Whether it is too far down to be tried while lines arrive.
    postponed: bool,
    /// How many of its lines are not counted, at most.
    uncounted: u32,
}

/// What a read could not tell apart of a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclear {
    /// How many lines are as new or newer: what has to be read to see the minute again.
    pub depth: usize,
    /// How many lines it holds, going by their places: too many where lines moved in between.
    pub places: u32,
}

/// How far back a read has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// To what is open.
    Open,
    /// To what is postponed too.
    Postponed,
}

/// What became of the minutes that a read could not tell apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// Minutes that were postponed now.
    pub postponed: u64,
    /// Lines, at most, that will never be counted: nobody could tell them apart in time.
    pub missed: u64,
}

/// What was counted of one bucket.
#[derive(Clone, Debug, Default)]
struct Tally {
    counted: HashMap<Fingerprint, u32>,
    /// The sum of `counted`: more than `total` where lines were rewritten.
    known: u64,
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

    /// The oldest minute that a read of this depth has to cover whole; none if nothing was ever
    /// read.
    pub fn must_reach(&self, depth: Depth) -> Option<Minute> {
        let frontier = self.closed_below.or(self.horizon)?;
        let wanted = |open: &&LeftOpen| !open.postponed || depth == Depth::Postponed;
        let mut open = self.left_open.iter().filter(|(_, open)| wanted(open));
        Some(
            open.next()
                .map_or(frontier, |(open, _)| frontier.min(*open)),
        )
    }

    /// Whether minutes wait for the log to rest.
    pub fn has_postponed(&self) -> bool {
        self.left_open.values().any(|open| open.postponed)
    }

    /// How many lines of the minutes that could not be told apart yet are not counted, at most.
    pub fn uncounted(&self) -> u64 {
        let lines = self
            .left_open
            .values()
            .map(|open| u64::from(open.uncounted));
        lines.sum()
    }

    /// Whether a line of this minute was counted.
    pub fn has_counted(&self, minute: Minute) -> bool {
        let tally = self.buckets.get(&Bucket::At(minute));
        tally.is_some_and(|tally| tally.total > 0)
    }

    /// Whether a line like this was counted.
    pub fn knows(&self, id: &LineId) -> bool {
        let tally = self.buckets.get(&id.bucket);
        tally.is_some_and(|tally| tally.counted.contains_key(&id.fingerprint))
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
        let before = (tally.total, tally.most_at_once, tally.known);
        let gains = tally.apply(bucket, seen, whole);
        if before != (tally.total, tally.most_at_once, tally.known) {
            self.unsaved.insert(bucket);
        }
        gains
    }

    /// Notes that every minute from [`Self::must_reach`] of this depth to `below`, exclusive, was
    /// read whole, except those that are unclear.
    pub fn close(
        &mut self,
        below: Minute,
        unclear: &BTreeMap<Minute, Unclear>,
        depth: Depth,
    ) -> Closed {
        let reached = self.must_reach(depth);
        let before = std::mem::take(&mut self.left_open);
        let out_of_reach = |minute: &Minute| reached.is_some_and(|reached| *minute < reached);
        self.left_open
            .extend(before.iter().filter(|(minute, _)| out_of_reach(minute)));
        let mut postponed = 0;
        for (minute, seen) in unclear.range(..below) {
            let known = before.get(minute);
            let open = self.left_open(*minute, seen, known);
            postponed += u64::from(open.postponed && known.is_none_or(|known| !known.postponed));
            self.left_open.insert(*minute, open);
        }
        self.closed_below = self.closed_below.max(Some(below));
        Closed {
            postponed,
            missed: self.forget(),
        }
    }

    fn left_open(&self, minute: Minute, seen: &Unclear, before: Option<&LeftOpen>) -> LeftOpen {
        let attempts = before.map_or(0, |open| open.attempts).saturating_add(1);
        let was_postponed = before.is_some_and(|open| open.postponed);
        let is_far_down = seen.depth > LINES_TO_SEE_IT_AGAIN;
        let tally = self.buckets.get(&Bucket::At(minute));
        LeftOpen {
            attempts,
            postponed: is_far_down && (was_postponed || attempts >= ATTEMPTS),
            uncounted: seen
                .places
                .saturating_sub(tally.map_or(0, |tally| tally.total)),
        }
    }

    /// Moves the horizon on and drops what lies below it; never past a minute that is still open,
    /// but for those postponed too long, whose uncounted lines it returns.
    fn forget(&mut self) -> u64 {
        let (Some(horizon), Some(frontier)) = (self.horizon, self.must_reach(Depth::Open)) else {
            return 0;
        };
        let horizon = horizon.max(frontier.minus(REMEMBERED_MINUTES));
        if Some(horizon) == self.horizon {
            return 0;
        }
        self.horizon = Some(horizon);
        let below = |bucket: &Bucket| !at_or_above(*bucket, horizon);
        let forgotten: Vec<Bucket> = self.buckets.keys().copied().filter(below).collect();
        for bucket in &forgotten {
            self.buckets.remove(bucket);
            self.unsaved.remove(bucket);
        }
        self.forgotten.extend(forgotten);
        let kept = self.left_open.split_off(&horizon);
        let missed = std::mem::replace(&mut self.left_open, kept);
        missed.values().map(|open| u64::from(open.uncounted)).sum()
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
            self.known += u64::from(*more);
        }
    }
}

/// What is saved, and taken up again.
impl Ledger {
    /// The ledger that was saved of a log.
    pub fn restore(log: &SavedLog, buckets: Vec<SavedBucket>) -> Self {
        let open = log.open.iter().map(|open| {
            let left_open = LeftOpen {
                attempts: open.attempts,
                postponed: open.postponed,
                uncounted: open.uncounted,
            };
            (open.minute, left_open)
        });
        let mut ledger = Self {
            horizon: log.horizon,
            closed_below: log.closed_below,
            left_open: open.collect(),
            ..Self::default()
        };
        for saved in buckets {
            // Minutes of two may be one in another zone.
            let tally = ledger.buckets.entry(saved.bucket).or_default();
            tally.total += saved.total;
            tally.most_at_once += saved.most_at_once;
            for (fingerprint, count) in saved.counted {
                *tally.counted.entry(fingerprint).or_default() += count;
                tally.known += u64::from(count);
            }
        }
        ledger
    }

    /// Notes that everything has to be saved anew, and that these buckets are saved but not held.
    pub fn is_rewritten(&mut self, forgotten: &[Bucket]) {
        self.unsaved = self.buckets.keys().copied().collect();
        self.forgotten = forgotten.to_vec();
    }

    /// Writes the fields of the ledger into those of the log.
    pub fn write(&self, log: &mut SavedLog) {
        log.horizon = self.horizon;
        log.closed_below = self.closed_below;
        let open = self.left_open.iter().map(|(minute, open)| SavedOpen {
            minute: *minute,
            attempts: open.attempts,
            postponed: open.postponed,
            uncounted: open.uncounted,
        });
        log.open = open.collect();
    }

    /// The buckets that changed since [`Self::are_saved`].
    pub fn changes(&self, event_type: EventType) -> Vec<SavedBucket> {
        let changed = self.unsaved.iter();
        let saved = changed.filter_map(|bucket| Some((bucket, self.buckets.get(bucket)?)));
        saved
            .map(|(bucket, tally)| SavedBucket {
                event_type,
                bucket: *bucket,
                total: tally.total,
                most_at_once: tally.most_at_once,
                counted: tally.counted.iter().map(|(f, n)| (*f, *n)).collect(),
            })
            .collect()
    }

    /// The buckets that were forgotten since [`Self::are_saved`].
    pub fn forgotten(&self) -> &[Bucket] {
        &self.forgotten
    }

    /// Notes that all changes are saved.
    pub fn are_saved(&mut self) {
        self.unsaved.clear();
        self.forgotten.clear();
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
        assert_eq!(ledger.must_reach(Depth::Open), Some(NOON));
    }

    #[test]
    fn the_horizon_follows_what_is_closed_but_never_passes_what_is_open() {
        let mut ledger = begun();
        let line = seen(&[(1, "TEST-A")]);
        ledger.apply(Bucket::At(Minute(10)), &line, true);
        ledger.close(Minute(10_000), &unclear(Minute(10), 100), Depth::Open);
        assert_eq!(ledger.must_reach(Depth::Open), Some(Minute(10)));
        assert_eq!(ledger.horizon(), Some(Minute(0)));
        ledger.close(Minute(10_000), &BTreeMap::new(), Depth::Open);
        assert_eq!(ledger.horizon(), Some(Minute(10_000 - REMEMBERED_MINUTES)));
        assert_eq!(
            ledger.apply(Bucket::At(Minute(10)), &line, true),
            Gains::default()
        );
    }

    fn unclear(minute: Minute, depth: usize) -> BTreeMap<Minute, Unclear> {
        BTreeMap::from([(minute, Unclear { depth, places: 7 })])
    }

    #[test]
    fn a_minute_that_can_not_be_told_apart_is_postponed_when_it_is_far_down() {
        let after_reads = |depth| {
            let mut ledger = begun();
            let unclear = unclear(NOON, depth);
            let close = |_| ledger.close(Minute(800), &unclear, Depth::Open);
            let postponed: u64 = (0..ATTEMPTS).map(close).map(|it| it.postponed).sum();
            let reach = |depth| ledger.must_reach(depth).map(|minute| minute.0);
            (postponed, reach(Depth::Open), reach(Depth::Postponed))
        };
        assert_eq!(after_reads(501), (1, Some(800), Some(NOON.0)));
        assert_eq!(after_reads(500), (0, Some(NOON.0), Some(NOON.0)));
    }

    #[test]
    fn a_postponed_minute_is_open_until_it_is_told_apart_or_forgotten() {
        let mut ledger = begun();
        let three = seen(&[(1, "TEST-A"), (2, "TEST-B"), (3, "TEST-C")]);
        ledger.apply(Bucket::At(NOON), &three, false);
        for _ in 0..ATTEMPTS {
            ledger.close(Minute(800), &unclear(NOON, 501), Depth::Open);
        }
        assert_eq!(ledger.uncounted(), 4);
        let calm = ledger.close(Minute(801), &BTreeMap::new(), Depth::Open);
        assert_eq!((calm, ledger.has_postponed()), (Closed::default(), true));
        let mut told = ledger.clone();
        told.close(Minute(801), &BTreeMap::new(), Depth::Postponed);
        assert!(!told.has_postponed());
        let a_day_later = Minute(NOON.0 + REMEMBERED_MINUTES + 1);
        let forgotten = ledger.close(a_day_later, &BTreeMap::new(), Depth::Open);
        assert_eq!((forgotten.missed, ledger.has_postponed()), (4, false));
    }

    #[test]
    fn what_was_saved_is_the_same_ledger() {
        let mut ledger = begun();
        let two = seen(&[(1, "TEST-A"), (2, "TEST-B")]);
        ledger.apply(Bucket::At(NOON), &two, true);
        ledger.apply(Bucket::Day(Minute(0)), &two, false);
        ledger.close(Minute(800), &unclear(NOON, 3), Depth::Open);
        let mut log = SavedLog::new(EventType::Device);
        ledger.write(&mut log);
        let mut restored = Ledger::restore(&log, ledger.changes(EventType::Device));
        assert_eq!(restored.must_reach(Depth::Open), Some(NOON));
        assert_eq!(
            restored.apply(Bucket::At(NOON), &two, true),
            Gains::default()
        );
        assert!(restored.changes(EventType::Device).is_empty());
        restored.close(Minute(10_000), &BTreeMap::new(), Depth::Open);
        assert_eq!(
            restored.forgotten(),
            [Bucket::Day(Minute(0)), Bucket::At(NOON)]
        );
    }

    #[test]
    fn only_what_changed_since_the_last_save_is_saved_again() {
        let mut ledger = begun();
        let line = seen(&[(1, "TEST-A")]);
        ledger.apply(Bucket::At(NOON), &line, true);
        ledger.are_saved();
        ledger.apply(Bucket::At(NOON), &line, true);
        ledger.apply(Bucket::At(Minute(721)), &line, true);
        let changes = ledger.changes(EventType::Device);
        let buckets: Vec<Bucket> = changes.iter().map(|saved| saved.bucket).collect();
        assert_eq!(buckets, [Bucket::At(Minute(721))]);
    }
}
