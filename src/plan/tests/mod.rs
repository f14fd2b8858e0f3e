//! The walk of a read against a model of the log: arrivals between requests, equal lines, late
//! lines, failures, both orders. At every step nothing is counted twice; at rest everything is.

mod attack;
mod late;
mod odd;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::event::{Event, EventType, Labels};
use crate::saved::{SavedBucket, SavedLog};
use crate::sighting::{Bucket, Fingerprint, LineId, What};
use crate::window::PAGE;

const REACH: Reach = Reach {
    lookback_minutes: 24 * 60,
    lateness_minutes: 2,
};

/// The log as the server holds it, oldest line first.
#[derive(Clone, Debug, Default)]
struct Model {
    lines: Vec<LineId>,
    ever: BTreeMap<LineId, u32>,
    now: i64,
}

impl Model {
    fn log(&mut self, minute: i64, text: u64) {
        let id = LineId {
            bucket: Bucket::At(Minute(minute)),
            fingerprint: Fingerprint(text),
        };
        let place = self.lines.partition_point(|line| line.bucket <= id.bucket);
        self.lines.insert(place, id);
        *self.ever.entry(id).or_default() += 1;
    }

    fn arrive(&mut self, arrivals: &[Arrival]) {
        for arrival in arrivals {
            match *arrival {
                Arrival::Line { minutes_on, text } => {
                    self.now += minutes_on;
                    self.log(self.now, text);
                }
                Arrival::Run { length, text } => (0..length).for_each(|_| self.log(self.now, text)),
                Arrival::Late { minutes, text } => self.log(self.now - minutes, text),
            }
        }
    }

    fn purge(&mut self, from: usize, lines: usize) {
        let from = from.min(self.lines.len());
        let to = (from + lines).min(self.lines.len());
        self.lines.drain(from..to);
    }

    /// The same between two requests of a read. Nobody can tell a run of equal lines longer than a
    /// page, some of which vanish while others come, from one that has moved.
    fn purge_between_pages(&mut self, from: usize, lines: usize) {
        let to = (from + lines).min(self.lines.len());
        let of_a_long_run = |id: &LineId| {
            let equal = self.lines.iter().filter(|line| *line == id).count();
            as_u64(equal) >= PAGE
        };
        let vanish = self.lines.get(from..to).unwrap_or_default();
        if !vanish.iter().any(of_a_long_run) {
            self.purge(from, lines);
        }
    }

    fn rewrite(&mut self, from: u64, to: u64) {
        let texts = self.lines.iter_mut().map(|line| &mut line.fingerprint);
        texts
            .filter(|text| text.0 == from)
            .for_each(|text| *text = Fingerprint(to));
    }

    fn answer(&self, query: Query, order: Order) -> Answer {
        let start = usize::try_from(query.start()).unwrap_or(usize::MAX);
        let limit = usize::try_from(query.limit).unwrap_or(0);
        let page: Vec<LineId> = match order {
            Order::NewestFirst => self
                .lines
                .iter()
                .rev()
                .skip(start)
                .take(limit)
                .copied()
                .collect(),
            Order::OldestFirst => self.lines.iter().skip(start).take(limit).copied().collect(),
        };
        if page.is_empty() && query.page > 1 {
            return Answer::PastTheEnd;
        }
        Answer::Lines(page.into_iter().map(sighting).collect())
    }
}

fn sighting(id: LineId) -> Sighting {
    let event = Event::new(Labels {
        category: "MetaAccess",
        version: "1.1.1.1",
        hostname: &format!("TEST-{}", id.fingerprint.0),
        event: "Installed",
    });
    Sighting {
        id,
        again: None,
        day: id
            .bucket
            .minute()
            .and_then(|minute| i32::try_from(minute.0.div_euclid(24 * 60)).ok()),
        what: What::Event(event),
    }
}

#[derive(Clone, Copy, Debug)]
enum Arrival {
    Line { minutes_on: i64, text: u64 },
    Run { length: usize, text: u64 },
    Late { minutes: i64, text: u64 },
}

