//! What can go wrong with the state, in words that say how to mend it.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_READONLY_DBMOVED;
use tokio_postgres::error::SqlState;

use super::postgres::ConnectError;
use crate::causes::chain;
use crate::config::Database;

/// The cause of an error that several may be told of.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// How to mend what passes by itself, while the exporter runs.
pub const TRIED_AGAIN: &str = "it is tried again";

/// The state could not be opened, read or saved. After a commit that failed, nothing of it is saved.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "no room is left for the state file {path}: make room on its disk; what was saved is kept"
    )]
    Full {
        path: PathBuf,
        #[source]
        cause: Cause,
    },
    #[error(
        "cannot write {path}: state needs a file and a folder that this user may write to, on a disk that is not mounted read-only; --state.path names the file"
    )]
    Unwritable {
        path: PathBuf,
        #[source]
        cause: Cause,
    },
    #[error("cannot keep state in {path}: {problem}")]
    Misplaced {
        path: PathBuf,
        problem: &'static str,
    },
    #[error(
        "the state file {path} is in use by another process: stop that one, or give each its own --state.path"
    )]
    Locked { path: PathBuf },
    #[error(
        "the state file {path} is held by another program that writes to it: end that one; a running exporter tries again with each save"
    )]
    Busy {
        path: PathBuf,
        #[source]
        cause: Cause,
    },
    #[error(
        "the state file {path} is damaged ({what}): restore a copy of it together with the -wal file of that copy, or with none; or move all files of its name away: counts then begin again, which Prometheus sees as a reset of every counter. It was left as it is"
    )]
    Damaged { path: PathBuf, what: String },
    #[error(
        "{path} is no state of this exporter ({what}): name another file with --state.path. It was left as it is"
    )]
    Foreign { path: PathBuf, what: String },
    #[error(
        "the state file {path} has format {found}, and this version of the exporter knows formats up to {known}: run the newer version that wrote it, or name another file with --state.path. It was left as it is"
    )]
    Newer {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    #[error(
        "{path} was removed or replaced while the exporter was using it, so that nothing can be saved: put it back if you can, and restart the exporter"
    )]
    Replaced { path: PathBuf },
    #[error(
        "cannot save {value} as {what}: it is more than state can hold, which points to an error in the exporter or in the answers of the API"
    )]
    TooLarge { what: &'static str, value: u128 },
    #[error("{what}")]
    Unreachable {
        what: String,
        /// Whether it stays so until a person does something.
        is_permanent: bool,
        #[source]
        cause: Option<Cause>,
    },
    #[error(
        "the database {database} has no room left: make some on its disk; what was saved is kept"
    )]
    DatabaseFull {
        database: String,
        #[source]
        cause: Cause,
    },
    #[error(
        "the database {database} cannot be written to: it may be a standby, or be set to default_transaction_read_only, or the user may not write to the tables metaaccess_…"
    )]
    DatabaseReadOnly {
        database: String,
        #[source]
        cause: Cause,
    },
    #[error(
        "the tables metaaccess_… in {database} have format {found}, and this version of the exporter knows formats up to {known}: run the newer version that made them, or name another database with --state.url. They were left as they are"
    )]
    DatabaseNewer {
        database: String,
        found: i64,
        known: i64,
    },
    #[error(
        "what the tables metaaccess_… in {database} hold cannot be ({what}): restore a backup of them, or name another database with --state.url. They were left as they are"
    )]
    DatabaseOdd { database: String, what: String },
    #[error("another replica holds the lease of account {account} by now, or has saved its counts")]
    Fenced { account: String },
    #[error("the state was closed: the exporter is stopping")]
    Closed,
    #[error("cannot use the state file {path}: see that its disk works, and restart the exporter")]
    Other {
        path: PathBuf,
        #[source]
        cause: Cause,
    },
}

