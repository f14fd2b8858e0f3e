//! The series of one log, in the order in which they were counted first.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::Place;
use super::marks::Marks;
use super::names::{Names, Number};
use crate::births::{Birth, Generation};
use crate::event::Labels;

/// The labels of a series, by their numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) category: Number,
    pub(super) version: Number,
    pub(super) hostname: Number,
    pub(super) event: Number,
}

impl Numbers {
    pub(super) fn texts(self, names: &Names) -> Labels<'_> {
        Labels {
            category: names.text(self.category),
            version: names.text(self.version),
            hostname: names.text(self.hostname),
            event: names.text(self.event),
        }
    }
}

/// What is kept of a series: little, since there are many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) labels: Numbers,
    pub(super) count: u64,
    pub(super) birth: Birth,
    /// What was written of it last, which may have been shown.
    pub(super) written: Option<u64>,
}

impl Entry {
    /// What is to be shown of it.
    pub(super) fn shown(&self) -> u64 {
        match self.birth.zero {
            Some(_) => 0,
            None => self.count,
        }
    }
}

/// No series ever goes, so that its place is its own.
#[derive(Clone, Debug, Default)]
pub(super) struct OfLog {
    entries: Vec<Entry>,
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Those shown at zero, the eldest first.
    newborn: Vec<Place>,
    /// Those that changed since they were saved.
    pub(super) unsaved: Marks,
    /// Those that changed since they were written.
    unwritten: Marks,
}

impl OfLog {
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn find(&self, labels: Labels<'_>, names: &Names) -> Option<Place> {
        let is_it = |place: &u32| {
            let entry = self.entries.get(*place as usize);
            entry.is_some_and(|entry| entry.labels.texts(names) == labels)
        };
        let place = self.places.find(self.hasher.hash_one(labels), is_it);
        place.map(|place| *place as Place)
    }

    /// A series that is not there yet; it is not saved.
    pub(super) fn insert(&mut self, entry: Entry, names: &Names) -> Place {
        let place = self.entries.len();
        self.entries.push(entry);
        let (entries, hasher) = (&self.entries, &self.hasher);
        let hash_of = |place: &u32| {
            let entry = entries.get(*place as usize);
            entry.map_or(0, |entry| hasher.hash_one(entry.labels.texts(names)))
        };
        let hash = hasher.hash_one(entry.labels.texts(names));
        // There are fewer series than names: see there.
        self.places.insert_unique(hash, place as u32, hash_of);
        if entry.birth.zero.is_some() {
            self.newborn.push(place);
        }
        self.changed(place);
        place
    }

    pub(super) fn add(&mut self, place: Place, lines: u64) {
        if let Some(entry) = self.entries.get_mut(place) {
            entry.count += lines;
            self.changed(place);
        }
    }

    /// Notes how the series came into the world, as another process has it.
    pub(super) fn is_born(&mut self, place: Place, birth: Birth) {
        if let Some(entry) = self
            .entries
            .get_mut(place)
            .filter(|entry| entry.birth != birth)
        {
            entry.birth = birth;
            self.newborn.retain(|newborn| *newborn != place);
            if birth.zero.is_some() {
                self.newborn.push(place);
            }
            self.changed(place);
        }
    }

    /// The places at which something else is to be shown since this was asked last, in order.
    pub(super) fn take_unwritten(&mut self) -> Vec<Place> {
        let places = self.unwritten.take();
        for place in &places {
            if let Some(entry) = self.entries.get_mut(*place) {
                entry.written = Some(entry.shown());
            }
        }
        places
    }

    /// Takes what was written of a series before for what was written of this one.
    pub(super) fn was_written(&mut self, place: Place, before: u64) {
        if let Some(entry) = self.entries.get_mut(place) {
            entry.written = Some(before);
        }
    }

    fn changed(&mut self, place: Place) {
        self.unsaved.mark(place);
        self.unwritten.mark(place);
    }

    /// The generations of those at zero.
    pub(super) fn at_zero(&self) -> impl Iterator<Item = Generation> {
        let newborn = self.newborn.iter();
        newborn.filter_map(|place| self.entries.get(*place)?.birth.zero)
    }

    /// Shows those of this generation and all before at their values.
    pub(super) fn grow_up(&mut self, generation: Generation) {
        for place in std::mem::take(&mut self.newborn) {
            let Some(entry) = self.entries.get_mut(place) else {
                continue;
            };
            if entry.birth.zero.is_some_and(|born| born > generation) {
                self.newborn.push(place);
                continue;
            }
            entry.birth.zero = None;
            self.changed(place);
        }
    }
}
