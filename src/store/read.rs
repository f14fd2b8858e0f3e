//! Rows to [`Saved`].

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use super::error::Fault;
use super::statements as sql;
use super::value;
use crate::births::{Birth, SavedScraper, ScraperId};
use crate::event::{Account, Event, EventType, Labels, Minute};
use crate::saved::{
    Identity, Saved, SavedBucket, SavedLog, SavedOpen, SavedPlace, SavedRequests, SavedSeries,
    SavedTally,
};

/// Which state this is.
pub(super) fn identity(db: &Connection) -> Result<Identity, Fault> {
    let mut all = rows(db, sql::IDENTITY, [], |row| {
        Ok(Identity {
            epoch: value::epoch(row.get(0)?)?,
            created: value::duration("the time of creation", row.get(1)?)?,
            key: row.get(2)?,
        })
    })?;
    match (all.pop(), all.len()) {
        (Some(identity), 0) => Ok(identity),
        _ => Err(Fault::Odd("it has no identity, or several".to_owned())),
    }
}

/// The number of an account in the tables, if anything was saved of it.
pub(super) fn account(db: &Connection, account: &Account) -> Result<Option<i64>, Fault> {
    let mut statement = db.prepare_cached(sql::ACCOUNT)?;
    let id = statement.query_row([account.as_str()], |row| row.get(0));
    Ok(id.optional()?)
}

/// Reads all that there is, so that what is damaged is noticed before anything is written.
pub(super) fn check(db: &Connection) -> Result<(), Fault> {
    let accounts = rows(db, sql::ACCOUNTS, [], |row| Ok(row.get(0)?))?;
    for account in accounts {
        saved(db, account, drop)?;
    }
    Ok(())
}

/// How many series are kept of each account.
pub(super) fn series_of_all(db: &Connection) -> Result<BTreeMap<Account, u64>, Fault> {
    let number = |id: i64| -> Result<u64, Fault> {
        let number = db.query_row(sql::NUMBER_OF_SERIES, [id], |row| row.get(0))?;
        value::unsigned("a number of series", number)
    };
    let all = names(db)?.into_iter();
    all.map(|(id, account)| Ok((account, number(id)?)))
        .collect()
}

/// The requests that each account has paid for, as of one moment.
pub(super) fn requests_of_all(db: &Connection) -> Result<BTreeMap<Account, SavedRequests>, Fault> {
    let _as_of_now = db.unchecked_transaction()?;
    let mut all = BTreeMap::new();
    for (id, account) in names(db)? {
        if let Some(requests) = requests(db, id)? {
            all.insert(account, requests);
        }
    }
    Ok(all)
}

fn names(db: &Connection) -> Result<Vec<(i64, Account)>, Fault> {
    rows(db, sql::ACCOUNT_NAMES, [], |row| {
        Ok((row.get(0)?, Account::new(&row.get::<_, String>(1)?)))
    })
}

/// So many series are given at a time.
const SOME: usize = 500;

/// All that is kept of the account of that number; its series go to `some_series`, some at a time.
pub(super) fn saved(
    db: &Connection,
    account: i64,
    mut some_series: impl FnMut(Vec<SavedSeries>),
) -> Result<Saved, Fault> {
    let mut some = Vec::new();
    each_row(db, sql::SERIES, [account], |row| {
        some.push(series(row)?);
        if some.len() == SOME {
            some_series(std::mem::take(&mut some));
        }
        Ok(())
    })?;
    some_series(some);
    Ok(Saved {
        logs: logs(db, account)?,
        buckets: rows(db, sql::BUCKETS, [account], bucket)?,
        series: Vec::new(),
        tallies: rows(db, sql::TALLIES, [account], tally)?,
        overflowed: rows(db, sql::OVERFLOWED, [account], overflowed)?,
        requests: requests(db, account)?,
        scrapers: Some(rows(db, sql::SCRAPERS, [account], scraper)?).filter(|all| !all.is_empty()),
    })
}

fn logs(db: &Connection, account: i64) -> Result<Vec<SavedLog>, Fault> {
    let mut logs = rows(db, sql::LOGS, [account], log)?;
    for (event_type, open) in rows(db, sql::OPEN_MINUTES, [account], open_minute)? {
        let of_it = logs.iter_mut().find(|log| log.event_type == event_type);
        let log = of_it.ok_or_else(|| value::odd("a log with open minutes", event_type))?;
        log.open.push(open);
    }
    Ok(logs)
}