impl StoreError {
    /// Whether it is of a database as a whole, which whoever looks after it says for all accounts.
    pub fn is_of_all(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Whether it may pass without anybody doing something.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unreachable {
                is_permanent: false,
                ..
            }
        )
    }

    /// What lies below it, in the words of all its causes.
    pub fn causes(&self) -> Option<String> {
        self.source().map(chain)
    }

    /// The words of the innermost of our own errors, which say how to mend it, and of what lies below that.
    pub fn innermost(&self) -> (String, Option<String>) {
        let below = self.source();
        match below.and_then(|below| below.downcast_ref::<ConnectError>()) {
            Some(own) => (own.to_string(), own.source().map(chain)),
            None => (self.to_string(), self.causes()),
        }
    }

    /// Every value of [`StoreError::reason`].
    pub const REASONS: [&str; 13] = [
        "full",
        "unwritable",
        "locked",
        "busy",
        "damaged",
        "foreign",
        "newer",
        "replaced",
        "unreachable",
        "refused",
        "fenced",
        "closed",
        "other",
    ];

    /// The value of the `reason` label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Full { .. } | Self::DatabaseFull { .. } => "full",
            Self::Unwritable { .. } | Self::Misplaced { .. } | Self::DatabaseReadOnly { .. } => {
                "unwritable"
            }
            Self::Locked { .. } => "locked",
            Self::Busy { .. } => "busy",
            Self::Damaged { .. } | Self::DatabaseOdd { .. } => "damaged",
            Self::Foreign { .. } => "foreign",
            Self::Newer { .. } | Self::DatabaseNewer { .. } => "newer",
            Self::Replaced { .. } => "replaced",
            Self::Unreachable {
                is_permanent: true, ..
            } => "refused",
            Self::Unreachable { .. } => "unreachable",
            Self::Fenced { .. } => "fenced",
            Self::Closed => "closed",
            Self::TooLarge { .. } | Self::Other { .. } => "other",
        }
    }

    /// That no connection to the database could be made.
    pub(super) fn unreachable(database: &Database, error: ConnectError) -> Self {
        Self::Unreachable {
            what: format!("cannot connect to the database {database}"),
            is_permanent: error.is_permanent(),
            cause: Some(Arc::new(error)),
        }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        let path = path.to_owned();
        let what = what.into();
        Self::Damaged { path, what }
    }

    pub(super) fn foreign(path: &Path, what: impl Into<String>) -> Self {
        let path = path.to_owned();
        let what = what.into();
        Self::Foreign { path, what }
    }

    /// What a failure of the file system at `path` means.
    pub(super) fn of_io(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        let kind = error.kind();
        let cause: Cause = Arc::new(error);
        match kind {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, cause },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Unwritable { path, cause }
            }
            _ => Self::Other { path, cause },
        }
    }
}

/// What went wrong inside, before it is known of which file.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(rusqlite::Error),
    Postgres(tokio_postgres::Error),
    /// The database gave no answer in time.
    Silent,
    /// The tables are of a newer format.
    Newer {
        found: i64,
        known: i64,
    },
    /// A value that was read cannot be one that was saved.
    Odd(String),
    TooLarge {
        what: &'static str,
        value: u128,
    },
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl Fault {
    /// Whether the connection is lost by it, or the server at its end is of no use any more.
    pub(super) fn is_of_the_connection(&self) -> bool {
        match self {
            Self::Silent => true,
            Self::Postgres(error) => {
                error.is_closed()
                    || error.as_db_error().is_none()
                    || error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
            }
            _ => false,
        }
    }

    /// What it means for this database.
    pub(super) fn of(self, database: &Database) -> StoreError {
        let database = database.to_string();
        match self {
            Self::Odd(what) => StoreError::DatabaseOdd { database, what },
            Self::TooLarge { what, value } => StoreError::TooLarge { what, value },
            Self::Newer { found, known } => StoreError::DatabaseNewer {
                database,
                found,
                known,
            },
            Self::Silent => StoreError::Unreachable {
                what: format!(
                    "the database {database} gives no answer: see that it runs and is not overloaded"
                ),
                is_permanent: false,
                cause: None,
            },
            Self::Postgres(error) => of_postgres(database, error),
            // A database is no file of SQLite's.
            Self::Sql(error) => StoreError::DatabaseOdd {
                database,
                what: error.to_string(),
            },
        }
    }

    /// What it means for the file at `path`.
    pub(super) fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Odd(what) => StoreError::damaged(path, what),
            Self::TooLarge { what, value } => StoreError::TooLarge { what, value },
            Self::Sql(rusqlite::Error::SqliteFailure(code, words)) => {
                of_sqlite(path, rusqlite::Error::SqliteFailure(code, words), code)
            }
            // A file is asked nothing by the network.
            Self::Postgres(error) => StoreError::damaged(path, error.to_string()),
            Self::Silent => StoreError::damaged(path, "it is silent"),
            Self::Newer { found, known } => StoreError::Newer {
                path: path.to_owned(),
                found,
                known,
            },
            // What is left are values of another type or range than those that are written.
            Self::Sql(error) => StoreError::damaged(path, error.to_string()),
        }
    }
}