/// What happens between one request and the next.
#[derive(Clone, Debug)]
enum Between {
    Arrivals(Vec<Arrival>),
    /// The request fails, and the read with it.
    Failure,
    /// The process is killed: what was counted since the last save is not counted.
    Kill,
    /// Lines vanish from the middle.
    Purge {
        from: usize,
        lines: usize,
    },
    /// The old end shrinks.
    Retention(usize),
    /// Lines come, and so many of the oldest go.
    ArrivalsAndRetention(Vec<Arrival>, usize),
}

struct Reader {
    state: LogState,
    counted: BTreeMap<(Minute, String), u32>,
    /// New lines of which nobody knows which they are.
    unattributed: u32,
    requests: u32,
    order: OrderSetting,
    saved: Save,
    /// How many requests are to spare after each read.
    spare: u32,
    /// Whether lines may be rewritten, so that only their number tells.
    rewritten: bool,
}

/// What is kept over a kill.
#[derive(Clone, Default)]
struct Save {
    log: Option<SavedLog>,
    buckets: BTreeMap<Bucket, SavedBucket>,
    counted: BTreeMap<(Minute, String), u32>,
    unattributed: u32,
}

impl Reader {
    fn new(order: OrderSetting) -> Self {
        Self {
            state: LogState::new(order),
            counted: BTreeMap::new(),
            unattributed: 0,
            requests: 0,
            order,
            saved: Save::default(),
            spare: 0,
            rewritten: false,
        }
    }

    /// Saves as the conductor does: what changed, before each request.
    fn save(&mut self) {
        self.saved.log = Some(self.state.saved(EventType::Device));
        let ledger = self.state.ledger();
        for bucket in ledger.forgotten() {
            self.saved.buckets.remove(bucket);
        }
        for bucket in ledger.changes(EventType::Device) {
            self.saved.buckets.insert(bucket.bucket, bucket);
        }
        self.state.are_saved();
        self.saved.counted = self.counted.clone();
        self.saved.unattributed = self.unattributed;
    }

    fn kill(&mut self) {
        let buckets = self.saved.buckets.values().cloned().collect();
        self.state = match &self.saved.log {
            Some(log) => LogState::restore(self.order, log, buckets),
            None => LogState::new(self.order),
        };
        self.counted = self.saved.counted.clone();
        self.unattributed = self.saved.unattributed;
    }

    fn read(
        &mut self,
        model: &mut Model,
        order: Order,
        mut between: impl Iterator<Item = Between>,
    ) -> Outcome {
        let mut plan = Plan::new(&mut self.state, REACH);
        let mut spare = self.spare;
        for _ in 0..2_000 {
            let (query, is_late) = match (plan.step(), self.state.late_query()) {
                (Step::Ask(query), _) => (query, false),
                (Step::Done(_), Some(query)) if spare > 0 => (query, true),
                (Step::Done(outcome), _) => return outcome,
            };
            self.requests += 1;
            self.save();
            let answer = model.answer(query, order);
            let gains = if is_late {
                spare -= 1;
                self.state.late_answer(answer)
            } else {
                plan.answer(answer, &mut self.state)
            };
            self.take(gains);
            self.assert_not_over(model);
            match between.next() {
                Some(Between::Arrivals(arrivals)) => model.arrive(&arrivals),
                Some(Between::Failure) => return Outcome::Failed(Trouble::Drift),
                Some(Between::Kill) => {
                    self.kill();
                    return Outcome::Failed(Trouble::Drift);
                }
                Some(Between::Purge { from, lines }) => model.purge_between_pages(from, lines),
                Some(Between::Retention(lines)) => model.purge(0, lines),
                Some(Between::ArrivalsAndRetention(arrivals, lines)) => {
                    model.arrive(&arrivals);
                    model.purge(0, lines);
                }
                None => {}
            }
        }
        panic!("the read does not end");
    }

