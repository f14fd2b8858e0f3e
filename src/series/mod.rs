//! The counts by label set, and the limits that keep them few.

mod names;
mod of_log;
mod overflow;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use crate::births::{Birth, Generation};
use crate::event::{Event, EventType};
use crate::saved::SavedSeries;
use names::{Names, Number};
use of_log::{Entry, Labels, OfLog};
use overflow::Overflow;

/// The value of a label whose own value is over the limit.
pub const OTHER: &str = "__other__";

/// Where a series stands among those of its log.
pub type Place = usize;

/// The most that may be told apart; what is beyond still counts, under [`OTHER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesLimits {
    /// Label sets of an account. Beyond it the hostname is not told.
    pub series: usize,
    /// Values of `event` in each log. Beyond it the event is not told.
    pub events: usize,
}

impl SeriesLimits {
    /// Label sets without a hostname. Beyond it category and version are not told either.
    fn without_hostname(self) -> usize {
        (self.series / 10).max(100)
    }
}

/// One series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct One<'a> {
    pub category: &'a str,
    pub version: &'a str,
    pub hostname: &'a str,
    pub event: &'a str,
    /// How many lines were counted.
    pub count: u64,
    pub birth: Birth,
}

impl One<'_> {
    /// What is shown: zero first, then the count.
    pub fn shown(&self) -> u64 {
        match self.birth.zero {
            Some(_) => 0,
            None => self.count,
        }
    }
}

/// The counts of one account.
///
/// A label set that is held stays, and one that found no room never gets any as long as the state
/// lives: no count ever falls, and the totals are exact.
#[derive(Clone, Debug)]
pub struct Series {
    limits: SeriesLimits,
    names: Names,
    /// The number of [`OTHER`].
    other: Number,
    logs: BTreeMap<EventType, OfLog>,
    event_names: BTreeMap<EventType, BTreeSet<Number>>,
    /// Label sets that are not of the overflow.
    told_apart: usize,
    /// Label sets whose hostname is over the limit.
    without_hostname: usize,
    overflow: Overflow,
    overflowed_lines: u64,
}

impl Series {
    /// No counts yet. The key is that of the state.
    pub fn new(limits: SeriesLimits, key: [u8; 16]) -> Self {
        Self::restore(limits, key, Vec::new(), Vec::new())
    }

    /// The counts that were saved. A limit that was lowered since takes none of them away, and one
    /// that was raised gives no room to what overflowed.
    pub fn restore(
        limits: SeriesLimits,
        key: [u8; 16],
        saved: Vec<SavedSeries>,
        overflowed: Vec<u64>,
    ) -> Self {
        let mut names = Names::default();
        let other = names.number(OTHER);
        let mut series = Self {
            limits,
            names,
            other,
            logs: BTreeMap::new(),
            event_names: BTreeMap::new(),
            told_apart: 0,
            without_hostname: 0,
            overflow: Overflow::restore(key, overflowed),
            overflowed_lines: 0,
        };
        for one in saved {
            if one.event.event != OTHER {
                series.know_name(one.event_type, &one.event.event);
            }
            let place = series.insert(one.event_type, &one.event, one.birth);
            series.count(one.event_type, place, one.count);
        }
        series.are_saved();
        series
    }

    /// The counts that changed since [`Self::are_saved`].
    pub fn changes(&self) -> Vec<SavedSeries> {
        let mut changes = Vec::new();
        for (log, of_log) in &self.logs {
            let unsaved = of_log.unsaved.iter();
            let entries = unsaved.filter_map(|place| of_log.entries().get(*place as Place));
            changes.extend(entries.map(|entry| self.saved(*log, entry)));
        }
        changes
    }

    /// The fingerprints of what overflowed since [`Self::are_saved`].
    pub fn overflowed_changes(&self) -> Vec<u64> {
        self.overflow.changes()
    }

    fn saved(&self, log: EventType, entry: &Entry) -> SavedSeries {
        let one = self.one(entry);
        SavedSeries {
            event_type: log,
            event: Arc::new(Event {
                category: one.category.to_owned(),
                version: one.version.to_owned(),
                hostname: one.hostname.to_owned(),
                event: one.event.to_owned(),
            }),
            count: one.count,
            birth: one.birth,
        }
    }

    /// Notes that all changes are saved.
    pub fn are_saved(&mut self) {
        for of_log in self.logs.values_mut() {
            of_log.unsaved = BTreeSet::new();
        }
        self.overflow.is_saved();
    }

    /// Counts so many more lines of this event, whose series is born so if it is new.
    pub fn add(&mut self, log: EventType, event: &Event, lines: u64, birth: Birth) {
        let place = match self.find(log, event) {
            Some(place) => place,
            None => self.place(log, event, birth),
        };
        self.count(log, place, lines);
    }

