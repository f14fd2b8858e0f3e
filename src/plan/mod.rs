//! One read of one log as a state machine: [`Step::Ask`] or [`Step::Done`].
//!
//! A read goes from the newest line towards the older until it covers every minute that is not yet
//! closed. Where page 1 holds the oldest lines, it goes the other way: it starts in closed minutes
//! near the end of the log and reads up to the end. Either way it gives one stretch that covers what
//! is open, and the ledger counts what is new in it, answer by answer.

mod ahead;
mod log_state;
mod second_hour;
mod seek;
mod strays;
#[cfg(test)]
mod tests;

pub use log_state::{LogState, OrderSetting, Reach};

use crate::event::Minute;
use crate::ledger::Gains;
use crate::order::{self, Order};
use crate::sighting::Sighting;
use crate::stitch::{Join, LEAST_OVERLAP, Response, Stretch};
use crate::window::{PAGE, Query};
use ahead::{Ahead, Verdict};
use second_hour::{Placed, SecondHour};
use seek::Seek;

/// How often a read may start over because pages moved too much, before it fails.
const RESTARTS: u8 = 3;

/// How often a page that fits nowhere is looked for elsewhere, each time twice as far off, before
/// the read starts over.
const LOOKS_ELSEWHERE: u32 = 4;

/// A read that has this many pages to go, or has read so many, reads ahead.
const LONG: usize = 4;

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
    /// Everything open is covered; reading on for late lines, if at all.
    Covered(Stretch, Outcome),
    Ended(Outcome),
}

