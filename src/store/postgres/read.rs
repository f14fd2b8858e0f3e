//! Rows to [`Saved`].

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use tokio_postgres::Row;

use super::text::text;
use crate::births::{Birth, SavedScraper, ScraperId};
use crate::clock;
use crate::event::{Account, Event, EventType, Labels, Minute};
use crate::moment::Moment;
use crate::saved::{
    SavedBucket, SavedLog, SavedOpen, SavedPlace, SavedRequests, SavedSeries, SavedTally,
};
use crate::store::error::Fault;
use crate::store::value;

/// Numbers of each minute that could not be told apart.
pub(super) const NUMBERS_OF_OPEN: usize = 4;

pub(super) fn log(row: &Row) -> Result<SavedLog, Fault> {
    let order: Option<&str> = row.try_get(1)?;
    let place: Option<i64> = row.try_get(2)?;
    let minute = |column: usize| -> Result<_, Fault> {
        Ok(row.try_get::<_, Option<i64>>(column)?.map(Minute))
    };
    let open: Vec<i64> = row.try_get(10)?;
    let (open, rest) = open.as_chunks::<NUMBERS_OF_OPEN>();
    if !rest.is_empty() {
        return Err(value::odd("the numbers of open minutes", rest.len()));
    }
    Ok(SavedLog {
        event_type: log_of(row, 0)?,
        order: order.map(value::order).transpose()?,
        closed_place: place
            .map(|place| value::unsigned("a place in the log", place))
            .transpose()?,
        horizon: minute(3)?,
        closed_below: minute(4)?,
        late_from: minute(5)?,
        second_hour: minute(6)?,
        empty_answers: value::small("a number of empty answers", row.try_get(7)?)?,
        complete: row.try_get(8)?,
        zone: text(row.try_get(9)?).into_owned(),
        open: open.iter().map(open_minute).collect::<Result<_, _>>()?,
    })
}

fn open_minute([minute, attempts, postponed, uncounted]: &[i64; 4]) -> Result<SavedOpen, Fault> {
    Ok(SavedOpen {
        minute: Minute(*minute),
        attempts: u8::try_from(*attempts)
            .map_err(|_| value::odd("a number of attempts", attempts))?,
        postponed: value::flag("postponed or not", *postponed)?,
        uncounted: value::small("a number of lines", *uncounted)?,
    })
}

pub(super) fn bucket(row: &Row) -> Result<SavedBucket, Fault> {
    Ok(SavedBucket {
        event_type: log_of(row, 0)?,
        bucket: value::bucket(row.try_get(1)?, row.try_get(2)?)?,
        total: value::small("the total of a minute", row.try_get(3)?)?,
        most_at_once: value::small("the most lines of a minute", row.try_get(4)?)?,
        counted: value::counted(row.try_get(5)?)?,
    })
}

/// A series whose columns begin at `from`.
pub(super) fn series(row: &Row, from: usize) -> Result<SavedSeries, Fault> {
    let label = |nth: usize| -> Result<_, Fault> { Ok(text(row.try_get(from + 2 + nth)?)) };
    let [category, version, hostname, event] = [label(0)?, label(1)?, label(2)?, label(3)?];
    let event = Event::new(Labels {
        category: &category,
        version: &version,
        hostname: &hostname,
        event: &event,
    });
    let place = value::unsigned("the place of a series", row.try_get(from + 1)?)?;
    Ok(SavedSeries {
        event_type: log_of(row, from)?,
        event,
        place: usize::try_from(place).map_err(|_| value::odd("the place of a series", place))?,
        count: value::unsigned("the count of a series", row.try_get(from + 6)?)?,
        birth: Birth {
            created: row
                .try_get::<_, Option<i64>>(from + 7)?
                .map(|created| value::small("when a series was born", created))
                .transpose()?,
            zero: row
                .try_get::<_, Option<i64>>(from + 8)?
                .map(value::generation)
                .transpose()?,
        },
    })
}

pub(super) fn tally(row: &Row) -> Result<SavedTally, Fault> {
    Ok(SavedTally {
        event_type: log_of(row, 0)?,
        name: text(row.try_get(1)?).into_owned(),
        lines: value::unsigned("a number of lines", row.try_get(2)?)?,
    })
}

pub(super) fn overflowed(row: &Row) -> Result<u64, Fault> {
    Ok(row.try_get::<_, i64>(0)?.cast_unsigned())
}

/// Who scraped a replica.
#[derive(Debug)]
pub(super) struct Scraped {
    pub(super) replica: String,
    pub(super) scraper: SavedScraper,
    /// Whether the replica lives; and whether it died so lately that the scraper is not overdue.
    pub(super) lives: bool,
    pub(super) is_expected: bool,
}

impl Scraped {
    /// Whether a replica of this name is to wait for it, though it does not scrape that one.
    pub(super) fn is_to_be_waited_for_by(&self, replica: &str) -> bool {
        (self.lives || self.is_expected) && self.replica != replica
    }

    /// Whether it may scrape a replica of this name next, which lived all the while.
    pub(super) fn is_left_to(&self, replica: &str) -> bool {
        (self.is_expected && !self.lives) || self.replica == replica
    }
}

pub(super) fn scraped(row: &Row) -> Result<Scraped, Fault> {
    Ok(Scraped {
        replica: row.try_get(0)?,
        scraper: scraper(row)?,
        lives: row.try_get(4)?,
        is_expected: row.try_get(5)?,
    })
}

/// From the second column on.
pub(super) fn scraper(row: &Row) -> Result<SavedScraper, Fault> {
    let period = value::unsigned("the period of a scraper", row.try_get(2)?)?;
    Ok(SavedScraper {
        id: ScraperId(row.try_get::<_, i64>(1)?.cast_unsigned()),
        period: Duration::from_secs(period),
        served: value::generation(row.try_get(3)?)?,
    })
}

/// What accounts have paid for, by moments of this machine's clock. The database's own was read before
/// this, so that a place is held for as long, or a little longer.
pub(super) fn requests(rows: &[Row]) -> Result<BTreeMap<Account, SavedRequests>, Fault> {
    let now = clock::now();
    let mut all: BTreeMap<Account, SavedRequests> = BTreeMap::new();
    for row in rows {
        let name = text(row.try_get(0)?);
        let database_now: i64 = row.try_get(1)?;
        let (places, by_others): (Vec<i64>, Vec<bool>) = (row.try_get(2)?, row.try_get(3)?);
        if places.len() != by_others.len() {
            return Err(value::odd("a number of places", places.len()));
        }
        let paused: Option<i64> = row.try_get(4)?;
        let here = |us: i64| after(now, us.saturating_sub(database_now));
        let places = places.iter().zip(by_others);
        let places = places
            .filter_map(|(us, foreign)| here(*us).map(|free_at| SavedPlace { free_at, foreign }));
        let requests = SavedRequests {
            boot: clock::boot(),
            places: places.collect(),
            paused_until: paused.and_then(here),
        };
        // One that has another credential now has paid by both.
        match all.entry(Account::new(&name)) {
            Entry::Vacant(entry) => drop(entry.insert(requests)),
            Entry::Occupied(mut entry) => entry.get_mut().join(requests, usize::MAX),
        }
    }
    Ok(all)
}

/// So many microseconds from now on; none if that is past.
fn after(now: Moment, us: i64) -> Option<Moment> {
    let us = u64::try_from(us).ok().filter(|us| *us > 0)?;
    Some(now.plus(Duration::from_micros(us)))
}

pub(super) fn log_of(row: &Row, column: usize) -> Result<EventType, Fault> {
    value::log(row.try_get(column)?)
}
