//! What is known of one log from read to read.

use std::collections::{BTreeMap, BTreeSet};

use super::late::Late;
use super::strays::{self, STRAYS};
use super::{Outcome, Trouble};
use crate::event::{EventType, Minute};
use crate::ledger::{Closed, Depth, Gains, Ledger, Unclear};
use crate::order::Order;
use crate::saved::{SavedBucket, SavedLog};
use crate::sighting::{Bucket, LineId, Sighting};
use crate::stitch::{Response, Stretch};
use crate::window::{PAGE, Query};

/// So many empty answers in a row are believed of a log that was never seen to hold a line.
const EMPTY_ANSWERS_AT_FIRST: u32 = 2;

/// So many are believed of a log that did.
const EMPTY_ANSWERS_LATER: u32 = 20;

/// So many reads in a row that found the log at rest let postponed minutes be read again; twice as
/// many after each time that was in vain.
const CALM_READS: u32 = 2;
const CALM_READS_AT_MOST: u32 = 256;

/// `--api.order`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderSetting {
    Auto,
    Fixed(Order),
}

/// How far back a read looks, in minutes of log time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// At the first start, from the newest line: what becomes the starting values.
    pub lookback_minutes: i64,
    /// From the newest line, while requests are to spare: where late lines are looked for.
    pub lateness_minutes: i64,
}

/// What is known of one log from read to read.
#[derive(Clone, Debug)]
pub struct LogState {
    pub(super) order: Option<Order>,
    pub(super) order_is_configured: bool,
    /// Whether the times of a day run against the days, on each page by itself.
    pub(super) times_run_back: bool,
    /// Oldest first: the place of a line in a closed minute, near the end of the log.
    pub(super) closed_place: Option<u64>,
    pub(super) late: Late,
    /// Whether more than one page has shown which lines come first.
    pub(super) order_is_proven: bool,
    /// The last answer of the read before, which can prove that nothing moved since.
    pub(super) last_answer: Option<Response>,
    /// What all answers of that read come to.
    pub(super) last_answers: Option<u64>,
    /// Whether that read could not tell all lines apart.
    pub(super) was_ambiguous: bool,
    /// The last answer of a long read after which all was counted. While it comes out the same,
    /// nothing has moved, and the long read need not be done again.
    pub(super) landmark: Option<Response>,
    /// The repeated hour whose second time has begun, by a minute of that.
    pub(super) second_hour: Option<Minute>,
    ledger: Ledger,
    /// How far back the read under way goes.
    depth: Depth,
    /// How many reads in a row took one request, and how many it takes to go deeper.
    calm_reads: u32,
    calm_reads_wanted: u32,
    /// The open minute above which a gap was told of.
    told_gap: Option<Minute>,
    /// How often in a row reading ahead was in vain, and how many long reads do without it.
    ran_in_vain: u32,
    skip_ahead: u32,
    empty_answers: u32,
    complete: bool,
}

impl LogState {
    /// A log of which nothing is known.
    pub fn new(order: OrderSetting) -> Self {
        let fixed = match order {
            OrderSetting::Auto => None,
            OrderSetting::Fixed(order) => Some(order),
        };
        Self {
            order: fixed,
            order_is_configured: fixed.is_some(),
            times_run_back: false,
            closed_place: None,
            late: Late::default(),
            order_is_proven: fixed.is_some(),
            last_answer: None,
            last_answers: None,
            was_ambiguous: false,
            landmark: None,
            second_hour: None,
            ledger: Ledger::default(),
            depth: Depth::Open,
            calm_reads: 0,
            calm_reads_wanted: CALM_READS,
            told_gap: None,
            ran_in_vain: 0,
            skip_ahead: 0,
            empty_answers: 0,
            complete: false,
        }
    }

    /// The log as it was saved. The order that is configured now is the one that holds.
    pub fn restore(order: OrderSetting, saved: &SavedLog, buckets: Vec<SavedBucket>) -> Self {
        let mut state = Self::new(order);
        if state.order.is_none() || state.order == saved.order {
            state.order = saved.order;
            state.closed_place = saved.closed_place;
        }
        state.ledger = Ledger::restore(saved, buckets);
        state.late.from = saved.late_from;
        state.second_hour = saved.second_hour;
        state.empty_answers = saved.empty_answers;
        state.complete = saved.complete;
        state
    }

    /// What [`Self::restore`] takes, but for the buckets, which the ledger tells one by one.
    pub fn saved(&self, event_type: EventType) -> SavedLog {
        let mut saved = SavedLog::new(event_type);
        saved.order = self.order;
        saved.closed_place = self.closed_place;
        saved.late_from = self.late.from;
        saved.second_hour = self.second_hour;
        saved.empty_answers = self.empty_answers;
        saved.complete = self.complete;
        self.ledger.write(&mut saved);
        saved
    }

