//! What found no room, so that it never finds any: a label set whose lines were counted under
//! [`OTHER`](super::OTHER) would begin a series that lacks them.

use std::collections::HashSet;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::event::{EventType, Labels};

/// More label sets than this are not remembered: then all that are new overflow.
pub(super) const LABELS_AT_MOST: usize = 200_000;

/// The same for the names of events.
pub(super) const NAMES_AT_MOST: usize = 20_000;

/// The bit by which the fingerprint of a name is told from that of a label set.
const IS_NAME: u64 = 1;

/// Label sets and event names that overflowed, by keyed fingerprints: the state holds no hostnames
/// beside those that it shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Overflow {
    key: [u8; 16],
    labels: HashSet<u64>,
    names: HashSet<u64>,
    /// What is not saved yet.
    unsaved: Vec<u64>,
}

impl Overflow {
    pub(super) fn new(key: [u8; 16]) -> Self {
        Self {
            key,
            ..Self::default()
        }
    }

    pub(super) fn take_up(&mut self, saved: Vec<u64>) {
        for fingerprint in saved {
            self.kind(fingerprint).0.insert(fingerprint);
        }
    }

    pub(super) fn has_name(&self, log: EventType, name: &str) -> bool {
        let is_full = self.names.len() >= NAMES_AT_MOST;
        is_full || !self.names.is_empty() && self.names.contains(&self.of_name(log, name))
    }

    pub(super) fn has_labels(&self, log: EventType, labels: Labels<'_>) -> bool {
        self.is_full()
            || !self.labels.is_empty() && self.labels.contains(&self.of_labels(log, labels))
    }

    pub(super) fn remember_name(&mut self, log: EventType, name: &str) {
        self.remember(self.of_name(log, name));
    }

    pub(super) fn remember_labels(&mut self, log: EventType, labels: Labels<'_>) {
        self.remember(self.of_labels(log, labels));
    }

    /// What overflowed since [`Self::is_saved`].
    pub(super) fn changes(&self) -> Vec<u64> {
        self.unsaved.clone()
    }

    /// Notes that all of it has to be saved anew.
    pub(super) fn is_unsaved(&mut self) {
        self.unsaved = self.labels.union(&self.names).copied().collect();
    }

    pub(super) fn is_saved(&mut self) {
        self.unsaved = Vec::new();
    }

    /// Whether so many label sets overflowed that all new ones do, whatever room there is.
    pub(super) fn is_full(&self) -> bool {
        self.labels.len() >= LABELS_AT_MOST
    }

    /// How many label sets are remembered.
    pub(super) fn label_sets(&self) -> usize {
        self.labels.len()
    }

    fn remember(&mut self, fingerprint: u64) {
        let (remembered, most) = self.kind(fingerprint);
        if remembered.len() < most && remembered.insert(fingerprint) {
            self.unsaved.push(fingerprint);
        }
    }

    /// Where a fingerprint belongs, and how many do at most.
    fn kind(&mut self, fingerprint: u64) -> (&mut HashSet<u64>, usize) {
        match fingerprint & IS_NAME {
            IS_NAME => (&mut self.names, NAMES_AT_MOST),
            _ => (&mut self.labels, LABELS_AT_MOST),
        }
    }

    fn of_name(&self, log: EventType, name: &str) -> u64 {
        self.of(log, &[name]) | IS_NAME
    }

    fn of_labels(&self, log: EventType, labels: Labels<'_>) -> u64 {
        let Labels {
            category,
            version,
            hostname,
            event,
        } = labels;
        self.of(log, &[category, version, hostname, event]) & !IS_NAME
    }

    /// The length of each text tells where it ends.
    fn of(&self, log: EventType, texts: &[&str]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write_u8(log.parameter());
        for text in texts {
            hasher.write_u64(text.len() as u64);
            hasher.write(text.as_bytes());
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(hostname: &str) -> Labels<'_> {
        Labels {
            category: "MetaAccess",
            version: "",
            hostname,
            event: "Installed",
        }
    }

    #[test]
    fn where_too_many_label_sets_overflowed_to_be_remembered_all_that_are_new_do() {
        let mut overflow = Overflow::default();
        let remember = |overflow: &mut Overflow, n: usize| {
            overflow.remember_labels(EventType::Device, labels(&n.to_string()));
        };
        (1..LABELS_AT_MOST).for_each(|n| remember(&mut overflow, n));
        assert!(overflow.has_labels(EventType::Device, labels("7")));
        assert!(!overflow.has_labels(EventType::Admin, labels("7")));
        assert!(!overflow.has_labels(EventType::Device, labels("new")));
        remember(&mut overflow, 0);
        assert!(overflow.is_full());
        assert!(overflow.has_labels(EventType::Device, labels("new")));
        assert!(
            !overflow.has_name(EventType::Device, "new"),
            "a name is another matter"
        );
        overflow.remember_name(EventType::Device, "new");
        let saved = overflow.changes();
        assert_eq!(saved.len(), LABELS_AT_MOST + 1);
        overflow.is_saved();
        overflow.remember_labels(EventType::Device, labels("new"));
        assert!(overflow.changes().is_empty());
        let mut restored = Overflow::new([0; 16]);
        restored.take_up(saved);
        assert!(restored.is_full());
        assert!(restored.has_labels(EventType::Admin, labels("new")));
        assert!(restored.has_name(EventType::Device, "new"));
        assert!(!restored.has_name(EventType::Device, "newer"));
    }

    #[test]
    fn where_too_many_names_did_no_new_one_is_told_but_label_sets_are() {
        let mut overflow = Overflow::default();
        (0..NAMES_AT_MOST).for_each(|n| overflow.remember_name(EventType::Device, &n.to_string()));
        assert!(overflow.has_name(EventType::Device, "new"));
        assert!(!overflow.has_labels(EventType::Device, labels("new")));
    }
}
