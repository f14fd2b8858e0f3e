//! One read of one log as a state machine: [`Step::Ask`] or [`Step::Done`].
//!
//! A read goes from the newest line towards the older until it covers every minute that is not yet
//! closed. Where page 1 holds the oldest lines, it goes the other way: it starts in closed minutes
//! near the end of the log and reads up to the end. Either way it gives one stretch that covers what
//! is open, and the ledger counts what is new in it, answer by answer. Between reads, a walk of its
//! own looks for late lines among closed minutes, with requests that are to spare.

mod ahead;
mod ending;
mod late;
mod log_state;
mod reading;
mod running;
mod second_hour;
mod seek;
mod strays;
#[cfg(test)]
mod tests;

pub use log_state::{LogState, OrderSetting, Reach};

use crate::event::Minute;
use crate::ledger::{Depth, Gains};
use crate::order::{self, Order};
use crate::sighting::Sighting;
use crate::stitch::{Response, Stretch, as_u64};
use crate::window::Query;
use ahead::Ahead;
use second_hour::{Placed, SecondHour};
use seek::Seek;

/// How often a read may start over because pages moved too much, before it fails.
const RESTARTS: u8 = 3;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Ask(Query),
    Done(Outcome),
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every open minute was covered.
    Read(Read),
    /// The log is empty.
    Empty,
    Failed(Trouble),
}

/// What a read that covered every open minute found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Lines known to have arrived since, and not read.
    pub behind: u64,
    /// Whether some minute could not be told apart and will be read again.
    pub ambiguous: bool,
    /// Minutes that could not be told apart, and are read again when the log rests.
    pub postponed: u64,
    /// Lines, at most, that could not be told apart in time and will never be counted.
    pub missed: u64,
    /// Whether the log has lost lines between those counted last and those it still holds.
    pub gap: bool,
}

/// Why a read failed although the API answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A page that must exist was said to be past the end.
    PageMissing,
    /// Page 1 held nothing, though the log held lines before.
    EmptyLog,
    /// Pages moved so much that they could not be joined.
    Drift,
    /// The lines run against the configured order.
    OrderContradicted,
    /// Days run one way and times another, over more than a page.
    MixedOrder,
}

/// What the API said to the last [`Step::Ask`].
#[derive(Clone, Debug)]
pub enum Answer {
    /// A page, its lines in the order of the answer.
    Lines(Vec<Sighting>),
    /// The page is past the last one.
    PastTheEnd,
}

/// One read of one log.
#[derive(Debug)]
pub struct Plan {
    phase: Phase,
    asked: Query,
    reach: Reach,
    answers: Vec<Response>,
    restarts: u8,
    looks_elsewhere: u32,
    /// Where the lines of the last page that fitted nowhere were expected.
    lost_at: u64,
    /// How often the read started further back.
    went_back: u32,
    confirming: bool,
    /// Whether pages were read ahead, and whether the log moves too much for it.
    has_run_ahead: bool,
    moves_too_much: bool,
    hour: SecondHour,
    /// The same before the last answer, in case that is not used.
    hour_before: SecondHour,
    has_answers: bool,
    /// Whether this read and the one before it had the same answers.
    is_the_same_read: bool,
    /// Whether this read has turned round the lines of each day.
    has_turned_days: bool,
}

#[derive(Debug)]
enum Phase {
    /// The end of the last long read was asked for: if it is the same, nothing has moved.
    Glance,
    /// Page 1 was asked for.
    First,
    /// Oldest first: looking for where to start.
    Seek(Seek),
    /// Reading on from what is held.
    Read(Stretch),
    /// Reading ahead of what is held.
    Ahead(Stretch, Ahead),
    /// All is held, but some lines could not be told apart: the last page of the read before was
    /// asked for again, since this read took another way.
    Still(Stretch, Response),
    Ended(Outcome),
}

