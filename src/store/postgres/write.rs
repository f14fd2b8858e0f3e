//! [`Changes`] to columns: each kind of row is one statement, however many there are.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use super::read::NUMBERS_OF_OPEN;
use super::text::column;
use crate::births::{Generation, SavedScraper};
use crate::event::Minute;
use crate::moment::Moment;
use crate::order::Order;
use crate::saved::{Changes, SavedLog, SavedRequests};
use crate::store::error::Fault;
use crate::store::value;

/// One commit as the statements take it.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) logs: Vec<LogRow>,
    pub(super) buckets: Buckets,
    pub(super) forgotten: Keys,
    pub(super) series: SeriesColumns,
    pub(super) overflowed: Vec<i64>,
    pub(super) tallies: Tallies,
    pub(super) scrapers: Option<Scrapers>,
    pub(super) requests: Option<Requests>,
    /// The newest in which one of the series was born; 0 if in none.
    pub(super) generation: i64,
    /// Whether scrapes may see something else after it.
    pub(super) is_visible: bool,
}

#[derive(Debug)]
pub(super) struct LogRow {
    pub(super) log: &'static str,
    pub(super) order: Option<&'static str>,
    pub(super) closed_place: Option<i64>,
    pub(super) minutes: [Option<i64>; 4],
    pub(super) empty_answers: i64,
    pub(super) complete: bool,
    pub(super) zone: String,
    pub(super) open: Vec<i64>,
}

#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) logs: Vec<&'static str>,
    pub(super) kinds: Vec<&'static str>,
    pub(super) minutes: Vec<i64>,
}

#[derive(Debug, Default)]
pub(super) struct Buckets {
    pub(super) keys: Keys,
    pub(super) totals: Vec<i64>,
    pub(super) most: Vec<i64>,
    pub(super) counted: Vec<Vec<u8>>,
}

#[derive(Debug, Default)]
pub(super) struct SeriesColumns {
    pub(super) logs: Vec<&'static str>,
    pub(super) places: Vec<i64>,
    /// Category, version, hostname and event.
    pub(super) labels: [Vec<String>; 4],
    pub(super) counts: Vec<i64>,
    pub(super) created: Vec<Option<i64>>,
    pub(super) born: Vec<Option<i64>>,
}

#[derive(Debug, Default)]
pub(super) struct Tallies {
    pub(super) logs: Vec<&'static str>,
    pub(super) names: Vec<String>,
    pub(super) lines: Vec<i64>,
}

#[derive(Debug, Default)]
pub(super) struct Scrapers {
    pub(super) ids: Vec<i64>,
    pub(super) periods: Vec<i64>,
    pub(super) served: Vec<i64>,
}

/// Places by how long they are held from now on, so that no clock is compared with another.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pub(super) free_in_us: Vec<i64>,
    pub(super) by_others: Vec<bool>,
    pub(super) paused_for_us: Option<i64>,
}

impl Columns {
    /// The columns of these changes at `now`; refuses what cannot be written.
    pub(super) fn of(changes: &Changes, now: Moment) -> Result<Self, Fault> {
        let saved = &changes.changed;
        let mut columns = Self {
            is_visible: !saved.series.is_empty() || !saved.logs.is_empty(),
            overflowed: saved
                .overflowed
                .iter()
                .map(|one| one.cast_signed())
                .collect(),
            requests: saved
                .requests
                .as_ref()
                .map(|requests| Requests::of(requests, now)),
            ..Self::default()
        };
        let logs = last_of_each(&saved.logs, |log| log.event_type);
        columns.logs = logs.map(LogRow::of).collect::<Result<_, _>>()?;
        for (log, bucket) in last_of_each(&changes.forgotten, |key| **key) {
            columns
                .forgotten
                .push(log.as_str(), value::bucket_columns(*bucket));
        }
        for bucket in last_of_each(&saved.buckets, |bucket| (bucket.event_type, bucket.bucket)) {
            let key = value::bucket_columns(bucket.bucket);
            columns.buckets.keys.push(bucket.event_type.as_str(), key);
            columns.buckets.totals.push(bucket.total.into());
            columns.buckets.most.push(bucket.most_at_once.into());
            columns
                .buckets
                .counted
                .push(value::counted_bytes(&bucket.counted));
        }
        columns.series(changes)?;
        for tally in last_of_each(&saved.tallies, |tally| {
            (tally.event_type, tally.name.as_str())
        }) {
            columns.tallies.logs.push(tally.event_type.as_str());
            columns.tallies.names.push(column(&tally.name).into_owned());
            let lines = value::integer("a number of lines", tally.lines)?;
            columns.tallies.lines.push(lines);
        }
        if let Some(scrapers) = &saved.scrapers {
            columns.scrapers = Some(Scrapers::of(scrapers)?);
        }
        Ok(columns)
    }

