//! The format of the file: how it begins, its version, and the steps from each version to the next.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::error::{Fault, StoreError};
use super::place::Place;

/// In the header of every state file: "MAxp" in ASCII.
pub(super) const APPLICATION_ID: i64 = 0x4d41_7870;

/// The steps from nothing to the newest format: the n-th leads to format n. A step that was in a
/// release is never changed; a new format is one step more.
pub(super) const STEPS: &[&str] = &[include_str!("v1.sql")];

/// The format that this program writes.
pub(super) fn newest() -> i64 {
    version_of(STEPS)
}

fn version_of(steps: &[&str]) -> i64 {
    i64::try_from(steps.len()).unwrap_or(i64::MAX)
}

const MAGIC: &[u8] = b"SQLite format 3\0";
const HEADER: usize = 100;
/// Where the header has the application id, as 4 bytes, big-endian.
const APPLICATION_ID_AT: usize = 68;

/// What is at the place of a state file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// A file that begins as ours do.
    Ours,
}

/// Looks at a file without letting SQLite near it, which would repair or remove what it finds.
pub(super) fn look(place: &Place) -> Result<Found, StoreError> {
    let length = match fs::metadata(place.path()) {
        Ok(file) => file.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(StoreError::of_io(place.path(), error)),
    };
    if length > 0 {
        return look_into(place.path()).map(|()| Found::Ours);
    }
    // SQLite would take the log for a leftover and delete it.
    let log = fs::metadata(place.beside("-wal"));
    if log.is_ok_and(|log| log.len() > 0) {
        let what = "it is empty or missing, but its write-ahead log, the file of its name with -wal after it, is not";
        return Err(StoreError::damaged(place.path(), what));
    }
    Ok(Found::Nothing)
}

fn look_into(path: &Path) -> Result<(), StoreError> {
    let failed = |error| StoreError::of_io(path, error);
    let mut header = Vec::with_capacity(HEADER);
    let file = File::open(path).map_err(failed)?;
    file.take(HEADER as u64)
        .read_to_end(&mut header)
        .map_err(failed)?;
    if !header.starts_with(MAGIC) {
        let what = "it does not begin as an SQLite database does; if it was one, it is damaged";
        return Err(StoreError::foreign(path, what));
    }
    let id = header.get(APPLICATION_ID_AT..APPLICATION_ID_AT + 4);
    let id = id
        .and_then(|bytes| bytes.try_into().ok())
        .map(u32::from_be_bytes);
    match id {
        Some(id) if i64::from(id) == APPLICATION_ID => Ok(()),
        Some(_) => {
            let what = "it is an SQLite database of another program";
            Err(StoreError::foreign(path, what))
        }
        None => Err(StoreError::damaged(path, "it ends within its header")),
    }
}

/// The version of an open file; refuses one that is newer than `steps` lead to.
pub(super) fn version(
    connection: &Connection,
    path: &Path,
    steps: &[&str],
) -> Result<i64, StoreError> {
    let read = |name| number(connection, name).map_err(|fault| fault.at(path));
    if read("application_id")? != APPLICATION_ID {
        return Err(StoreError::foreign(path, "its application id is another"));
    }
    let found = read("user_version")?;
    let known = version_of(steps);
    if found > known {
        let path = path.to_owned();
        return Err(StoreError::Newer { path, found, known });
    }
    if found < 1 {
        let what = format!("its format {found} never was");
        return Err(StoreError::damaged(path, what));
    }
    Ok(found)
}

/// Takes a file from version `from` to the newest: each step and its version in one transaction, so
/// that a step that fails leaves the version before it.
pub(super) fn migrate(connection: &mut Connection, from: i64, steps: &[&str]) -> Result<(), Fault> {
    for (version, step) in (1_i64..).zip(steps) {
        if version > from {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", version)?;
            transaction.commit()?;
        }
    }
    Ok(())
}

fn number(connection: &Connection, pragma: &str) -> Result<i64, Fault> {
    Ok(connection.pragma_query_value(None, pragma, |row| row.get(0))?)
}
