//! What is known of one log from read to read.

use std::collections::{BTreeMap, BTreeSet};

use super::{Outcome, Trouble};
use crate::event::Minute;
use crate::ledger::{Gains, Ledger};
use crate::order::Order;
use crate::sighting::Sighting;
use crate::stitch::{Response, Stretch};

/// So many of the newest lines close nothing, so that one dated far off does no harm.
const STRAYS: usize = 2;

/// A line this far newer than the next older minute is dated far off, and sets no horizon.
const FAR_OFF_MINUTES: i64 = 31 * 24 * 60;

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
    }

    /// At the first lines ever seen, sets what counts: `lookback` before the newest of them.
    pub(super) fn begin(&mut self, minutes: impl Iterator<Item = Minute>, reach: Reach) {
        self.empty_answers = 0;
        let newest = newest_not_far_off(distinct_minutes(minutes));
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
        self.complete |= self.empty_answers >= EMPTY_ANSWERS_AT_FIRST;
        if self.empty_answers < enough {
            Outcome::Failed(trouble)
        } else {
            Outcome::Empty
        }
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
        let minutes: Vec<Minute> = super::minutes_of(sightings).collect();
        // If there are so few lines that nothing is closed, new ones may come to any minute.
        Some(may_close_below(&minutes).unwrap_or(Minute(i64::MIN)))
    }

    /// Whether a minute that could not be told apart would be closed otherwise.
    pub(super) fn would_close_ambiguous(&self, stretch: &Stretch) -> bool {
        let minutes: Vec<Minute> = stretch.minutes().collect();
        let below = may_close_below(&minutes);
        let mut ambiguous = stretch.ambiguous_minutes().into_iter();
        below.is_some_and(|below| ambiguous.any(|minute| minute < below))
    }

    /// Closes what the stretch covers, and notes where to start next time.
    pub(super) fn close(
        &mut self,
        stretch: &Stretch,
        ambiguous: &BTreeSet<Minute>,
        answers: &[Response],
    ) -> u64 {
        self.complete = true;
        let minutes: Vec<Minute> = stretch.minutes().collect();
        let Some(below) = may_close_below(&minutes) else {
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
            self.closed_place = self.last_closed_place(answers);
        }
        given_up
    }

    fn last_closed_place(&self, answers: &[Response]) -> Option<u64> {
        let open_from = self.ledger.must_reach()?;
        let closed = |s: &Sighting| s.id.bucket.minute().is_some_and(|m| m < open_from);
        answers.iter().rev().find_map(|answer| {
            let last = answer.sightings.iter().rposition(closed)?;
            Some(answer.start + u64::try_from(last).ok()?)
        })
    }
}

/// The minute below which all are over: lines came to it, or newer ones, more than strays.
fn may_close_below(minutes: &[Minute]) -> Option<Minute> {
    let mut minutes = minutes.to_vec();
    minutes.sort_unstable_by(|a, b| b.cmp(a));
    minutes.get(STRAYS).copied()
}

fn distinct_minutes(minutes: impl Iterator<Item = Minute>) -> Vec<Minute> {
    let distinct: BTreeSet<Minute> = minutes.collect();
    distinct.into_iter().rev().collect()
}

/// The newest minute, but for a few that lie a month or more beyond the rest.
fn newest_not_far_off(newest_first: Vec<Minute>) -> Option<Minute> {
    let is_far_off = |pair: &[Minute]| match pair {
        [newer, older] => newer.minus(FAR_OFF_MINUTES) > *older,
        _ => false,
    };
    let strays = newest_first.windows(2).take(STRAYS);
    let skipped = strays.take_while(|pair| is_far_off(pair)).count();
    newest_first.get(skipped).copied()
}