    /// Notes that everything has to be saved anew, and that these buckets are saved but not held.
    pub fn is_rewritten(&mut self, forgotten: &[Bucket]) {
        self.ledger.is_rewritten(forgotten);
    }

    /// What has been counted of the log.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Notes that all changes of the ledger are saved.
    pub fn are_saved(&mut self) {
        self.ledger.are_saved();
    }

    /// A read is about to begin: how far back it goes.
    pub(super) fn choose_depth(&mut self) -> Depth {
        let rests = self.calm_reads >= self.calm_reads_wanted;
        self.depth = match rests && self.ledger.has_postponed() {
            true => Depth::Postponed,
            false => Depth::Open,
        };
        self.depth
    }

    /// The read has its first answer.
    pub(super) fn has_begun_read(&mut self) {
        if self.depth == Depth::Postponed {
            self.calm_reads = 0;
            self.calm_reads_wanted = (self.calm_reads_wanted * 2).min(CALM_READS_AT_MOST);
            self.landmark = None;
        }
    }

    /// A read covered what it had to, and found the log at rest or not.
    pub(super) fn ends_read(&mut self, is_calm: bool) {
        self.calm_reads = match is_calm {
            true => self.calm_reads.saturating_add(1),
            false => 0,
        };
        if !self.ledger.has_postponed() {
            self.calm_reads_wanted = CALM_READS;
        }
    }

    /// Whether the log was read once as far as the lookback reaches: before that, what is counted
    /// is history that is not whole yet.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The order of the log, where it is known.
    pub fn order(&self) -> Option<Order> {
        self.order
    }

    /// The oldest minute that is not closed; none before the first line was seen.
    pub fn open_from(&self) -> Option<Minute> {
        self.ledger.must_reach(self.depth)
    }

    pub(super) fn forget_order(&mut self) {
        if !self.order_is_configured {
            self.order = None;
            self.order_is_proven = false;
        }
        self.closed_place = None;
        self.late.forget_places();
        self.landmark = None;
    }

    /// Whether a long read should do without reading ahead: it was in vain too often; or the read
    /// before was ambiguous, and only one that asks for the same pages can tell that it all rests.
    pub(super) fn skips_ahead(&mut self) -> bool {
        let skips = self.skip_ahead > 0;
        self.skip_ahead = self.skip_ahead.saturating_sub(1);
        skips || self.was_ambiguous
    }

    /// Pages were read ahead, and used or not.
    pub(super) fn ran_ahead(&mut self, used: bool) {
        const SKIP_AT_MOST: u32 = 16;
        self.ran_in_vain = if used { 0 } else { self.ran_in_vain + 1 };
        self.skip_ahead = match self.ran_in_vain {
            0 | 1 => 0,
            times => (1 << (times - 2).min(10)).min(SKIP_AT_MOST),
        };
    }

    /// Whether it is known what counts.
    pub(super) fn has_begun(&self) -> bool {
        self.ledger.horizon().is_some()
    }

    /// Sets what counts: `lookback` before the newest of these lines, which reach to the newest of
    /// the log. Only the first time does anything.
    pub(super) fn begin(&mut self, buckets: impl Iterator<Item = Bucket>, reach: Reach) {
        const DAY_MINUTES: i64 = 24 * 60;
        let buckets: Vec<Bucket> = buckets.collect();
        let newest = strays::newest(buckets.iter().filter_map(|bucket| bucket.minute()));
        // Where no time can be read, the day is all that is known.
        let end_of_day = |bucket: &Bucket| match bucket {
            Bucket::Day(start) => Some(start.minus(-DAY_MINUTES)),
            Bucket::At(_) | Bucket::Undated => None,
        };
        let newest = newest.or_else(|| buckets.iter().filter_map(end_of_day).max());
        if let Some(newest) = newest {
            self.ledger.begin(newest.minus(reach.lookback_minutes));
        }
    }

    /// Page 1 was empty, or said to be past the end: is the log empty, or the answer wrong? One
    /// such answer is not proof; it is believed when it comes again and again.
    pub(super) fn empty_answer(&mut self, trouble: Trouble) -> Outcome {
        self.empty_answers = self.empty_answers.saturating_add(1);
        let held_lines = self.ledger.horizon().is_some();
        let enough = match (held_lines, trouble) {
            (true, _) => EMPTY_ANSWERS_LATER,
            (false, Trouble::EmptyLog) => 1,
            (false, _) => EMPTY_ANSWERS_AT_FIRST,
        };
        // Lines that come to an empty log are new, not history.
        self.complete |= !held_lines && self.empty_answers >= EMPTY_ANSWERS_AT_FIRST;
        if self.empty_answers < enough {
            Outcome::Failed(trouble)
        } else {
            Outcome::Empty
        }
    }