impl Plan {
    /// A read that continues from what is known of the log.
    pub fn new(state: &mut LogState, reach: Reach) -> Self {
        state.begin_read();
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
            has_turned_days: false,
        };
        plan.start(state);
        if let Some(landmark) = &state.landmark {
            plan.phase = Phase::Glance;
            plan.asked = landmark.query();
        }
        plan
    }

    /// What to do next. With `spare` requests a read that covers everything open goes on towards
    /// late lines.
    pub fn step(&self, spare: bool) -> Step {
        match &self.phase {
            Phase::Glance
            | Phase::First
            | Phase::Seek(_)
            | Phase::Read(_)
            | Phase::Ahead(..)
            | Phase::Still(..) => Step::Ask(self.asked),
            Phase::Covered(stretch, _) if spare && self.may_hold_late_lines(stretch) => {
                Step::Ask(self.asked)
            }
            Phase::Covered(_, outcome) | Phase::Ended(outcome) => Step::Done(*outcome),
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
        let (mut sightings, if_empty) = match answer {
            Answer::Lines(sightings) => (sightings, Trouble::EmptyLog),
            Answer::PastTheEnd => (Vec::new(), Trouble::PageMissing),
        };
        if state.times_run_back {
            turn_days(&mut sightings);
        }
        let order = state.order.or_else(|| Order::of(minutes_of(&sightings)));
        if !self.goes_on() {
            self.hour.start_over();
        }
        let placed = self
            .hour
            .place(&mut sightings, order, &mut state.second_hour);
        let response = Response {
            start: self.asked.start(),
            asked: self.asked.limit,
            sightings,
        };
        if !response.sightings.is_empty() {
            state.lines_answer();
        }
        if placed == Placed::StartOver {
            self.start(state);
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
                let still = response.shows_stillness_since(&before);
                self.conclude(stretch, still, state)
            }
            Phase::Covered(stretch, outcome) => self.read_late(stretch, outcome, &response, state),
            ended @ (Phase::Ended(_) | Phase::Glance) => {
                self.phase = ended;
                Vec::new()
            }
        }
    }

    /// Whether the next answer goes on from lines that are held.
    fn goes_on(&self) -> bool {
        matches!(
            self.phase,
            Phase::Read(_) | Phase::Ahead(..) | Phase::Covered(..)
        )
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
        if landmark.is_some_and(|landmark| response.shows_stillness_since(&landmark)) {
            state.landmark = Some(response.clone());
            state.ends_read(1);
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

    fn begin_reading(&mut self, first: Response, state: &mut LogState) -> Vec<Gains> {
        let mut stretch = Stretch::new(&first, state.arriving_from(&first.sightings));
        self.begin_counting(&mut stretch, &first, state);
        let gains = self.count(&stretch, state);
        self.go_on(stretch, first, state, gains)
    }

    fn read_on(
        &mut self,
        mut stretch: Stretch,
        page: Response,
        state: &mut LogState,
    ) -> Vec<Gains> {
        // Even an empty answer was to show lines again that were there a moment ago.
        if page.sightings.is_empty() || stretch.join(&page) == Join::Apart {
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

    fn count(&self, stretch: &Stretch, state: &mut LogState) -> Vec<Gains> {
        state.count(stretch, self.hour.undecided())
    }

    fn go_on(
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
        self.asked = next_query(&stretch);
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
                None => Phase::Read(stretch),
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

    /// A run of pages ahead, where a long way is to go and every line held is in its place.
    fn run_ahead(&mut self, stretch: &Stretch, state: &mut LogState) -> Option<Ahead> {
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

    fn read_ahead(
        &mut self,
        stretch: Stretch,
        mut ahead: Ahead,
        page: Response,
        state: &mut LogState,
    ) -> Vec<Gains> {
        let is_enough = |page: &Response| state.is_covered_by_page(page) || is_repeated(page);
        match ahead.answer(page, is_enough) {
            Verdict::NotYet => {
                self.asked = ahead.query();
                self.phase = Phase::Ahead(stretch, ahead);
                Vec::new()
            }
            Verdict::Proven(pages) => self.append(stretch, pages, state),
            Verdict::Unproven => {
                state.ran_ahead(false);
                self.moves_too_much = true;
                self.asked = next_query(&stretch);
                self.phase = Phase::Read(stretch);
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

    /// Tells equal lines apart by their places, if nothing moved since the read before this one. If
    /// a minute that could be closed is at stake, it has to be read again at once, one time.
    fn settle(&mut self, mut stretch: Stretch, state: &mut LogState) -> Vec<Gains> {
        let mut gains = Vec::new();
        if self.hour.decide() {
            stretch.touch_all();
            gains = self.count(&stretch, state);
        }
        gains.extend(self.tell_apart(stretch, state));
        gains
    }

    fn tell_apart(&mut self, stretch: Stretch, state: &mut LogState) -> Vec<Gains> {
        let last = self.answers.last().cloned();
        let before = std::mem::replace(&mut state.last_answer, last);
        if stretch.ambiguous_minutes().is_empty() {
            self.finish(stretch, state);
            return Vec::new();
        }
        match (before, &state.last_answer) {
            (Some(before), Some(last)) if before.query() == last.query() => {
                let still = last.shows_stillness_since(&before);
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
    fn conclude(&mut self, stretch: Stretch, still: bool, state: &mut LogState) -> Vec<Gains> {
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
        self.phase = Phase::Covered(stretch, Outcome::Read(read));
    }

    fn may_hold_late_lines(&self, stretch: &Stretch) -> bool {
        let short = self.answers.last().is_none_or(Response::is_short);
        let present = strays::may_close_below(stretch.minutes());
        let (Some(present), Some(oldest)) = (present, stretch.minutes().next_back()) else {
            return false;
        };
        !short && present > oldest && oldest >= present.minus(self.reach.lateness_minutes)
    }

    fn read_late(
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

/// The request that goes on from the stretch and shows enough of it again; but rather less of it
/// than hardly any new line.
fn next_query(stretch: &Stretch) -> Query {
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

fn minutes_of(sightings: &[Sighting]) -> impl Iterator<Item = Minute> {
    sightings.iter().filter_map(|s| s.id.bucket.minute())
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
