//! When a read runs ahead of what it holds, and what it makes of that.

use super::ahead::{Ahead, Verdict};
use super::reading::next_query;
use super::{LogState, Phase, Plan, is_repeated};
use crate::ledger::Gains;
use crate::sighting::LineId;
use crate::stitch::{Response, Stretch};

/// A read that has this many pages to go, or has read so many, reads ahead.
const LONG: usize = 4;

impl Plan {
    /// A run of pages ahead, where a long way is to go and every line held is in its place.
    pub(super) fn run_ahead(&mut self, stretch: &Stretch, state: &mut LogState) -> Option<Ahead> {
        // Where days are turned round, a line that is shown again need not stand where it is looked
        // for.
        let may_run = stretch.is_certain()
            && state.order.is_some()
            && state.has_begun()
            && !state.times_run_back;
        if !may_run || self.confirming || self.moves_too_much || stretch.fell_back() {
            return None;
        }
        let is_long = self.answers.len() >= LONG
            || state
                .pages_to_go(stretch)
                .is_some_and(|pages| pages >= LONG);
        let last = self.answers.last().filter(|_| is_long)?;
        if is_repeated(last) {
            return None;
        }
        if !std::mem::replace(&mut self.has_run_ahead, true) && state.skips_ahead() {
            self.moves_too_much = true;
            return None;
        }
        Some(Ahead::new(last))
    }

    pub(super) fn read_ahead(
        &mut self,
        stretch: Stretch,
        mut ahead: Ahead,
        page: Response,
        state: &mut LogState,
    ) -> Vec<Gains> {
        let is_enough = |page: &Response| state.is_covered_by_page(page) || is_repeated(page);
        let is_held = |id: &LineId| stretch.holds(id);
        match ahead.answer(page, is_enough, is_held) {
            Verdict::NotYet => {
                self.asked = ahead.query();
                self.phase = Phase::Ahead(stretch, ahead);
                Vec::new()
            }
            Verdict::Proven(pages) => self.append(stretch, pages, state),
            Verdict::Unproven => {
                state.ran_ahead(false);
                self.moves_too_much = true;
                if self.hour.has_turned() {
                    // In a page that is thrown away: what is held may be placed wrongly.
                    self.start(state);
                } else {
                    self.asked = next_query(&stretch);
                    self.phase = Phase::Read(stretch);
                }
                Vec::new()
            }
        }
    }

    fn append(
        &mut self,
        mut stretch: Stretch,
        proven: Vec<(Response, usize)>,
        state: &mut LogState,
    ) -> Vec<Gains> {
        state.ran_ahead(true);
        stretch.touch_none();
        for (page, shown_again) in &proven {
            stretch.append(page, *shown_again);
        }
        let mut pages: Vec<Response> = proven.into_iter().map(|(page, _)| page).collect();
        let Some(last) = pages.pop() else {
            self.phase = Phase::Read(stretch);
            return Vec::new();
        };
        self.answers.extend(pages);
        let gains = self.count(&stretch, state);
        self.go_on(stretch, last, state, gains)
    }
}
