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
    fn one_line_dated_far_off_does_not_turn_the_order_round() {
        assert_eq!(Order::of(minutes(&[1, 9, 8, 7])), Some(Order::NewestFirst));
        assert!(!Order::NewestFirst.is_contradicted_by(minutes(&[1, 9, 9, 9, 9])));
        assert!(Order::NewestFirst.is_contradicted_by(minutes(&[5, 6, 7, 8])));
    }
}
