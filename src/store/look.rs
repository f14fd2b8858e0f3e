//! A look at a state file that changes nothing: no lock is taken that its writer would meet, no file
//! is made, and none is written to.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};

use super::error::{Fault, StoreError};
use super::format::{self, Found};
use super::place::Place;
use super::{database, read};
use crate::event::Account;
use crate::saved::{Identity, SavedRequests};

/// Every process that has a file open in WAL mode holds a shared lock on this byte of its `-shm`: the
/// locks of SQLite's WAL index begin at 120, and this is the one after its eight slots.
const HELD_WHILE_OPEN: u64 = 120 + 8;

/// How often a look is tried again that the writer was just in the way of.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// What is seen of a state file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The version of its format, and the newest that is known.
    pub format: i64,
    pub newest_format: i64,
    pub identity: Identity,
    /// Whether another process has it open: most likely a running exporter.
    pub is_in_use: bool,
    pub bytes: u64,
    pub accounts: BTreeMap<Account, Kept>,
}

/// What it keeps of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub series: u64,
    pub requests: Option<SavedRequests>,
}

impl Look {
    /// What is at this path, if anything, read blocking. A state that nobody uses is read to its end,
    /// as at a start.
    pub fn at(path: &Path) -> Result<Option<Self>, StoreError> {
        let place = Place::of(path)?;
        again_if_busy(|| look(&place))
    }
}

/// What is seen of the request windows in a state file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    /// Whether another process has the file open.
    pub is_in_use: bool,
    /// What each account has paid for.
    pub requests: BTreeMap<Account, SavedRequests>,
}

impl Windows {
    /// The windows in the file at this path, read blocking; none where there is no file.
    pub fn at(path: &Path) -> Result<Self, StoreError> {
        let place = Place::of(path)?;
        again_if_busy(|| {
            if format::look(&place)? == Found::Nothing {
                return Ok(Self::default());
            }
            let (connection, is_in_use) = open(&place)?;
            let requests = read::requests_of_all(&connection);
            let requests = requests.map_err(|fault| fault.at(place.path()))?;
            Ok(Self {
                is_in_use,
                requests,
            })
        })
    }
}

fn again_if_busy<T>(look: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    for _ in 1..TRIES {
        match look() {
            // SQLite says of a log that is just begun anew that it cannot be written.
            Err(StoreError::Busy { .. } | StoreError::Unwritable { .. }) => {
                thread::sleep(BETWEEN_TRIES);
            }
            seen => return seen,
        }
    }
    look()
}

fn look(place: &Place) -> Result<Option<Look>, StoreError> {
    if format::look(place)? == Found::Nothing {
        return Ok(None);
    }
    let (connection, is_in_use) = open(place)?;
    let format = format::version(&connection, place.path(), format::STEPS)?;
    let at = |fault: Fault| fault.at(place.path());
    if !is_in_use {
        database::is_whole(&connection).map_err(at)?;
    }
    if !is_in_use && format == format::newest() {
        read::check(&connection).map_err(at)?;
    }
    let file =
        fs::metadata(place.path()).map_err(|error| StoreError::of_io(place.path(), error))?;
    Ok(Some(Look {
        format,
        newest_format: format::newest(),
        identity: read::identity(&connection).map_err(at)?,
        is_in_use,
        bytes: file.len(),
        accounts: kept(&connection).map_err(at)?,
    }))
}

fn kept(connection: &Connection) -> Result<BTreeMap<Account, Kept>, Fault> {
    let mut requests = read::requests_of_all(connection)?;
    let series = read::series_of_all(connection)?.into_iter();
    let kept = series.map(|(account, series)| {
        let requests = requests.remove(&account);
        (account, Kept { series, requests })
    });
    Ok(kept.collect())
}

/// Opens the file to read it, and says whether another process has it open.
fn open(place: &Place) -> Result<(Connection, bool), StoreError> {
    let is_in_use = is_in_use(place)?;
    let has_log = fs::metadata(place.beside("-wal")).is_ok_and(|log| log.len() > 0);
    // Without a log nothing changes that is not seen by who looks for a user first. SQLite would make
    // one otherwise, and lock the file.
    let how = match is_in_use || has_log {
        true => "readonly_shm=1",
        false => "immutable=1",
    };
    if how == "readonly_shm=1" && !place.beside("-shm").exists() {
        let problem = "its write-ahead log, the file of its name with -wal after it, lies there \
                       without the -shm file, so that it cannot be looked at without changing it: the \
                       exporter takes it up when it starts";
        let path = place.path().to_owned();
        return Err(StoreError::Misplaced { path, problem });
    }
    let connection = connect(place.path(), how).map_err(|fault| fault.at(place.path()))?;
    Ok((connection, is_in_use))
}

fn connect(path: &Path, how: &str) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let uri = format!("file:{}?{how}", encoded(path));
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY")?;
    connection.busy_timeout(database::BUSY_AT_MOST)?;
    Ok(connection)
}

