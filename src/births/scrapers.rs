//! Who scrapes, and what each was sent.

use std::collections::HashMap;
use std::time::Duration;

use super::rhythm::{ALIKE_AT_MOST, PERIOD_AT_MOST, Period, Rhythm};
use super::{Generation, SavedScraper, ScraperId};
use crate::moment::Moment;

/// More are not told apart: strangers with ever new names use no memory.
const KNOWN_AT_MOST: usize = 1000;

/// Who came so often and was never sent an answer to its end is not waited for: some never take one.
const UNSERVED_AT_MOST: u8 = 3;

/// Who was not seen for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);

#[derive(Clone, Debug, Default)]
pub(super) struct Scrapers(HashMap<ScraperId, Known>);

#[derive(Clone, Debug)]
struct Known {
    rhythm: Rhythm,
    /// It is one connection of a scraper, which ends with the process.
    is_connection: bool,
    /// How often it came since it was sent an answer in full.
    unserved: u8,
    /// What it was sent the last times, the newest first.
    served: [Generation; ALIKE_AT_MOST],
}

/// What a regular scraper was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Regular {
    /// Within this it comes again.
    pub(super) period: Duration,
    /// The newest generation that it was sent often enough for all that look like it.
    pub(super) saw: Generation,
    /// The newest generation that it was sent.
    pub(super) saw_once: Generation,
}

impl Known {
    fn new(rhythm: Rhythm, is_connection: bool) -> Self {
        Self {
            rhythm,
            is_connection,
            unserved: 0,
            served: [Generation::default(); ALIKE_AT_MOST],
        }
    }

    /// When it comes again, if it is to be waited for.
    fn period(&self, now: Moment) -> Option<Period> {
        let is_served = self.unserved <= UNSERVED_AT_MOST;
        self.rhythm.period(now).filter(|_| is_served)
    }

    /// A connection is one scraper's, whatever else looks like that.
    fn saw(&self, period: Period) -> Generation {
        let alike = if self.is_connection { 1 } else { period.alike };
        // Answers may end in another order than they were asked for.
        let served = self.served.iter().take(alike).min();
        served.copied().unwrap_or_default()
    }
}

impl Scrapers {
    /// Takes those for regular that are not known to be: as if they had come just now, if they never did.
    pub(super) fn inherit(&mut self, left: &[SavedScraper], now: Moment) {
        // None other is saved, but a file can be written by anybody.
        let is_sound = |saved: &&SavedScraper| saved.period <= PERIOD_AT_MOST;
        for saved in left.iter().filter(is_sound) {
            if self.0.len() >= KNOWN_AT_MOST {
                break;
            }
            let known = self.0.entry(saved.id);
            let known =
                known.or_insert_with(|| Known::new(Rhythm::resume(saved.period, now), false));
            if known.rhythm.is_regular_by(saved.period) {
                known.served = known.served.map(|served| served.max(saved.served));
            }
        }
    }

    pub(super) fn came(&mut self, id: ScraperId, is_connection: bool, arrived: Moment) {
        if let Some(known) = self.0.get_mut(&id) {
            known.rhythm.came(arrived);
            known.unserved = known.unserved.saturating_add(1);
        } else if self.has_room(arrived) {
            let mut known = Known::new(Rhythm::new(arrived), is_connection);
            known.unserved = 1;
            self.0.insert(id, known);
        }
    }

    pub(super) fn served(&mut self, id: ScraperId, generation: Generation) {
        if let Some(known) = self.0.get_mut(&id) {
            known.served.rotate_right(1);
            known.served[0] = generation;
            known.unserved = 0;
        }
    }

    /// Makes room for a newcomer, but not by one who is regular.
    fn has_room(&mut self, now: Moment) -> bool {
        if self.0.len() < KNOWN_AT_MOST {
            return true;
        }
        self.0
            .retain(|_, known| now.since(known.rhythm.last()) < FORGOTTEN_AFTER);
        let strangers = self
            .0
            .iter()
            .filter(|(_, known)| known.period(now).is_none());
        // Connections first: one may come again by another.
        let eldest =
            strangers.min_by_key(|(id, known)| (!known.is_connection, known.rhythm.last(), **id));
        if let Some(id) = eldest.map(|(id, _)| *id) {
            self.0.remove(&id);
        }
        self.0.len() < KNOWN_AT_MOST
    }

    #[cfg(test)]
    pub(super) fn knows(&self, id: ScraperId) -> bool {
        self.0.contains_key(&id)
    }

    pub(super) fn regular(&self, now: Moment) -> impl Iterator<Item = Regular> {
        let known = self.0.values();
        known.filter_map(move |known| {
            let period = known.period(now)?;
            Some(Regular {
                period: period.length,
                saw: known.saw(period),
                saw_once: known.saw(Period { alike: 1, ..period }),
            })
        })
    }

    /// The regular ones, but for single connections: those that came to this process, or all. Their periods
    /// are whole seconds, so that they do not change all the time.
    pub(super) fn saved(&self, now: Moment, has_to_come: bool) -> Vec<SavedScraper> {
        let known = self.0.iter().filter(|(_, known)| !known.is_connection);
        let came = known.filter(|(_, known)| !has_to_come || known.rhythm.has_come());
        let regular = came.filter_map(|(id, known)| {
            let period = known.period(now)?;
            Some(SavedScraper {
                id: *id,
                period: Duration::from_secs(period.length.as_secs_f64().ceil() as u64),
                served: known.saw(period),
            })
        });
        let mut saved: Vec<SavedScraper> = regular.collect();
        saved.sort_unstable_by_key(|scraper| scraper.id);
        saved
    }
}
