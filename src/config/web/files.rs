//! The files that a web configuration names, and a digest of all that was read of them.

use std::io;
use std::path::{Path, PathBuf};

use ring::digest;

use crate::config::file;

/// Larger than any configuration, certificate or bundle of authorities.
const LONGEST: u64 = 4 * 1024 * 1024;

/// SHA-256 of the contents.
pub type Digest = [u8; 32];

/// Reads files, blocking, and takes note of what was in them.
pub struct Files {
    folder: PathBuf,
    seen: digest::Context,
}

impl Files {
    /// Paths are relative to the folder of this file.
    pub fn beside(file: &Path) -> Self {
        Self {
            folder: file.parent().map(Path::to_path_buf).unwrap_or_default(),
            seen: digest::Context::new(&digest::SHA256),
        }
    }

    /// Reads a file, to which an absolute path leads, or one from the folder.
    pub fn read(&mut self, path: &str) -> io::Result<Vec<u8>> {
        self.read_path(&self.folder.join(path))
    }

    pub fn read_path(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let read = file::read(path, LONGEST);
        match &read {
            Ok(bytes) => self.note(bytes),
            Err(error) => self.note(error.to_string().as_bytes()),
        }
        read
    }

    fn note(&mut self, bytes: &[u8]) {
        self.seen.update(&(bytes.len() as u64).to_be_bytes());
        self.seen.update(bytes);
    }

    /// Of all that was read, in this order.
    pub fn digest(self) -> Digest {
        let mut digest = Digest::default();
        digest.copy_from_slice(self.seen.finish().as_ref());
        digest
    }
}