impl Plan {
    /// A read that continues from what is known of the log.
    pub fn new(state: &mut LogState, reach: Reach) -> Self {
        let depth = state.choose_depth();
        let mut plan = Self {
            phase: Phase::First,
            asked: Query::FIRST,
            reach,
            answers: Vec::new(),
            restarts: 0,
            looks_elsewhere: 0,
            lost_at: 0,
            went_back: 0,
            confirming: false,
            has_run_ahead: false,
            moves_too_much: false,
            hour: SecondHour::default(),
            hour_before: SecondHour::default(),
            has_answers: false,
            is_the_same_read: false,
            has_turned_days: false,
        };
        plan.start(state);
        // A glance shows no late lines that came before the landmark was set.
        let may_glance = depth == Depth::Open && !state.late.is_pending();
        if let Some(landmark) = state.landmark.as_ref().filter(|_| may_glance) {
            plan.phase = Phase::Glance;
            plan.asked = landmark.query();
        }
        plan
    }

    /// What to do next.
    pub fn step(&self) -> Step {
        match self.phase {
            Phase::Ended(outcome) => Step::Done(outcome),
            _ => Step::Ask(self.asked),
        }
    }

    /// How many lines this read holds so far.
    pub fn lines_read(&self) -> u64 {
        match &self.phase {
            Phase::Read(stretch) | Phase::Still(stretch, _) => as_u64(stretch.ids().len()),
            Phase::Ahead(stretch, ahead) => as_u64(stretch.ids().len() + ahead.lines()),
            _ => 0,
        }
    }

    /// Takes the answer to the last [`Step::Ask`] and counts what is new in it.
    pub fn answer(&mut self, answer: Answer, state: &mut LogState) -> Vec<Gains> {
        if !std::mem::replace(&mut self.has_answers, true) {
            state.has_begun_read();
        }
        let (mut sightings, if_empty) = match answer {
            Answer::Lines(sightings) => (sightings, Trouble::EmptyLog),
            Answer::PastTheEnd => (Vec::new(), Trouble::PageMissing),
        };
        if state.times_run_back {
            turn_days(&mut sightings);
        }
        let order = state.order.or_else(|| Order::of(minutes_of(&sightings)));
        let goes_on = self.goes_on();
        self.hour_before = self.hour.clone();
        let begun = &mut state.second_hour;
        let placed = self.hour.place(&mut sightings, order, goes_on, begun);
        let response = Response {
            start: self.asked.start(),
            asked: self.asked.limit,
            sightings,
        };
        if !response.sightings.is_empty() {
            state.lines_answer();
        }
        if placed == Placed::StartOver {
            self.start_over(state, Trouble::Drift);
            return Vec::new();
        }
        if matches!(self.phase, Phase::Glance) {
            self.glance(&response, state);
            return Vec::new();
        }
        if response.start == 0 && response.sightings.is_empty() {
            self.phase = Phase::Ended(state.empty_answer(if_empty));
            return Vec::new();
        }
        if is_mixed(&response.sightings) {
            self.turn_days(state);
            return Vec::new();
        }
        if self.contradicts_order(&response, state) {
            return Vec::new();
        }
        match std::mem::replace(&mut self.phase, Phase::First) {
            Phase::First => self.first(response, state),
            Phase::Seek(seek) => self.seek(seek, response, state),
            Phase::Read(stretch) => self.read_on(stretch, response, state),
            Phase::Ahead(stretch, ahead) => self.read_ahead(stretch, ahead, response, state),
            Phase::Still(stretch, before) => {
                let still = response.shows_stillness_since(&before, self.is_the_same_read);
                self.conclude(stretch, still, state)
            }
            ended @ (Phase::Ended(_) | Phase::Glance) => {
                self.phase = ended;
                Vec::new()
            }
        }
    }

    /// Whether the next answer goes on from lines that are held.
    fn goes_on(&self) -> bool {
        matches!(self.phase, Phase::Read(_) | Phase::Ahead(..))
    }

    fn start(&mut self, state: &LogState) {
        self.answers.clear();
        self.hour.start_over();
        (self.looks_elsewhere, self.lost_at) = (0, 0);
        (self.phase, self.asked) = match (state.order, state.closed_place) {
            (Some(Order::OldestFirst), Some(place)) => {
                let seek = Seek::back_from(place);
                let asked = seek.query();
                (Phase::Seek(seek), asked)
            }
            _ => (Phase::First, Query::FIRST),
        };
    }