    /// An answer held lines: empty ones before it were no row.
    pub(super) fn lines_answer(&mut self) {
        self.empty_answers = 0;
    }

    /// Counts what the last answer of a stretch showed, but for the buckets that have to wait.
    pub(super) fn count(&mut self, stretch: &Stretch, waiting: &BTreeSet<Bucket>) -> Vec<Gains> {
        let touched = stretch.touched();
        let gains = touched
            .filter(|(bucket, _, _)| !waiting.contains(bucket))
            .map(|(bucket, seen, whole)| self.ledger.apply(bucket, seen, whole));
        gains.filter(|gains| *gains != Gains::default()).collect()
    }

    /// Whether the stretch reaches into closed minutes. A single line there may be a stray.
    pub(super) fn is_covered_by(&self, stretch: &Stretch) -> bool {
        self.are_covered_by(stretch.minutes())
    }

    /// Whether the page, which goes on from a stretch, reaches into closed minutes.
    pub(super) fn is_covered_by_page(&self, page: &Response) -> bool {
        self.are_covered_by(super::minutes_of(&page.sightings))
    }

    fn are_covered_by(&self, minutes: impl DoubleEndedIterator<Item = Minute>) -> bool {
        let Some(open_from) = self.open_from() else {
            return false;
        };
        if self.order == Some(Order::OldestFirst) {
            return false;
        }
        let mut oldest = minutes.rev().take(STRAYS);
        let mut is_closed = || oldest.next().is_some_and(|minute| minute < open_from);
        (0..STRAYS).all(|_| is_closed())
    }

    /// Whether lines that seem to be of closed minutes may be of the second time of a repeated hour,
    /// with open minutes below them: they are not those that were counted.
    pub(super) fn may_hide_more(&self, stretch: &Stretch, undecided: &BTreeSet<Bucket>) -> bool {
        let last = stretch.ids().last();
        if !last.is_some_and(|id| undecided.contains(&id.bucket)) {
            return false;
        }
        let open_from = self.open_from();
        let seems_closed = |id: &&LineId| id.bucket.minute() < open_from;
        let mut seen: BTreeMap<LineId, u32> = BTreeMap::new();
        for id in stretch.ids().iter().filter(seems_closed) {
            *seen.entry(*id).or_default() += 1;
        }
        seen.iter()
            .any(|(id, lines)| undecided.contains(&id.bucket) && !self.ledger.knows(id, *lines))
    }

    /// Whether the end of the log holds only older lines than were counted before: the oldest may not
    /// come first.
    pub(super) fn doubts_the_end(&self, stretch: &Stretch) -> bool {
        let oldest_first = self.order == Some(Order::OldestFirst);
        let Some(open_from) = self.open_from() else {
            return false;
        };
        let newest = strays::newest(stretch.minutes());
        oldest_first
            && !self.order_is_proven
            && self.complete
            && newest.is_some_and(|newest| newest < open_from)
    }

    /// How many pages are left to read, if minutes hold as many lines as in the stretch; none where
    /// that cannot be told.
    pub(super) fn pages_to_go(&self, stretch: &Stretch) -> Option<usize> {
        if self.order == Some(Order::OldestFirst) {
            return None;
        }
        let newest = strays::newest(stretch.minutes())?;
        let oldest = stretch.minutes().next_back()?;
        let to_go = oldest.0.checked_sub(self.open_from()?.0)?;
        let span = (newest.0 - oldest.0).max(0) + 1;
        let lines = i64::try_from(stretch.ids().len()).ok()?;
        let pages = to_go.max(0).saturating_mul(lines) / span / 50;
        usize::try_from(pages).ok()
    }

    /// The oldest minute that new lines may still come to, and push the lines of these sightings on
    /// to higher places; none where new lines come at the other end.
    pub(super) fn arriving_from(&self, sightings: &[Sighting]) -> Option<Minute> {
        if self.order == Some(Order::OldestFirst) {
            return None;
        }
        let below = strays::may_close_below(super::minutes_of(sightings));
        // If there are so few lines that nothing is closed, new ones may come to any minute.
        Some(below.unwrap_or(Minute(i64::MIN)))
    }

    /// Whether a minute that could not be told apart would be closed otherwise.
    pub(super) fn would_close_ambiguous(&self, stretch: &Stretch) -> bool {
        let below = strays::may_close_below(stretch.minutes());
        let mut ambiguous = stretch.ambiguous_minutes().into_iter();
        below.is_some_and(|below| ambiguous.any(|minute| minute < below))
    }

