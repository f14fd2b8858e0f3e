//! The counts by label set, and the limits that keep them few.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::{Event, EventType};
use crate::saved::SavedSeries;

/// The value of a label whose own value is over the limit.
pub const OTHER: &str = "__other__";

/// The most that may be told apart; what is beyond still counts, under [`OTHER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesLimits {
    /// Label sets of an account. Beyond it the hostname is not told.
    pub series: usize,
    /// Values of `event` in each log. Beyond it the event is not told.
    pub events: usize,
}

/// The counts of one account.
///
/// A label set that is held stays, and one that found no room never gets any as long as the limits
/// stand: no count ever falls, and the totals are exact.
#[derive(Clone, Debug)]
pub struct Series {
    limits: SeriesLimits,
    counts: BTreeMap<(EventType, Arc<Event>), u64>,
    event_names: BTreeMap<EventType, BTreeSet<String>>,
    /// Label sets that are not of the overflow.
    told_apart: usize,
    overflowed_lines: u64,
    /// Label sets whose counts are not saved.
    unsaved: BTreeSet<(EventType, Arc<Event>)>,
}

impl Series {
    /// No counts yet.
    pub fn new(limits: SeriesLimits) -> Self {
        Self {
            limits,
            counts: BTreeMap::new(),
            event_names: BTreeMap::new(),
            told_apart: 0,
            overflowed_lines: 0,
            unsaved: BTreeSet::new(),
        }
    }

    /// The counts that were saved. A limit that was lowered since takes none of them away.
    pub fn restore(limits: SeriesLimits, saved: Vec<SavedSeries>) -> Self {
        let mut series = Self::new(limits);
        for SavedSeries {
            event_type,
            event,
            count,
        } in saved
        {
            if event.event != OTHER {
                let names = series.event_names.entry(event_type).or_default();
                names.insert(event.event.clone());
            }
            series.told_apart += usize::from(event.hostname != OTHER);
            if is_overflow(&event) {
                series.overflowed_lines += count;
            }
            series.counts.insert((event_type, event), count);
        }
        series
    }

    /// The counts that changed since [`Self::are_saved`].
    pub fn changes(&self) -> Vec<SavedSeries> {
        let counts = |key| self.counts.get_key_value(key);
        let changed = self.unsaved.iter().filter_map(counts);
        changed
            .map(|((event_type, event), count)| SavedSeries {
                event_type: *event_type,
                event: Arc::clone(event),
                count: *count,
            })
            .collect()
    }

    /// Notes that all changes are saved.
    pub fn are_saved(&mut self) {
        self.unsaved.clear();
    }

    /// Counts so many more lines of this event.
    pub fn add(&mut self, log: EventType, event: &Arc<Event>, lines: u64) {
        let event = self.with_known_name(log, event);
        let known = self.counts.contains_key(&(log, Arc::clone(&event)));
        let event = if known || event.hostname == OTHER {
            event
        } else if self.told_apart < self.limits.series {
            self.told_apart += 1;
            event
        } else {
            Arc::new(Event {
                hostname: OTHER.to_owned(),
                ..Event::clone(&event)
            })
        };
        if is_overflow(&event) {
            self.overflowed_lines += lines;
        }
        self.unsaved.insert((log, Arc::clone(&event)));
        *self.counts.entry((log, event)).or_default() += lines;
    }

    fn with_known_name(&mut self, log: EventType, event: &Arc<Event>) -> Arc<Event> {
        let names = self.event_names.entry(log).or_default();
        if names.contains(&event.event) {
            return Arc::clone(event);
        }
        if names.len() < self.limits.events {
            names.insert(event.event.clone());
            return Arc::clone(event);
        }
        Arc::new(Event {
            event: OTHER.to_owned(),
            ..Event::clone(event)
        })
    }

    /// The counts of a log, in the order of their labels.
    pub fn of_log(&self, log: EventType) -> impl Iterator<Item = (&Event, u64)> {
        let of_log = move |entry: &(&(EventType, Arc<Event>), &u64)| entry.0.0 == log;
        let counts = self.counts.iter().filter(of_log);
        counts.map(|((_, event), count)| (event.as_ref(), *count))
    }

    /// How many label sets are told apart.
    pub fn told_apart(&self) -> usize {
        self.told_apart
    }

    /// How many events of the log are told apart.
    pub fn event_names(&self, log: EventType) -> usize {
        self.event_names.get(&log).map_or(0, BTreeSet::len)
    }

