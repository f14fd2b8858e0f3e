//! What is known of one log from read to read.

use std::collections::{BTreeMap, BTreeSet};

use super::strays::{self, STRAYS};
use super::{Outcome, Trouble};
use crate::event::Minute;
use crate::ledger::{Gains, Ledger};
use crate::order::Order;
use crate::sighting::{Bucket, Sighting};
use crate::stitch::{Response, Stretch};
use crate::window::PAGE;

/// So many empty answers in a row are believed of a log that was never seen to hold a line.
const EMPTY_ANSWERS_AT_FIRST: u32 = 2;

/// So many are believed of a log that did.
const EMPTY_ANSWERS_LATER: u32 = 20;

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
    /// Oldest first: the place of a line in a closed minute, near the end of the log.
    pub(super) closed_place: Option<u64>,
    /// The last answer of the read before, which can prove that nothing moved since.
    pub(super) last_answer: Option<Response>,
    /// The last answer of a long read after which all was counted. While it comes out the same,
    /// nothing has moved, and the long read need not be done again.
    pub(super) landmark: Option<Response>,
    ledger: Ledger,
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
            closed_place: None,
            last_answer: None,
            landmark: None,
            ledger: Ledger::default(),
            empty_answers: 0,
            complete: false,
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
        self.ledger.must_reach()
    }

    pub(super) fn forget_order(&mut self) {
        self.order = None;
        self.closed_place = None;
        self.landmark = None;
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

    /// Counts what the last answer of a stretch showed.
    pub(super) fn count(&mut self, stretch: &Stretch) -> Vec<Gains> {
        let gains = stretch
            .touched()
            .map(|(bucket, seen, whole)| self.ledger.apply(bucket, seen, whole));
        gains.filter(|gains| *gains != Gains::default()).collect()
    }

    /// Whether the stretch reaches into closed minutes. A single line there may be a stray.
    pub(super) fn is_covered_by(&self, stretch: &Stretch) -> bool {
        let Some(open_from) = self.ledger.must_reach() else {
            return false;
        };
        if self.order == Some(Order::OldestFirst) {
            return false;
        }
        let mut oldest = stretch.minutes().rev().take(STRAYS);
        stretch.minutes().count() >= STRAYS && oldest.all(|minute| minute < open_from)
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

    /// Whether the minutes that are open now hold so many lines that one request does not show all.
    pub(super) fn costs_more_than_a_page(&self, stretch: &Stretch) -> bool {
        let open_from = self.ledger.must_reach();
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
    ) -> u64 {
        self.complete = true;
        let minutes: Vec<Minute> = stretch.minutes().collect();
        let Some(below) = strays::may_close_below(stretch.minutes()) else {
            return 0;
        };
        let depth = |minute: &Minute| minutes.iter().filter(|other| *other >= minute).count();
        let ambiguous: BTreeMap<Minute, usize> = ambiguous
            .iter()
            .map(|minute| (*minute, depth(minute)))
            .collect();
        let given_up = self.ledger.close(below, &ambiguous);
        // The same way again, while a minute is open that only the same answers can settle.
        if ambiguous.is_empty() {
            self.closed_place =
                self.place_to_start(below.minus(reach.lateness_minutes), stretch, answers);
        }
        given_up
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
        let open_from = self.ledger.must_reach()?;
        let closed = last_place_below(open_from, answers)?;
        let late = last_place_below(open_from.min(late_from), answers);
        late.filter(|place| place + ROOM >= stretch.next_place())
            .or(Some(closed))
    }
}

fn last_place_below(minute: Minute, answers: &[Response]) -> Option<u64> {
    let below = |s: &Sighting| s.id.bucket.minute().is_some_and(|m| m < minute);
    answers.iter().rev().find_map(|answer| {
        let last = answer.sightings.iter().rposition(below)?;
        Some(answer.start + u64::try_from(last).ok()?)
    })
}
