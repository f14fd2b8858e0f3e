//! Late lines: those that come to the log among older ones, where all is counted already.
//!
//! A line may be late by so much log time, [`Reach::lateness_minutes`]. So whoever looked for late
//! lines when the newest minute was P has to look again only at what is newer than P less that. A
//! read often shows those minutes by itself. Where it does not, a walk goes on from it, one request
//! whenever one is to spare, over any number of reads; until it comes to its end the minutes stay
//! noted, over a restart too.

use super::reading::next_query;
use super::second_hour::{Placed, SecondHour};
use super::strays::{self, STRAYS};
use super::{Answer, LogState, Reach, is_mixed, minutes_of, turn_days};
use crate::event::Minute;
use crate::ledger::Gains;
use crate::order::Order;
use crate::stitch::{Join, Response, Stretch};
use crate::window::{PAGE, Query};

/// Requests of a walk, so that a log that is always busy does not make it ever longer.
const REQUESTS_AT_MOST: u32 = 100;

/// Where late lines may be, and the walk that looks for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Late {
    /// The oldest minute that late lines may have come to since they were looked for.
    pub(super) from: Option<Minute>,
    walk: Option<Walk>,
    /// The last read did not show all those minutes, and no walk from it has either.
    pending: bool,
    /// The last answer of the walk before.
    last: Option<Response>,
}

#[derive(Clone, Debug)]
struct Walk {
    stage: Stage,
    asked: Query,
    requests: u32,
    /// The oldest minute to look at.
    from: Minute,
    /// The same for the next walk, once this one is at its end.
    then: Minute,
    hour: SecondHour,
    /// The log may have moved since the read from which it goes on, where it has been already.
    is_stale: bool,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Newest first: on from the read, to below the oldest minute.
    Down(Stretch),
    /// Oldest first: looking for a place below the oldest minute, so far before the place where the
    /// read began.
    Back { step: u64, end: u64 },
    /// Oldest first: from there, to where the read began.
    Up { stretch: Stretch, end: u64 },
}

/// A read that covered all that is open.
pub(super) struct Covered<'a> {
    pub(super) stretch: Stretch,
    pub(super) answers: &'a [Response],
    pub(super) hour: &'a SecondHour,
    /// Whether the read before it had the same answers.
    pub(super) is_the_same: bool,
}

impl Late {
    /// Whether late lines may be where the last read has not been.
    pub(super) fn is_pending(&self) -> bool {
        self.pending
    }

    /// The places of the log mean nothing any more.
    pub(super) fn forget_places(&mut self) {
        self.walk = None;
    }

    fn is_done(&mut self, then: Minute) {
        self.from = Some(then);
        self.pending = false;
        self.walk = None;
    }
}

impl LogState {
    /// Takes a read that covered all that is open: if it does not show all minutes that late lines
    /// may be in, a walk goes on from it, unless one is under way.
    pub(super) fn look_for_late(&mut self, read: Covered, reach: Reach) {
        let Some(present) = strays::may_close_below(read.stretch.minutes()) else {
            return;
        };
        let then = present.minus(reach.lateness_minutes);
        // What came while the first read lasted may be older: the newest line was not known yet.
        let first = match read.stretch.moved() {
            0 => None,
            _ => read.stretch.minutes().next(),
        };
        let first = first.filter(|_| self.order == Some(Order::OldestFirst));
        let from = self.late.from.or(first).map_or(then, |from| from.min(then));
        self.late.from = Some(from);
        let Some((stage, asked)) = first_stage(self.order, from, read.stretch, read.answers) else {
            self.late.is_done(then);
            return;
        };
        self.late.pending = true;
        if let Some(walk) = &mut self.late.walk {
            walk.is_stale |= !read.is_the_same;
            return;
        }
        self.late.walk = Some(Walk {
            stage,
            asked,
            requests: 0,
            from,
            then,
            hour: read.hour.clone(),
            is_stale: false,
        });
    }

    /// What to ask for with a request that is to spare, while no read is under way; if anything.
    pub fn late_query(&self) -> Option<Query> {
        self.late.walk.as_ref().map(|walk| walk.asked)
    }

