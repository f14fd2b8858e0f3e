//! Lines dated far off: what the present of a log is although a few of its lines are not of it.
//!
//! No clock is asked. A log whose newest lines lie far beyond the rest may have been silent, or they
//! may be dated wrongly; so they prove little until there are more of them than of the rest.

use crate::event::Minute;

/// So many of the newest lines prove nothing.
pub(super) const STRAYS: usize = 2;

/// Lines that lie further than this from the next older ones are a group of their own.
const SILENCE_MINUTES: i64 = 24 * 60;

/// At the first start, this silence before the newest few lines makes them strays.
const FAR_OFF_MINUTES: i64 = 7 * 24 * 60;

/// The minute below which all are over: more lines than strays came to it or to newer ones, and it
/// is in the largest group or before it.
pub(super) fn may_close_below(minutes: impl Iterator<Item = Minute>) -> Option<Minute> {
    let minutes = newest_first(minutes);
    let groups = groups(&minutes, SILENCE_MINUTES);
    let sizes = groups.iter().map(|group| group.len());
    let largest = sizes.max()?;
    let main = groups.iter().position(|group| group.len() == largest)?;
    let lines = groups.get(main..)?.iter().flat_map(|group| group.iter());
    lines.copied().nth(STRAYS)
}

/// The newest minute, from which the lookback of a first start is measured: that of the newest line
/// that is not one of a few far beyond the rest.
pub(super) fn newest(minutes: impl Iterator<Item = Minute>) -> Option<Minute> {
    let minutes = newest_first(minutes);
    let groups = groups(&minutes, FAR_OFF_MINUTES);
    let is_few = |pair: &&[&[Minute]]| match pair {
        [newer, older] => newer.len() <= STRAYS && newer.len() < older.len(),
        _ => false,
    };
    let strays = groups.windows(2).take_while(is_few).count();
    groups.get(strays)?.first().copied()
}

fn newest_first(minutes: impl Iterator<Item = Minute>) -> Vec<Minute> {
    let mut minutes: Vec<Minute> = minutes.collect();
    minutes.sort_unstable_by(|a, b| b.cmp(a));
    minutes
}

/// Splits minutes, newest first, where nothing was logged for longer than this.
fn groups(minutes: &[Minute], silence: i64) -> Vec<&[Minute]> {
    minutes
        .chunk_by(|newer, older| newer.minus(silence) <= *older)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60;

    fn minutes(groups: &[(i64, usize)]) -> impl Iterator<Item = Minute> {
        groups
            .iter()
            .flat_map(|(minute, lines)| (0..*lines).map(move |_| Minute(*minute)))
    }

    #[test]
    fn a_few_lines_dated_ahead_close_nothing() {
        let below = |ahead, lines| may_close_below(minutes(&[(ahead, lines), (10, 20), (9, 20)]));
        assert_eq!(below(10, 3), Some(Minute(10)));
        for ahead in [2 * DAY, 400 * DAY] {
            for lines in [1, 2, 3, 30] {
                assert_eq!(below(ahead, lines), Some(Minute(10)), "{ahead}, {lines}");
            }
        }
        assert_eq!(may_close_below(minutes(&[(10, 2)])), None);
    }

    #[test]
    fn after_a_silence_the_new_lines_close_minutes_once_they_are_the_most() {
        let monday = 3 * DAY;
        let below = |lines| may_close_below(minutes(&[(monday, lines), (10, 20)]));
        assert_eq!(below(5), Some(Minute(10)));
        assert_eq!(below(21), Some(Minute(monday)));
    }

    #[test]
    fn the_lookback_is_measured_from_the_newest_line_that_is_no_stray() {
        let newest = |groups: &[(i64, usize)]| newest(minutes(groups));
        assert_eq!(newest(&[(3 * DAY, 1), (10, 20)]), Some(Minute(3 * DAY)));
        assert_eq!(newest(&[(400 * DAY, 1), (10, 20)]), Some(Minute(10)));
        assert_eq!(newest(&[(400 * DAY, 2), (10, 20)]), Some(Minute(10)));
        assert_eq!(
            newest(&[(800 * DAY, 1), (400 * DAY, 2), (10, 20)]),
            Some(Minute(10))
        );
        assert_eq!(newest(&[(400 * DAY, 3), (10, 20)]), Some(Minute(400 * DAY)));
        assert_eq!(newest(&[(10, 1), (-9 * DAY, 1)]), Some(Minute(10)));
        assert_eq!(newest(&[]), None);
    }
}
