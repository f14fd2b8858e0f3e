//! [`Changes`] to rows. Each row is replaced by its key, so that a commit costs what it changes,
//! whatever is kept beside it.

use rusqlite::{Connection, Params, params};

use super::error::Fault;
use super::statements as sql;
use super::{read, value};
use crate::births::{Generation, SavedScraper};
use crate::event::{Account, Minute};
use crate::order::Order;
use crate::saved::{
    Changes, Identity, SavedBucket, SavedLog, SavedRequests, SavedSeries, SavedTally,
};

/// Writes who a new state is.
pub(super) fn identity(db: &Connection, identity: &Identity) -> Result<(), Fault> {
    let created = value::nanoseconds("the time of creation", identity.created)?;
    let values = params![identity.epoch, created, identity.key];
    put(db, sql::SET_IDENTITY, values)
}

/// Writes a row anew as it is, to see whether that can be done.
pub(super) fn touch(db: &Connection) -> Result<(), Fault> {
    put(db, sql::TOUCH, [])
}

/// Refuses what cannot be written, so that it keeps nobody else's changes from being saved.
pub(super) fn check(changes: &Changes) -> Result<(), Fault> {
    let saved = &changes.changed;
    for log in &saved.logs {
        closed_place(log)?;
    }
    for series in &saved.series {
        count(series)?;
    }
    for tally in &saved.tallies {
        lines(tally)?;
    }
    for scraper in saved.scrapers.iter().flatten() {
        period(scraper)?;
    }
    if let Some(requests) = &saved.requests {
        paused_until(requests)?;
        free_at(requests)?;
    }
    Ok(())
}

/// Writes the changes of one account: what is forgotten first, so that a bucket which is named
/// among both is kept.
pub(super) fn changes(db: &Connection, account: &Account, changes: &Changes) -> Result<(), Fault> {
    let account = number_of(db, account)?;
    for (log, bucket) in &changes.forgotten {
        let (kind, minute) = value::bucket_columns(*bucket);
        let key = params![account, log.as_str(), kind, minute];
        put(db, sql::FORGET_BUCKET, key)?;
    }
    let saved = &changes.changed;
    for log in &saved.logs {
        set_log(db, account, log)?;
    }
    for bucket in &saved.buckets {
        set_bucket(db, account, bucket)?;
    }
    for series in &saved.series {
        set_series(db, account, series)?;
    }
    for tally in &saved.tallies {
        let values = params![
            account,
            tally.event_type.as_str(),
            tally.name,
            lines(tally)?
        ];
        put(db, sql::SET_TALLY, values)?;
    }
    for fingerprint in &saved.overflowed {
        put(
            db,
            sql::ADD_OVERFLOWED,
            params![account, fingerprint.cast_signed()],
        )?;
    }
    if let Some(scrapers) = &saved.scrapers {
        set_scrapers(db, account, scrapers)?;
    }
    match &saved.requests {
        Some(requests) => set_requests(db, account, requests),
        None => Ok(()),
    }
}

fn set_scrapers(db: &Connection, account: i64, scrapers: &[SavedScraper]) -> Result<(), Fault> {
    put(db, sql::CLEAR_SCRAPERS, [account])?;
    for scraper in scrapers {
        let Generation(served) = scraper.served;
        let values = params![
            account,
            scraper.id.0.cast_signed(),
            period(scraper)?,
            served
        ];
        put(db, sql::ADD_SCRAPER, values)?;
    }
    Ok(())
}

fn period(scraper: &SavedScraper) -> Result<i64, Fault> {
    value::integer("the period of a scraper", scraper.period.as_secs())
}

fn number_of(db: &Connection, account: &Account) -> Result<i64, Fault> {
    if let Some(number) = read::account(db, account)? {
        return Ok(number);
    }
    put(db, sql::ADD_ACCOUNT, [account.as_str()])?;
    let number = read::account(db, account)?;
    number.ok_or_else(|| Fault::Odd("an account that was added is not there".to_owned()))
}

fn set_log(db: &Connection, account: i64, log: &SavedLog) -> Result<(), Fault> {
    let name = log.event_type.as_str();
    let minute = |minute: Option<Minute>| minute.map(|Minute(minute)| minute);
    let values = params![
        account,
        name,
        log.order.map(Order::as_str),
        closed_place(log)?,
        minute(log.horizon),
        minute(log.closed_below),
        minute(log.second_hour),
        log.empty_answers,
        log.complete,
        log.zone,
        minute(log.late_from),
    ];
    put(db, sql::SET_LOG, values)?;
    put(db, sql::CLEAR_OPEN_MINUTES, params![account, name])?;
    for open in &log.open {
        let Minute(minute) = open.minute;
        let values = params![
            account,
            name,
            minute,
            open.attempts,
            open.postponed,
            open.uncounted
        ];
        put(db, sql::ADD_OPEN_MINUTE, values)?;
    }
    Ok(())
}

fn set_bucket(db: &Connection, account: i64, bucket: &SavedBucket) -> Result<(), Fault> {
    let (kind, minute) = value::bucket_columns(bucket.bucket);
    let values = params![
        account,
        bucket.event_type.as_str(),
        kind,
        minute,
        bucket.total,
        bucket.most_at_once,
        value::counted_bytes(&bucket.counted),
    ];
    put(db, sql::SET_BUCKET, values)
}

fn set_series(db: &Connection, account: i64, series: &SavedSeries) -> Result<(), Fault> {
    let labels = series.event.labels();
    let values = params![
        account,
        series.event_type.as_str(),
        labels.category,
        labels.version,
        labels.hostname,
        labels.event,
        count(series)?,
        series.birth.created,
        series.birth.zero.map(|Generation(born)| born),
    ];
    put(db, sql::SET_SERIES, values)
}

fn set_requests(db: &Connection, account: i64, requests: &SavedRequests) -> Result<(), Fault> {
    let values = params![account, requests.boot, paused_until(requests)?];
    put(db, sql::SET_REQUESTS, values)?;
    put(db, sql::CLEAR_PLACES, [account])?;
    for (position, (place, free_at)) in
        (0_i64..).zip(requests.places.iter().zip(free_at(requests)?))
    {
        let values = params![account, position, free_at, place.foreign];
        put(db, sql::ADD_PLACE, values)?;
    }
    Ok(())
}

fn closed_place(log: &SavedLog) -> Result<Option<i64>, Fault> {
    let place = log.closed_place;
    place
        .map(|place| value::integer("a place in the log", place))
        .transpose()
}

fn count(series: &SavedSeries) -> Result<i64, Fault> {
    value::integer("the count of a series", series.count)
}

fn lines(tally: &SavedTally) -> Result<i64, Fault> {
    value::integer("a number of lines", tally.lines)
}

fn paused_until(requests: &SavedRequests) -> Result<Option<i64>, Fault> {
    let until = requests.paused_until;
    until
        .map(|until| value::nanoseconds("a moment", until.0))
        .transpose()
}

fn free_at(requests: &SavedRequests) -> Result<Vec<i64>, Fault> {
    let places = requests.places.iter();
    places
        .map(|place| value::nanoseconds("a moment", place.free_at.0))
        .collect()
}

fn put(db: &Connection, sql: &str, values: impl Params) -> Result<(), Fault> {
    db.prepare_cached(sql)?.execute(values)?;
    Ok(())
}