/// What an error of the database means. Its words tell of tables and columns, and of no value.
fn of_postgres(database: String, error: tokio_postgres::Error) -> StoreError {
    let code = error.code().cloned();
    let is_conversion = error.as_db_error().is_none() && !error.is_closed();
    let what = error.to_string();
    let cause: Cause = Arc::new(error);
    let code = code.as_ref();
    if code.is_some_and(|code| FULL.contains(&code)) {
        return StoreError::DatabaseFull { database, cause };
    }
    if code.is_some_and(|code| READ_ONLY.contains(&code)) {
        return StoreError::DatabaseReadOnly { database, cause };
    }
    if code.is_some_and(|code| MISSING.contains(&code)) || what.contains("deserializing") {
        let what = Arc::clone(&cause);
        let what = what
            .source()
            .map_or_else(|| what.to_string(), ToString::to_string);
        return StoreError::DatabaseOdd { database, what };
    }
    if code.is_some_and(|code| MISUNDERSTOOD.contains(&code)) {
        return StoreError::Unreachable {
            what: format!(
                "the database {database} does not do what it is asked: see that a schema which is there is in the search_path of the user, that it is a PostgreSQL from 9.5 on, and that no pooler is between which shares connections"
            ),
            is_permanent: true,
            cause: Some(cause),
        };
    }
    let words = match is_conversion {
        true => "could not be asked",
        false => "broke off what it was asked",
    };
    StoreError::Unreachable {
        what: format!("the database {database} {words}: {TRIED_AGAIN}"),
        is_permanent: false,
        cause: Some(cause),
    }
}

const FULL: [&SqlState; 2] = [&SqlState::DISK_FULL, &SqlState::OUT_OF_MEMORY];
const READ_ONLY: [&SqlState; 2] = [
    &SqlState::READ_ONLY_SQL_TRANSACTION,
    &SqlState::INSUFFICIENT_PRIVILEGE,
];
const MISSING: [&SqlState; 3] = [
    &SqlState::UNDEFINED_TABLE,
    &SqlState::UNDEFINED_COLUMN,
    &SqlState::DATATYPE_MISMATCH,
];

/// What the database does not know or have, and will not by waiting.
const MISUNDERSTOOD: [&SqlState; 7] = [
    &SqlState::INVALID_SCHEMA_NAME,
    &SqlState::SYNTAX_ERROR,
    &SqlState::UNDEFINED_FUNCTION,
    &SqlState::UNDEFINED_OBJECT,
    &SqlState::FEATURE_NOT_SUPPORTED,
    &SqlState::INVALID_SQL_STATEMENT_NAME,
    &SqlState::DUPLICATE_PSTATEMENT,
];

fn of_sqlite(path: &Path, error: rusqlite::Error, code: rusqlite::ffi::Error) -> StoreError {
    let words = error.to_string();
    let cause: Cause = Arc::new(error);
    let path = path.to_owned();
    if code.extended_code == SQLITE_READONLY_DBMOVED {
        return StoreError::Replaced { path };
    }
    match code.code {
        ErrorCode::DiskFull => StoreError::Full { path, cause },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy { path, cause },
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => {
            StoreError::Unwritable { path, cause }
        }
        // Unknown is what it does not find; the statements are fixed, so that it was there.
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown => {
            StoreError::damaged(&path, words)
        }
        _ => StoreError::Other { path, cause },
    }
}
