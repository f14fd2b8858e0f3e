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
pub(super) const STEPS: &[&str] = &[include_str!("v1.sql"), include_str!("v2.sql")];

/// The format that this program writes.
pub(super) fn newest() -> i64 {
    version_of(STEPS)
}

fn version_of(steps: &[&str]) -> i64 {
    i64::try_from(steps.len()).unwrap_or(i64::MAX)
}

const MAGIC: &[u8] = b"SQLite format 3\0";
const HEADER: usize = 100;

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
    let log = fs::metadata(place.beside("-wal"));
    let has_log = log.is_ok_and(|log| log.len() > 0);
    if length > 0 {
        let header = look_into(place.path())?;
        // SQLite reads what is missing of the last page as zeros.
        if length < header.length() && !has_log {
            let what = format!("it has {length} bytes of {}", header.length());
            return Err(StoreError::damaged(place.path(), what));
        }
        return Ok(Found::Ours);
    }
    // SQLite would take the log for a leftover and delete it.
    if has_log {
        let what = "it is empty or missing, but its write-ahead log, the file of its name with -wal after it, is not";
        return Err(StoreError::damaged(place.path(), what));
    }
    Ok(Found::Nothing)
}

fn look_into(path: &Path) -> Result<Header, StoreError> {
    let failed = |error| StoreError::of_io(path, error);
    let mut bytes = Vec::with_capacity(HEADER);
    let file = File::open(path).map_err(failed)?;
    file.take(HEADER as u64)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if !bytes.starts_with(MAGIC) {
        let what = "it does not begin as an SQLite database does; if it was one, it is damaged";
        return Err(StoreError::foreign(path, what));
    }
    let Some(header) = Header::of(&bytes) else {
        return Err(StoreError::damaged(path, "it ends within its header"));
    };
    if i64::from(header.application_id) != APPLICATION_ID {
        let what = "it is an SQLite database of another program";
        return Err(StoreError::foreign(path, what));
    }
    Ok(header)
}

/// What we read of the header ourselves, as the format of SQLite's files has it.
struct Header {
    page_size: u16,
    pages: u32,
    application_id: u32,
}

impl Header {
    fn of(bytes: &[u8]) -> Option<Self> {
        let at = |from| bytes.get(from..).and_then(<[u8]>::first_chunk).copied();
        let header = Self {
            page_size: u16::from_be_bytes(*bytes.get(16..)?.first_chunk()?),
            pages: at(28).map(u32::from_be_bytes)?,
            application_id: at(68).map(u32::from_be_bytes)?,
        };
        (bytes.len() == HEADER).then_some(header)
    }

    /// How long the file is, where all of it is in the file.
    fn length(&self) -> u64 {
        u64::from(self.pages) * u64::from(self.page_size)
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