    /// Takes the answer to [`Self::late_query`] and counts what is new in it. One that does not go
    /// on from the walk ends it: the next read begins another.
    pub fn late_answer(&mut self, answer: Answer) -> Vec<Gains> {
        let (Some(mut walk), Answer::Lines(mut sightings)) = (self.late.walk.take(), answer) else {
            return Vec::new();
        };
        if self.times_run_back {
            turn_days(&mut sightings);
        }
        let is_odd = is_mixed(&sightings)
            || (self.order).is_some_and(|order| order.is_contradicted_by(minutes_of(&sightings)));
        let goes_on = !matches!(walk.stage, Stage::Back { .. });
        let begun = &mut self.second_hour;
        let placed = (walk.hour).place(&mut sightings, self.order, goes_on, begun);
        let page = Response {
            start: walk.asked.start(),
            asked: walk.asked.limit,
            sightings,
        };
        walk.requests += 1;
        if is_odd || placed == Placed::StartOver || page.sightings.is_empty() || !walk.take(&page) {
            return Vec::new();
        }
        let gains = match &walk.stage {
            Stage::Down(stretch) | Stage::Up { stretch, .. } => {
                self.count(stretch, walk.hour.undecided())
            }
            Stage::Back { .. } => Vec::new(),
        };
        if walk.is_over(&page) {
            self.end_walk(&walk, page);
        } else {
            self.late.walk = Some(walk);
        }
        gains
    }

    fn end_walk(&mut self, walk: &Walk, last: Response) {
        let down = match &walk.stage {
            Stage::Down(stretch) => Some(stretch),
            Stage::Back { .. } | Stage::Up { .. } => None,
        };
        let has_moved = down.is_some_and(|stretch| stretch.moved() != 0 || stretch.fell_back());
        let before = self.late.last.replace(last.clone());
        // Then nothing came to where this walk has been.
        let is_still = before.is_some_and(|before| last.shows_stillness_since(&before, false));
        self.late.is_done(walk.then);
        self.late.pending = (walk.is_stale || has_moved) && !is_still;
        if down.is_some() && !self.late.pending && self.landmark.is_some() {
            // Whatever comes to the lines above it would show there, late lines too.
            self.landmark = Some(last);
        }
    }
}

/// Where a walk begins that looks down to the minute `from`, after a read; none if the read shows
/// all of that.
fn first_stage(
    order: Option<Order>,
    from: Minute,
    read: Stretch,
    answers: &[Response],
) -> Option<(Stage, Query)> {
    if order == Some(Order::OldestFirst) {
        // What came to pages that it had read already was not seen, and may be older than what is
        // looked for after it: the newest line was known only at its end.
        let has_moved = read.moved() != 0;
        let end = if has_moved {
            read.next_place()
        } else {
            read.first_place()
        };
        let is_older = read.minutes().next().is_some_and(|first| first < from);
        let back = Stage::Back { step: PAGE, end };
        let asked = Query::from(end.saturating_sub(PAGE));
        (end > 0 && (has_moved || !is_older)).then_some((back, asked))
    } else {
        let ends = answers.last().is_none_or(Response::is_short);
        if ends || reaches_below(from, &read) {
            return None;
        }
        let asked = next_query(&read);
        Some((Stage::Down(read), asked))
    }
}

impl Walk {
    /// Goes on with this page, if it does go on from what is held.
    fn take(&mut self, page: &Response) -> bool {
        match &mut self.stage {
            Stage::Down(stretch) | Stage::Up { stretch, .. } => {
                match stretch.join(page) {
                    Join::Joined => {}
                    // Much time may have gone by since the last request of the walk, so nothing is
                    // made of lines that look the same on two pages: it goes on from this one.
                    Join::Ambiguous => {
                        *stretch = Stretch::new(page, None);
                        self.is_stale = true;
                    }
                    Join::Apart => return false,
                }
                self.asked = next_query(stretch);
            }
            Stage::Back { step, end } => {
                let first = minutes_of(&page.sightings).next();
                if page.start == 0 || first.is_some_and(|first| first < self.from) {
                    let (stretch, end) = (Stretch::new(page, None), *end);
                    self.asked = next_query(&stretch);
                    self.stage = Stage::Up { stretch, end };
                } else {
                    *step = step.saturating_mul(2);
                    self.asked = Query::from(end.saturating_sub(*step));
                }
            }
        }
        true
    }

    /// Whether all was looked at, or too much.
    fn is_over(&self, page: &Response) -> bool {
        /// Late lines may have pushed the place on, by a few.
        const PUSHED_AT_MOST: u64 = PAGE / 2;
        let is_at_end = match &self.stage {
            Stage::Down(stretch) => page.is_short() || reaches_below(self.from, stretch),
            Stage::Back { .. } => false,
            Stage::Up { stretch, end } => {
                page.is_short() || stretch.next_place() >= end + PUSHED_AT_MOST
            }
        };
        is_at_end || self.requests >= REQUESTS_AT_MOST
    }
}

/// Newest first: whether the stretch ends below the minute; a few of its lines may be strays.
fn reaches_below(minute: Minute, stretch: &Stretch) -> bool {
    let mut oldest = stretch.minutes().rev().take(STRAYS);
    oldest.all(|oldest| oldest < minute)
}
