//! The hour that autumn repeats: whether a line is of its first or its second time.
//!
//! The log writes local times, so that one hour occurs twice. The place in the log tells the two
//! apart: where local time falls back by [`TURN_MINUTES`] or more from an older line to a newer one,
//! both within that hour, the second time has begun. Once that turn was seen, newer lines are of the
//! second time, whether the turn is in view or not; as long as none was, all are of the first. Until a
//! read knows, the lines of the hour wait to be counted.

use std::collections::BTreeSet;

use crate::event::Minute;
use crate::order::Order;
use crate::sighting::{Bucket, LineId, Sighting};

/// Less than this may be lines that are not quite in order.
const TURN_MINUTES: i64 = 10;

/// Two turns are further apart than this.
const DAY_MINUTES: i64 = 24 * 60;

/// What one read knows of the repeated hour.
#[derive(Clone, Debug, Default)]
pub(super) struct SecondHour {
    /// The turn was passed.
    turned: bool,
    /// Oldest first: the turn is known to come after a read that begins with this line, so that
    /// lines before it are of the first time.
    turn_comes_after: Option<LineId>,
    /// The first line of the read.
    first: Option<LineId>,
    /// Lines of these buckets may be of the other time.
    undecided: BTreeSet<Bucket>,
}

/// Whether an answer could be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    Yes,
    /// The turn showed that earlier answers of this read were placed wrongly.
    StartOver,
}

impl SecondHour {
    /// The read starts over, perhaps elsewhere.
    pub(super) fn start_over(&mut self) {
        self.turned = false;
        self.first = None;
        self.undecided.clear();
    }

    /// Whether this read passed the turn.
    pub(super) fn has_turned(&self) -> bool {
        self.turned
    }

    /// The buckets whose lines are not to be counted yet.
    pub(super) fn undecided(&self) -> &BTreeSet<Bucket> {
        &self.undecided
    }

    /// The read is at its end: what was not decided stays as it was placed. Whether there was any.
    pub(super) fn decide(&mut self) -> bool {
        !std::mem::take(&mut self.undecided).is_empty()
    }

    /// Places the lines of an answer, which are in the direction of reading, and which go on from
    /// what is held or not. `begun` is the second time that is known to have begun, and is set when
    /// the turn is seen.
    pub(super) fn place(
        &mut self,
        lines: &mut [Sighting],
        order: Option<Order>,
        goes_on: bool,
        begun: &mut Option<Minute>,
    ) -> Placed {
        if !goes_on {
            self.start_over();
            self.first = lines.first().map(|line| line.id);
        }
        let Some(again) = lines.iter().find_map(|line| line.again) else {
            return Placed::Yes;
        };
        let has_begun = begun.is_some_and(|begun| (begun.0 - again.0).abs() < DAY_MINUTES);
        let oldest_first = order == Some(Order::OldestFirst);
        let turn = turn(lines, oldest_first);
        let before_turn_is_second = !oldest_first;
        let (is_second, is_decided) = match (turn, oldest_first) {
            (Some(_), _) => (before_turn_is_second, true),
            (None, _) if self.turned => (!before_turn_is_second, true),
            (None, false) => (has_begun, has_begun),
            (None, true) if self.turn_comes() => (false, true),
            (None, true) => (has_begun, !has_begun),
        };
        let turn_at = turn.unwrap_or(lines.len());
        for (place, line) in lines.iter_mut().enumerate() {
            let Some(again) = line.again else {
                continue;
            };
            if is_second == (place < turn_at) {
                line.id.bucket = Bucket::At(again);
            }
            if !is_decided {
                self.undecided.insert(line.id.bucket);
            }
        }
        if turn.is_none() {
            return Placed::Yes;
        }
        self.turned = true;
        if goes_on {
            self.turn_comes_after = self.first;
        }
        *begun = Some(again);
        match self.undecided.is_empty() {
            true => Placed::Yes,
            false => Placed::StartOver,
        }
    }
}

impl SecondHour {
    fn turn_comes(&self) -> bool {
        self.first.is_some() && self.first == self.turn_comes_after
    }
}

