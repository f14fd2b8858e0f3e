//! Late lines below the pages that a read needs: looked for with requests that are to spare.

use super::*;

/// A log that was read to its end.
fn read(order: Order, model: &mut Model) -> Reader {
    let mut reader = Reader::new(OrderSetting::Fixed(order));
    reader.spare = 100;
    reader.rest(model, order);
    reader.spare = 0;
    reader
}

fn lines(model: &mut Model, lines: u64, first: u64) {
    (0..lines).for_each(|n| model.log(model.now, first + n));
}

/// A burst in the last minute, and in the one before it.
fn burst(model: &mut Model) {
    for (minutes_on, first) in [(3, 40_000), (1, 50_000)] {
        model.now += minutes_on;
        lines(model, 120, first);
    }
}

#[test]
fn late_lines_are_looked_for_while_requests_are_to_spare() {
    let mut model = distinct(400, 60);
    let state = LogState::new(OrderSetting::Fixed(Order::NewestFirst));
    let mut reader = Reader {
        state,
        ..Reader::new(OrderSetting::Auto)
    };
    reader.rest(&mut model, Order::NewestFirst);
    model.log(model.now - 2, 1_000);
    reader.read(&mut model, Order::NewestFirst, std::iter::empty());
    let before = reader.requests;
    reader.look_for_late(&model, Order::NewestFirst, 100);
    let asked = reader.requests - before;
    assert!((2..=5).contains(&asked), "{asked}");
    reader.assert_exact(&model, Minute(0));
}

#[test]
fn late_lines_that_came_while_no_request_was_to_spare_are_found_later() {
    for order in BOTH {
        let mut model = distinct(300, 2);
        let mut reader = read(order, &mut model);
        burst(&mut model);
        reader.rest(&mut model, order);
        let late = model.now - 2;
        (0..3).for_each(|n| model.log(late, 60_000 + n));
        for n in 1..10 {
            model.now += 1;
            lines(&mut model, 90, 60_000 + n * 1_000);
            reader.read(&mut model, order, std::iter::empty());
        }
        // What is left of a walk from long ago fits nowhere; the next read begins another.
        reader.spare = 100;
        reader.rest(&mut model, order);
        reader.assert_exact(&model, Minute(0));
    }
}

#[test]
fn that_they_were_not_looked_for_is_known_after_a_restart() {
    for order in BOTH {
        let mut model = distinct(300, 2);
        let mut reader = read(order, &mut model);
        burst(&mut model);
        reader.rest(&mut model, order);
        let late = model.now - 2;
        (0..3).for_each(|n| model.log(late, 60_000 + n));
        model.now += 8;
        lines(&mut model, 200, 70_000);
        reader.rest(&mut model, order);
        reader.save();
        reader.kill();
        reader.spare = 100;
        reader.rest(&mut model, order);
        reader.assert_exact(&model, Minute(0));
    }
}

#[test]
fn one_request_to_spare_after_each_read_comes_to_the_end_while_lines_arrive() {
    for order in BOTH {
        let mut model = distinct(300, 2);
        let mut reader = read(order, &mut model);
        burst(&mut model);
        reader.rest(&mut model, order);
        (0..3).for_each(|n| model.log(model.now - 1, 60_000 + n));
        reader.spare = 1;
        for n in 0..12 {
            lines(&mut model, 20, 70_000 + n * 100);
            reader.read(&mut model, order, std::iter::empty());
        }
        reader.assert_exact(&model, Minute(0));
    }
}

#[test]
fn at_rest_one_request_tells_that_none_came_however_many_lines_they_would_be_below() {
    for order in BOTH {
        let mut model = distinct(300, 2);
        let mut reader = read(order, &mut model);
        burst(&mut model);
        reader.spare = 100;
        reader.rest(&mut model, order);
        lines(&mut model, 3, 70_000);
        reader.rest(&mut model, order);
        for late in 0..3 {
            let before = reader.requests;
            reader.read(&mut model, order, std::iter::empty());
            assert_eq!(reader.requests - before, 1, "{order:?}");
            model.log(model.now - 2 + late, 80_000);
            reader.rest(&mut model, order);
            reader.assert_exact(&model, Minute(0));
            reader.rest(&mut model, order);
        }
    }
}

#[test]
fn a_line_that_comes_where_a_walk_has_been_is_found_by_the_next() {
    for order in BOTH {
        let mut model = distinct(300, 2);
        let mut reader = read(order, &mut model);
        burst(&mut model);
        reader.rest(&mut model, order);
        lines(&mut model, 3, 70_000);
        reader.spare = 100;
        // A walk goes down in one order and up in the other.
        let mut late = match order {
            Order::NewestFirst => vec![model.now - 1],
            Order::OldestFirst => vec![model.now - 2],
        };
        let mut asked = 0;
        for n in 0..6 {
            let mut plan = Plan::new(&mut reader.state, REACH);
            while let Step::Ask(query) = plan.step() {
                let gains = plan.answer(model.answer(query, order), &mut reader.state);
                reader.take(gains);
            }
            while let Some(query) = reader.state.late_query() {
                let gains = reader.state.late_answer(model.answer(query, order));
                reader.take(gains);
                asked += 1;
                if asked == 3 {
                    late.drain(..).for_each(|minute| model.log(minute, 80_000));
                }
            }
            assert!(n > 0 || late.is_empty(), "{order:?}: {asked} requests");
        }
        reader.assert_exact(&model, Minute(0));
    }
}

#[test]
fn a_log_that_is_always_busy_does_not_make_the_walk_endless() {
    for order in BOTH {
        let mut model = distinct(300, 2);
        let mut reader = read(order, &mut model);
        for n in 0..60 {
            model.now += 1;
            lines(&mut model, 100, 10_000 + n * 100);
            reader.read(&mut model, order, std::iter::empty());
        }
        // What is left of a walk from long ago fits nowhere.
        reader.look_for_late(&model, order, 1_000);
        reader.read(&mut model, order, std::iter::empty());
        let before = reader.requests;
        reader.look_for_late(&model, order, 1_000);
        let asked = reader.requests - before;
        assert!((99..=100).contains(&asked), "{order:?}: {asked}");
        reader.assert_exact(&model, Minute(0));
    }
}

#[test]
fn equal_lines_two_minutes_late_below_a_hundred_others_are_found() {
    for order in BOTH {
        for spare in [1, 2, 5, 100] {
            let mut model = distinct(300, 1);
            let mut reader = read(order, &mut model);
            reader.spare = spare;
            let late = model.now + 1;
            model.now = late + 1;
            lines(&mut model, 100, 40_000);
            model.now += 1;
            lines(&mut model, 10, 50_000);
            (0..5)
                .for_each(|_| assert!(matches!(reader.rest(&mut model, order), Outcome::Read(_))));
            (0..2).for_each(|_| model.log(late, 60_000));
            (0..5)
                .for_each(|_| assert!(matches!(reader.rest(&mut model, order), Outcome::Read(_))));
            reader.assert_exact(&model, Minute(0));
        }
    }
}