    /// Whether the answer shows lines beyond those that the stretch could not tell apart, so that any
    /// move of theirs would move it too.
    pub(super) fn lies_beyond(&self, answer: &Response, stretch: &Stretch) -> bool {
        let ambiguous = stretch.ambiguous_minutes();
        let last = super::minutes_of(&answer.sightings).last();
        let (Some(oldest), Some(newest)) = (ambiguous.first(), ambiguous.last()) else {
            return false;
        };
        last.is_some_and(|last| match self.order {
            Some(Order::OldestFirst) => last > *newest || answer.is_short(),
            _ => last < *oldest || answer.is_short(),
        })
    }

    /// Whether the minutes that are open now hold so many lines that one request does not show all.
    pub(super) fn costs_more_than_a_page(&self, stretch: &Stretch) -> bool {
        if let (Some(Order::OldestFirst), Some(place)) = (self.order, self.closed_place) {
            return Query::from(place).end() <= stretch.next_place();
        }
        let open_from = self.open_from();
        let is_open = |minute: &Minute| open_from.is_none_or(|open| *minute >= open);
        let open = stretch.minutes().filter(is_open).count();
        open + STRAYS > usize::try_from(PAGE).unwrap_or(usize::MAX)
    }

    /// Closes what the stretch covers, and notes where to start next time.
    pub(super) fn close(
        &mut self,
        stretch: &Stretch,
        ambiguous: &BTreeSet<Minute>,
        answers: &[Response],
        reach: Reach,
    ) -> Closed {
        self.complete = true;
        let minutes: Vec<Minute> = stretch.minutes().collect();
        let Some(below) = strays::may_close_below(stretch.minutes()) else {
            return Closed::default();
        };
        let depth = |minute: Minute| minutes.iter().filter(|other| **other >= minute).count();
        let unclear = |minute: &Minute| {
            let unclear = Unclear {
                depth: depth(*minute),
                places: places_of(*minute, answers),
            };
            (*minute, unclear)
        };
        let unclear: BTreeMap<Minute, Unclear> = ambiguous.iter().map(unclear).collect();
        let closed = self.ledger.close(below, &unclear, self.depth);
        // The same way again, while a minute is open that only the same answers can settle.
        if ambiguous.is_empty() {
            self.closed_place =
                self.place_to_start(below.minus(reach.lateness_minutes), stretch, answers);
        }
        closed
    }

    /// Whether the log ends before it comes to the lines that were counted last: what it lost in
    /// between was never read. Said once of each gap.
    pub(super) fn has_gap(&mut self, stretch: &Stretch) -> bool {
        let (Some(open_from), Some(oldest)) = (self.open_from(), stretch.minutes().min()) else {
            return false;
        };
        let gap = self.complete && oldest > open_from && self.ledger.has_counted(open_from);
        let is_told = self.told_gap == Some(open_from);
        self.told_gap = gap.then_some(open_from);
        gap && !is_told
    }

    /// Oldest first: the last line of a closed minute; or further back, the last one before the
    /// minutes that late lines are looked for in, where one request shows both all of those and the
    /// end of the log.
    fn place_to_start(
        &self,
        late_from: Minute,
        stretch: &Stretch,
        answers: &[Response],
    ) -> Option<u64> {
        const ROOM: u64 = 40;
        let open_from = self.open_from()?;
        let closed = last_place_below(open_from, answers)?;
        let late = last_place_below(open_from.min(late_from), answers);
        late.filter(|place| place + ROOM >= stretch.next_place())
            .or(Some(closed))
    }
}

/// The place of the last line below this minute.
fn last_place_below(minute: Minute, answers: &[Response]) -> Option<u64> {
    answers.iter().rev().find_map(|answer| {
        let lines = (answer.start..).zip(&answer.sightings);
        let below = |line: &&Sighting| line.id.bucket.minute().is_some_and(|found| found < minute);
        let below = lines.filter(|(_, line)| below(line));
        below.last().map(|(place, _)| place)
    })
}

/// How many places of the log showed a line of this minute.
fn places_of(minute: Minute, answers: &[Response]) -> u32 {
    let mut places = BTreeSet::new();
    for answer in answers {
        let shown = (answer.start..).zip(&answer.sightings);
        let of_minute = shown.filter(|(_, s)| s.id.bucket.minute() == Some(minute));
        places.extend(of_minute.map(|(place, _)| place));
    }
    u32::try_from(places.len()).unwrap_or(u32::MAX)
}