/// The place of the first line after the turn, in the direction of reading.
fn turn(lines: &[Sighting], oldest_first: bool) -> Option<usize> {
    let repeated = lines.iter().enumerate().filter(|(_, s)| s.again.is_some());
    let minutes = repeated.filter_map(|(place, s)| Some((place, s.id.bucket.minute()?.0)));
    let minutes: Vec<(usize, i64)> = minutes.collect();
    let turns = |pair: &&[(usize, i64)]| match pair {
        [(_, before), (_, after)] if oldest_first => before - after >= TURN_MINUTES,
        [(_, before), (_, after)] => after - before >= TURN_MINUTES,
        _ => false,
    };
    let pair = minutes.windows(2).find(turns)?;
    pair.last().map(|(place, _)| *place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::BadLine;
    use crate::sighting::{Fingerprint, What};

    /// Lines of the repeated hour from minute 120 on, whose second time is an hour later.
    fn lines(minutes: &[i64]) -> Vec<Sighting> {
        let line = |minute: &i64| Sighting {
            id: LineId {
                bucket: Bucket::At(Minute(*minute)),
                fingerprint: Fingerprint(0),
            },
            again: (120..180).contains(minute).then_some(Minute(minute + 60)),
            day: Some(0),
            what: What::Bad(BadLine::Date),
        };
        minutes.iter().map(line).collect()
    }

    fn placed(
        hour: &mut SecondHour,
        minutes: &[i64],
        order: Order,
        begun: &mut Option<Minute>,
    ) -> (Vec<i64>, Placed) {
        let mut lines = lines(minutes);
        let goes_on = hour.first.is_some();
        let placed = hour.place(&mut lines, Some(order), goes_on, begun);
        let minutes = lines.iter().filter_map(|s| s.id.bucket.minute());
        (minutes.map(|minute| minute.0).collect(), placed)
    }

    #[test]
    fn the_turn_parts_the_two_times_in_either_order() {
        let newest_first = [240, 121, 120, 179, 178, 119];
        let oldest_first: Vec<i64> = newest_first.iter().rev().copied().collect();
        let expected = vec![240, 181, 180, 179, 178, 119];
        let (mut begun, mut hour) = (None, SecondHour::default());
        let down = placed(&mut hour, &newest_first, Order::NewestFirst, &mut begun);
        assert_eq!(down, (expected.clone(), Placed::Yes));
        assert!(begun.is_some() && hour.undecided().is_empty());
        let (mut begun, mut hour) = (None, SecondHour::default());
        let up = placed(&mut hour, &oldest_first, Order::OldestFirst, &mut begun);
        let up = (up.0.into_iter().rev().collect(), up.1);
        assert_eq!(up, (expected, Placed::Yes));
    }

    #[test]
    fn without_a_turn_lines_are_of_the_first_time_until_it_was_seen_once() {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let mut begun = None;
            let mut minutes = vec![131, 131, 130];
            if order == Order::OldestFirst {
                minutes.reverse();
            }
            let first = placed(&mut SecondHour::default(), &minutes, order, &mut begun).0;
            assert_eq!(first, minutes);
            begun = Some(Minute(185));
            let second = placed(&mut SecondHour::default(), &minutes, order, &mut begun).0;
            let later: Vec<i64> = minutes.iter().map(|minute| minute + 60).collect();
            assert_eq!(second, later);
            let last_year = Minute(185 - 365 * DAY_MINUTES);
            begun = Some(last_year);
            let first = placed(&mut SecondHour::default(), &minutes, order, &mut begun).0;
            assert_eq!(first, minutes);
        }
    }

    #[test]
    fn a_turn_further_on_starts_the_read_over_and_nothing_waits_then() {
        let (mut begun, mut hour) = (None, SecondHour::default());
        let order = Order::NewestFirst;
        let (minutes, _) = placed(&mut hour, &[125, 124], order, &mut begun);
        assert_eq!((minutes, hour.undecided().len()), (vec![125, 124], 2));
        let (_, turned) = placed(&mut hour, &[124, 120, 179], order, &mut begun);
        assert_eq!(turned, Placed::StartOver);
        hour.start_over();
        let (minutes, _) = placed(&mut hour, &[125, 124], order, &mut begun);
        assert_eq!((minutes, hour.undecided().len()), (vec![185, 184], 0));
        let (minutes, turned) = placed(&mut hour, &[124, 120, 179], order, &mut begun);
        assert_eq!((minutes, turned), (vec![184, 180, 179], Placed::Yes));
    }

    #[test]
    fn a_read_that_starts_before_the_turn_is_told_when_it_comes() {
        let (mut begun, mut hour) = (Some(Minute(185)), SecondHour::default());
        let order = Order::OldestFirst;
        placed(&mut hour, &[170, 171], order, &mut begun);
        assert_eq!(hour.undecided().len(), 2);
        let (_, turned) = placed(&mut hour, &[171, 179, 120], order, &mut begun);
        assert_eq!(turned, Placed::StartOver);
        hour.start_over();
        let (minutes, _) = placed(&mut hour, &[170, 171], order, &mut begun);
        assert_eq!((minutes, hour.undecided().len()), (vec![170, 171], 0));
    }

    #[test]
    fn lines_a_little_out_of_order_are_no_turn() {
        let mut begun = None;
        let minutes = [130, 125, 134, 120];
        let placed = placed(
            &mut SecondHour::default(),
            &minutes,
            Order::NewestFirst,
            &mut begun,
        );
        assert_eq!((placed.0, begun), (minutes.to_vec(), None));
    }
}