    pub(super) fn number_of_scrapers(&self) -> usize {
        self.scrapers
            .as_ref()
            .map_or(0, |scrapers| scrapers.ids.len())
    }

    fn series(&mut self, changes: &Changes) -> Result<(), Fault> {
        let to = &mut self.series;
        for one in last_of_each(&changes.changed.series, |one| (one.event_type, one.place)) {
            to.logs.push(one.event_type.as_str());
            to.places
                .push(value::integer("the place of a series", one.place as u64)?);
            let labels = one.event.labels();
            let texts = [
                labels.category,
                labels.version,
                labels.hostname,
                labels.event,
            ];
            for (column_of, text) in to.labels.iter_mut().zip(texts) {
                column_of.push(column(text).into_owned());
            }
            to.counts
                .push(value::integer("the count of a series", one.count)?);
            to.created.push(one.birth.created.map(i64::from));
            let born = one.birth.zero.map(|Generation(born)| i64::from(born));
            self.generation = self.generation.max(born.unwrap_or(0));
            to.born.push(born);
        }
        Ok(())
    }
}

impl LogRow {
    fn of(log: &SavedLog) -> Result<Self, Fault> {
        let minute = |minute: Option<Minute>| minute.map(|Minute(minute)| minute);
        let mut open = Vec::with_capacity(log.open.len() * NUMBERS_OF_OPEN);
        for one in &log.open {
            let Minute(minute) = one.minute;
            open.extend([
                minute,
                one.attempts.into(),
                one.postponed.into(),
                one.uncounted.into(),
            ]);
        }
        let place = log.closed_place;
        Ok(Self {
            log: log.event_type.as_str(),
            order: log.order.map(Order::as_str),
            closed_place: place
                .map(|place| value::integer("a place in the log", place))
                .transpose()?,
            minutes: [
                minute(log.horizon),
                minute(log.closed_below),
                minute(log.late_from),
                minute(log.second_hour),
            ],
            empty_answers: log.empty_answers.into(),
            complete: log.complete,
            zone: column(&log.zone).into_owned(),
            open,
        })
    }
}

impl Keys {
    fn push(&mut self, log: &'static str, (kind, minute): (&'static str, i64)) {
        self.logs.push(log);
        self.kinds.push(kind);
        self.minutes.push(minute);
    }
}

impl Scrapers {
    pub(super) fn of(scrapers: &[SavedScraper]) -> Result<Self, Fault> {
        let mut columns = Self::default();
        for scraper in last_of_each(scrapers, |scraper| scraper.id) {
            let period = scraper.period.as_secs();
            columns.ids.push(scraper.id.0.cast_signed());
            columns
                .periods
                .push(value::integer("the period of a scraper", period)?);
            columns.served.push(scraper.served.0.into());
        }
        Ok(columns)
    }
}

impl Requests {
    fn of(requests: &SavedRequests, now: Moment) -> Self {
        let us = |until: Moment| microseconds(until.since(now));
        Self {
            free_in_us: requests
                .places
                .iter()
                .map(|place| us(place.free_at))
                .collect(),
            by_others: requests.places.iter().map(|place| place.foreign).collect(),
            paused_for_us: requests.paused_until.map(us),
        }
    }
}

/// Whole microseconds, the begun one too.
pub(super) fn microseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos().div_ceil(1_000)).unwrap_or(i64::MAX)
}

/// Of the entries with the same key the last, in the order of their keys' first ones: a statement
/// cannot write one row twice.
fn last_of_each<'a, T, K: Eq + Hash>(
    entries: &'a [T],
    key: impl Fn(&&'a T) -> K,
) -> impl Iterator<Item = &'a T> {
    let mut places: HashMap<K, usize> = HashMap::with_capacity(entries.len());
    let mut last: Vec<&T> = Vec::with_capacity(entries.len());
    for entry in entries {
        match places.entry(key(&entry)) {
            std::collections::hash_map::Entry::Occupied(place) => {
                if let Some(known) = last.get_mut(*place.get()) {
                    *known = entry;
                }
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(last.len());
                last.push(entry);
            }
        }
    }
    last.into_iter()
}
