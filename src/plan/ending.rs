//! The end of a read: what could not be told apart, what is closed, and late lines.

use super::reading::next_query;
use super::{LogState, Outcome, Phase, Plan, Read, strays};
use crate::ledger::Gains;
use crate::stitch::{Join, LEAST_OVERLAP, Response, Stretch};
use crate::window::Query;

/// The most answers of a read that are kept to compare the next one with.
const COMPARED_AT_MOST: usize = 40;

impl Plan {
    /// Everything that has to be read is held: counts what waited, and closes what can be closed.
    pub(super) fn settle(&mut self, mut stretch: Stretch, state: &mut LogState) -> Vec<Gains> {
        let mut gains = Vec::new();
        if self.hour.decide() {
            stretch.touch_all();
            gains = self.count(&stretch, state);
        }
        gains.extend(self.tell_apart(stretch, state));
        gains
    }

    /// Tells equal lines apart by their places, if nothing moved since the read before this one. If
    /// a minute that could be closed is at stake, it has to be read again at once, one time.
    fn tell_apart(&mut self, stretch: Stretch, state: &mut LogState) -> Vec<Gains> {
        let last = self.answers.last().cloned();
        let before = std::mem::replace(&mut state.last_answer, last);
        let all = match self.answers.len() <= COMPARED_AT_MOST {
            true => self.answers.clone(),
            false => Vec::new(),
        };
        let before_all = std::mem::replace(&mut state.last_answers, all);
        self.is_the_same_read = !before_all.is_empty() && before_all == self.answers;
        if stretch.ambiguous_minutes().is_empty() {
            self.finish(stretch, state);
            return Vec::new();
        }
        match (before, &state.last_answer) {
            (Some(before), Some(last)) if before.query() == last.query() => {
                let still = last.shows_stillness_since(&before, self.is_the_same_read);
                self.conclude(stretch, still, state)
            }
            (Some(before), _) if state.lies_beyond(&before, &stretch) => {
                self.asked = before.query();
                self.phase = Phase::Still(stretch, before);
                Vec::new()
            }
            _ => self.conclude(stretch, false, state),
        }
    }

    /// The read is over, and what was ambiguous in it is not, if the log stood still.
    pub(super) fn conclude(
        &mut self,
        stretch: Stretch,
        still: bool,
        state: &mut LogState,
    ) -> Vec<Gains> {
        let told = still.then(|| Stretch::unmoved(&self.answers)).flatten();
        if told.is_none() && !self.confirming && state.would_close_ambiguous(&stretch) {
            self.confirming = true;
            self.start(state);
            return Vec::new();
        }
        let stretch = told.unwrap_or(stretch);
        let gains = self.count(&stretch, state);
        self.finish(stretch, state);
        gains
    }

    fn finish(&mut self, stretch: Stretch, state: &mut LogState) {
        let ambiguous = stretch.ambiguous_minutes();
        let gap = state.has_gap(&stretch);
        let closed = state.close(&stretch, &ambiguous, &self.answers, self.reach);
        state.ends_read(self.answers.len());
        // What came before the first line while this read lasted is not read yet.
        let is_all = ambiguous.is_empty() && stretch.moved() <= 0;
        let is_costly = is_all && state.costs_more_than_a_page(&stretch);
        state.landmark = self.answers.last().filter(|_| is_costly).cloned();
        let read = Read {
            behind: u64::try_from(stretch.moved()).unwrap_or(0),
            ambiguous: !ambiguous.is_empty(),
            postponed: closed.postponed,
            missed: closed.missed,
            gap,
        };
        let outcome = Outcome::Read(read);
        self.phase = match state.late_place(&stretch, self.reach) {
            Some(place) => {
                self.asked = Query::from(place);
                Phase::Late(None, stretch.first_place(), outcome)
            }
            None => Phase::Covered(stretch, outcome),
        };
    }

    /// Oldest first: looks for late lines from further back, up to where the read began.
    pub(super) fn read_back(
        &mut self,
        stretch: Option<Stretch>,
        up_to: u64,
        outcome: Outcome,
        page: &Response,
        state: &mut LogState,
    ) -> Vec<Gains> {
        let joined = match stretch {
            None => Some(Stretch::new(page, None)),
            Some(mut stretch) => (stretch.join(page) != Join::Apart).then_some(stretch),
        };
        let Some(stretch) = joined.filter(|_| !page.sightings.is_empty()) else {
            self.phase = Phase::Ended(outcome);
            return Vec::new();
        };
        let gains = self.count(&stretch, state);
        self.asked = next_query(&stretch);
        self.phase = if page.is_short() || stretch.next_place() > up_to + LEAST_OVERLAP {
            state.has_read_late();
            Phase::Ended(outcome)
        } else {
            Phase::Late(Some(stretch), up_to, outcome)
        };
        gains
    }

    pub(super) fn may_hold_late_lines(&self, stretch: &Stretch) -> bool {
        let short = self.answers.last().is_none_or(Response::is_short);
        let present = strays::may_close_below(stretch.minutes());
        let (Some(present), Some(oldest)) = (present, stretch.minutes().next_back()) else {
            return false;
        };
        !short && present > oldest && oldest >= present.minus(self.reach.lateness_minutes)
    }

    pub(super) fn read_late(
        &mut self,
        mut stretch: Stretch,
        outcome: Outcome,
        page: &Response,
        state: &mut LogState,
    ) -> Vec<Gains> {
        if page.sightings.is_empty() || stretch.join(page) == Join::Apart {
            self.phase = Phase::Ended(outcome);
            return Vec::new();
        }
        let gains = self.count(&stretch, state);
        self.answers.push(page.clone());
        self.asked = next_query(&stretch);
        self.phase = Phase::Covered(stretch, outcome);
        gains
    }
}
