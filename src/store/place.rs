//! Where the state is: one name for the file, the files beside it, the lock, and whether they are
//! still those that were opened.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::error::StoreError;

/// The path of a state file by the name to which its other names lead.
#[derive(Clone, Debug)]
pub(super) struct Place(PathBuf);

impl Place {
    /// The place that `path` names. The file need not exist; its folder must.
    pub(super) fn of(path: &Path) -> Result<Self, StoreError> {
        let misplaced = |problem| {
            let path = path.to_owned();
            Err(StoreError::Misplaced { path, problem })
        };
        match path.canonicalize() {
            Ok(found) if found.is_file() => return Ok(Self(found)),
            Ok(_) => return misplaced("it is no ordinary file: name a file with --state.path"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::of_io(path, error)),
        }
        if path.symlink_metadata().is_ok() {
            return misplaced(
                "it is a link to a file that does not exist: mend or remove the link",
            );
        }
        let Some(name) = path.file_name() else {
            return misplaced("it names no file: name one with --state.path");
        };
        match folder_of(path).canonicalize() {
            Ok(folder) => Ok(Self(folder.join(name))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                misplaced("its folder does not exist: make the folder first")
            }
            Err(error) => Err(StoreError::of_io(path, error)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn folder(&self) -> &Path {
        folder_of(&self.0)
    }

    /// The file of this name with `ending` after it.
    pub(super) fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.0.clone().into_os_string();
        name.push(ending);
        name.into()
    }

    /// Takes the lock beside the file, which goes when this process does, however it ends.
    pub(super) fn lock(&self) -> Result<Lock, StoreError> {
        let path = self.beside(".lock");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let file = for_owner_alone(&mut options)
            .open(&path)
            .map_err(|error| StoreError::of_io(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
                path: self.0.clone(),
            }),
            Err(TryLockError::Error(error)) => Err(StoreError::of_io(&path, error)),
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Files that are made so can be read by their owner alone: they name hosts.
pub(super) fn for_owner_alone(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Held by the one process that writes the state.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    /// Closing is not enough: a child that this process is just starting holds the file too.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// The files as they were when they were opened. SQLite would go on writing to one that has no name
/// any more, and all of it would be lost.
#[derive(Debug)]
pub(super) struct Watch {
    state: Watched,
    wal: Watched,
    lock: Watched,
}

impl Watch {
    /// Remembers the files of an open state.
    pub(super) fn over(place: &Place) -> Result<Self, StoreError> {
        Ok(Self {
            state: Watched::from_now(place.path().to_owned())?,
            wal: Watched::from_now(place.beside("-wal"))?,
            lock: Watched::from_now(place.beside(".lock"))?,
        })
    }

    /// Refuses if a file was removed, or another one put in its place.
    pub(super) fn is_unchanged(&self) -> Result<(), StoreError> {
        let files = [&self.state, &self.wal, &self.lock];
        files.into_iter().try_for_each(Watched::is_unchanged)
    }
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    id: FileId,
}

impl Watched {
    fn from_now(path: PathBuf) -> Result<Self, StoreError> {
        let id = file_id(&path).map_err(|error| StoreError::of_io(&path, error))?;
        Ok(Self { path, id })
    }

    fn is_unchanged(&self) -> Result<(), StoreError> {
        let path = || self.path.clone();
        match file_id(&self.path) {
            Ok(id) if id == self.id => Ok(()),
            Ok(_) => Err(StoreError::Replaced { path: path() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StoreError::Replaced { path: path() })
            }
            Err(error) => Err(StoreError::of_io(&self.path, error)),
        }
    }
}

/// The device and the number of a file: another file has others for as long as this one is open.
type FileId = (u64, u64);

#[cfg(unix)]
fn file_id(path: &Path) -> io::Result<FileId> {
    use std::os::unix::fs::MetadataExt;
    let file = fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}

/// Other systems keep a file that is open from being removed.
#[cfg(not(unix))]
fn file_id(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(|_| (0, 0))
}
