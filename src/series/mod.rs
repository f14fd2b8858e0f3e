//! The counts by label set, and the limits that keep them few.

mod marks;
mod names;
mod of_log;
mod overflow;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::births::{Birth, Generation};
use crate::event::{Event, EventType, Labels};
use crate::saved::SavedSeries;
use names::{Names, Number};
use of_log::{Entry, Numbers, OfLog};
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
    pub labels: Labels<'a>,
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
        let mut names = Names::default();
        let other = names.number(OTHER);
        Self {
            limits,
            names,
            other,
            logs: BTreeMap::new(),
            event_names: BTreeMap::new(),
            told_apart: 0,
            without_hostname: 0,
            overflow: Overflow::new(key),
            overflowed_lines: 0,
        }
    }

    /// Takes up a count that was saved. A limit that was lowered since takes none of them away, and
    /// one that was raised gives no room to what overflowed.
    pub fn take_up(&mut self, saved: &SavedSeries) {
        let (log, labels) = (saved.event_type, saved.event.labels());
        if labels.event != OTHER {
            self.know_name(log, labels.event);
        }
        let place = self.insert(log, labels, saved.birth);
        self.count(log, place, saved.count);
    }

    /// Takes up a series as another process saved it: a new one, or what became of one that is held. Says
    /// whether it fits what is held: it stands at its place, and no count falls.
    pub fn follow(&mut self, saved: &SavedSeries) -> bool {
        let (log, labels) = (saved.event_type, saved.event.labels());
        let held = self.range(log, saved.place..saved.place + 1).next();
        match held.map(|one| (one.labels == labels, one.count)) {
            Some((false, _)) => false,
            Some((true, before)) if saved.count < before => false,
            Some((true, before)) => {
                self.count(log, saved.place, saved.count - before);
                let of_log = self.logs.entry(log).or_default();
                of_log.is_born(saved.place, saved.birth);
                true
            }
            None if saved.place == self.logs.get(&log).map_or(0, |log| log.entries().len()) => {
                self.take_up(saved);
                true
            }
            None => false,
        }
    }

    /// Takes over what was written of the series `before`, of which these are to take the place; and gives
    /// those that would be less than that, or are not here, as they were written.
    pub fn takes_the_place_of(&mut self, before: &Self) -> Self {
        let mut less = Self::new(self.limits, [0; 16]);
        for (log, of_log) in &before.logs {
            for entry in of_log.entries() {
                let Some(written) = entry.written else {
                    continue;
                };
                let labels = before.labels(entry);
                let place = self.find(*log, labels);
                if let (Some(place), Some(here)) = (place, self.logs.get_mut(log)) {
                    here.was_written(place, written);
                }
                let here = place.and_then(|place| self.range(*log, place..place + 1).next());
                if here.is_none_or(|here| here.shown() < written) {
                    let zero = entry.birth.zero.filter(|_| written == 0);
                    let birth = Birth {
                        zero,
                        ..entry.birth
                    };
                    let place = less.insert(*log, labels, birth);
                    less.count(*log, place, written);
                }
            }
        }
        less
    }

    /// How many of these show less here, or are not here.
    pub fn short_of(&self, others: &Self) -> usize {
        let short = |(log, other): &(EventType, One<'_>)| {
            let here = self.find(*log, other.labels);
            let here = here.and_then(|place| self.range(*log, place..place + 1).next());
            here.is_none_or(|one| one.shown() < other.shown())
        };
        others.all().filter(short).count()
    }

    /// Shows each of these as much as it shows there, or more. Those that are not here yet come last.
    pub fn raise_to(&mut self, others: &Self) {
        for (log, other) in others.all() {
            let Some(place) = self.find(log, other.labels) else {
                let place = self.insert(log, other.labels, other.birth);
                self.count(log, place, other.count);
                continue;
            };
            let here = self.range(log, place..place + 1).next();
            if let Some(here) = here.filter(|here| here.shown() < other.shown()) {
                let more = other.shown().saturating_sub(here.count);
                // Later would say that it began again.
                let created = other.birth.created.or(here.birth.created);
                self.count(log, place, more);
                let of_log = self.logs.entry(log).or_default();
                of_log.is_born(
                    place,
                    Birth {
                        created,
                        zero: None,
                    },
                );
            }
        }
    }

    /// Those of these logs alone.
    #[must_use]
    pub fn only(&self, logs: &BTreeSet<EventType>) -> Self {
        let mut some = self.clone();
        some.logs.retain(|log, _| logs.contains(log));
        some
    }

    /// How many there are.
    pub fn number(&self) -> usize {
        self.logs.values().map(|log| log.entries().len()).sum()
    }

    fn all(&self) -> impl Iterator<Item = (EventType, One<'_>)> {
        let logs = self.logs.keys();
        logs.flat_map(|log| self.of_log(*log).map(|one| (*log, one)))
    }

    /// Takes up the fingerprints of what overflowed before, with which all that was saved is.
    pub fn take_up_overflowed(&mut self, saved: Vec<u64>) {
        self.overflow.take_up(saved);
        self.are_saved();
    }

    /// The counts that changed since [`Self::are_saved`].
    pub fn changes(&self) -> Vec<SavedSeries> {
        let changes = self.logs.iter().flat_map(|(log, of_log)| {
            let unsaved = of_log.unsaved.places().iter();
            let entries = unsaved.filter_map(|place| Some((*place, of_log.entries().get(*place)?)));
            entries.map(|(place, entry)| SavedSeries {
                event_type: *log,
                event: Event::new(self.labels(entry)),
                place,
                count: entry.count,
                birth: entry.birth,
            })
        });
        changes.collect()
    }

    /// The fingerprints of what overflowed since [`Self::are_saved`].
    pub fn overflowed_changes(&self) -> Vec<u64> {
        self.overflow.changes()
    }

    /// Notes that all changes are saved.
    pub fn are_saved(&mut self) {
        for of_log in self.logs.values_mut() {
            of_log.unsaved.clear();
        }
        self.overflow.is_saved();
    }

    /// Notes that everything has to be saved anew.
    pub fn are_unsaved(&mut self) {
        for of_log in self.logs.values_mut() {
            for place in 0..of_log.entries().len() {
                of_log.unsaved.mark(place);
            }
        }
        self.overflow.is_unsaved();
    }

    /// Counts so many more lines with these labels, whose series is born so if it is new.
    pub fn add(&mut self, log: EventType, labels: Labels<'_>, lines: u64, birth: Birth) {
        let place = match self.find(log, labels) {
            Some(place) => place,
            None => self.place(log, labels, birth),
        };
        self.count(log, place, lines);
    }

    /// The place of a label set that is told apart in full.
    fn find(&self, log: EventType, labels: Labels<'_>) -> Option<Place> {
        self.logs.get(&log)?.find(labels, &self.names)
    }

    /// The place of a label set, as far as there is room for it.
    fn place(&mut self, log: EventType, mut labels: Labels<'_>, birth: Birth) -> Place {
        if !self.is_name_told(log, labels.event) {
            labels.event = OTHER;
        }
        if !self.is_told_apart(log, labels) {
            labels.hostname = OTHER;
        }
        if !self.is_told_without_hostname(log, labels) {
            labels.category = OTHER;
            labels.version = OTHER;
        }
        match self.find(log, labels) {
            Some(place) => place,
            None => self.insert(log, labels, birth),
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
    fn is_told_apart(&mut self, log: EventType, labels: Labels<'_>) -> bool {
        if labels.hostname == OTHER || self.find(log, labels).is_some() {
            return true;
        }
        self.has_room(self.told_apart < self.limits.series, log, labels)
    }

    /// Whether a label set without its hostname may be shown with category and version; if not, it
    /// never will.
    fn is_told_without_hostname(&mut self, log: EventType, labels: Labels<'_>) -> bool {
        let has_less = [labels.category, labels.version] == [OTHER; 2];
        if labels.hostname != OTHER || has_less || self.find(log, labels).is_some() {
            return true;
        }
        let limit = self.limits.without_hostname();
        self.has_room(self.without_hostname < limit, log, labels)
    }

    fn has_room(&mut self, is_room: bool, log: EventType, labels: Labels<'_>) -> bool {
        let has_room = is_room && !self.overflow.has_labels(log, labels);
        if !has_room {
            self.overflow.remember_labels(log, labels);
        }
        has_room
    }

    fn insert(&mut self, log: EventType, labels: Labels<'_>, birth: Birth) -> Place {
        match labels.hostname == OTHER {
            true => self.without_hostname += 1,
            false => self.told_apart += 1,
        }
        let numbers = Numbers {
            category: self.names.number(labels.category),
            version: self.names.number(labels.version),
            hostname: self.names.number(labels.hostname),
            event: self.names.number(labels.event),
        };
        let entry = Entry {
            labels: numbers,
            count: 0,
            birth,
            written: None,
        };
        self.logs.entry(log).or_default().insert(entry, &self.names)
    }

    fn count(&mut self, log: EventType, place: Place, lines: u64) {
        let of_log = self.logs.entry(log).or_default();
        of_log.add(place, lines);
        let labels = of_log.entries().get(place).map(|entry| entry.labels);
        let is_other = |labels: Numbers| [labels.hostname, labels.event].contains(&self.other);
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
        One {
            labels: self.labels(entry),
            count: entry.count,
            birth: entry.birth,
        }
    }

    fn labels(&self, entry: &Entry) -> Labels<'_> {
        entry.labels.texts(&self.names)
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

    /// How many label sets found no room, as far as they are remembered.
    pub fn overflowed_label_sets(&self) -> usize {
        self.overflow.label_sets()
    }

    /// Whether so many found none that no new label set does, whatever the limit.
    pub fn is_overflow_full(&self) -> bool {
        self.overflow.is_full()
    }

    pub fn limits(&self) -> SeriesLimits {
        self.limits
    }
}