    /// As many requests as are wanted between two reads, up to so many.
    fn look_for_late(&mut self, model: &Model, order: Order, at_most: u32) {
        for _ in 0..at_most {
            let Some(query) = self.state.late_query() else {
                return;
            };
            self.requests += 1;
            let gains = self.state.late_answer(model.answer(query, order));
            self.take(gains);
            self.assert_not_over(model);
        }
    }

    fn rest(&mut self, model: &mut Model, order: Order) -> Outcome {
        for _ in 0..5 {
            self.read(model, order, std::iter::empty());
        }
        self.read(model, order, std::iter::empty())
    }

    fn take(&mut self, gains: Vec<Gains>) {
        let unattributed: u64 = gains.iter().map(|gains| gains.unattributed).sum();
        self.unattributed += u32::try_from(unattributed).expect("few");
        for gain in gains.into_iter().flat_map(|gains| gains.lines) {
            let What::Event(event) = gain.what else {
                panic!("only events here");
            };
            let minute = gain.bucket.minute().expect("dated");
            *self
                .counted
                .entry((minute, event.labels().hostname.to_owned()))
                .or_default() += gain.count;
        }
    }

    fn assert_not_over(&self, model: &Model) {
        if self.rewritten {
            let counted: u32 = self.counted.values().sum();
            let ever: u32 = model.ever.values().sum();
            let counted = counted + self.unattributed;
            assert!(counted <= ever, "counted {counted} of {ever}");
            return;
        }
        let truth = truth(model, Minute(i64::MIN));
        for (key, counted) in &self.counted {
            let there = truth.get(key).copied().unwrap_or(0);
            assert!(*counted <= there, "{key:?}: counted {counted} of {there}");
        }
    }

    fn assert_exact(&self, model: &Model, from: Minute) {
        let truth = truth(model, from);
        let keys: BTreeSet<_> = truth.keys().chain(self.counted.keys()).collect();
        let wrong = keys
            .into_iter()
            .find(|key| truth.get(*key) != self.counted.get(*key));
        if let Some(key) = wrong {
            let (counted, there) = (self.counted.get(key), truth.get(key));
            panic!("{key:?}: counted {counted:?} of {there:?}");
        }
    }
}

fn truth(model: &Model, from: Minute) -> BTreeMap<(Minute, String), u32> {
    let dated = model
        .ever
        .iter()
        .filter_map(|(id, count)| Some((id.bucket.minute()?, id, count)));
    dated
        .filter(|(minute, _, _)| *minute >= from)
        .map(|(minute, id, count)| ((minute, format!("TEST-{}", id.fingerprint.0)), *count))
        .collect()
}

fn distinct(count: u64, per_minute: u64) -> Model {
    let mut model = Model::default();
    for n in 0..count {
        model.now = i64::try_from(n / per_minute).expect("small");
        model.log(model.now, n);
    }
    model
}

const BOTH: [Order; 2] = [Order::NewestFirst, Order::OldestFirst];

#[test]
fn a_calm_refresh_takes_one_request_in_either_order_however_long_the_log() {
    for order in BOTH {
        for length in [0, 1, 49, 50, 51, 100, 5_000] {
            let mut model = distinct(length, 3);
            let mut reader = Reader::new(OrderSetting::Auto);
            reader.rest(&mut model, order);
            let from = Minute(model.now - REACH.lookback_minutes);
            let mut costly = 0;
            for n in 0..40 {
                model.arrive(
                    &[Arrival::Line {
                        minutes_on: 1,
                        text: 90_000 + n,
                    }; 4],
                );
                // Not even with requests to spare: all late lines are on the one page.
                let mut plan = Plan::new(&mut reader.state, REACH);
                let mut requests = 0;
                while let Step::Ask(query) = plan.step() {
                    let answer = model.answer(query, order);
                    let gains = plan.answer(answer, &mut reader.state);
                    reader.take(gains);
                    requests += 1;
                }
                assert_eq!(reader.state.late_query(), None);
                costly += u32::from(requests > 1);
            }
            // The first time that there is more than a page, the order has to be proven.
            let allowed = u32::from(length < 50);
            assert!(costly <= allowed, "{order:?}, {length} lines: {costly}");
            reader.assert_exact(&model, from);
        }
    }
}

