//! Birth at zero: a new series is shown as 0 until every regular scraper was sent that, and takes
//! its value at one moment for all of them. `increase()` needs two samples: without the first one,
//! a host that installs once would never be seen to.
//!
//! The series that are born between two shows are one [`Generation`]. What a scraper was sent in
//! full is told by the newest generation in it.

mod rhythm;
mod scrapers;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use crate::moment::Moment;
use scrapers::{Regular, Scrapers};

/// The longest that a series is shown at zero for the sake of scrapers that were sent that.
const AUTO_AT_MOST: Duration = Duration::from_mins(5);

/// The series that were shown first at the same time. Later ones are larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

/// Who scrapes, as far as it can be told: a keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScraperId(pub u64);

/// Who asked, and by which connection: what looks like one scraper may be several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scraper {
    pub id: ScraperId,
    /// Of this connection alone.
    pub connection: ScraperId,
}

/// How a series came into the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Birth {
    /// Since when its lines are counted, in seconds since the Unix epoch; none if nobody knows.
    pub created: Option<u32>,
    /// The generation in which it is shown at zero; none if at its value.
    pub zero: Option<Generation>,
}

/// How long a new series is shown at zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZeroFor {
    /// A little more than the longest interval of a regular scraper.
    Auto,
    /// So long at least. Zero means that it appears at its value.
    Fixed(Duration),
}

/// A regular scraper, as it is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedScraper {
    pub id: ScraperId,
    /// Within this it comes again.
    pub period: Duration,
    /// The newest generation that it was sent, often enough for all that look like it.
    pub served: Generation,
}

/// Which newborn series may be shown at their values.
#[derive(Clone, Debug)]
pub struct Births {
    zero_for: ZeroFor,
    /// The newest generation that was shown.
    newest: Generation,
    /// The generations at zero, the eldest first, and since when each is shown.
    waiting: VecDeque<(Generation, Moment)>,
    scrapers: Scrapers,
    /// The regular scrapers of other processes that show the same, as those saved them.
    others: Vec<SavedScraper>,
}

impl Births {
    /// Nobody has scraped, and nothing was born.
    pub fn new(zero_for: ZeroFor) -> Self {
        Self {
            zero_for,
            newest: Generation::default(),
            waiting: VecDeque::new(),
            scrapers: Scrapers::default(),
            others: Vec::new(),
        }
    }

    /// Takes over from another process, of which `newest` is the newest generation that was ever shown,
    /// and these were at zero: they are shown for as long again. Who scraped this process is still known.
    pub fn take_over(
        &mut self,
        newest: Generation,
        at_zero: impl Iterator<Item = Generation>,
        now: Moment,
    ) {
        self.wait_for(at_zero, now);
        let waiting = self.waiting.back().map(|(born, _)| *born);
        self.newest = self.newest.max(newest).max(waiting.unwrap_or_default());
    }

    /// Notes who scraped a process that is gone, and may come here next; or come again, where it was this
    /// one. Who is known to be regular stays as it is.
    pub fn inherit(&mut self, left: &[SavedScraper], now: Moment) {
        self.scrapers.inherit(left, now);
    }

    /// Goes on with those who came to the same account of this process until now.
    pub fn keep_scrapers_of(&mut self, before: Self) {
        self.scrapers = before.scrapers;
    }

    /// Notes who scrapes the other processes that show the same.
    pub fn others_are(&mut self, others: Vec<SavedScraper>) {
        self.others = others;
    }

    /// Whether series are shown at zero.
    pub fn are_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn wait_for(&mut self, at_zero: impl Iterator<Item = Generation>, now: Moment) {
        let mut waiting: Vec<Generation> = at_zero.collect();
        waiting.sort_unstable();
        waiting.dedup();
        self.waiting = waiting.into_iter().map(|born| (born, now)).collect();
    }

    /// Goes on from what was saved: the regular scrapers, and the generations that were at zero.
    /// Those are shown for as long again, since how long the process was away is not known.
    pub fn resume(
        &mut self,
        saved: &[SavedScraper],
        at_zero: impl Iterator<Item = Generation>,
        now: Moment,
    ) {
        self.wait_for(at_zero, now);
        let served = saved.iter().map(|scraper| scraper.served);
        let waiting = self.waiting.iter().map(|(born, _)| *born);
        self.newest = served.chain(waiting).max().unwrap_or_default();
        self.scrapers = Scrapers::default();
        self.scrapers.inherit(saved, now);
    }

    /// What a series that is born now is shown in first; none if at its value.
    pub fn next(&self) -> Option<Generation> {
        let Generation(newest) = self.newest;
        let is_off = self.zero_for == ZeroFor::Fixed(Duration::ZERO);
        (!is_off).then_some(Generation(newest.saturating_add(1)))
    }

    /// Notes that what was born into [`Self::next`] is shown at zero from now on.
    pub fn are_shown(&mut self, now: Moment) {
        if let Some(next) = self.next() {
            self.newest = next;
            self.waiting.push_back((next, now));
        }
    }

    /// The newest generation that is shown.
    pub fn newest(&self) -> Generation {
        self.newest
    }

    /// Notes that a request arrived. Scrapers that look alike are told apart by their connections,
    /// as long as they keep them.
    pub fn came(&mut self, scraper: Scraper, arrived: Moment) {
        self.scrapers.came(scraper.id, false, arrived);
        self.scrapers.came(scraper.connection, true, arrived);
    }

    /// Notes that its answer was sent in full, with all generations up to this one.
    pub fn served(&mut self, scraper: Scraper, generation: Generation) {
        self.scrapers.served(scraper.id, generation);
        self.scrapers.served(scraper.connection, generation);
    }

    /// The newest generation that may take its value now, with all before it.
    pub fn ripe(&self, now: Moment) -> Option<Generation> {
        let others = self.others.iter().map(|other| Regular {
            period: other.period,
            saw: other.served,
            saw_once: other.served,
        });
        let regular: Vec<Regular> = self.scrapers.regular(now).chain(others).collect();
        let longest = regular.iter().map(|scraper| scraper.period).max();
        let least = match self.zero_for {
            ZeroFor::Auto => (longest.unwrap_or_default() * 11 / 10).min(AUTO_AT_MOST),
            ZeroFor::Fixed(least) => least,
        };
        let is_ripe = |(born, shown): &&(Generation, Moment)| {
            let age = now.since(*shown);
            // Those who scrape seldom are not waited for until all who look like them came too.
            let saw = |scraper: &Regular| match age >= AUTO_AT_MOST {
                true => scraper.saw_once >= *born,
                false => scraper.saw >= *born,
            };
            age >= least && regular.iter().all(saw)
        };
        let ripe = self.waiting.iter().take_while(is_ripe);
        ripe.last().map(|(born, _)| *born)
    }

    /// Notes that this generation and all before have their values.
    pub fn grew_up(&mut self, generation: Generation) {
        self.waiting.retain(|(born, _)| *born > generation);
    }

    /// How many scrapers are regular, those that look alike as one.
    pub fn regular(&self, now: Moment) -> usize {
        self.saved(now).len()
    }

    /// The regular scrapers, to be saved.
    pub fn saved(&self, now: Moment) -> Vec<SavedScraper> {
        self.scrapers.saved(now, false)
    }

    /// Those of them that came to this process: others may have gone elsewhere.
    pub fn came_here(&self, now: Moment) -> Vec<SavedScraper> {
        self.scrapers.saved(now, true)
    }
}
