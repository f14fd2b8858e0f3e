//! Which end of the log page 1 shows, told from the minutes of a page.

use crate::event::Minute;

/// The order of the log's lines over its pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

impl Order {
    /// The value of `--api.order`, and of the label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewestFirst => "newest-first",
            Self::OldestFirst => "oldest-first",
        }
    }

    /// The order that most neighbours have, or none where they tell nothing: lines of one minute
    /// have no order, and a single line dated far off outvotes nobody.
    pub fn of(minutes: impl Iterator<Item = Minute>) -> Option<Self> {
        let (down, up) = votes(minutes);
        match down.cmp(&up) {
            std::cmp::Ordering::Greater => Some(Self::NewestFirst),
            std::cmp::Ordering::Less => Some(Self::OldestFirst),
            std::cmp::Ordering::Equal => None,
        }
    }

    /// Whether a page speaks clearly against this order: several neighbours, and hardly any for it.
    pub fn is_contradicted_by(self, minutes: impl Iterator<Item = Minute>) -> bool {
        let (down, up) = votes(minutes);
        let (for_it, against) = match self {
            Self::NewestFirst => (down, up),
            Self::OldestFirst => (up, down),
        };
        against >= 3 && against > 3 * for_it
    }
}

/// Whether a page shows days one way and times within a day the other.
pub fn is_mixed(lines: impl Iterator<Item = (i32, Minute)> + Clone) -> bool {
    let pairs = lines.clone().zip(lines.skip(1));
    let (mut down, mut up, mut days_down, mut days_up) = (0_u32, 0_u32, 0_u32, 0_u32);
    for ((day, minute), (next_day, next)) in pairs {
        if day == next_day {
            down += u32::from(next < minute);
            up += u32::from(next > minute);
        } else {
            days_down += u32::from(next_day < day);
            days_up += u32::from(next_day > day);
        }
    }
    let clearly = |this: u32, other: u32| this >= 3 && this > 3 * other;
    (clearly(up, down) && days_down > days_up) || (clearly(down, up) && days_up > days_down)
}

fn votes(minutes: impl Iterator<Item = Minute>) -> (u32, u32) {
    let (mut down, mut up) = (0, 0);
    let mut before: Option<Minute> = None;
    for minute in minutes {
        if let Some(before) = before {
            down += u32::from(minute < before);
            up += u32::from(minute > before);
        }
        before = Some(minute);
    }
    (down, up)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(minutes: &[i64]) -> impl Iterator<Item = Minute> {
        minutes.iter().copied().map(Minute)
    }

    #[test]
    fn the_order_is_told_from_neighbours() {
        assert_eq!(Order::of(minutes(&[9, 9, 8])), Some(Order::NewestFirst));
        assert_eq!(Order::of(minutes(&[8, 9, 9])), Some(Order::OldestFirst));
        assert_eq!(Order::of(minutes(&[9, 9, 9])), None);
        assert_eq!(Order::of(minutes(&[])), None);
    }

    #[test]
    fn days_one_way_and_times_the_other_are_noticed() {
        let mixed = |lines: &[(i32, i64)]| {
            is_mixed(lines.iter().map(|(day, minute)| (*day, Minute(*minute))))
        };
        assert!(mixed(&[
            (2, 20),
            (2, 21),
            (2, 22),
            (2, 23),
            (1, 10),
            (1, 11)
        ]));
        assert!(mixed(&[
            (1, 13),
            (1, 12),
            (1, 11),
            (1, 10),
            (2, 21),
            (2, 20)
        ]));
        assert!(!mixed(&[
            (2, 23),
            (2, 22),
            (2, 21),
            (2, 20),
            (1, 11),
            (1, 10)
        ]));
        assert!(!mixed(&[(1, 10), (1, 11), (2, 20), (2, 21), (2, 22)]));
        assert!(
            !mixed(&[(1, 10), (1, 11), (1, 12), (1, 13)]),
            "one day tells nothing"
        );
        let stray = [(1, 10), (1, 11), (1, 12), (-9, 0), (1, 13), (1, 14)];
        assert!(!mixed(&stray), "a stray is no other day");
    }

    #[test]
    fn one_line_dated_far_off_does_not_turn_the_order_round() {
        assert_eq!(Order::of(minutes(&[1, 9, 8, 7])), Some(Order::NewestFirst));
        assert!(!Order::NewestFirst.is_contradicted_by(minutes(&[1, 9, 9, 9, 9])));
        assert!(Order::NewestFirst.is_contradicted_by(minutes(&[5, 6, 7, 8])));
    }
}
