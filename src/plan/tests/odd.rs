//! Logs that are odd: dated ahead, shrinking, empty now and then, or without dates that can be read.

use super::*;
use crate::event::BadLine;
use crate::sighting::LineId;

const AHEAD: [i64; 3] = [2 * 24 * 60, 20 * 24 * 60, 400 * 24 * 60];

fn reader() -> Reader {
    Reader::new(OrderSetting::Auto)
}

#[test]
fn lines_dated_ahead_do_not_stop_the_counting_of_others() {
    for order in BOTH {
        for ahead in AHEAD {
            let mut model = distinct(300, 1);
            let mut reader = reader();
            reader.rest(&mut model, order);
            for n in 0..3 {
                model.log(model.now + ahead + n % 2, 70_000);
            }
            for n in 0..200 {
                model.arrive(&[Arrival::Line {
                    minutes_on: 1,
                    text: 80_000 + n,
                }]);
                reader.read(&mut model, order, std::iter::empty());
            }
            reader.rest(&mut model, order);
            reader.assert_exact(&model, Minute(0));
        }
    }
}

#[test]
fn two_lines_a_year_ahead_do_not_move_the_lookback_of_a_first_start() {
    for order in BOTH {
        let mut model = distinct(300, 1);
        model.log(600_000, 1);
        model.log(600_001, 2);
        let mut reader = reader();
        reader.rest(&mut model, order);
        reader.assert_exact(&model, Minute(0));
    }
}

#[test]
fn the_lookback_holds_although_page_1_does_not_tell_the_order() {
    let mut model = Model::default();
    model.arrive(&[Arrival::Run {
        length: 60,
        text: 1,
    }]);
    for n in 0..3_000 {
        model.arrive(&[Arrival::Line {
            minutes_on: 1,
            text: n,
        }]);
    }
    let mut reader = reader();
    reader.rest(&mut model, Order::OldestFirst);
    reader.assert_exact(&model, Minute(3_000 - REACH.lookback_minutes));
}

#[test]
fn one_413_while_the_end_is_looked_for_does_not_move_the_lookback() {
    for missing in 1..8 {
        let mut model = distinct(5_000, 1);
        let mut reader = reader();
        let mut plan = Plan::new(&mut reader.state, REACH);
        let mut asked = 0;
        while let Step::Ask(query) = plan.step() {
            let answer = if asked == missing {
                Answer::PastTheEnd
            } else {
                model.answer(query, Order::OldestFirst)
            };
            asked += 1;
            let gains = plan.answer(answer, &mut reader.state);
            reader.take(gains);
        }
        reader.rest(&mut model, Order::OldestFirst);
        reader.assert_exact(&model, Minute(4_999 - REACH.lookback_minutes));
    }
}

#[test]
fn half_a_history_is_not_shown_because_of_empty_answers() {
    let model = distinct(1_000, 1);
    let mut reader = reader();
    let mut plan = Plan::new(&mut reader.state, REACH);
    for _ in 0..2 {
        if let Step::Ask(query) = plan.step() {
            plan.answer(model.answer(query, Order::NewestFirst), &mut reader.state);
        }
    }
    for _ in 0..3 {
        let mut plan = Plan::new(&mut reader.state, REACH);
        plan.answer(Answer::Lines(Vec::new()), &mut reader.state);
    }
    assert!(!reader.state.is_complete());
}

#[test]
fn a_first_read_ends_although_the_old_end_shrinks_by_more_than_the_overlap() {
    let mut model = distinct(2_000, 2);
    let mut reader = reader();
    let mut plan = Plan::new(&mut reader.state, REACH);
    let mut asked = 0;
    while let Step::Ask(query) = plan.step() {
        assert!(asked < 150, "{:?}", plan.step());
        let gains = plan.answer(model.answer(query, Order::OldestFirst), &mut reader.state);
        reader.take(gains);
        model.lines.drain(..8);
        for n in 0..8 {
            model.arrive(&[Arrival::Line {
                minutes_on: i64::from(n == 0),
                text: 90_000 + n,
            }]);
        }
        asked += 1;
    }
    assert!(reader.state.is_complete());
    reader.rest(&mut model, Order::OldestFirst);
    reader.assert_not_over(&model);
}

#[test]
fn lines_that_move_by_more_than_a_page_between_two_requests_are_found_again() {
    let mut model = distinct(2_000, 2);
    let mut reader = reader();
    let between = (0_u64..60).map(|n| {
        let line = |k: u64| Arrival::Line {
            minutes_on: i64::from(k == 0),
            text: 10_000 + n * 70 + k,
        };
        Between::Arrivals(if n % 5 == 0 {
            (0..70).map(line).collect()
        } else {
            Vec::new()
        })
    });
    let outcome = reader.read(&mut model, Order::NewestFirst, between);
    assert!(matches!(outcome, Outcome::Read { .. }), "{outcome:?}");
    reader.rest(&mut model, Order::NewestFirst);
    reader.assert_exact(&model, Minute(0));
}

