//! The certificate authorities of a PEM file.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::files::{Contents, Files};
use super::mistake::Wrong;

/// A PEM file as it was when it was read: at least one certificate, and each can be trusted. Equal is
/// what holds the same certificates.
#[derive(Clone, Debug)]
pub struct CaFile {
    pub path: PathBuf,
    pub certificates: Arc<[CertificateDer<'static>]>,
}

impl PartialEq for CaFile {
    fn eq(&self, other: &Self) -> bool {
        self.certificates == other.certificates
    }
}

impl Eq for CaFile {}

/// The files of authorities that were read, each once for all that name it.
pub struct CaFiles {
    files: Files,
    read: BTreeMap<PathBuf, Result<CaFile, Wrong>>,
}

impl Default for CaFiles {
    fn default() -> Self {
        Self::after(Files::beside(Path::new("")))
    }
}

impl CaFiles {
    /// None yet; what `files` has read is taken note of already.
    pub fn after(files: Files) -> Self {
        Self {
            files,
            read: BTreeMap::new(),
        }
    }

    /// What the file holds, read blocking if it was not read before.
    pub fn read(&mut self, path: &Path) -> Result<CaFile, Wrong> {
        if let Some(known) = self.read.get(path) {
            return known.clone();
        }
        let read = ca_file(path, self.files.read_path(path));
        self.read.insert(path.to_owned(), read.clone());
        read
    }

    /// Takes note of another file.
    pub fn look_at(&mut self, path: &Path) {
        self.files.look_at(path);
    }

    /// All that was read.
    pub fn contents(self) -> Contents {
        self.files.contents()
    }
}

fn ca_file(path: &Path, read: io::Result<Vec<u8>>) -> Result<CaFile, Wrong> {
    let pem = read.map_err(|error| {
        wrong(format!(
            "the file cannot be read ({error}): check path and permissions"
        ))
    })?;
    Ok(CaFile {
        path: path.to_owned(),
        certificates: certificates(&pem)?.into(),
    })
}

/// The certificates of a PEM text, at least one.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| {
        wrong(format!(
            "the file is no valid PEM ({error}): export it again"
        ))
    })?;
    if found.is_empty() {
        return Err(wrong(
            "the file holds none: it needs at least one block -----BEGIN CERTIFICATE-----",
        ));
    }
    let mut trusted = RootCertStore::empty();
    for (place, certificate) in (1..).zip(&found) {
        trusted.add(certificate.clone()).map_err(|error| {
            wrong(format!(
                "certificate {place} of the file is broken ({error}): export it again"
            ))
        })?;
    }
    Ok(found)
}

fn wrong(mend: impl Into<String>) -> Wrong {
    Wrong::new("a PEM file with certificates", mend)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "\
-----BEGIN CERTIFICATE-----
MIIBezCCASGgAwIBAgIUUDx3hKnkWSloLAo2lxwa7SlCuKgwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHVEVTVC1DQTAgFw0yNjExMjMxNDQxNDBaGA8yMTI2MTAzMDE0
NDE0MFowEjEQMA4GA1UEAwwHVEVTVC1DQTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABBi/FjyO2M0BNPVrqs8U5aaYLHEpbU7+jsx9pkBe1XIDApdV5d+vmYl7T5S6
E6VNRyjztGyBJdJ9GQUZDVCNhgyjUzBRMB0GA1UdDgQWBBQG503rg8rzXhu12AGS
n2YFHbn6sDAfBgNVHSMEGDAWgBQG503rg8rzXhu12AGSn2YFHbn6sDAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIDnIx9U1wpf7/4BZCLsBItnQ+hSo
5EAbREsgcR9vvDNzAiEA3DKWgdJmlV5Tr0xhjccKpmjm/xf+CbsFlxQBPANZAWQ=
-----END CERTIFICATE-----
";

    fn read_path(path: &Path) -> Result<CaFile, Wrong> {
        CaFiles::default().read(path)
    }

    fn read(content: &str) -> Result<CaFile, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, content).unwrap();
        read_path(&path).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn every_certificate_of_the_file_is_read() {
        assert_eq!(read(PEM).unwrap().certificates.len(), 1);
        assert_eq!(read(&PEM.repeat(2)).unwrap().certificates.len(), 2);
    }

    #[test]
    fn a_file_is_read_once_and_is_equal_to_what_holds_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, PEM).unwrap();
        let mut files = CaFiles::default();
        let first = files.read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(files.read(&path).unwrap(), first);
        assert_eq!(read(PEM).unwrap(), first, "another path");
        assert_ne!(read(&PEM.repeat(2)).unwrap(), first);
    }

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        assert!(read("").unwrap_err().contains("holds none"));
        assert!(read("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").is_err());
        assert!(
            read(&PEM.replace("-----END", ""))
                .unwrap_err()
                .contains("no valid PEM")
        );
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(
            read(broken)
                .unwrap_err()
                .contains("certificate 1 of the file is broken")
        );
        assert!(
            read_path(Path::new("/nowhere.pem"))
                .unwrap_err()
                .to_string()
                .contains("cannot be read")
        );
    }
}
