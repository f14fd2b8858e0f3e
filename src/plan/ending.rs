//! The end of a read: what could not be told apart, and what is closed.

use std::hash::{Hash, Hasher};

use super::late::Covered;
use super::{LogState, Outcome, Phase, Plan, Read};
use crate::ledger::Gains;
use crate::sighting::Keyed;
use crate::stitch::{Response, Stretch};

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
        let all = digest(&self.answers);
        self.is_the_same_read = state.last_answers.replace(all) == Some(all);
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
        state.was_ambiguous = !ambiguous.is_empty();
        let gap = state.has_gap(&stretch);
        let closed = state.close(&stretch, &ambiguous, &self.answers, self.reach);
        state.ends_read(self.is_the_same_read || self.answers.len() <= 1);
        // What came before the first line while this read lasted is not read yet.
        let is_all = ambiguous.is_empty() && stretch.moved() <= 0;
        let behind = u64::try_from(stretch.moved()).unwrap_or(0);
        let is_costly = state.costs_more_than_a_page(&stretch);
        let covered = Covered {
            stretch,
            answers: &self.answers,
            hour: &self.hour,
            is_the_same: self.is_the_same_read,
        };
        state.look_for_late(covered, self.reach);
        let rests = self.is_the_same_read && state.late.is_pending();
        let last = self.answers.last();
        state.landmark = last.filter(|_| is_all && (is_costly || rests)).cloned();
        let read = Read {
            behind,
            ambiguous: !ambiguous.is_empty(),
            postponed: closed.postponed,
            missed: closed.missed,
            gap,
        };
        self.phase = Phase::Ended(Outcome::Read(read));
    }
}

/// Two reads that give the same number had the same answers.
fn digest(answers: &[Response]) -> u64 {
    let mut hasher = Keyed::default();
    for answer in answers {
        (answer.start, answer.asked, answer.sightings.len()).hash(&mut hasher);
        let ids = answer.sightings.iter().map(|sighting| sighting.id);
        ids.for_each(|id| id.hash(&mut hasher));
    }
    hasher.finish()
}