#[test]
fn a_minute_of_a_hundred_equal_lines_and_then_silence_is_counted_by_the_second_read() {
    for order in BOTH {
        let mut model = distinct(200, 1);
        let mut reader = Reader::new(OrderSetting::Auto);
        reader.rest(&mut model, order);
        model.now += 5;
        model.arrive(&[Arrival::Run {
            length: 100,
            text: 7,
        }]);
        for _ in 0..2 {
            reader.read(&mut model, order, std::iter::empty());
        }
        reader.assert_exact(&model, Minute(0));
    }
}

#[test]
fn lines_before_the_lookback_are_not_counted() {
    for order in BOTH {
        let mut model = distinct(3_000, 1);
        let mut reader = Reader::new(OrderSetting::Auto);
        reader.rest(&mut model, order);
        reader.assert_exact(&model, Minute(2_999 - REACH.lookback_minutes));
    }
}

#[test]
fn one_line_dated_a_year_ahead_closes_nothing_and_moves_no_horizon() {
    for order in BOTH {
        let mut model = distinct(300, 1);
        model.log(500_000, 1);
        let mut reader = Reader::new(OrderSetting::Auto);
        reader.rest(&mut model, order);
        for n in 0..30 {
            model.arrive(
                &[Arrival::Line {
                    minutes_on: 0,
                    text: 1_000 + n,
                }; 3],
            );
            model.arrive(&[Arrival::Run {
                length: 60,
                text: 5_000 + n,
            }]);
            reader.read(&mut model, order, std::iter::empty());
        }
        reader.rest(&mut model, order);
        reader.assert_exact(&model, Minute(0));
    }
}

#[test]
fn an_order_that_turns_round_is_noticed_and_nothing_counts_twice() {
    let mut model = distinct(400, 2);
    let mut reader = Reader::new(OrderSetting::Auto);
    reader.rest(&mut model, Order::NewestFirst);
    model.arrive(&[Arrival::Line {
        minutes_on: 1,
        text: 7_777,
    }]);
    reader.rest(&mut model, Order::OldestFirst);
    assert_eq!(reader.state.order(), Some(Order::OldestFirst));
    reader.assert_exact(&model, Minute(0));
    let mut fixed = Reader::new(OrderSetting::Fixed(Order::NewestFirst));
    let outcome = fixed.rest(&mut model, Order::OldestFirst);
    assert_eq!(outcome, Outcome::Failed(Trouble::OrderContradicted));
}

#[test]
fn one_page_said_to_be_past_the_end_closes_nothing() {
    let mut model = distinct(400, 400);
    let mut reader = Reader::new(OrderSetting::Auto);
    let mut plan = Plan::new(&mut reader.state, REACH);
    for answer in [
        model.answer(Query::FIRST, Order::NewestFirst),
        Answer::PastTheEnd,
    ] {
        let gains = plan.answer(answer, &mut reader.state);
        reader.take(gains);
    }
    assert!(matches!(plan.step(), Step::Ask(_)));
    assert!(!reader.state.is_complete());
    reader.rest(&mut model, Order::NewestFirst);
    reader.assert_exact(&model, Minute(0));
}

#[test]
fn an_empty_answer_of_a_log_that_held_lines_is_trouble_and_forgets_nothing() {
    let mut model = distinct(120, 2);
    let mut reader = Reader::new(OrderSetting::Auto);
    reader.rest(&mut model, Order::NewestFirst);
    for answer in [Answer::PastTheEnd, Answer::Lines(Vec::new())] {
        let mut plan = Plan::new(&mut reader.state, REACH);
        plan.answer(answer, &mut reader.state);
        assert!(matches!(plan.step(), Step::Done(Outcome::Failed(_))));
    }
    reader.rest(&mut model, Order::NewestFirst);
    reader.assert_exact(&model, Minute(0));
}