fn log(row: &Row) -> Result<SavedLog, Fault> {
    let order: Option<String> = row.get(1)?;
    let place: Option<i64> = row.get(2)?;
    let minute =
        |column| -> Result<_, Fault> { Ok(row.get::<_, Option<i64>>(column)?.map(Minute)) };
    Ok(SavedLog {
        event_type: log_of(row)?,
        order: order.map(|order| value::order(&order)).transpose()?,
        closed_place: place
            .map(|place| value::unsigned("a place in the log", place))
            .transpose()?,
        horizon: minute(3)?,
        closed_below: minute(4)?,
        late_from: minute(9)?,
        second_hour: minute(5)?,
        empty_answers: value::small("a number of empty answers", row.get(6)?)?,
        complete: value::flag("complete or not", row.get(7)?)?,
        zone: row.get(8)?,
        open: Vec::new(),
    })
}

fn open_minute(row: &Row) -> Result<(EventType, SavedOpen), Fault> {
    let attempts = value::small("a number of attempts", row.get(2)?)?;
    let open = SavedOpen {
        minute: Minute(row.get(1)?),
        attempts: attempts
            .try_into()
            .map_err(|_| value::odd("a number of attempts", attempts))?,
        postponed: value::flag("postponed or not", row.get(3)?)?,
        uncounted: value::small("a number of lines", row.get(4)?)?,
    };
    Ok((log_of(row)?, open))
}

fn bucket(row: &Row) -> Result<SavedBucket, Fault> {
    let kind: String = row.get(1)?;
    let counted: Vec<u8> = row.get(5)?;
    Ok(SavedBucket {
        event_type: log_of(row)?,
        bucket: value::bucket(&kind, row.get(2)?)?,
        total: value::small("the total of a minute", row.get(3)?)?,
        most_at_once: value::small("the most lines of a minute", row.get(4)?)?,
        counted: value::counted(&counted)?,
    })
}

fn series(row: &Row) -> Result<SavedSeries, Fault> {
    let text = |column| -> Result<&str, rusqlite::Error> { Ok(row.get_ref(column)?.as_str()?) };
    let event = Event::new(Labels {
        category: text(1)?,
        version: text(2)?,
        hostname: text(3)?,
        event: text(4)?,
    });
    Ok(SavedSeries {
        event_type: log_of(row)?,
        event,
        place: 0,
        count: value::unsigned("the count of a series", row.get(5)?)?,
        birth: Birth {
            created: optional("when a series was born", row.get(6)?)?,
            zero: row
                .get::<_, Option<i64>>(7)?
                .map(value::generation)
                .transpose()?,
        },
    })
}

fn optional(what: &'static str, value: Option<i64>) -> Result<Option<u32>, Fault> {
    value.map(|value| value::small(what, value)).transpose()
}

fn overflowed(row: &Row) -> Result<u64, Fault> {
    Ok(row.get::<_, i64>(0)?.cast_unsigned())
}

fn scraper(row: &Row) -> Result<SavedScraper, Fault> {
    let period = value::unsigned("the period of a scraper", row.get(1)?)?;
    Ok(SavedScraper {
        id: ScraperId(row.get::<_, i64>(0)?.cast_unsigned()),
        period: Duration::from_secs(period),
        served: value::generation(row.get(2)?)?,
    })
}

fn tally(row: &Row) -> Result<SavedTally, Fault> {
    Ok(SavedTally {
        event_type: log_of(row)?,
        name: row.get(1)?,
        lines: value::unsigned("a number of lines", row.get(2)?)?,
    })
}

fn requests(db: &Connection, account: i64) -> Result<Option<SavedRequests>, Fault> {
    let places = rows(db, sql::PLACES, [account], |row| {
        Ok(SavedPlace {
            free_at: value::moment("a moment", row.get(0)?)?,
            foreign: value::flag("held by others or not", row.get(1)?)?,
        })
    })?;
    let mut requests = rows(db, sql::REQUESTS, [account], |row| {
        let paused: Option<i64> = row.get(1)?;
        let paused_until = paused.map(|paused| value::moment("a moment", paused));
        Ok((row.get(0)?, paused_until.transpose()?))
    })?;
    match requests.pop() {
        Some((boot, paused_until)) => Ok(Some(SavedRequests {
            boot,
            places,
            paused_until,
        })),
        None if places.is_empty() => Ok(None),
        None => Err(Fault::Odd("it has places of no request log".to_owned())),
    }
}

/// The log that a row is of: its first column.
fn log_of(row: &Row) -> Result<EventType, Fault> {
    value::log(&row.get::<_, String>(0)?)
}

fn rows<T>(
    db: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl Fn(&Row) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut all = Vec::new();
    each_row(db, sql, parameters, |row| {
        all.push(read(row)?);
        Ok(())
    })?;
    Ok(all)
}

fn each_row(
    db: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    mut read: impl FnMut(&Row) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        read(row)?;
    }
    Ok(())
}
