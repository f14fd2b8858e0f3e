//! One commit: a transaction that succeeds only if the lease is held as it is thought to be, nothing of
//! the account changed since it was read, and, where it pays for a request, the window has a place.

use std::time::Duration;

use tokio_postgres::types::ToSql;

use super::ids::{AccountId, LeaseId};
use super::pool::Connection;
use super::statements::{self as sql, Sql};
use super::write::{Columns, LogRow, microseconds};
use crate::store::error::Fault;

/// What a commit needs to know beside its changes.
#[derive(Debug)]
pub(super) struct Conditions<'a> {
    pub(super) account: AccountId,
    pub(super) lease: LeaseId,
    pub(super) fence: i64,
    pub(super) replica: &'a str,
    /// Of this process alone.
    pub(super) writer: i64,
    /// The version that was read or written last, and the one that this commit makes of it. Between the
    /// two are those of commits of which it is not known whether they succeeded.
    pub(super) known: i64,
    pub(super) next: i64,
    /// How long ago the refresh began that ends with it.
    pub(super) refreshed: Option<Duration>,
    pub(super) standing: Option<&'a str>,
    /// How many requests the window may hold with the one that is paid for.
    pub(super) limit: Option<u32>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Saved,
    /// Another holds the lease, or has written.
    Fenced,
    /// The window has no place for so long.
    NotBefore(Duration),
}

/// Saves all of it or nothing.
pub(super) async fn commit(
    connection: &mut Connection,
    conditions: &Conditions<'_>,
    columns: &Columns,
) -> Result<Ended, Fault> {
    let ended = condition(connection, conditions, columns).await?;
    match ended {
        Ended::Saved => write(connection, conditions, columns).await?,
        Ended::Fenced | Ended::NotBefore(_) => connection.simple("ROLLBACK").await?,
    }
    Ok(ended)
}

/// Begins the transaction, and says whether it may go on. All is sent before the first answer comes.
async fn condition(
    connection: &mut Connection,
    of: &Conditions<'_>,
    columns: &Columns,
) -> Result<Ended, Fault> {
    let hold = connection.prepare(sql::HOLD_LEASE).await?;
    let raise = connection.prepare(sql::RAISE_VERSION).await?;
    let held = connection.prepare(sql::HELD_PLACES).await?;
    let client = connection.client();
    let refreshed = of.refreshed.map(microseconds);
    let holding = async {
        client
            .query(&hold, &[&of.lease.0, &of.replica, &of.fence])
            .await
    };
    let raising = async {
        let visible = columns.is_visible;
        client
            .query(
                &raise,
                &[
                    &of.account.0,
                    &of.known,
                    &of.next,
                    &of.writer,
                    &visible,
                    &columns.generation,
                    &refreshed,
                    &of.standing,
                ],
            )
            .await
    };
    let counting = async {
        match of.limit {
            Some(_) => client.query(&held, &[&of.lease.0, &of.account.0]).await,
            None => Ok(Vec::new()),
        }
    };
    let begin = client.batch_execute("BEGIN");
    let (_, lease, version, places) = tokio::try_join!(biased; begin, holding, raising, counting)?;
    if lease.is_empty() || version.is_empty() {
        return Ok(Ended::Fenced);
    }
    let Some(limit) = of.limit else {
        return Ok(Ended::Saved);
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    // With the new one there may be as many as the limit: so many have to be free before.
    match places
        .len()
        .checked_sub(limit)
        .and_then(|too_many| places.get(too_many))
    {
        None => Ok(Ended::Saved),
        Some(row) => {
            let us: i64 = row.try_get(0)?;
            Ok(Ended::NotBefore(Duration::from_micros(
                us.max(1).unsigned_abs(),
            )))
        }
    }
}

/// Writes what changed and ends the transaction. All is sent before the first answer comes; where a
/// statement fails, the database undoes all at the end of it.
async fn write(
    connection: &mut Connection,
    of: &Conditions<'_>,
    columns: &Columns,
) -> Result<(), Fault> {
    let accounts = vec![of.account.0; columns.number_of_scrapers()];
    let mut statements = Vec::new();
    for (sql, parameters) in rows(of, columns, &accounts) {
        statements.push((connection.prepare(sql).await?, parameters));
    }
    let client = connection.client();
    let writing = statements
        .iter()
        .map(|(statement, parameters)| client.execute(statement, parameters));
    let (_, ()) = tokio::try_join!(
        biased;
        futures_util::future::try_join_all(writing),
        client.batch_execute("COMMIT")
    )?;
    Ok(())
}

/// A statement and its parameters.
type Bound<'a> = (Sql, Vec<&'a (dyn ToSql + Sync)>);

