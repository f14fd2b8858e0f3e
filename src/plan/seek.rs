//! Oldest first: where to start reading so that the read ends at the end of the log.
//!
//! Either back from the place of a closed line, which was near the end last time; or, when nothing
//! is known, by doubling and halving to the end, then by halving to the first line that counts.

use std::collections::BTreeMap;

use super::log_state::{LogState, Reach};
use super::minutes_of;
use crate::event::Minute;
use crate::sighting::{Bucket, Sighting};
use crate::stitch::Response;
use crate::window::{PAGE, Query};

/// Neither lines a little out of order nor an hour that the clock was put back move the middle of a
/// page back by as much as this.
const FALL_MINUTES: i64 = 90;

/// Looking for the place to start from.
#[derive(Debug)]
pub(super) struct Seek {
    stage: Stage,
    asked: Query,
    /// The first minutes of the pages seen on the way.
    seen: Vec<(u64, Minute)>,
    /// Of all lines seen on the way, by page: some are asked for twice.
    buckets: BTreeMap<u64, Vec<Bucket>>,
    /// The middle minutes of the pages seen on the way.
    middles: BTreeMap<u64, Minute>,
    /// The page at which the log was seen to end.
    last_page: Option<u64>,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Page `full` is full, and page `beyond`, if one is known, is past the end or the last. That
    /// it is past the end, one answer alone does not prove.
    End { full: u64, beyond: Option<u64> },
    /// What counts starts on page `below` or later, and before page `above`.
    Start { below: u64, above: u64 },
    /// Reading may start here, if the line there is closed still; else so much further back.
    Back { place: u64, step: u64 },
}

/// Whether a place to start from was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    NotYet,
    /// The answer just given is the first of the read.
    Start,
    /// Pages further on hold older lines: the oldest do not come first.
    Nonsense,
}

impl Seek {
    /// Starts from a place that was in closed minutes.
    pub(super) fn back_from(place: u64) -> Self {
        Self {
            stage: Stage::Back { place, step: PAGE },
            asked: Query::from(place),
            seen: Vec::new(),
            buckets: BTreeMap::new(),
            middles: BTreeMap::new(),
            last_page: None,
        }
    }

    /// Looks for the end, given a full page 1.
    pub(super) fn for_the_end(first_page: &[Sighting]) -> Self {
        Self {
            stage: Stage::End {
                full: 1,
                beyond: None,
            },
            asked: Query::full(2),
            buckets: BTreeMap::from([(1, buckets_of(first_page))]),
            last_page: None,
            middles: middle(first_page).map(|m| (1, m)).into_iter().collect(),
            seen: first_minute(first_page)
                .map(|m| (1, m))
                .into_iter()
                .collect(),
        }
    }

    pub(super) fn query(&self) -> Query {
        self.asked
    }

    /// Takes the answer to [`Self::query`].
    pub(super) fn answer(&mut self, page: &Response, state: &mut LogState, reach: Reach) -> Found {
        match self.stage.clone() {
            Stage::End { full, beyond } => self.towards_the_end(full, beyond, page, state, reach),
            Stage::Start { below, above } => self.towards_the_start(below, above, page, state),
            Stage::Back { place, step } => self.further_back(place, step, page, state),
        }
    }

    fn towards_the_end(
        &mut self,
        full: u64,
        beyond: Option<u64>,
        page: &Response,
        state: &mut LogState,
        reach: Reach,
    ) -> Found {
        let asked = self.asked.page;
        if let Some(minute) = first_minute(&page.sightings) {
            self.seen.push((asked, minute));
        }
        if let Some(middle) = middle(&page.sightings) {
            self.middles.insert(asked, middle);
        }
        let falls = |pair: (&Minute, &Minute)| pair.1.0 < pair.0.0 - FALL_MINUTES;
        if self
            .middles
            .values()
            .zip(self.middles.values().skip(1))
            .any(falls)
        {
            return Found::Nonsense;
        }
        self.buckets.insert(asked, buckets_of(&page.sightings));
        if page.is_short() && !page.sightings.is_empty() {
            self.last_page = Some(asked);
        }
        let (full, beyond, proven) = if !page.is_short() {
            let beyond = beyond.filter(|beyond| *beyond > asked);
            (asked, beyond, beyond.is_some() && beyond == self.last_page)
        } else {
            let proven = self.last_page == Some(asked) || beyond == Some(asked);
            (full, Some(asked), proven)
        };
        let next = match beyond {
            None => full.saturating_mul(2),
            Some(beyond) if beyond > full + 1 => u64::midpoint(full, beyond),
            Some(beyond) if !proven => beyond,
            Some(beyond) => {
                state.order_is_proven = true;
                state.begin(self.buckets.values().flatten().copied(), reach);
                return self.between_seen_pages(beyond, state);
            }
        };
        self.asked = Query::full(next);
        self.stage = Stage::End { full, beyond };
        Found::NotYet
    }

    /// The end is known: looks for the start between the pages already seen.
    fn between_seen_pages(&mut self, end: u64, state: &LogState) -> Found {
        let open_from = state.open_from();
        let closed = |minute: Minute| open_from.is_some_and(|open| minute < open);
        let below = self.seen.iter().filter(|(_, minute)| closed(*minute));
        let below = below.map(|(page, _)| *page).max().unwrap_or(0);
        let above = self.seen.iter().filter(|(_, minute)| !closed(*minute));
        let above = above.map(|(page, _)| *page).filter(|page| *page > below);
        self.halve(below, above.min().unwrap_or(end))
    }

    fn towards_the_start(
        &mut self,
        below: u64,
        above: u64,
        page: &Response,
        state: &LogState,
    ) -> Found {
        let asked = self.asked.page;
        let first = first_minute(&page.sightings);
        if first.is_some_and(|minute| state.open_from().is_some_and(|open| minute < open)) {
            self.halve(asked, above)
        } else {
            self.halve(below, asked)
        }
    }

    fn halve(&mut self, below: u64, above: u64) -> Found {
        if above > below + 1 {
            self.asked = Query::full(u64::midpoint(below, above));
            self.stage = Stage::Start { below, above };
        } else {
            self.asked = Query::full(below);
            self.stage = Stage::Back {
                place: self.asked.start(),
                step: PAGE,
            };
        }
        Found::NotYet
    }

    /// Starts here if the first line is in a closed minute, or there is nothing further back. The
    /// old end of the log shrinks by retention, so that a place may show newer lines than before.
    fn further_back(&mut self, place: u64, step: u64, page: &Response, state: &LogState) -> Found {
        let first = first_minute(&page.sightings);
        let closed = first.is_some_and(|minute| state.open_from().is_some_and(|m| minute < m));
        if closed || page.start == 0 {
            return Found::Start;
        }
        let place = place.saturating_sub(step);
        self.asked = Query::from(place);
        self.stage = Stage::Back {
            place,
            step: step.saturating_mul(2),
        };
        Found::NotYet
    }
}

/// The minute of the middle one of the lines, which a stray does not move; none where a local time
/// occurs twice.
fn middle(sightings: &[Sighting]) -> Option<Minute> {
    if sightings.iter().any(|s| s.again.is_some()) {
        return None;
    }
    let mut minutes: Vec<Minute> = minutes_of(sightings).collect();
    minutes.sort_unstable();
    minutes.get(minutes.len() / 2).copied()
}

fn buckets_of(sightings: &[Sighting]) -> Vec<Bucket> {
    sightings.iter().map(|s| s.id.bucket).collect()
}

fn first_minute(sightings: &[Sighting]) -> Option<Minute> {
    minutes_of(sightings).next()
}
