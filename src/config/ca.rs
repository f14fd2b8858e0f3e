//! The certificate authorities of a PEM file.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::file;
use super::mistake::Wrong;

/// Several times what the bundles of operating systems have.
const LONGEST: u64 = 4 * 1024 * 1024;

/// A PEM file as it was at start: at least one certificate, and each can be trusted.
#[derive(Clone, Debug)]
pub struct CaFile {
    pub path: PathBuf,
    pub certificates: Vec<CertificateDer<'static>>,
}

impl CaFile {
    /// Reads the file, blocking.
    pub fn read(path: &Path) -> Result<Self, Wrong> {
        let pem = file::read(path, LONGEST).map_err(|error| {
            wrong(format!(
                "the file cannot be read ({error}): check path and permissions"
            ))
        })?;
        let certificates = certificates(&pem)?;
        Ok(Self {
            path: path.to_owned(),
            certificates,
        })
    }
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

    fn read(content: &str) -> Result<CaFile, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, content).unwrap();
        CaFile::read(&path).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn every_certificate_of_the_file_is_read() {
        assert_eq!(read(PEM).unwrap().certificates.len(), 1);
        assert_eq!(read(&PEM.repeat(2)).unwrap().certificates.len(), 2);
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
            CaFile::read(Path::new("/nowhere.pem"))
                .unwrap_err()
                .to_string()
                .contains("cannot be read")
        );
    }
}
