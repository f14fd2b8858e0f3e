//! The tables: made and taken to the newest format by whoever comes first, while the others wait.

use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use super::pool::Connection;
use super::statements::{FENCE_ALL, IDENTITY, SET_IDENTITY};
use crate::saved::Identity;
use crate::store::error::Fault;
use crate::store::value;

/// The steps from nothing to the newest format: the n-th leads to format n. A step that was in a release
/// is never changed; a new format is one step more.
pub(super) const STEPS: &[&str] = &[include_str!("v1.sql")];

/// How often it is tried: who comes at the same time may be in the way.
const TRIES: u32 = 10;

/// The format that this program writes.
pub(super) fn newest() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Which state this is, after the tables have the newest format; and whether it was made just now, with
/// the identity `fresh`.
pub(super) async fn prepare(
    connection: &mut Connection,
    fresh: &Identity,
    steps: &[&str],
) -> Result<(Identity, bool), Fault> {
    for _ in 1..TRIES {
        match prepare_once(connection, fresh, steps).await {
            Err(Fault::Postgres(error)) if is_in_the_way(&error) => {
                connection.simple("ROLLBACK").await?;
            }
            prepared => return prepared,
        }
    }
    prepare_once(connection, fresh, steps).await
}

/// Whether somebody else did the same at this moment.
pub(super) fn is_in_the_way(error: &tokio_postgres::Error) -> bool {
    const ALL: [&SqlState; 5] = [
        &SqlState::UNIQUE_VIOLATION,
        &SqlState::DUPLICATE_TABLE,
        &SqlState::DUPLICATE_OBJECT,
        &SqlState::T_R_SERIALIZATION_FAILURE,
        &SqlState::T_R_DEADLOCK_DETECTED,
    ];
    error.code().is_some_and(|code| ALL.contains(&code))
}

async fn prepare_once(
    connection: &mut Connection,
    fresh: &Identity,
    steps: &[&str],
) -> Result<(Identity, bool), Fault> {
    holds_all_texts(connection).await?;
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let found = version(connection).await?;
    let mut is_fresh = false;
    if found.is_none_or(|found| found < known) {
        connection
            .simple(
                "CREATE TABLE IF NOT EXISTS metaaccess_format \
                 (id BIGINT PRIMARY KEY, version BIGINT NOT NULL); \
                 INSERT INTO metaaccess_format (id, version) VALUES (1, 0) ON CONFLICT (id) DO NOTHING",
            )
            .await?;
        is_fresh = migrate(connection, fresh, steps).await?;
    }
    match version(connection).await? {
        Some(found) if found > known => Err(Fault::Newer { found, known }),
        Some(found) if found == known => Ok((identity(connection).await?, is_fresh)),
        found => Err(Fault::Odd(format!("its format {found:?} never was"))),
    }
}

/// Refuses a database in whose encoding some hostname could not be saved, whenever that comes.
async fn holds_all_texts(connection: &Connection) -> Result<(), Fault> {
    let row = connection
        .client()
        .query_one("SHOW server_encoding", &[])
        .await?;
    let encoding: String = row.try_get(0)?;
    match encoding.to_ascii_uppercase().as_str() {
        "UTF8" | "UTF-8" | "SQL_ASCII" => Ok(()),
        _ => Err(Fault::Odd(format!(
            "its encoding is {encoding}, which does not have every character of a hostname: make one with ENCODING 'UTF8'"
        ))),
    }
}

/// The format of the tables, if there are any.
pub(super) async fn version(connection: &Connection) -> Result<Option<i64>, Fault> {
    let found = connection
        .client()
        .query_opt("SELECT to_regclass('metaaccess_format')::TEXT", &[]);
    let name: Option<String> = found.await?.and_then(|row| row.get(0));
    if name.is_none() {
        return Ok(None);
    }
    let sql = "SELECT version FROM metaaccess_format WHERE id = 1";
    let row = connection.client().query_opt(sql, &[]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// Takes the tables to the newest format, in one transaction that others wait for; and says whether
/// there was nothing before.
async fn migrate(
    connection: &mut Connection,
    fresh: &Identity,
    steps: &[&str],
) -> Result<bool, Fault> {
    connection.simple("BEGIN").await?;
    let lock = "SELECT version FROM metaaccess_format WHERE id = 1 FOR UPDATE";
    let found: i64 = connection.client().query_one(lock, &[]).await?.get(0);
    for (version, step) in (1_i64..).zip(steps).filter(|(version, _)| *version > found) {
        connection.simple(step).await?;
        let raise = format!("UPDATE metaaccess_format SET version = {version} WHERE id = 1");
        connection.simple(&raise).await?;
    }
    if found == 0 {
        let created = value::nanoseconds("the time of creation", fresh.created)?;
        let key = &fresh.key[..];
        connection
            .execute(SET_IDENTITY, &[&fresh.epoch, &created, &key])
            .await?;
    } else {
        // What an older program still writes as it knows the tables is refused.
        connection.execute(FENCE_ALL, &[]).await?;
    }
    connection.simple("COMMIT").await?;
    Ok(found == 0)
}

/// Fails where these rows say that a newer program has changed the tables.
pub(super) fn is_known(format: &[Row]) -> Result<(), Fault> {
    let known = newest();
    match format.first().map(|row| row.try_get(0)).transpose()? {
        Some(found) if found > known => Err(Fault::Newer { found, known }),
        Some(_) => Ok(()),
        None => Err(Fault::Odd("it has no format".to_owned())),
    }
}

/// Which state this is.
pub(super) async fn identity(connection: &mut Connection) -> Result<Identity, Fault> {
    identity_of(&connection.query(IDENTITY, &[]).await?)
}

/// The identity that these rows hold.
pub(super) fn identity_of(rows: &[Row]) -> Result<Identity, Fault> {
    let [row] = rows else {
        return Err(Fault::Odd("it has no identity, or several".to_owned()));
    };
    let key: Vec<u8> = row.try_get(2)?;
    let length = key.len();
    let epoch: String = row.try_get(0)?;
    Ok(Identity {
        epoch: value::epoch(epoch)?,
        created: value::duration("the time of creation", row.try_get(1)?)?,
        key: key
            .try_into()
            .map_err(|_| value::odd("the length of a key", length))?,
    })
}