#[test]
fn lines_that_come_to_an_empty_log_are_new_and_not_history() {
    let mut model = Model::default();
    let mut reader = Reader::new(OrderSetting::Auto);
    reader.rest(&mut model, Order::NewestFirst);
    assert!(reader.state.is_complete());
    model.arrive(&[Arrival::Line {
        minutes_on: 1,
        text: 1,
    }]);
    reader.read(&mut model, Order::NewestFirst, std::iter::empty());
    reader.assert_exact(&model, Minute(0));
}

/// So many cases, or more by `PROPTEST_CASES`.
fn cases(at_least: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: default.cases.max(at_least),
        ..default
    }
}

fn arrival() -> impl Strategy<Value = Arrival> {
    prop_oneof![
        6 => (0_i64..3, 0_u64..6).prop_map(|(minutes_on, text)| Arrival::Line { minutes_on, text }),
        4 => (0_i64..2, 10_u64..100_000).prop_map(|(minutes_on, text)| Arrival::Line { minutes_on, text }),
        1 => (1_usize..120, 0_u64..3).prop_map(|(length, text)| Arrival::Run { length, text }),
        1 => (0_i64..3, 0_u64..8).prop_map(|(minutes, text)| Arrival::Late { minutes, text }),
    ]
}

/// Lines that the test makes unequal.
fn unequal() -> impl Strategy<Value = Arrival> {
    let minutes_on = prop_oneof![8 => Just(0_i64), 1 => Just(1), 1 => Just(2)];
    prop_oneof![
        9 => minutes_on.prop_map(|minutes_on| Arrival::Line { minutes_on, text: 0 }),
        1 => (0_i64..3).prop_map(|minutes| Arrival::Late { minutes, text: 0 }),
    ]
}

/// Reads with what happens between their requests, and how many are to spare after each.
fn rounds(
    arrival: impl Strategy<Value = Arrival> + 'static,
) -> impl Strategy<Value = Vec<(u32, Vec<Between>)>> {
    let round = prop::collection::vec(between(arrival), 0..6);
    prop::collection::vec((0_u32..4, round), 0..12)
}

/// All of it, and then rest.
fn play(
    newest_first: bool,
    history: &[Arrival],
    rounds: Vec<(u32, Vec<Between>)>,
) -> (Model, Reader) {
    let order = if newest_first {
        Order::NewestFirst
    } else {
        Order::OldestFirst
    };
    let mut model = Model {
        now: 100,
        ..Model::default()
    };
    model.arrive(history);
    let mut reader = Reader::new(OrderSetting::Auto);
    for (spare, round) in rounds {
        reader.spare = spare;
        reader.read(&mut model, order, round.into_iter());
    }
    reader.spare = 100;
    reader.rest(&mut model, order);
    (model, reader)
}

fn between(arrival: impl Strategy<Value = Arrival> + 'static) -> impl Strategy<Value = Between> {
    prop_oneof![
        18 => prop::collection::vec(arrival, 0..12).prop_map(Between::Arrivals),
        2 => Just(Between::Failure),
        1 => Just(Between::Kill),
    ]
}

