//! The names that a certificate is for: its subject alternative names.
//!
//! Only as much of DER is read as leads there. Whether the certificate is any good, others judge.

use std::net::{Ipv4Addr, Ipv6Addr};

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const EXTENSIONS: u8 = 0xa3;

/// `2.5.29.17`, as it is encoded.
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];

const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;
const IP: u8 = 0x87;

/// The DNS names, mail addresses, IP addresses and URIs of a certificate in DER, as texts; none where
/// it has none or is none.
pub fn names(certificate: &[u8]) -> Vec<String> {
    let names = general_names(certificate).unwrap_or_default();
    Elements(names).filter_map(name).collect()
}

fn general_names(certificate: &[u8]) -> Option<&[u8]> {
    let certificate = Elements(certificate).tagged(SEQUENCE)?;
    let signed = Elements(certificate).tagged(SEQUENCE)?;
    let extensions = Elements(signed).tagged(EXTENSIONS)?;
    let extensions = Elements(extensions).tagged(SEQUENCE)?;
    let content = Elements(extensions).find_map(|(_, extension)| {
        let id = Elements(extension).tagged(OBJECT_IDENTIFIER)?;
        (id == SUBJECT_ALTERNATIVE_NAME).then(|| Elements(extension).tagged(OCTET_STRING))?
    })?;
    Elements(content).tagged(SEQUENCE)
}

fn name((tag, content): (u8, &[u8])) -> Option<String> {
    match tag {
        EMAIL | DNS | URI => std::str::from_utf8(content).ok().map(str::to_owned),
        IP => match content.len() {
            4 => {
                let octets: [u8; 4] = content.try_into().ok()?;
                Some(Ipv4Addr::from(octets).to_string())
            }
            _ => {
                let octets: [u8; 16] = content.try_into().ok()?;
                Some(Ipv6Addr::from(octets).to_canonical().to_string())
            }
        },
        _ => None,
    }
}

/// The elements of DER that stand side by side: their tags and contents. It ends where they cannot be
/// read.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a>(pub &'a [u8]);

impl<'a> Elements<'a> {
    /// The content of the first element with this tag.
    pub fn tagged(mut self, tag: u8) -> Option<&'a [u8]> {
        self.find(|(found, _)| *found == tag)
            .map(|(_, content)| content)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[tag, length], mut rest) = self.0.split_first_chunk()?;
        let mut size = usize::from(length);
        if length >= 0x80 {
            // The length is too large for one byte: so many follow.
            let (bytes, after) = rest.split_at_checked(usize::from(length & 0x7f))?;
            if bytes.is_empty() || bytes.len() > 4 {
                return None;
            }
            size = bytes
                .iter()
                .fold(0, |size, byte| size << 8 | usize::from(*byte));
            rest = after;
        }
        let (content, after) = rest.split_at_checked(size)?;
        self.0 = after;
        Some((tag, content))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    const CERTIFICATE: &str = include_str!("testdata/names.pem");

    fn certificate() -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap()
    }

    #[test]
    fn every_kind_of_name_is_read() {
        assert_eq!(
            names(&certificate()),
            [
                "prometheus.example.com",
                "*.example.com",
                "192.0.2.7",
                "2001:db8::7",
                "monitoring@example.com",
                "spiffe://example.com/prometheus",
            ]
        );
    }

    #[test]
    fn what_has_no_names_is_not_read_as_having_some() {
        for der in [
            &b""[..],
            &[0x30],
            &[0x30, 0x80],
            &[0x30, 0xff, 0xff],
            &[0x30, 2, 0x30, 0],
        ] {
            assert!(names(der).is_empty(), "{der:?}");
        }
    }

    proptest! {
        #[test]
        fn no_certificate_however_broken_breaks_the_reader(at in 0..600_usize, byte: u8, cut in 0..600_usize) {
            let mut der = certificate().to_vec();
            if let Some(place) = der.get_mut(at) {
                *place = byte;
            }
            der.truncate(cut.max(1));
            let _ = names(&der);
        }
    }
}