/// The path as SQLite reads it in a URI.
fn encoded(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    let one = |byte: &u8| match byte {
        b'/' | b'.' | b'-' | b'_' => char::from(*byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    bytes.map(one).collect()
}

/// Whether another process has the file open. Asks for the lock without taking it.
fn is_in_use(place: &Place) -> Result<bool, StoreError> {
    let path = place.beside("-shm");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(StoreError::of_io(&path, error)),
    };
    let whole = Flock {
        start: HELD_WHILE_OPEN,
        length: 1,
        pid: None,
        typ: FlockType::WriteLock,
        offset_type: FlockOffsetType::Set,
    };
    let held = fcntl_getlk(&file, &whole);
    let held = held.map_err(|error| StoreError::of_io(&path, error.into()))?;
    Ok(held.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Moment;
    use crate::saved::{Changes, Saved, SavedPlace};
    use crate::store::Store;

    fn identity() -> Identity {
        Identity {
            epoch: "0123456789abcdef".to_owned(),
            created: Duration::from_secs(1_000),
            key: [7; 16],
        }
    }

    fn requests() -> SavedRequests {
        SavedRequests {
            boot: "a boot".to_owned(),
            places: vec![SavedPlace {
                free_at: Moment(Duration::from_secs(9)),
                foreign: true,
            }],
            paused_until: None,
        }
    }

    async fn write(path: &Path) -> Store {
        let store = Store::open(path, identity()).await.unwrap();
        let changes = Changes {
            changed: Saved {
                requests: Some(requests()),
                ..Saved::default()
            },
            ..Changes::default()
        };
        store.commit(&Account::new("one"), changes).await.unwrap();
        store
    }

    /// The names of all files of a folder, what they hold, and when they were changed.
    fn files(folder: &Path) -> Vec<(String, Vec<u8>, std::time::SystemTime)> {
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        let file = |entry: fs::DirEntry| {
            let changed = entry.metadata().unwrap().modified().unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap(), changed)
        };
        let mut files: Vec<_> = entries.map(file).collect();
        files.sort();
        files
    }

    #[tokio::test]
    async fn a_look_at_a_state_at_rest_tells_what_is_in_it_and_changes_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a state? 100%.db");
        write(&path).await.close().await.unwrap();
        let before = files(folder.path());
        let look = Look::at(&path).unwrap().unwrap();
        assert_eq!(look.identity, identity());
        assert_eq!((look.format, look.is_in_use), (look.newest_format, false));
        let kept = &look.accounts[&Account::new("one")];
        assert_eq!((kept.series, &kept.requests), (0, &Some(requests())));
        let all = Windows::at(&path).unwrap().requests;
        assert_eq!(all[&Account::new("one")], requests());
        assert_eq!(files(folder.path()), before);
    }

    /// The files as a process leaves them that is killed.
    fn copy(from: &Path, to: &Path) {
        for end in ["", "-wal", "-shm"] {
            let name = |path: &Path| format!("{}{end}", path.display());
            fs::copy(name(from), name(to)).unwrap();
        }
    }

    #[tokio::test]
    async fn a_look_sees_what_a_killed_process_had_saved_and_changes_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let store = write(&path).await;
        let killed = tempfile::tempdir().unwrap();
        let copied = killed.path().join("state");
        copy(&path, &copied);
        let before = files(killed.path());
        let look = Look::at(&copied).unwrap().unwrap();
        assert!(!look.is_in_use);
        assert_eq!(
            look.accounts[&Account::new("one")].requests,
            Some(requests())
        );
        assert_eq!(files(killed.path()), before);
        fs::remove_file(killed.path().join("state-shm")).unwrap();
        let error = Look::at(&copied).unwrap_err().to_string();
        assert!(error.contains("takes it up when it starts"), "{error}");
        assert_eq!(files(killed.path()).len(), 2);
        store.close().await.unwrap();
    }

    #[test]
    fn where_there_is_nothing_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert_eq!(Look::at(&path).unwrap(), None);
        assert_eq!(Windows::at(&path).unwrap(), Windows::default());
        assert!(files(folder.path()).is_empty());
        let nowhere = folder.path().join("nowhere/state");
        let error = Look::at(&nowhere).unwrap_err().to_string();
        assert!(error.contains("folder does not exist"), "{error}");
    }

    #[tokio::test]
    async fn what_is_no_state_or_a_newer_one_is_refused_as_at_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        write(&path).await.close().await.unwrap();
        let newer = Connection::open(&path).unwrap();
        newer.pragma_update(None, "user_version", 99).unwrap();
        newer.close().unwrap();
        assert_eq!(Look::at(&path).unwrap_err().reason(), "newer");
        fs::write(&path, "something else").unwrap();
        assert_eq!(Look::at(&path).unwrap_err().reason(), "foreign");
    }
}
