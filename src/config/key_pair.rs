//! A certificate's private key, and whether the two belong together.

use std::path::Path;

use rustls::Error;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use secrecy::zeroize::Zeroizing;

use super::file;
use super::mistake::Wrong;

/// The key of a PEM text.
pub fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, Wrong> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        wrong(
            "there is none in it that is not encrypted: it needs a block -----BEGIN PRIVATE KEY-----",
        )
    })
}

/// The key of a PEM file, read blocking.
pub fn private_key_of(path: &Path) -> Result<PrivateKeyDer<'static>, Wrong> {
    const LONGEST: u64 = 64 * 1024;
    let pem = file::read(path, LONGEST).map_err(|error| {
        wrong(format!(
            "the file cannot be read ({error}): check path and permissions"
        ))
    })?;
    private_key(&Zeroizing::new(pem))
}

/// The two as one, or why they cannot be.
pub fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        Error::InconsistentKeys(_) => {
            "the key is not that of the certificate: name the two that were made together"
                .to_owned()
        }
        error => format!(
            "certificate and key cannot be used ({error}): make new ones, of version 3 with a key \
             of ECDSA or of RSA with 2048 bits or more"
        ),
    })
}

fn wrong(mend: impl Into<String>) -> Wrong {
    Wrong::new("a private key as PEM", mend)
}
