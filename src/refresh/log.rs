//! One log within a refresh: its plan, and whose turn it is.

use std::time::Duration;

use crate::api::failure::Failure;
use crate::event::EventType;
use crate::ledger::Gains;
use crate::moment::Moment;
use crate::plan::{Answer, LogState, Outcome, Plan, Reach, Step, Trouble};
use crate::saved::{Changes, SavedLog};
use crate::window::Query;

/// One log of the account.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) event_type: EventType,
    pub(super) state: LogState,
    pub(super) failing: Option<Failure>,
    reach: Reach,
    read: Option<Read>,
    began: Option<Moment>,
    /// When the API was last asked for this log, in whichever read.
    last_turn: Option<Moment>,
    is_shown: bool,
    saved: Option<SavedLog>,
}

/// A read under way, or one that covered all.
#[derive(Debug)]
struct Read {
    plan: Plan,
    asked: u32,
    last_asked: Option<Moment>,
    reported: bool,
    /// The last request failed: it is made again by the next refresh.
    paused: bool,
}

impl Log {
    pub(super) fn new(event_type: EventType, state: LogState, reach: Reach) -> Self {
        let is_shown = state.is_complete();
        Self {
            event_type,
            state,
            failing: None,
            reach,
            read: None,
            began: None,
            last_turn: None,
            is_shown,
            saved: None,
        }
    }

    /// What changed since [`Self::is_saved`], with the zone in which the lines are read.
    pub(super) fn changes(&self, zone: &str, changes: &mut Changes) {
        let ledger = self.state.ledger();
        let log = self.as_saved(zone);
        if self.saved.as_ref() != Some(&log) {
            changes.changed.logs.push(log);
        }
        let buckets = ledger.changes(self.event_type);
        changes.changed.buckets.extend(buckets);
        let forgotten = ledger.forgotten().iter();
        let forgotten = forgotten.map(|bucket| (self.event_type, *bucket));
        changes.forgotten.extend(forgotten);
    }

    /// Notes that everything has to be saved anew.
    pub(super) fn is_unsaved(&mut self) {
        self.state.is_rewritten(&[]);
        self.saved = None;
    }

    /// Notes that all changes are saved.
    pub(super) fn is_saved(&mut self, zone: &str) {
        self.state.are_saved();
        self.saved = Some(self.as_saved(zone));
    }

    fn as_saved(&self, zone: &str) -> SavedLog {
        let mut saved = self.state.saved(self.event_type);
        zone.clone_into(&mut saved.zone);
        saved
    }

    /// Whether the API was ever asked for this log.
    pub(super) fn was_asked(&self) -> bool {
        self.last_turn.is_some()
    }

    /// Begins a read, unless one is under way or the last one is younger than `young`.
    pub(super) fn begin_if_due(&mut self, now: Moment, young: Duration) {
        let is_young = self.began.is_some_and(|began| now.since(began) < young);
        if is_young || self.wants(false).is_some() {
            return;
        }
        self.began = Some(now);
        if let Some(read) = self.read.as_mut().filter(|read| read.paused) {
            read.paused = false;
            return;
        }
        self.read = Some(Read {
            plan: Plan::new(&mut self.state, self.reach),
            asked: 0,
            last_asked: None,
            reported: false,
            paused: false,
        });
    }

    /// What the read wants to ask next; with `spare` requests also where late lines may be.
    pub(super) fn wants(&self, spare: bool) -> Option<Query> {
        let read = self.read.as_ref().filter(|read| !read.paused)?;
        match read.plan.step() {
            Step::Ask(query) => Some(query),
            Step::Done(_) if spare => self.state.late_query(),
            Step::Done(_) => None,
        }
    }

    /// When the last read began.
    pub(super) fn began(&self) -> Option<Moment> {
        self.began
    }

    /// Its place in the row: the log that waits longest comes first, in whichever read it was asked
    /// last. A read that begins anew has no precedence over one that a failure has interrupted.
    pub(super) fn turn(&self) -> Option<Moment> {
        self.last_turn
    }

    pub(super) fn has_begun(&self) -> bool {
        self.wants(false).is_some() && self.asked() > 0
    }

    /// How many requests the read under way, or just ended, has made.
    pub(super) fn asked(&self) -> u32 {
        self.read.as_ref().map_or(0, |read| read.asked)
    }

    /// When it made the last one.
    pub(super) fn last_asked(&self) -> Option<Moment> {
        self.read.as_ref()?.last_asked
    }

    pub(super) fn asks(&mut self, now: Moment) {
        if let Some(read) = &mut self.read {
            self.last_turn = Some(now);
            read.asked += 1;
            read.last_asked = Some(now);
        }
    }

    /// Takes the answer to what [`Self::wants`] told, and counts what is new in it.
    pub(super) fn answer(&mut self, answer: Answer) -> Vec<Gains> {
        match &mut self.read {
            Some(read) if matches!(read.plan.step(), Step::Ask(_)) => {
                read.plan.answer(answer, &mut self.state)
            }
            _ => self.state.late_answer(answer),
        }
    }

    /// The outcome of the read, once, when it is known.
    pub(super) fn news(&mut self) -> Option<Outcome> {
        let read = self.read.as_mut().filter(|read| !read.reported)?;
        let Step::Done(outcome) = read.plan.step() else {
            return None;
        };
        read.reported = true;
        Some(outcome)
    }

    /// How many lines the read under way holds.
    pub(super) fn lines_read(&self) -> u64 {
        let read = self.read.as_ref();
        let under_way = read.filter(|read| matches!(read.plan.step(), Step::Ask(_)));
        under_way.map_or(0, |read| read.plan.lines_read())
    }

    /// Whether the log is complete, said only once.
    pub(super) fn is_shown_now(&mut self) -> bool {
        let now = self.state.is_complete() && !self.is_shown;
        self.is_shown |= now;
        now
    }

    /// A request failed: the read goes on with it in the next refresh. What was read before is not
    /// asked for again, so that a long read ends although the API fails now and then. One that had
    /// covered all, and only looked for late lines, is over.
    pub(super) fn pause(&mut self) {
        let is_over = self.wants(false).is_none();
        if is_over {
            self.read = None;
        } else if let Some(read) = &mut self.read {
            read.paused = true;
        }
    }

    /// The refresh is over; what the read counted stays counted.
    pub(super) fn end(&mut self) {
        self.read.take_if(|read| !read.paused);
    }

    /// Undoes a read that has not asked anything, so that it is due again.
    pub(super) fn never_mind(&mut self) {
        if self.wants(false).is_some() {
            self.read = None;
            self.began = None;
        }
    }
}

/// The failure that a trouble within the lines is.
pub(super) fn failure_of(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::PageMissing => Failure::PageMissing,
        Trouble::EmptyLog => Failure::EmptyLog,
        Trouble::Drift => Failure::Drift,
        Trouble::OrderContradicted => Failure::OrderContradicted,
        Trouble::MixedOrder => Failure::MixedOrder,
    }
}
