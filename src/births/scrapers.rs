//! Who scrapes, and what each was sent.

use std::collections::HashMap;
use std::time::Duration;

use super::rhythm::{ALIKE_AT_MOST, Period, Rhythm};
use super::{Generation, SavedScraper, ScraperId};
use crate::moment::Moment;

/// More are not told apart: strangers with ever new names use no memory.
const KNOWN_AT_MOST: usize = 1000;

/// Who was not seen for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(1);

#[derive(Clone, Debug, Default)]
pub(super) struct Scrapers(HashMap<ScraperId, Scraper>);

#[derive(Clone, Debug)]
struct Scraper {
    rhythm: Rhythm,
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

impl Scraper {
    fn saw(&self, period: Period) -> Generation {
        let last = period.alike.saturating_sub(1);
        self.served.get(last).copied().unwrap_or_default()
    }
}

impl Scrapers {
    pub(super) fn restore(saved: &[SavedScraper], now: Moment) -> Self {
        let scraper = |saved: &SavedScraper| {
            let rhythm = Rhythm::resume(saved.period, now);
            let served = [saved.served; ALIKE_AT_MOST];
            (saved.id, Scraper { rhythm, served })
        };
        Self(saved.iter().take(KNOWN_AT_MOST).map(scraper).collect())
    }

    pub(super) fn served(&mut self, id: ScraperId, generation: Generation, arrived: Moment) {
        if let Some(known) = self.0.get_mut(&id) {
            known.rhythm.came(arrived);
            known.served.rotate_right(1);
            known.served[0] = generation;
        } else if self.has_room(arrived) {
            let mut served = [Generation::default(); ALIKE_AT_MOST];
            served[0] = generation;
            let rhythm = Rhythm::new(arrived);
            self.0.insert(id, Scraper { rhythm, served });
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
            .filter(|(_, known)| known.rhythm.period(now).is_none());
        let eldest = strangers.min_by_key(|(id, known)| (known.rhythm.last(), **id));
        if let Some(id) = eldest.map(|(id, _)| *id) {
            self.0.remove(&id);
        }
        self.0.len() < KNOWN_AT_MOST
    }

    pub(super) fn regular(&self, now: Moment) -> impl Iterator<Item = Regular> {
        let known = self.0.values();
        known.filter_map(move |known| {
            let period = known.rhythm.period(now)?;
            Some(Regular {
                period: period.length,
                saw: known.saw(period),
                saw_once: known.served[0],
            })
        })
    }

    /// The regular ones. Their periods are whole seconds, so that they do not change all the time.
    pub(super) fn saved(&self, now: Moment) -> Vec<SavedScraper> {
        let known = self.0.iter();
        let regular = known.filter_map(|(id, known)| {
            let period = known.rhythm.period(now)?;
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
