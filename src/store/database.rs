//! One state file, open: SQLite in WAL mode, each commit on disk before it is answered. It blocks,
//! so [`super::writer`] keeps it on a thread of its own.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::{Fault, StoreError};
use super::format::{self, APPLICATION_ID, Found};
use super::place::{Lock, Place, Watch, for_owner_alone};
use super::{read, write};
use crate::event::Account;
use crate::saved::{Changes, Identity, Saved, SavedRequests, SavedSeries};

/// How long a commit waits for another program that writes to the file.
pub(super) const BUSY_AT_MOST: Duration = Duration::from_secs(2);

/// More than there are statements, so that each is prepared once.
const STATEMENTS: usize = 64;

/// What can be read beside a writer, and holds for every statement. Nothing of it touches the file.
/// Temporary files would need a folder that an image may not have.
const SETTINGS: &str = "\
PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON; \
PRAGMA trusted_schema = OFF; PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 4194304";

/// A state file that this process alone writes.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    place: Place,
    watch: Watch,
    identity: Identity,
    fresh: bool,
    /// The last to go.
    lock: Lock,
}

impl Database {
    /// Opens the state at `path`, or makes one with the identity `fresh` where there is none. What
    /// cannot be used is refused before anything is written to it.
    pub(super) fn open(path: &Path, fresh: &Identity) -> Result<Self, StoreError> {
        Self::open_with(path, fresh, format::STEPS)
    }

    pub(super) fn open_with(
        path: &Path,
        new: &Identity,
        steps: &[&str],
    ) -> Result<Self, StoreError> {
        let place = Place::of(path)?;
        // Before the file is looked at: closing a file releases what SQLite locks of it in this
        // process.
        let lock = place.lock()?;
        let fresh = format::look(&place)? == Found::Nothing;
        if fresh {
            create(&place, new, steps)?;
        }
        let mut connection = connect(place.path()).map_err(|fault| fault.at(place.path()))?;
        let version = format::version(&connection, place.path(), steps)?;
        accept(&mut connection, version, steps).map_err(|fault| fault.at(place.path()))?;
        if !has_wal(&connection, &place)? {
            let path = place.path().to_owned();
            let problem =
                "its file system does not let processes share memory: put it on a local disk";
            return Err(StoreError::Misplaced { path, problem });
        }
        let identity = ready(&connection).map_err(|fault| fault.at(place.path()))?;
        let watch = Watch::over(&place)?;
        Ok(Self {
            connection,
            place,
            watch,
            identity,
            fresh,
            lock,
        })
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether it was made when it was opened.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// What each account has paid for.
    pub(super) fn requests(&self) -> Result<BTreeMap<Account, SavedRequests>, StoreError> {
        let found = read::requests_of_all(&self.connection);
        found.map_err(|fault| fault.at(self.place.path()))
    }

    /// All that is kept of an account; nothing of one that was never saved. The series go to
    /// `some_series`, some at a time.
    pub(super) fn load(
        &self,
        account: &Account,
        some_series: impl FnMut(Vec<SavedSeries>),
    ) -> Result<Saved, StoreError> {
        let db = &self.connection;
        let found = read::account(db, account).and_then(|number| match number {
            Some(number) => read::saved(db, number, some_series),
            None => Ok(Saved::default()),
        });
        found.map_err(|fault| fault.at(self.place.path()))
    }

    /// Saves all changes or none. They are on disk when it returns.
    pub(super) fn commit<'a>(
        &mut self,
        batch: impl Iterator<Item = (&'a Account, &'a Changes)>,
    ) -> Result<(), StoreError> {
        self.watch.is_unchanged()?;
        self.write(batch)
            .map_err(|fault| fault.at(self.place.path()))?;
        // Again, for what was replaced meanwhile: what is answered as saved must be in the file.
        self.watch.is_unchanged()
    }

