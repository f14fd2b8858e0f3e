//! What is shown of a hostname: itself, a keyed hash of it, or nothing.
//!
//! It is applied to what is counted, after lines were told apart: what was counted once is not
//! counted again when the mode changes.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write;

use ring::hmac;

use crate::series::OTHER;

/// How many bytes of the hash are shown, as two digits each. Among a million hosts two have the same
/// eight bytes once in forty million fleets.
const SHOWN_BYTES: usize = 8;

/// What becomes of hostnames.
#[derive(Clone, Debug)]
pub enum Hostnames {
    Keep,
    Hash(HostnameKey),
    Drop,
}

/// The key of the hashes. Its Debug does not show it.
#[derive(Clone)]
pub struct HostnameKey(hmac::Key);

impl HostnameKey {
    /// A key of these bytes, of which any number may be given.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The first 16 hexadecimal digits of the HMAC-SHA256 (RFC 2104) of the hostname.
    fn hash(&self, hostname: &str) -> String {
        let hash = hmac::sign(&self.0, hostname.as_bytes());
        let mut digits = String::with_capacity(2 * SHOWN_BYTES);
        for byte in hash.as_ref().iter().take(SHOWN_BYTES) {
            // Writing to a String cannot fail.
            let _ = write!(digits, "{byte:02x}");
        }
        digits
    }
}

impl fmt::Debug for HostnameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostnameKey(…)")
    }
}

impl Hostnames {
    /// Whether this may be what is shown of a hostname; that of the overflow always is.
    pub fn may_show(&self, shown: &str) -> bool {
        let is_hash = |text: &str| {
            let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            text.len() == 2 * SHOWN_BYTES && text.bytes().all(is_digit)
        };
        let is_none = shown.is_empty() || shown == OTHER;
        match self {
            Self::Keep => true,
            Self::Hash(_) => is_none || is_hash(shown),
            Self::Drop => is_none,
        }
    }

    /// The hostname as it is counted. A line without a hostname has none in any mode.
    pub fn shown<'a>(&self, hostname: &'a str) -> Cow<'a, str> {
        match self {
            Self::Hash(key) if !hostname.is_empty() => key.hash(hostname).into(),
            Self::Keep | Self::Hash(_) => hostname.into(),
            Self::Drop => "".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_what_openssl_makes_of_it() {
        // printf %s TEST-B3WMO | openssl dgst -sha256 -hmac 0123456789abcdef
        let hash = Hostnames::Hash(HostnameKey::new(b"0123456789abcdef"));
        assert_eq!(hash.shown("TEST-B3WMO"), "863aa909e305ea20");
        assert_eq!(hash.shown(""), "");
        let other = Hostnames::Hash(HostnameKey::new(b"0123456789abcdeg"));
        assert_ne!(other.shown("TEST-B3WMO"), hash.shown("TEST-B3WMO"));
        assert_ne!(hash.shown("TEST-R1W3Y"), hash.shown("TEST-B3WMO"));
    }

    #[test]
    fn a_hash_is_that_of_rfc_4231() {
        let key = HostnameKey::new(b"Jefe");
        assert_eq!(key.hash("what do ya want for nothing?"), "5bdcc146bf60754e");
        assert_eq!(format!("{key:?}"), "HostnameKey(…)");
    }

    #[test]
    fn what_another_mode_has_shown_is_told_apart() {
        let hash = Hostnames::Hash(HostnameKey::new(b"0123456789abcdef"));
        for (shown, by_hash, by_drop) in [
            ("", true, true),
            (OTHER, true, true),
            ("863aa909e305ea20", true, false),
            ("863AA909E305EA20", false, false),
            ("TEST-B3WMO", false, false),
        ] {
            assert!(Hostnames::Keep.may_show(shown));
            assert_eq!(hash.may_show(shown), by_hash, "{shown}");
            assert_eq!(Hostnames::Drop.may_show(shown), by_drop, "{shown}");
        }
    }

    #[test]
    fn hostnames_can_be_kept_and_dropped() {
        assert_eq!(Hostnames::Keep.shown("TEST-B3WMO"), "TEST-B3WMO");
        assert_eq!(Hostnames::Drop.shown("TEST-B3WMO"), "");
    }
}
