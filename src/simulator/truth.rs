//! Everything ever logged, as the one who logged it knows it; what is purged stays counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::line::Line;
use crate::event::{Event, EventType, Labels, Minute};

/// The labels of a count: event type, category, version, hostname, event.
type Key = (EventType, Arc<str>, Arc<str>, Arc<str>, Arc<str>);

/// The counts that an exporter should arrive at. Nothing in it ever falls.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    counts: BTreeMap<Key, u64>,
    logs: BTreeMap<EventType, LogTruth>,
}

/// What was logged in one log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogTruth {
    /// Lines, each of which is in one count.
    pub lines: u64,
    /// Entries that are not lines and are in no count.
    pub malformed: u64,
    /// The newest line's minute; none before the first.
    pub newest: Option<Minute>,
}

impl Truth {
    /// Counts a line that was logged.
    pub fn add(&mut self, line: &Line) {
        let labels = (
            line.event_type,
            Arc::clone(&line.category),
            Arc::clone(&line.version),
            Arc::clone(&line.hostname),
            Arc::clone(&line.event),
        );
        *self.counts.entry(labels).or_default() += 1;
        let log = self.logs.entry(line.event_type).or_default();
        log.lines += 1;
        log.newest = log.newest.max(Some(line.minute));
    }

    /// Counts a malformed entry that was logged.
    pub fn add_malformed(&mut self, event_type: EventType) {
        self.logs.entry(event_type).or_default().malformed += 1;
    }

    /// Each series with its count, in the order of its labels.
    pub fn counts(&self) -> impl Iterator<Item = (EventType, Event, u64)> {
        self.counts.iter().map(
            |((event_type, category, version, hostname, event), count)| {
                let event = Event::new(Labels {
                    category,
                    version,
                    hostname,
                    event,
                });
                (*event_type, event, *count)
            },
        )
    }

    /// What was logged in this log.
    pub fn log(&self, event_type: EventType) -> LogTruth {
        self.logs.get(&event_type).copied().unwrap_or_default()
    }

    /// Lines logged in both logs.
    pub fn lines(&self) -> u64 {
        self.logs.values().map(|log| log.lines).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_in_one_count_under_the_label_it_was_given() {
        let mut truth = Truth::default();
        let line = Line::device(
            Minute(5),
            "MetaAccess",
            "1.1.1.1",
            "TEST-R1W3Y",
            "Installed",
        );
        truth.add(&line);
        truth.add(&line.clone().described("Installed with \"Example\""));
        truth.add(&line.clone().for_admin());
        truth.add_malformed(EventType::Admin);
        let counts: Vec<_> = truth.counts().map(|(log, _, count)| (log, count)).collect();
        assert_eq!(counts, [(EventType::Device, 2), (EventType::Admin, 1)]);
        assert_eq!(truth.lines(), 3);
        assert_eq!(truth.log(EventType::Admin).malformed, 1);
    }

    #[test]
    fn a_late_line_does_not_move_the_newest_minute_back() {
        let mut truth = Truth::default();
        for minute in [5, 3] {
            truth.add(&Line::device(
                Minute(minute),
                "MetaAccess",
                "",
                "TEST-R1W3Y",
                "Installed",
            ));
        }
        assert_eq!(truth.log(EventType::Device).newest, Some(Minute(5)));
    }
}
