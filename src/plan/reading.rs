//! The walk of a read: page after page, each joined to what is held and counted.

use super::seek::Seek;
use super::{LogState, Phase, Plan, Trouble, minutes_of};
use crate::event::Minute;
use crate::ledger::Gains;
use crate::order::Order;
use crate::stitch::{Join, LEAST_OVERLAP, Response, Stretch};
use crate::window::{PAGE, Query};

/// How often a page that fits nowhere is looked for elsewhere, each time twice as far off, before
/// the read starts over.
const LOOKS_ELSEWHERE: u32 = 4;

impl Plan {
    pub(super) fn begin_reading(&mut self, first: Response, state: &mut LogState) -> Vec<Gains> {
        let mut stretch = Stretch::new(&first, state.arriving_from(&first.sightings));
        self.begin_counting(&mut stretch, &first, state);
        let gains = self.count(&stretch, state);
        self.go_on(stretch, first, state, gains)
    }

    pub(super) fn read_on(
        &mut self,
        mut stretch: Stretch,
        page: Response,
        state: &mut LogState,
    ) -> Vec<Gains> {
        // Even an empty answer was to show lines again that were there a moment ago.
        if page.sightings.is_empty() || stretch.join(&page) == Join::Apart {
            self.hour = self.hour_before.clone();
            self.look_elsewhere(stretch, page.sightings.is_empty(), state);
            return Vec::new();
        }
        if stretch.next_place() > self.lost_at {
            self.looks_elsewhere = 0;
        }
        self.begin_counting(&mut stretch, &page, state);
        let gains = self.count(&stretch, state);
        self.go_on(stretch, page, state, gains)
    }

    /// Until the order is known, or the end seen, nobody knows which lines are the newest ones, from
    /// which the lookback is measured.
    fn begin_counting(&self, stretch: &mut Stretch, page: &Response, state: &mut LogState) {
        if state.has_begun() || (state.order.is_none() && !page.is_short()) {
            return;
        }
        state.begin(stretch.ids().iter().map(|id| id.bucket), self.reach);
        stretch.touch_all();
    }

    /// The lines have moved by more than the overlap since the last answer: new ones push them on to
    /// higher places, and the old end's shrinking pulls them back to lower ones.
    fn look_elsewhere(&mut self, stretch: Stretch, empty: bool, state: &mut LogState) {
        let trouble = if empty {
            Trouble::PageMissing
        } else {
            Trouble::Drift
        };
        if self.looks_elsewhere >= LOOKS_ELSEWHERE {
            self.start_over(state, trouble);
            return;
        }
        self.lost_at = self.lost_at.max(stretch.next_place());
        let distance = PAGE << self.looks_elsewhere;
        self.looks_elsewhere += 1;
        self.asked = match state.order {
            // One answer alone does not prove that the log ends before.
            _ if empty && distance == PAGE => self.asked,
            Some(Order::OldestFirst) => Query::from(stretch.next_place().saturating_sub(distance)),
            _ if empty => self.asked,
            _ => Query::from(stretch.next_place().saturating_add(distance - PAGE / 2)),
        };
        self.phase = Phase::Read(stretch);
    }

    pub(super) fn count(&self, stretch: &Stretch, state: &mut LogState) -> Vec<Gains> {
        state.count(stretch, self.hour.undecided())
    }

    pub(super) fn go_on(
        &mut self,
        stretch: Stretch,
        page: Response,
        state: &mut LogState,
        mut gains: Vec<Gains>,
    ) -> Vec<Gains> {
        // Where nobody can read dates any more, pages that hold nothing new are the end of it.
        let nothing_new = gains.is_empty() && minutes_of(&page.sightings).next().is_none();
        let ended = page.is_short() || (state.is_complete() && nothing_new);
        self.answers.push(page);
        let withheld: Vec<Minute> = gains.iter().filter_map(|gains| gains.withheld).collect();
        if withheld.iter().any(|minute| stretch.begins_within(*minute)) {
            self.go_back();
            return gains;
        }
        let withheld = !withheld.is_empty();
        let covered = || {
            state.is_covered_by(&stretch) && !state.may_hide_more(&stretch, self.hour.undecided())
        };
        if !ended && (withheld || !covered()) {
            self.phase = match self.run_ahead(&stretch, state) {
                Some(ahead) => {
                    self.asked = ahead.query();
                    Phase::Ahead(stretch, ahead)
                }
                None => {
                    self.asked = next_query(&stretch);
                    Phase::Read(stretch)
                }
            };
            return gains;
        }
        if ended && state.doubts_the_end(&stretch) {
            state.closed_place = None;
            state.order_is_proven = true;
            self.start(state);
            return gains;
        }
        gains.extend(self.settle(stretch, state));
        gains
    }

    /// Only the lines before the first one held tell what is new in its minute: starts further back.
    fn go_back(&mut self) {
        let first = self.answers.first().map_or(0, |first| first.start);
        let seek = Seek::back_from(first.saturating_sub(PAGE << self.went_back.min(10)));
        self.went_back += 1;
        self.answers.clear();
        self.asked = seek.query();
        self.phase = Phase::Seek(seek);
    }
}

/// The request that goes on from the stretch and shows enough of it again; but rather less of it
/// than hardly any new line.
pub(super) fn next_query(stretch: &Stretch) -> Query {
    const NEW_AT_LEAST: u64 = 20;
    let next = stretch.next_place();
    let with_overlap = |overlap| Query::from(next.saturating_sub(overlap));
    let mut queries = (LEAST_OVERLAP..=stretch.overlap_to_ask())
        .rev()
        .map(with_overlap);
    queries
        .find(|query| query.end() >= next + NEW_AT_LEAST)
        .unwrap_or_else(|| with_overlap(LEAST_OVERLAP))
}
