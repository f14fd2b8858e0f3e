//! Who issued a certificate, and how long it is good. Whether it is trusted, others judge.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::config::DerElements;

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;

/// `2.5.4.3`, a common name, and `2.5.4.10`, an organization, as they are encoded.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub issuer: Option<String>,
    /// Its last second, since 1970.
    pub ends: Option<i64>,
}

impl Certificate {
    /// Reads a certificate in DER. What cannot be read is left out.
    pub fn of(der: &[u8]) -> Self {
        let [issuer, validity] = parts(der).unwrap_or_default();
        let name = |wanted| name(issuer, wanted);
        Self {
            issuer: name(COMMON_NAME).or_else(|| name(ORGANIZATION)),
            ends: DerElements(validity).nth(1).and_then(time),
        }
    }
}

/// Issuer and validity: the second and the third sequence of what is signed, after that of the
/// algorithm.
fn parts(der: &[u8]) -> Option<[&[u8]; 2]> {
    let certificate = DerElements(der).tagged(SEQUENCE)?;
    let signed = DerElements(certificate).tagged(SEQUENCE)?;
    let mut sequences = DerElements(signed)
        .filter(|(tag, _)| *tag == SEQUENCE)
        .skip(1);
    let (_, issuer) = sequences.next()?;
    let (_, validity) = sequences.next()?;
    Some([issuer, validity])
}

fn name(issuer: &[u8], wanted: &[u8]) -> Option<String> {
    let text = DerElements(issuer).find_map(|(_, set)| {
        let attribute = DerElements(set).tagged(SEQUENCE)?;
        let mut parts = DerElements(attribute);
        let (tag, id) = parts.next()?;
        let (_, text) = parts.next()?;
        (tag == OBJECT_IDENTIFIER && id == wanted).then_some(text)
    })?;
    let text = String::from_utf8_lossy(text);
    Some(text.chars().filter(|c| !c.is_control()).collect())
}

/// A time in UTC, as RFC 5280 has it: of two digits of a year, those up to 49 are of this century.
fn time((tag, text): (u8, &[u8])) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let century = match (tag, text.get(..2)) {
        (UTC_TIME, Some(year)) if year < "50" => "20",
        (UTC_TIME, _) => "19",
        _ => "",
    };
    let time = DateTime::strptime("%Y%m%d%H%M%SZ", format!("{century}{text}")).ok()?;
    Some(TimeZone::UTC.to_timestamp(time).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn issuer_and_end_are_read() {
        for (year, ends) in [(2031, 1_925_078_400), (2051, 2_556_230_400)] {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            let name = &mut params.distinguished_name;
            name.push(DnType::OrganizationName, "TEST-ORGANIZATION");
            name.push(DnType::CommonName, "TEST-ISSUER");
            params.not_after = date_time_ymd(year, 1, 2);
            let key = KeyPair::generate().unwrap();
            let certificate = params.self_signed(&key).unwrap();
            let read = Certificate::of(certificate.der());
            assert_eq!(read.issuer.as_deref(), Some("TEST-ISSUER"));
            assert_eq!(read.ends, Some(ends), "{year}");
        }
    }

    #[test]
    fn what_is_no_certificate_says_nothing() {
        for der in [&b""[..], b"\x30\x03\x30\x01\x30", b"not DER at all"] {
            let nothing = Certificate {
                issuer: None,
                ends: None,
            };
            assert_eq!(Certificate::of(der), nothing);
        }
    }
}
