//! Certificates that one test makes for itself, as files.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};

/// An authority that issues certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = params("TEST-AUTHORITY");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// Writes its certificate to `ca.crt` of this folder.
    pub fn write(&self, folder: &Path) {
        std::fs::write(folder.join("ca.crt"), self.0.pem()).expect("written");
    }

    /// Writes a certificate for 127.0.0.1 and this name, and its key, as `name.crt` and `name.key`.
    pub fn issue(&self, folder: &Path, name: &str) {
        let mut params = params(name);
        let host = format!("{name}.example.com");
        params.subject_alt_names = vec![
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::DnsName(host.try_into().expect("a name")),
        ];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        let file = |end: &str| folder.join(format!("{name}.{end}"));
        std::fs::write(file("crt"), certificate.pem()).expect("written");
        std::fs::write(file("key"), key.serialize_pem()).expect("written");
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("no names yet");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
