//! What found no room, so that it never finds any: a label set whose lines were counted under
//! [`OTHER`](super::OTHER) would begin a series that lacks them.

use std::collections::HashSet;
use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::event::{Event, EventType};

/// More than this is not remembered: then all that is new overflows.
pub(super) const REMEMBERED_AT_MOST: usize = 200_000;

/// Label sets and event names that overflowed, by keyed fingerprints: the state holds no hostnames
/// beside those that it shows.
#[derive(Clone, Debug, Default)]
pub(super) struct Overflow {
    key: [u8; 16],
    remembered: HashSet<u64>,
    /// What is not saved yet.
    unsaved: Vec<u64>,
}

impl Overflow {
    pub(super) fn restore(key: [u8; 16], saved: Vec<u64>) -> Self {
        Self {
            key,
            remembered: saved.into_iter().collect(),
            unsaved: Vec::new(),
        }
    }

    pub(super) fn has_name(&self, log: EventType, name: &str) -> bool {
        self.has(|| self.of(log, &[name]))
    }

    pub(super) fn has_labels(&self, log: EventType, event: &Event) -> bool {
        self.has(|| self.of_labels(log, event))
    }

    pub(super) fn remember_name(&mut self, log: EventType, name: &str) {
        self.remember(self.of(log, &[name]));
    }

    pub(super) fn remember_labels(&mut self, log: EventType, event: &Event) {
        self.remember(self.of_labels(log, event));
    }

    /// What overflowed since [`Self::is_saved`].
    pub(super) fn changes(&self) -> Vec<u64> {
        self.unsaved.clone()
    }

    pub(super) fn is_saved(&mut self) {
        self.unsaved = Vec::new();
    }

    fn is_full(&self) -> bool {
        self.remembered.len() >= REMEMBERED_AT_MOST
    }

    fn has(&self, fingerprint: impl Fn() -> u64) -> bool {
        self.is_full() || !self.remembered.is_empty() && self.remembered.contains(&fingerprint())
    }

    fn remember(&mut self, fingerprint: u64) {
        if !self.is_full() && self.remembered.insert(fingerprint) {
            self.unsaved.push(fingerprint);
        }
    }

    fn of_labels(&self, log: EventType, event: &Event) -> u64 {
        let Event {
            category,
            version,
            hostname,
            event,
        } = event;
        self.of(log, &[category, version, hostname, event])
    }

    /// The length of each text tells names from label sets, and where each ends.
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

    #[test]
    fn where_too_much_overflowed_to_be_remembered_all_that_is_new_does() {
        let mut overflow = Overflow::default();
        for n in 1..REMEMBERED_AT_MOST {
            overflow.remember_name(EventType::Device, &n.to_string());
        }
        assert!(overflow.has_name(EventType::Device, "7"));
        assert!(!overflow.has_name(EventType::Admin, "7"));
        assert!(!overflow.has_name(EventType::Device, "new"));
        overflow.remember_name(EventType::Device, "one more");
        assert!(overflow.has_name(EventType::Device, "new"));
        let saved = overflow.changes();
        assert_eq!(saved.len(), REMEMBERED_AT_MOST);
        overflow.is_saved();
        overflow.remember_name(EventType::Device, "new");
        assert!(overflow.changes().is_empty());
        assert!(Overflow::restore([0; 16], saved).has_name(EventType::Admin, "new"));
    }
}
