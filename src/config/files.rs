//! The files that a configuration names, and what all of them held when they were read.

use std::io;
use std::path::{Path, PathBuf};

use ring::digest;
use secrecy::zeroize::Zeroizing;

use super::file;

/// Larger than any configuration, certificate or bundle of authorities.
const LONGEST: u64 = 8 * 1024 * 1024;

/// SHA-256 of the contents.
pub type Digest = [u8; 32];

/// Which files were read, and a digest of what was in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    paths: Vec<PathBuf>,
    digest: Digest,
}

impl Contents {
    /// The same files as they are now, read blocking. Whoever finds them equal need not ask what they
    /// mean.
    pub fn now(&self) -> Self {
        let mut files = Files::beside(Path::new(""));
        for path in &self.paths {
            files.look_at(path);
        }
        files.contents()
    }
}

/// Reads files, blocking, and takes note of what was in them.
pub struct Files {
    folder: PathBuf,
    paths: Vec<PathBuf>,
    seen: digest::Context,
}

impl Files {
    /// Paths are relative to the folder of this file.
    pub fn beside(file: &Path) -> Self {
        Self {
            folder: file.parent().map(Path::to_path_buf).unwrap_or_default(),
            paths: Vec::new(),
            seen: digest::Context::new(&digest::SHA256),
        }
    }

    /// Reads a file, to which an absolute path leads, or one from the folder.
    pub fn read(&mut self, path: &str) -> io::Result<Vec<u8>> {
        self.read_path(&self.folder.join(path))
    }

    /// Reads a file by a path that is not relative to the folder.
    pub fn read_path(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let read = file::read(path, LONGEST);
        match &read {
            Ok(bytes) => self.note(bytes),
            Err(error) => self.note(error.to_string().as_bytes()),
        }
        self.paths.push(path.to_owned());
        read
    }

    /// Takes note of a file that may hold a secret, and keeps none of it.
    pub fn look_at(&mut self, path: &Path) {
        drop(self.read_path(path).map(Zeroizing::new));
    }

    fn note(&mut self, bytes: &[u8]) {
        self.seen.update(&(bytes.len() as u64).to_be_bytes());
        self.seen.update(bytes);
    }

    /// Of all that was read, in this order.
    pub fn digest(self) -> Digest {
        self.contents().digest
    }

    /// All that was read, in this order.
    pub fn contents(self) -> Contents {
        let mut digest = Digest::default();
        digest.copy_from_slice(self.seen.finish().as_ref());
        Contents {
            paths: self.paths,
            digest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_the_same_until_one_of_the_files_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        file("a", "1");
        let mut files = Files::beside(&folder.path().join("a"));
        assert!(files.read("a").is_ok() && files.read("b").is_err());
        let seen = files.contents();
        assert_eq!(seen.now(), seen);
        file("b", "");
        let with_b = seen.now();
        assert_ne!(with_b, seen, "a file that was not there is there");
        file("a", "2");
        assert_ne!(with_b.now(), with_b);
        file("a", "1");
        assert_eq!(with_b.now(), with_b);
        std::fs::remove_file(folder.path().join("b")).unwrap();
        assert_eq!(with_b.now(), seen);
    }
}