    /// The place of a label set that is told apart in full.
    fn find(&self, log: EventType, event: &Event) -> Option<Place> {
        let labels = Labels {
            category: self.names.find(&event.category)?,
            version: self.names.find(&event.version)?,
            hostname: self.names.find(&event.hostname)?,
            event: self.names.find(&event.event)?,
        };
        self.logs.get(&log)?.find(labels)
    }

    /// The place of a label set, as far as there is room for it.
    fn place(&mut self, log: EventType, event: &Event, birth: Birth) -> Place {
        let mut event = event.clone();
        if !self.is_name_told(log, &event.event) {
            event.event = OTHER.to_owned();
        }
        if !self.is_told_apart(log, &event) {
            event.hostname = OTHER.to_owned();
            let limit = self.limits.without_hostname();
            if self.find(log, &event).is_none() && self.without_hostname >= limit {
                event.category = OTHER.to_owned();
                event.version = OTHER.to_owned();
            }
        }
        match self.find(log, &event) {
            Some(place) => place,
            None => self.insert(log, &event, birth),
        }
    }

    /// Whether the event's name may be shown; if not, it never will.
    fn is_name_told(&mut self, log: EventType, name: &str) -> bool {
        let known = self.event_names.entry(log).or_default();
        if name == OTHER
            || self
                .names
                .find(name)
                .is_some_and(|number| known.contains(&number))
        {
            return true;
        }
        if known.len() >= self.limits.events || self.overflow.has_name(log, name) {
            self.overflow.remember_name(log, name);
            return false;
        }
        self.know_name(log, name);
        true
    }

    fn know_name(&mut self, log: EventType, name: &str) {
        let number = self.names.number(name);
        self.event_names.entry(log).or_default().insert(number);
    }

    /// Whether the label set may be shown with its hostname; if not, it never will.
    fn is_told_apart(&mut self, log: EventType, event: &Event) -> bool {
        if event.hostname == OTHER || self.find(log, event).is_some() {
            return true;
        }
        if self.told_apart >= self.limits.series || self.overflow.has_labels(log, event) {
            self.overflow.remember_labels(log, event);
            return false;
        }
        true
    }

    fn insert(&mut self, log: EventType, event: &Event, birth: Birth) -> Place {
        match event.hostname == OTHER {
            true => self.without_hostname += 1,
            false => self.told_apart += 1,
        }
        let labels = Labels {
            category: self.names.number(&event.category),
            version: self.names.number(&event.version),
            hostname: self.names.number(&event.hostname),
            event: self.names.number(&event.event),
        };
        let entry = Entry {
            labels,
            count: 0,
            birth,
        };
        self.logs.entry(log).or_default().insert(entry)
    }

    fn count(&mut self, log: EventType, place: Place, lines: u64) {
        let of_log = self.logs.entry(log).or_default();
        of_log.add(place, lines);
        let labels = of_log.entries().get(place).map(|entry| entry.labels);
        let is_other = |labels: Labels| [labels.hostname, labels.event].contains(&self.other);
        if labels.is_some_and(is_other) {
            self.overflowed_lines += lines;
        }
    }

    /// The generations of the series at zero, each as often as it has series.
    pub fn at_zero(&self) -> impl Iterator<Item = Generation> {
        self.logs.values().flat_map(OfLog::at_zero)
    }

    /// Shows the series of this generation, and of all before, at their values from now on.
    pub fn grow_up(&mut self, generation: Generation) {
        let logs = self.logs.values_mut();
        logs.for_each(|of_log| of_log.grow_up(generation));
    }

    /// The series of a log, each at its place.
    pub fn of_log(&self, log: EventType) -> impl Iterator<Item = One<'_>> {
        self.range(log, 0..Place::MAX)
    }

    /// Those of them at these places, as far as there are any.
    pub fn range(&self, log: EventType, places: Range<Place>) -> impl Iterator<Item = One<'_>> {
        let entries = self.logs.get(&log).map_or(&[][..], OfLog::entries);
        let places = places.start.min(entries.len())..places.end.min(entries.len());
        let entries = entries.get(places).unwrap_or_default();
        entries.iter().map(|entry| self.one(entry))
    }

    fn one(&self, entry: &Entry) -> One<'_> {
        let Labels {
            category,
            version,
            hostname,
            event,
        } = entry.labels;
        One {
            category: self.names.text(category),
            version: self.names.text(version),
            hostname: self.names.text(hostname),
            event: self.names.text(event),
            count: entry.count,
            birth: entry.birth,
        }
    }

    /// The places at which something else is to be shown since this was asked last, in order.
    pub fn take_unwritten(&mut self, log: EventType) -> Vec<Place> {
        let of_log = self.logs.get_mut(&log);
        of_log.map(OfLog::take_unwritten).unwrap_or_default()
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