    fn write<'a>(
        &mut self,
        batch: impl Iterator<Item = (&'a Account, &'a Changes)>,
    ) -> Result<(), Fault> {
        // SQLite rolls back by itself when a disk fails, but where that failed too.
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        for (account, changes) in batch {
            write::changes(&transaction, account, changes)?;
        }
        Ok(transaction.commit()?)
    }

    /// Moves all into the one file and lets go of it.
    pub(super) fn close(self) -> Result<(), StoreError> {
        let Self {
            connection,
            place,
            lock,
            ..
        } = self;
        // Also where the file was replaced: what is left of its log must not be taken for that of
        // the next one.
        let closed = checkpoint(&connection);
        let gone = connection.close().map_err(|(_, error)| Fault::Sql(error));
        drop(lock);
        closed.and(gone).map_err(|fault| fault.at(place.path()))
    }

    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// Makes the file under another name and moves it to its place when it is whole, so that one that
/// is found there is never half made.
fn create(place: &Place, identity: &Identity, steps: &[&str]) -> Result<(), StoreError> {
    let draft = place.beside(".new");
    let failed = |error| StoreError::of_io(place.path(), error);
    for leftover in [draft.clone(), place.beside(".new-journal")] {
        match fs::remove_file(&leftover) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    let mut options = OpenOptions::new();
    let file = for_owner_alone(options.write(true).create_new(true))
        .open(&draft)
        .map_err(failed)?;
    drop(file);
    let made = fill(&draft, identity, steps)
        .map_err(|fault| fault.at(place.path()))
        .and_then(|()| move_to(&draft, place).map_err(failed));
    if made.is_err() {
        let _ = fs::remove_file(&draft);
    }
    made
}

fn fill(draft: &Path, identity: &Identity, steps: &[&str]) -> Result<(), Fault> {
    let mut connection = connect(draft)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    format::migrate(&mut connection, 0, steps)?;
    write::identity(&connection, identity)?;
    connection.close().map_err(|(_, error)| Fault::Sql(error))
}

fn move_to(draft: &Path, place: &Place) -> std::io::Result<()> {
    File::open(draft)?.sync_all()?;
    fs::rename(draft, place.path())?;
    // A folder can be opened on every system that has one user's files beside another's.
    #[cfg(unix)]
    File::open(place.folder())?.sync_all()?;
    Ok(())
}

/// Opens a file that exists, so that nothing is written to it by opening or closing it.
fn connect(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    keep_wal(&connection, true)?;
    connection.busy_timeout(BUSY_AT_MOST)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(SETTINGS)?;
    Ok(connection)
}

/// Whether closing leaves the write-ahead log as it is, instead of moving it into the file.
fn keep_wal(connection: &Connection, keep: bool) -> Result<(), Fault> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep)?;
    Ok(())
}

/// Reads all of the file, and takes it to the newest format if what it holds is sound.
fn accept(connection: &mut Connection, version: i64, steps: &[&str]) -> Result<(), Fault> {
    is_whole(connection)?;
    format::migrate(connection, version, steps)?;
    read::identity(connection)?;
    read::check(connection)
}

/// Refuses a file whose pages do not fit together.
pub(super) fn is_whole(connection: &Connection) -> Result<(), Fault> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    match found == "ok" {
        true => Ok(()),
        false => Err(Fault::Odd(found)),
    }
}

fn has_wal(connection: &Connection, place: &Place) -> Result<bool, StoreError> {
    let mode = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
    let mode = mode.map_err(|error| Fault::Sql(error).at(place.path()))?;
    Ok(mode == "wal")
}

/// Writes for the first time: better now than when there are counts to save.
fn ready(connection: &Connection) -> Result<Identity, Fault> {
    write::touch(connection)?;
    keep_wal(connection, false)?;
    read::identity(connection)
}

fn checkpoint(connection: &Connection) -> Result<(), Fault> {
    // Where another program reads the file, the rest is moved by the next that opens it.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}