fn anything_between() -> impl Strategy<Value = Between> {
    prop_oneof![
        12 => between(arrival()),
        1 => (0_usize..300, 1_usize..80).prop_map(|(from, lines)| Between::Purge { from, lines }),
        1 => (1_usize..60).prop_map(Between::Retention),
    ]
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn never_over_at_any_step_and_exact_at_rest_without_late_lines(
        newest_first in any::<bool>(),
        history in prop::collection::vec(arrival(), 0..150),
        rounds in rounds(arrival()),
    ) {
        let late = |arrivals: &[Arrival]| arrivals.iter().any(|a| matches!(a, Arrival::Late { .. }));
        let between = || rounds.iter().flat_map(|(_, round)| round);
        let is_late = between().any(|b| matches!(b, Between::Arrivals(a) if late(a)));
        let (model, reader) = play(newest_first, &history, rounds);
        reader.assert_not_over(&model);
        if !is_late {
            reader.assert_exact(&model, Minute(0));
        }
    }

    #[test]
    fn late_lines_are_counted_too_where_no_lines_are_equal(
        newest_first in any::<bool>(),
        history in prop::collection::vec(unequal(), 0..300),
        rounds in rounds(unequal()),
    ) {
        let (mut history, mut rounds) = (history, rounds);
        let between = rounds.iter_mut().flat_map(|(_, round)| round);
        let later = between.filter_map(|between| match between {
            Between::Arrivals(arrivals) => Some(arrivals),
            _ => None,
        });
        let all = history.iter_mut().chain(later.flatten());
        for (number, arrival) in (0..).zip(all) {
            if let Arrival::Line { text, .. } | Arrival::Late { text, .. } = arrival {
                *text = number;
            }
        }
        let (model, reader) = play(newest_first, &history, rounds);
        reader.assert_exact(&model, Minute(0));
    }

    #[test]
    fn lines_that_retention_takes_while_few_kinds_of_lines_come_cost_no_count(
        newest_first in any::<bool>(),
        kinds in 4_u64..30,
        taken in 0_usize..9,
        rounds in prop::collection::vec(
            prop::collection::vec(prop::collection::vec((0_i64..8, any::<u64>()), 0..14), 0..8),
            1..8,
        ),
    ) {
        let order = if newest_first { Order::NewestFirst } else { Order::OldestFirst };
        let line = |(on, text): &(i64, u64)| Arrival::Line {
            minutes_on: i64::from(*on == 0),
            text: text % kinds,
        };
        // So long that its old end is far from what is still written.
        let mut model = distinct(700, 2);
        let mut reader = Reader::new(OrderSetting::Auto);
        reader.rest(&mut model, order);
        for round in &rounds {
            let between = round.iter().map(|arrivals| {
                Between::ArrivalsAndRetention(arrivals.iter().map(line).collect(), taken)
            });
            reader.read(&mut model, order, between);
        }
        reader.spare = 100;
        reader.rest(&mut model, order);
        reader.assert_exact(&model, Minute(0));
    }

    #[test]
    fn whatever_happens_nothing_counts_twice_and_what_comes_later_is_counted(
        newest_first in any::<bool>(),
        history in prop::collection::vec(arrival(), 0..150),
        rounds in prop::collection::vec(
            (
                prop::option::weighted(0.3, (0_u64..8, 0_u64..8)),
                0_u32..4,
                prop::collection::vec(anything_between(), 0..6),
            ),
            0..12,
        ),
    ) {
        let order = if newest_first { Order::NewestFirst } else { Order::OldestFirst };
        let mut model = Model { now: 100, ..Model::default() };
        model.arrive(&history);
        let mut reader = Reader::new(OrderSetting::Auto);
        reader.rewritten = true;
        for (rewrite, spare, round) in rounds {
            reader.spare = spare;
            if let Some((from, to)) = rewrite {
                model.rewrite(from, to);
            }
            reader.read(&mut model, order, round.into_iter());
        }
        reader.rest(&mut model, order);
        for n in 0..200_u64 {
            model.arrive(&[Arrival::Line { minutes_on: i64::from(n % 3 == 0) * 2, text: 500_000 + n }]);
        }
        reader.rest(&mut model, order);
        reader.assert_not_over(&model);
        let later = (0..200).map(|n| format!("TEST-{}", 500_000 + n));
        let counted: BTreeSet<&str> = reader.counted.keys().map(|(_, host)| host.as_str()).collect();
        let missing: Vec<String> = later.filter(|host| !counted.contains(host.as_str())).collect();
        prop_assert!(missing.is_empty(), "not counted: {:?}", missing);
    }
}
