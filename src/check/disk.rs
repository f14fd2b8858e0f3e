//! What the system lets us do with the folder of the state.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

/// A folder, seen without writing to it.
#[derive(Debug)]
pub struct Folder {
    pub path: PathBuf,
    /// Whether this user may make files in it; else why not.
    pub writable: io::Result<()>,
    /// The files of the state that this user may not write to, of those that there are.
    pub unwritable: Vec<PathBuf>,
    /// How many bytes are left for this user, where that is known.
    pub free: Option<u64>,
}

impl Folder {
    /// The folder in which the state at this path is, or would be.
    pub fn of(state: &Path) -> Self {
        let folder = match state.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let may_write = |path: &Path| access(path, Access::READ_OK | Access::WRITE_OK);
        let files = ["", "-wal", "-shm", ".lock"].map(|end| {
            let mut name = state.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        });
        let unwritable = files.into_iter().filter(|file| file.exists());
        let free = statvfs(folder).ok();
        Self {
            path: folder.canonicalize().unwrap_or_else(|_| folder.to_owned()),
            writable: access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from),
            unwritable: unwritable.filter(|file| may_write(file).is_err()).collect(),
            free: free.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_looked_at_and_nothing_is_made_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let seen = Folder::of(&folder.path().join("state"));
        assert!(seen.writable.is_ok() && seen.unwritable.is_empty());
        assert!(seen.free.is_some());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let nowhere = Folder::of(&folder.path().join("nowhere/state"));
        assert!(nowhere.writable.is_err());
    }
}
