//! What has been counted, minute by minute, so that no line counts twice.
//!
//! For each minute the ledger keeps the multiset of the lines already counted. What a stretch of the
//! log shows beyond it is new; what it shows less of is merely out of sight. So a stretch may be
//! applied in parts, twice or late, and a part never counts more than the truth as long as the
//! stretch holds no line twice, which is the care of `stitch`.

mod saving;
#[cfg(test)]
mod tests;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::event::Minute;
use crate::sighting::{Bucket, ByFingerprint, Fingerprint, LineId, What};

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
    pub lines: ByFingerprint<Fingerprint, (u32, What)>,
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

    /// One more line with this fingerprint is there.
    pub fn one_more(&mut self, fingerprint: Fingerprint, what: &What) {
        let entry = self.lines.entry(fingerprint);
        entry.or_insert_with(|| (0, what.clone())).0 += 1;
    }

    /// How many lines with this fingerprint were seen at once.
    pub fn count(&self, fingerprint: Fingerprint) -> u32 {
        self.lines.get(&fingerprint).map_or(0, |(count, _)| *count)
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
    counted: ByFingerprint<Fingerprint, u32>,
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

    /// Whether so many lines like this were counted.
    pub fn knows(&self, id: &LineId, lines: u32) -> bool {
        let tally = self.buckets.get(&id.bucket);
        let counted = tally.and_then(|tally| tally.counted.get(&id.fingerprint));
        counted.is_some_and(|counted| *counted >= lines)
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
        // Only what goes is looked at: of each kind the oldest comes first.
        let below = |bucket: &Bucket| !at_or_above(*bucket, horizon);
        let oldest = Minute(i64::MIN);
        let days = self.buckets.range(Bucket::Day(oldest)..Bucket::At(oldest));
        let minutes = self.buckets.range(Bucket::At(oldest)..);
        let days = days.map(|(bucket, _)| *bucket).take_while(below);
        let minutes = minutes.map(|(bucket, _)| *bucket).take_while(below);
        let forgotten: Vec<Bucket> = days.chain(minutes).collect();
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
        let mut fresh: Vec<Fresh> = Vec::with_capacity(seen.lines.len());
        fresh.extend(
            seen.lines
                .iter()
                .filter_map(|(fingerprint, (count, what))| {
                    let known = self.counted.get(fingerprint).copied().unwrap_or(0);
                    let more = count.checked_sub(known).filter(|more| *more > 0)?;
                    Some((*fingerprint, more, what))
                }),
        );
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
        self.counted.reserve(fresh.len());
        for (fingerprint, more, _) in fresh {
            *self.counted.entry(*fingerprint).or_default() += more;
            self.known += u64::from(*more);
        }
    }
}
