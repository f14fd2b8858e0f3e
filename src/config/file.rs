//! Small files that a setting names.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Reads a regular file of at most `longest` bytes, blocking.
///
/// A device or a pipe is refused: it may never end, and cannot be read a second time.
pub fn read(path: &Path, longest: u64) -> io::Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    // What is read decides, not what the metadata says: the file may be growing.
    File::open(path)?
        .take(longest + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > longest {
        let kibibytes = longest / 1024;
        return Err(io::Error::other(format!(
            "it is larger than {kibibytes} KiB"
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [b'a'; 1024]).unwrap();
        assert_eq!(read(&path, 1024).unwrap().len(), 1024);
        std::fs::write(&path, [b'a'; 1025]).unwrap();
        assert_eq!(
            read(&path, 1024).unwrap_err().to_string(),
            "it is larger than 1 KiB"
        );
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: &Path| read(path, 1024).unwrap_err().to_string();
        assert_eq!(refused(folder.path()), "it is no regular file");
        assert!(!refused(&folder.path().join("absent")).is_empty());
        #[cfg(unix)]
        assert_eq!(refused(Path::new("/dev/zero")), "it is no regular file");
    }
}