/// What has to be written, without what there is nothing of.
fn rows<'a>(
    of: &'a Conditions<'_>,
    columns: &'a Columns,
    accounts: &'a Vec<i64>,
) -> Vec<Bound<'a>> {
    let account = &of.account.0;
    let mut all = logs(account, &columns.logs);
    all.extend(buckets(account, columns));
    all.extend(series(of, columns));
    if !columns.overflowed.is_empty() {
        all.push((sql::ADD_OVERFLOWED, vec![account, &columns.overflowed]));
    }
    let tallies = &columns.tallies;
    if !tallies.lines.is_empty() {
        let values: Vec<&(dyn ToSql + Sync)> =
            vec![account, &tallies.logs, &tallies.names, &tallies.lines];
        all.push((sql::SET_TALLIES, values));
    }
    if let Some(scrapers) = &columns.scrapers {
        all.push((sql::CLEAR_SCRAPERS_OF, vec![&of.replica, account]));
        let values: Vec<&(dyn ToSql + Sync)> = vec![
            &of.replica,
            accounts,
            &scrapers.ids,
            &scrapers.periods,
            &scrapers.served,
        ];
        all.push((sql::ADD_SCRAPERS, values));
    }
    if let Some(requests) = &columns.requests {
        let values: Vec<&(dyn ToSql + Sync)> = vec![
            account,
            &of.lease.0,
            &requests.free_in_us,
            &requests.by_others,
            &requests.paused_for_us,
        ];
        all.push((sql::SET_REQUESTS, values));
    }
    all
}

fn logs<'a>(account: &'a i64, logs: &'a [LogRow]) -> Vec<Bound<'a>> {
    let rows = logs.iter().map(|row| {
        let [horizon, closed_below, late_from, second_hour] = &row.minutes;
        let values: Vec<&(dyn ToSql + Sync)> = vec![
            account,
            &row.log,
            &row.order,
            &row.closed_place,
            horizon,
            closed_below,
            late_from,
            second_hour,
            &row.empty_answers,
            &row.complete,
            &row.zone,
            &row.open,
        ];
        (sql::SET_LOG, values)
    });
    rows.collect()
}

/// What is forgotten first, so that a bucket which is named among both is kept.
fn buckets<'a>(account: &'a i64, columns: &'a Columns) -> Vec<Bound<'a>> {
    let mut all: Vec<Bound<'a>> = Vec::new();
    let gone = &columns.forgotten;
    if !gone.minutes.is_empty() {
        let values: Vec<&(dyn ToSql + Sync)> =
            vec![account, &gone.logs, &gone.kinds, &gone.minutes];
        all.push((sql::FORGET_BUCKETS, values));
    }
    let (rows, keys) = (&columns.buckets, &columns.buckets.keys);
    if !keys.minutes.is_empty() {
        let values: Vec<&(dyn ToSql + Sync)> = vec![
            account,
            &keys.logs,
            &keys.kinds,
            &keys.minutes,
            &rows.totals,
            &rows.most,
            &rows.counted,
        ];
        all.push((sql::SET_BUCKETS, values));
    }
    all
}

fn series<'a>(of: &'a Conditions<'_>, columns: &'a Columns) -> Option<Bound<'a>> {
    let rows = &columns.series;
    if rows.places.is_empty() {
        return None;
    }
    let [category, version, hostname, event] = &rows.labels;
    let values: Vec<&(dyn ToSql + Sync)> = vec![
        &of.account.0,
        &of.next,
        &rows.logs,
        &rows.places,
        category,
        version,
        hostname,
        event,
        &rows.counts,
        &rows.created,
        &rows.born,
    ];
    Some((sql::SET_SERIES, values))
}
