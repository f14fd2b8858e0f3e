//! Go's names of versions, cipher suites and curves, and which of them there are here.
//!
//! The file format is of a program in Go, whose names it uses and whose library can do some that
//! rustls leaves out on purpose.

use rustls::crypto::SupportedKxGroup;
use rustls::crypto::ring::{ALL_CIPHER_SUITES, cipher_suite, kx_group};
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use crate::config::mistake::Wrong;

/// A version of TLS, the older first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Tls12,
    Tls13,
}

impl Version {
    pub const ALL: [Self; 2] = [Self::Tls12, Self::Tls13];

    pub fn protocol(self) -> &'static SupportedProtocolVersion {
        match self {
            Self::Tls12 => &rustls::version::TLS12,
            Self::Tls13 => &rustls::version::TLS13,
        }
    }
}

/// Reads a version.
pub fn version(text: &str) -> Result<Version, Wrong> {
    let mend = match text {
        "TLS12" => return Ok(Version::Tls12),
        "TLS13" => return Ok(Version::Tls13),
        "TLS10" | "TLS11" | "SSL30" => {
            "this one is broken and not built in: write TLS12, and renew clients that cannot do it"
        }
        _ => "write one of them",
    };
    Err(Wrong::new("TLS12 or TLS13", mend))
}

/// What rustls has for TLS 1.2.
const TLS12: [(&str, SupportedCipherSuite); 6] = [
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

/// Named without effect: the list is for TLS 1.2, and those of TLS 1.3 are always there.
const TLS13: [&str; 3] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];

/// Reads a cipher suite; none where it is one of TLS 1.3.
pub fn cipher(text: &str) -> Result<Option<SupportedCipherSuite>, Wrong> {
    if TLS13.contains(&text) {
        return Ok(None);
    }
    if let Some((_, suite)) = TLS12.iter().find(|(name, _)| *name == text) {
        return Ok(Some(*suite));
    }
    let mend = if text.contains("_CBC_") {
        "CBC suites are broken and not built in: take it off the list"
    } else if text.starts_with("TLS_RSA_") || text.contains("_RC4_") || text.contains("_3DES_") {
        "suites without forward secrecy or with a weak cipher are not built in: take it off the list"
    } else {
        "write one of them, or leave the list out"
    };
    let names: Vec<&str> = TLS12.iter().map(|(name, _)| *name).collect();
    Err(Wrong::new(
        format!("a cipher suite of {}", names.join(", ")),
        mend,
    ))
}

/// The suites of a list for TLS 1.2, with all of TLS 1.3; without a list, all there are.
pub fn suites(listed: &[Option<SupportedCipherSuite>]) -> Vec<SupportedCipherSuite> {
    if listed.is_empty() {
        return ALL_CIPHER_SUITES.to_vec();
    }
    let always = ALL_CIPHER_SUITES
        .iter()
        .filter(|suite| suite.tls13().is_some());
    always
        .copied()
        .chain(listed.iter().copied().flatten())
        .collect()
}

/// Reads a curve.
pub fn curve(text: &str) -> Result<&'static dyn SupportedKxGroup, Wrong> {
    let mend = match text {
        "X25519" => return Ok(kx_group::X25519),
        "CurveP256" => return Ok(kx_group::SECP256R1),
        "CurveP384" => return Ok(kx_group::SECP384R1),
        "CurveP521" | "X25519MLKEM768" => "this one is not built in: take it off the list",
        _ => "write one of them, or leave the list out",
    };
    Err(Wrong::new("X25519, CurveP256 or CurveP384", mend))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suites_that_are_there_have_the_names_of_go() {
        for (name, suite) in TLS12 {
            let found = cipher(name).unwrap().map(|suite| suite.suite());
            assert_eq!(found, Some(suite.suite()));
            assert_eq!(suite.suite().as_str(), Some(name));
        }
        for name in TLS13 {
            assert_eq!(cipher(name).unwrap(), None, "{name}");
        }
    }

    #[test]
    fn what_is_not_there_is_refused_with_the_reason() {
        for (name, why) in [
            (
                "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
                "CBC suites are broken",
            ),
            ("TLS_RSA_WITH_AES_128_GCM_SHA256", "without forward secrecy"),
            ("TLS_ECDHE_RSA_WITH_RC4_128_SHA", "weak cipher"),
            ("TLS_ECDHE_RSA_WITH_MAGIC", "write one of them"),
        ] {
            let wrong = cipher(name).unwrap_err().to_string();
            assert!(wrong.contains(why), "{name}: {wrong}");
        }
        assert!(curve("CurveP521").is_err_and(|wrong| wrong.to_string().contains("not built in")));
        assert!(curve("P256").is_err_and(|wrong| wrong.to_string().contains("CurveP256")));
        for old in ["TLS10", "TLS11"] {
            let wrong = version(old).unwrap_err().to_string();
            assert!(wrong.contains("write TLS12"), "{wrong}");
        }
        assert!(version("1.2").is_err());
    }

    #[test]
    fn a_list_leaves_tls_1_3_as_it_is() {
        let one = suites(&[cipher("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256").unwrap()]);
        let of_12 = one.iter().filter(|suite| suite.tls13().is_none());
        assert_eq!((of_12.count(), one.len()), (1, 4));
        assert_eq!(suites(&[]).len(), ALL_CIPHER_SUITES.len());
    }
}
