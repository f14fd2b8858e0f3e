//! What is shown of a hostname: itself, a keyed hash of it, or nothing.
//!
//! It is applied to what is counted, after lines were told apart: what was counted once is not
//! counted again when the mode changes.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write;

use ring::hmac;

use crate::event::Event;

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
    /// The event as it is counted. A line without a hostname has none in any mode.
    pub fn shown<'a>(&self, event: &'a Event) -> Cow<'a, Event> {
        let hostname = match self {
            Self::Keep => return Cow::Borrowed(event),
            Self::Hash(_) if event.hostname.is_empty() => return Cow::Borrowed(event),
            Self::Hash(key) => key.hash(&event.hostname),
            Self::Drop => String::new(),
        };
        Cow::Owned(Event {
            category: event.category.clone(),
            version: event.version.clone(),
            hostname,
            event: event.event.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(hostnames: &Hostnames, hostname: &str) -> String {
        let event = Event {
            category: "MetaAccess".into(),
            version: "1.1.1.1".into(),
            hostname: hostname.into(),
            event: "Installed".into(),
        };
        let shown = hostnames.shown(&event).into_owned();
        let as_it_was = Event {
            hostname: hostname.into(),
            ..shown.clone()
        };
        assert_eq!(as_it_was, event, "nothing else changes");
        shown.hostname
    }

    #[test]
    fn a_hash_is_what_openssl_makes_of_it() {
        // printf %s TEST-B3WMO | openssl dgst -sha256 -hmac 0123456789abcdef
        let hash = Hostnames::Hash(HostnameKey::new(b"0123456789abcdef"));
        assert_eq!(shown(&hash, "TEST-B3WMO"), "863aa909e305ea20");
        assert_eq!(shown(&hash, ""), "");
        let other = Hostnames::Hash(HostnameKey::new(b"0123456789abcdeg"));
        assert_ne!(shown(&other, "TEST-B3WMO"), shown(&hash, "TEST-B3WMO"));
        assert_ne!(shown(&hash, "TEST-R1W3Y"), shown(&hash, "TEST-B3WMO"));
    }

    #[test]
    fn a_hash_is_that_of_rfc_4231() {
        let key = HostnameKey::new(b"Jefe");
        assert_eq!(key.hash("what do ya want for nothing?"), "5bdcc146bf60754e");
        assert_eq!(format!("{key:?}"), "HostnameKey(…)");
    }

    #[test]
    fn hostnames_can_be_kept_and_dropped() {
        assert_eq!(shown(&Hostnames::Keep, "TEST-B3WMO"), "TEST-B3WMO");
        assert_eq!(shown(&Hostnames::Drop, "TEST-B3WMO"), "");
    }
}
