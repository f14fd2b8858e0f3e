//! What can go wrong with the state, in words that say how to mend it.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_READONLY_DBMOVED;

/// The cause of an error that several may be told of.
pub type Cause = Arc<dyn Error + Send + Sync>;

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
    /// Every value of [`StoreError::reason`].
    pub const REASONS: [&str; 10] = [
        "full",
        "unwritable",
        "locked",
        "busy",
        "damaged",
        "foreign",
        "newer",
        "replaced",
        "closed",
        "other",
    ];

    /// The value of the `reason` label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Full { .. } => "full",
            Self::Unwritable { .. } | Self::Misplaced { .. } => "unwritable",
            Self::Locked { .. } => "locked",
            Self::Busy { .. } => "busy",
            Self::Damaged { .. } => "damaged",
            Self::Foreign { .. } => "foreign",
            Self::Newer { .. } => "newer",
            Self::Replaced { .. } => "replaced",
            Self::Closed => "closed",
            Self::TooLarge { .. } | Self::Other { .. } => "other",
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

impl Fault {
    /// What it means for the file at `path`.
    pub(super) fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Odd(what) => StoreError::damaged(path, what),
            Self::TooLarge { what, value } => StoreError::TooLarge { what, value },
            Self::Sql(rusqlite::Error::SqliteFailure(code, words)) => {
                of_sqlite(path, rusqlite::Error::SqliteFailure(code, words), code)
            }
            // What is left are values of another type or range than those that are written.
            Self::Sql(error) => StoreError::damaged(path, error.to_string()),
        }
    }
}

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
