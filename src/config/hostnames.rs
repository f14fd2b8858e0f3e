//! What becomes of hostnames, and the key of their hashes.

use std::path::Path;

use secrecy::zeroize::Zeroizing;

use super::file;
use super::flags::MetricsFlags;
use super::mistake::{Mistake, Mistakes, Wrong};
use super::value;
use crate::hostnames::{HostnameKey, Hostnames};

/// Shorter ones can be tried out.
const SHORTEST_KEY: usize = 16;
const LONGEST_KEY: u64 = 64 * 1024;

#[derive(Clone, Copy, Debug)]
pub enum Mode {
    Keep,
    Hash,
    Drop,
}

/// The words of `--metrics.hostname`.
pub const MODES: [(&str, Mode); 3] = [
    ("keep", Mode::Keep),
    ("hash", Mode::Hash),
    ("drop", Mode::Drop),
];

/// Reads the mode and, where it needs one, the key.
pub fn read(flags: &MetricsFlags, mistakes: &mut Mistakes) -> Option<Hostnames> {
    let mode = mistakes.read(&flags.hostname, value::choice(&MODES));
    let file = flags.hostname_key_file.as_ref();
    let key = mistakes.read_if_given(file, |text| key_of(Path::new(text)))?;
    match (mode?, key) {
        (Mode::Keep, None) => Some(Hostnames::Keep),
        (Mode::Drop, None) => Some(Hostnames::Drop),
        (Mode::Hash, Some(key)) => Some(Hostnames::Hash(key)),
        (Mode::Hash, None) => {
            mistakes.add(Mistake::sentence(
                "--metrics.hostname is hash, which needs a key: name a file with at least 16 random \
                 bytes by --metrics.hostname-key-file, and keep it, since other keys make other hashes",
            ));
            None
        }
        (Mode::Keep | Mode::Drop, Some(_)) => {
            mistakes.add(Mistake::sentence(
                "--metrics.hostname-key-file is set, but hostnames are not hashed: set \
                 --metrics.hostname=hash, or leave the file out",
            ));
            None
        }
    }
}

/// The key in a file. White space round it is no part of it.
fn key_of(path: &Path) -> Result<HostnameKey, Wrong> {
    let wrong = |mend: String| Wrong::new("a file with a key of at least 16 bytes", mend);
    let read = file::read(path, LONGEST_KEY);
    let bytes = Zeroizing::new(read.map_err(|error| {
        wrong(format!(
            "the file cannot be read ({error}): check path and permissions"
        ))
    })?);
    let key = bytes.trim_ascii();
    if key.len() < SHORTEST_KEY {
        let length = key.len();
        return Err(wrong(format!(
            "it has {length}: make one by openssl rand -hex 32"
        )));
    }
    Ok(HostnameKey::new(key))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;
    use crate::config::typing::{ACCOUNT, exporter, mistake, mistakes};

    fn key_file(key: &[u8]) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, key).unwrap();
        (folder, path)
    }

    #[test]
    fn hostnames_are_kept_unless_something_else_is_asked_for() {
        assert!(matches!(exporter("").metrics.hostnames, Hostnames::Keep));
        let dropped = exporter("--metrics.hostname drop").metrics.hostnames;
        assert!(matches!(dropped, Hostnames::Drop));
        let (_folder, path) = key_file(b" 0123456789abcdef\r\n");
        let line = format!(
            "--metrics.hostname hash --metrics.hostname-key-file {}",
            path.display()
        );
        let exporter = exporter(&line);
        assert!(matches!(exporter.metrics.hostnames, Hostnames::Hash(_)));
        assert!(!format!("{exporter:?}").contains("0123456789"));
    }

    #[test]
    fn a_hash_needs_a_key_and_a_key_a_hash() {
        assert!(mistake("--metrics.hostname=hash").contains("--metrics.hostname-key-file"));
        let (_folder, path) = key_file(b"0123456789abcdef");
        let line = format!("--metrics.hostname-key-file={}", path.display());
        assert!(mistake(&line).contains("--metrics.hostname=hash"));
        let both = mistakes(
            "--metrics.hostname=hide --metrics.hostname-key-file=/nowhere",
            &ACCOUNT,
        );
        assert_eq!(both.len(), 2, "{both:?}");
        assert!(both[0].contains("keep, hash or drop"), "{both:?}");
        assert!(both[1].contains("cannot be read"), "{both:?}");
    }

    #[test]
    fn a_key_that_can_be_tried_out_is_refused_without_showing_it() {
        for key in [&b""[..], b" \n", b"0123456789abcde", b"  0123456789abcde  "] {
            let (_folder, path) = key_file(key);
            let line = format!(
                "--metrics.hostname=hash --metrics.hostname-key-file={}",
                path.display()
            );
            let mistake = mistake(&line);
            assert!(mistake.contains("openssl rand -hex 32"), "{mistake}");
            assert!(!mistake.contains("0123"), "{mistake}");
        }
    }
}