    fn glance(&mut self, response: &Response, state: &mut LogState) {
        let landmark = state.landmark.take();
        let oldest_first = state.order == Some(Order::OldestFirst);
        let still = |landmark: Response| {
            // What comes to a log that ends here would show; what comes to its other end would not.
            response.shows_stillness_since(&landmark, oldest_first)
        };
        if landmark.is_some_and(still) {
            state.landmark = Some(response.clone());
            state.ends_read(true);
            self.phase = Phase::Ended(Outcome::Read(Read::default()));
        } else {
            self.start(state);
        }
    }

    fn start_over(&mut self, state: &mut LogState, trouble: Trouble) {
        if self.has_turned_days && self.restarts >= RESTARTS {
            // That it did not help either says why its pages cannot be joined.
            self.turn_days(state);
            return;
        }
        if self.restarts >= RESTARTS {
            self.phase = Phase::Ended(Outcome::Failed(trouble));
            return;
        }
        self.restarts += 1;
        self.start(state);
    }

    /// Days run one way and times the other. If that is so within each page alone, its lines are in
    /// order once those of each day are turned round; if it is so over more than a page, nobody knows
    /// where the newest line is.
    fn turn_days(&mut self, state: &mut LogState) {
        state.forget_order();
        if self.has_turned_days {
            state.times_run_back = false;
            self.phase = Phase::Ended(Outcome::Failed(Trouble::MixedOrder));
            return;
        }
        self.has_turned_days = true;
        state.times_run_back = !state.times_run_back;
        self.start(state);
    }

    fn contradicts_order(&mut self, response: &Response, state: &mut LogState) -> bool {
        let minutes = || minutes_of(&response.sightings);
        let Some(order) = state.order else {
            state.order = Order::of(minutes());
            if state.order == Some(Order::OldestFirst) && !matches!(self.phase, Phase::First) {
                self.start_over(state, Trouble::Drift);
                return true;
            }
            return false;
        };
        if !order.is_contradicted_by(minutes()) {
            return false;
        }
        if state.order_is_configured {
            self.phase = Phase::Ended(Outcome::Failed(Trouble::OrderContradicted));
        } else {
            state.forget_order();
            self.start_over(state, Trouble::Drift);
        }
        true
    }

    fn first(&mut self, page: Response, state: &mut LogState) -> Vec<Gains> {
        if state.order == Some(Order::OldestFirst) && !page.is_short() {
            let seek = Seek::for_the_end(&page.sightings);
            self.asked = seek.query();
            self.phase = Phase::Seek(seek);
            return Vec::new();
        }
        self.begin_reading(page, state)
    }

    fn seek(&mut self, mut seek: Seek, page: Response, state: &mut LogState) -> Vec<Gains> {
        let found = seek.answer(&page, state, self.reach);
        match found {
            seek::Found::NotYet => {
                self.asked = seek.query();
                self.phase = Phase::Seek(seek);
                Vec::new()
            }
            seek::Found::Start => self.begin_reading(page, state),
            seek::Found::Nonsense => {
                self.turn_days(state);
                Vec::new()
            }
        }
    }
}

/// Turns round the lines of each day of a page.
fn turn_days(sightings: &mut [Sighting]) {
    sightings
        .chunk_by_mut(|a, b| a.day == b.day)
        .for_each(<[Sighting]>::reverse);
}

fn is_mixed(sightings: &[Sighting]) -> bool {
    let dated = sightings
        .iter()
        .filter_map(|s| Some((s.day?, s.id.bucket.minute()?)));
    order::is_mixed(dated)
}

/// Whether the page shows lines of a local time that occurs twice, for which pages have to overlap.
fn is_repeated(page: &Response) -> bool {
    page.sightings.iter().any(|line| line.again.is_some())
}

fn minutes_of(sightings: &[Sighting]) -> impl DoubleEndedIterator<Item = Minute> {
    sightings.iter().filter_map(|s| s.id.bucket.minute())
}