    /// How many lines were counted under [`OTHER`].
    pub fn overflowed_lines(&self) -> u64 {
        self.overflowed_lines
    }

    pub fn limits(&self) -> SeriesLimits {
        self.limits
    }
}

fn is_overflow(event: &Event) -> bool {
    event.hostname == OTHER || event.event == OTHER
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(host: &str, name: &str) -> Arc<Event> {
        Arc::new(Event {
            category: "MetaAccess".into(),
            version: String::new(),
            hostname: host.into(),
            event: name.into(),
        })
    }

    fn limited(series: usize, events: usize) -> Series {
        Series::new(SeriesLimits { series, events })
    }

    #[test]
    fn beyond_the_limit_lines_count_under_another_host_and_never_move() {
        let mut series = limited(2, 10);
        for host in ["TEST-A", "TEST-B", "TEST-C", "TEST-D", "TEST-A", "TEST-C"] {
            series.add(EventType::Device, &event(host, "Installed"), 1);
        }
        let hosts: Vec<(&str, u64)> = series
            .of_log(EventType::Device)
            .map(|(event, count)| (event.hostname.as_str(), count))
            .collect();
        assert_eq!(hosts, [("TEST-A", 2), ("TEST-B", 1), (OTHER, 3)]);
        assert_eq!((series.told_apart(), series.overflowed_lines()), (2, 3));
    }

    #[test]
    fn each_log_has_its_own_limit_of_events() {
        let mut series = limited(100, 2);
        for name in ["Installed", "Added", "Fetch log", "Installed"] {
            series.add(EventType::Device, &event("TEST-A", name), 1);
        }
        series.add(EventType::Admin, &event("TEST-A", "System Log"), 1);
        let names: Vec<&str> = series
            .of_log(EventType::Device)
            .map(|(event, _)| event.event.as_str())
            .collect();
        assert_eq!(names, ["Added", "Installed", OTHER]);
        assert_eq!(series.event_names(EventType::Admin), 1);
    }

    #[test]
    fn what_was_saved_is_the_same_counts_and_the_same_overflow() {
        let mut series = limited(2, 2);
        let names = ["Installed", "Added", "Fetch log", "Installed"];
        for (host, name) in ["TEST-A", "TEST-B", "TEST-C", "TEST-D"].iter().zip(names) {
            series.add(EventType::Device, &event(host, name), 2);
        }
        let saved = series.changes();
        let restored = Series::restore(series.limits(), saved);
        assert!(restored.changes().is_empty());
        let counts = |series: &Series| -> Vec<(Event, u64)> {
            let counts = series.of_log(EventType::Device);
            counts
                .map(|(event, count)| (event.clone(), count))
                .collect()
        };
        assert_eq!(counts(&restored), counts(&series));
        assert_eq!(restored.told_apart(), series.told_apart());
        assert_eq!(restored.overflowed_lines(), series.overflowed_lines());
        let names = |series: &Series| series.event_names(EventType::Device);
        assert_eq!(names(&restored), names(&series));
    }

    #[test]
    fn only_what_changed_since_the_last_save_is_saved_again() {
        let mut series = limited(10, 10);
        series.add(EventType::Device, &event("TEST-A", "Installed"), 1);
        series.are_saved();
        series.add(EventType::Device, &event("TEST-B", "Installed"), 1);
        series.add(EventType::Device, &event("TEST-B", "Installed"), 1);
        let changes: Vec<(String, u64)> = series
            .changes()
            .into_iter()
            .map(|saved| (saved.event.hostname.clone(), saved.count))
            .collect();
        assert_eq!(changes, [("TEST-B".to_owned(), 2)]);
    }

    proptest! {
        #[test]
        fn totals_are_exact_whatever_the_limits(
            series_limit in 1_usize..5,
            events_limit in 1_usize..4,
            lines in prop::collection::vec((0_u8..8, 0_u8..6, 1_u64..4), 0..60),
        ) {
            let mut series = limited(series_limit, events_limit);
            let mut total = 0;
            for (host, name, count) in lines {
                let before: u64 = series.of_log(EventType::Device).map(|(_, n)| n).sum();
                series.add(EventType::Device, &event(&format!("TEST-{host}"), &format!("event {name}")), count);
                total += count;
                let after: u64 = series.of_log(EventType::Device).map(|(_, n)| n).sum();
                prop_assert_eq!(after, before + count);
            }
            prop_assert_eq!(series.of_log(EventType::Device).map(|(_, n)| n).sum::<u64>(), total);
            prop_assert!(series.told_apart() <= series_limit);
        }
    }
}
