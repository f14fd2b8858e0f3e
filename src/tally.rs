//! Counts of lines that are in no series: those that could not be parsed, attributed or read.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{BadLine, EventType};
use crate::saved::SavedTally;

/// Why lines are in no series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Apart {
    /// Entries that are no lines.
    Unparsable(BadLine),
    /// New lines among rewritten ones: nobody knows which they are.
    Unattributed,
    /// Lines that could not be told apart in time, at most.
    Missed,
    /// Not lines, but how often the log had lost lines of which nobody knows how many they were.
    Gaps,
}

impl Apart {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Unparsable(BadLine::Date),
        Self::Unparsable(BadLine::Time),
        Self::Unparsable(BadLine::Fields),
        Self::Unparsable(BadLine::NotText),
        Self::Unattributed,
        Self::Missed,
        Self::Gaps,
    ];

    /// The name under which it is saved.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unparsable(reason) => reason.reason(),
            Self::Unattributed => "unattributed",
            Self::Missed => "missed",
            Self::Gaps => "gaps",
        }
    }
}

/// The tallies of one account.
#[derive(Clone, Debug, Default)]
pub struct Tallies {
    lines: BTreeMap<(EventType, Apart), u64>,
    unsaved: BTreeSet<(EventType, Apart)>,
}

impl Tallies {
    /// The tallies that were saved. Names that are not known are left as they are in the store.
    pub fn restore(saved: &[SavedTally]) -> Self {
        let known = |saved: &SavedTally| {
            let mut all = Apart::ALL.into_iter();
            let apart = all.find(|apart| apart.name() == saved.name)?;
            Some(((saved.event_type, apart), saved.lines))
        };
        Self {
            lines: saved.iter().filter_map(known).collect(),
            unsaved: BTreeSet::new(),
        }
    }

    /// Counts so many more.
    pub fn add(&mut self, log: EventType, apart: Apart, more: u64) {
        if more > 0 {
            *self.lines.entry((log, apart)).or_default() += more;
            self.unsaved.insert((log, apart));
        }
    }

    /// How many there were.
    pub fn of(&self, log: EventType, apart: Apart) -> u64 {
        self.lines.get(&(log, apart)).copied().unwrap_or(0)
    }

    /// The tallies that changed since [`Self::are_saved`].
    pub fn changes(&self) -> Vec<SavedTally> {
        let changed = self.unsaved.iter();
        let saved = changed.map(|(event_type, apart)| SavedTally {
            event_type: *event_type,
            name: apart.name().to_owned(),
            lines: self.of(*event_type, *apart),
        });
        saved.collect()
    }

    /// Notes that everything has to be saved anew.
    pub fn are_unsaved(&mut self) {
        self.unsaved = self.lines.keys().copied().collect();
    }

    /// Notes that all changes are saved.
    pub fn are_saved(&mut self) {
        self.unsaved.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_the_same_tallies() {
        let mut tallies = Tallies::default();
        for (more, apart) in (1..).zip(Apart::ALL) {
            tallies.add(EventType::Admin, apart, more);
            tallies.add(EventType::Admin, apart, more);
        }
        let restored = Tallies::restore(&tallies.changes());
        for (more, apart) in (1..).zip(Apart::ALL) {
            assert_eq!(restored.of(EventType::Admin, apart), 2 * more);
            assert_eq!(restored.of(EventType::Device, apart), 0);
        }
        assert!(restored.changes().is_empty());
    }
}