#[test]
fn silence_after_a_burst_costs_one_request_a_read() {
    for order in BOTH {
        for text in [None, Some(7)] {
            let mut model = distinct(200, 1);
            let mut reader = reader();
            reader.rest(&mut model, order);
            model.now += 1;
            for n in 0..500 {
                let text = text.unwrap_or(n);
                model.arrive(&[Arrival::Line {
                    minutes_on: 0,
                    text,
                }]);
            }
            reader.rest(&mut model, order);
            reader.assert_exact(&model, Minute(0));
            let before = reader.requests;
            for _ in 0..10 {
                reader.read(&mut model, order, std::iter::empty());
            }
            assert_eq!(reader.requests - before, 10, "{order:?}");
            model.arrive(&[Arrival::Line {
                minutes_on: 0,
                text: 3,
            }]);
            reader.rest(&mut model, order);
            reader.assert_exact(&model, Minute(0));
        }
    }
}

#[test]
fn entries_whose_dates_nobody_can_read_are_counted_once_and_cost_little() {
    for bucket in [Bucket::Undated, Bucket::Day(Minute(0))] {
        let mut model = Model::default();
        for n in 0..300 {
            let fingerprint = Fingerprint(n);
            model.lines.push(LineId {
                bucket,
                fingerprint,
            });
        }
        let mut state = LogState::new(OrderSetting::Auto);
        let (mut counted, mut asked) = (0, Vec::new());
        for _ in 0..4 {
            let mut plan = Plan::new(&mut state, REACH);
            let mut requests = 0;
            while let Step::Ask(query) = plan.step() {
                let Answer::Lines(mut sightings) = model.answer(query, Order::NewestFirst) else {
                    panic!("asked beyond the end");
                };
                let bad = |sighting: &mut Sighting| sighting.what = What::Bad(BadLine::Date);
                sightings.iter_mut().for_each(bad);
                let gains = plan.answer(Answer::Lines(sightings), &mut state);
                let lines = gains.iter().flat_map(|gains| &gains.lines);
                counted += lines.map(|gain| gain.count).sum::<u32>();
                requests += 1;
            }
            asked.push(requests);
        }
        assert_eq!(counted, 300);
        assert_eq!(asked[1..], [1, 1, 1], "{bucket:?}");
    }
}

#[test]
fn late_lines_are_seen_where_the_oldest_come_first_too() {
    let mut model = distinct(400, 4);
    let mut reader = reader();
    reader.rest(&mut model, Order::OldestFirst);
    for n in 0..60 {
        let line = |minutes_on| Arrival::Line {
            minutes_on,
            text: 20_000 + n,
        };
        model.arrive(&[
            line(1),
            line(0),
            line(0),
            Arrival::Late {
                minutes: 2,
                text: 30_000 + n,
            },
        ]);
        let before = reader.requests;
        reader.read(&mut model, Order::OldestFirst, std::iter::empty());
        assert_eq!(reader.requests - before, 1);
    }
    reader.assert_exact(&model, Minute(0));
}

#[test]
fn empty_answers_are_believed_only_in_a_row() {
    let mut model = distinct(120, 2);
    let mut reader = reader();
    reader.rest(&mut model, Order::NewestFirst);
    for _ in 0..40 {
        let mut plan = Plan::new(&mut reader.state, REACH);
        plan.answer(Answer::PastTheEnd, &mut reader.state);
        let failed = Step::Done(Outcome::Failed(Trouble::PageMissing));
        assert_eq!(plan.step(), failed);
        reader.read(&mut model, Order::NewestFirst, std::iter::empty());
    }
}

#[test]
fn two_lines_a_year_ahead_on_a_page_that_is_asked_for_twice_do_not_move_the_lookback() {
    for lines in [50, 100, 148, 188, 198] {
        let mut model = distinct(lines, 3);
        model.log(600_000, 1);
        model.log(600_000, 2);
        let mut reader = reader();
        reader.rest(&mut model, Order::OldestFirst);
        reader.assert_exact(&model, Minute(0));
    }
}

#[test]
fn a_minute_that_was_postponed_is_told_apart_when_the_log_rests() {
    let mut model = distinct(300, 2);
    let order = Order::NewestFirst;
    let mut reader = reader();
    reader.rest(&mut model, order);
    model.arrive(&[
        Arrival::Line {
            minutes_on: 1,
            text: 40_000,
        },
        Arrival::Run {
            length: 160,
            text: 7,
        },
    ]);
    let mut text = 50_000;
    let mut distinct_lines = |lines: u64, minutes_on| -> Vec<Arrival> {
        (0..lines)
            .map(|n| {
                text += 1;
                Arrival::Line {
                    minutes_on: if n == 0 { minutes_on } else { 0 },
                    text,
                }
            })
            .collect()
    };
    for _ in 0..12 {
        model.arrive(&distinct_lines(60, 1));
    }
    let mut was_postponed = false;
    for _ in 0..12 {
        let between = std::iter::repeat_with(|| Between::Arrivals(distinct_lines(3, 1)));
        reader.read(&mut model, order, between);
        was_postponed |= reader.state.ledger().has_postponed();
    }
    assert!(was_postponed);
    for _ in 0..10 {
        reader.read(&mut model, order, std::iter::empty());
    }
    assert!(!reader.state.ledger().has_postponed());
    reader.assert_exact(&model, Minute(0));
}
