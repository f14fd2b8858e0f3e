use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, ClientConnection, ConnectionCommon, Error, ServerConnection};

use super::*;

const SPOT: Spot = Spot { line: 1, column: 1 };

fn setting(name: &str, text: impl Into<String>) -> Setting {
    Setting {
        name: format!("tls_server_config.{name}"),
        text: text.into(),
        spot: Spot { line: 2, column: 3 },
        is_secret: name == "key",
    }
}

fn given(name: &str, text: impl Into<String>) -> Option<Setting> {
    Some(setting(name, text))
}

fn settings(name: &str, texts: &[&str]) -> Vec<Setting> {
    texts.iter().map(|text| setting(name, *text)).collect()
}

struct Made {
    certificate: String,
    key: String,
    der: CertificateDer<'static>,
    key_der: Vec<u8>,
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn pem(&self) -> String {
        self.0.as_ref().pem()
    }

    fn issues(&self, names: &[SanType]) -> Made {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = names.to_vec();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Made {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().clone(),
            key_der: key.serialize_der(),
        }
    }
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

/// A server of this authority, without anything else.
fn server_of(authority: &Authority) -> Written {
    let made = authority.issues(&[dns("localhost")]);
    Written {
        cert: given("cert", made.certificate),
        key: given("key", made.key),
        ..Written::default()
    }
}

fn reading(written: &Written) -> Result<Arc<ServerConfig>, Vec<String>> {
    let mut mistakes = Vec::new();
    let mut files = Files::beside(Path::new("/nowhere/web.yml"));
    let read = read(written, SPOT, &mut files, &mut mistakes);
    let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    match read {
        Some(tls) if mistakes.is_empty() => Ok(tls.config),
        _ => Err(mistakes),
    }
}

#[track_caller]
fn mistake(written: &Written) -> String {
    let mistakes = reading(written).unwrap_err();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    mistakes.concat()
}

/// A client that trusts the authority, and shows a certificate if it has one.
fn client(authority: &Authority, shows: Option<&Made>) -> ClientConfig {
    let mut known = RootCertStore::empty();
    known.add(authority.0.as_ref().der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(known);
    match shows {
        Some(made) => {
            let key = PrivatePkcs8KeyDer::from(made.key_der.clone());
            builder
                .with_client_auth_cert(vec![made.der.clone()], key.into())
                .unwrap()
        }
        None => builder.with_no_client_auth(),
    }
}

/// Whether both sides come to an agreement.
fn agree(server: &Arc<ServerConfig>, client: ClientConfig) -> Result<ClientConnection, Error> {
    let name = "localhost".try_into().unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    // The server has the last word of a handshake.
    for _ in 0..6 {
        carry(&mut client, &mut server)?;
        carry(&mut server, &mut client)?;
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok(client)
}

fn carry<A, B>(from: &mut ConnectionCommon<A>, to: &mut ConnectionCommon<B>) -> Result<(), Error> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut bytes = bytes.as_slice();
    while !bytes.is_empty() {
        to.read_tls(&mut bytes).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn a_certificate_and_its_key_are_enough() {
    let authority = Authority::new();
    let server = reading(&server_of(&authority)).unwrap();
    let agreed = agree(&server, client(&authority, None)).unwrap();
    assert_eq!(
        agreed.protocol_version(),
        Some(rustls::ProtocolVersion::TLSv1_3)
    );
    assert!(server.ignore_client_order, "as the toolkit's default is");
}

#[test]
fn who_is_let_in_is_as_go_has_it() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let known = authority.issues(&[dns("client.example.com")]);
    let unknown = stranger.issues(&[dns("client.example.com")]);
    for (policy, none, of_stranger) in [
        ("NoClientCert", true, true),
        ("", true, true),
        ("RequestClientCert", true, true),
        ("RequireAnyClientCert", false, true),
        ("RequireClientCert", false, true),
        ("VerifyClientCertIfGiven", true, false),
        ("RequireAndVerifyClientCert", false, false),
    ] {
        let mut written = server_of(&authority);
        written.client_auth_type = given("client_auth_type", policy);
        if policy.contains("Verify") {
            written.client_ca = given("client_ca", authority.pem());
        }
        let server = reading(&written).unwrap();
        let agrees = |shows| agree(&server, client(&authority, shows)).is_ok();
        assert!(agrees(Some(&known)), "{policy}");
        assert_eq!(agrees(None), none, "{policy} without a certificate");
        assert_eq!(
            agrees(Some(&unknown)),
            of_stranger,
            "{policy} of a stranger"
        );
    }
}

#[test]
fn only_allowed_names_are_let_in() {
    let authority = Authority::new();
    let ip = SanType::IpAddress("192.0.2.7".parse().unwrap());
    let uri = SanType::URI("spiffe://example.com/prometheus".try_into().unwrap());
    let mail = SanType::Rfc822Name("monitoring@example.com".try_into().unwrap());
    for policy in ["RequireAndVerifyClientCert", "RequireAnyClientCert"] {
        let allows = |allowed: &[&str], name: &SanType| {
            let mut written = server_of(&authority);
            written.client_auth_type = given("client_auth_type", policy);
            if policy.contains("Verify") {
                written.client_ca = given("client_ca", authority.pem());
            }
            let listed = settings("client_allowed_sans", allowed);
            written.client_allowed_sans = Some((SPOT, listed));
            let server = reading(&written).unwrap();
            let made = authority.issues(&[dns("other.example.com"), name.clone()]);
            agree(&server, client(&authority, Some(&made))).is_ok()
        };
        let names = [
            "x",
            "192.0.2.7",
            "monitoring@example.com",
            "spiffe://example.com/prometheus",
        ];
        for name in [&ip, &uri, &mail] {
            assert!(allows(&names, name), "{name:?}");
        }
        assert!(allows(&["other.example.com"], &ip));
        assert!(!allows(&["example.com", "*.example.com"], &ip));
        assert!(!allows(&["Other.example.com"], &mail));
    }
}

#[test]
fn a_certificate_of_another_key_is_refused() {
    let authority = Authority::new();
    let mut written = server_of(&authority);
    written.key = given("key", authority.issues(&[]).key);
    assert!(mistake(&written).contains("the key is not that of the certificate"));
}

#[test]
fn versions_suites_and_curves_are_limited_as_they_are_written() {
    let authority = Authority::new();
    let mut written = server_of(&authority);
    written.max_version = given("max_version", "TLS12");
    written.cipher_suites = settings(
        "cipher_suites",
        &["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"],
    );
    written.curve_preferences = settings("curve_preferences", &["CurveP384"]);
    written.prefer_server_cipher_suites = given("prefer_server_cipher_suites", "false");
    let server = reading(&written).unwrap();
    assert!(!server.ignore_client_order);
    let agreed = agree(&server, client(&authority, None)).unwrap();
    assert_eq!(
        agreed.protocol_version(),
        Some(rustls::ProtocolVersion::TLSv1_2)
    );
    let suite = agreed.negotiated_cipher_suite().map(|suite| suite.suite());
    assert_eq!(
        suite,
        Some(rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)
    );
    let curve = agreed
        .negotiated_key_exchange_group()
        .map(|group| group.name());
    assert_eq!(curve, Some(rustls::NamedGroup::secp384r1));
    written.max_version = None;
    written.min_version = given("min_version", "TLS13");
    let server = reading(&written).unwrap();
    let agreed = agree(&server, client(&authority, None)).unwrap();
    assert_eq!(
        agreed.protocol_version(),
        Some(rustls::ProtocolVersion::TLSv1_3)
    );
}

#[test]
fn what_cannot_be_is_refused_with_how_to_mend_it() {
    let authority = Authority::new();
    let pem = authority.pem();
    let good = || server_of(&authority);
    let verify = || Written {
        client_auth_type: given("client_auth_type", "RequireAndVerifyClientCert"),
        client_ca: given("client_ca", pem.clone()),
        ..good()
    };
    let sans = |listed: &[&str]| Some((SPOT, settings("client_allowed_sans", listed)));
    let cases = [
        (
            Written {
                cert: None,
                ..good()
            },
            "neither cert_file nor cert is given",
        ),
        (
            Written {
                key: given("key", ""),
                ..good()
            },
            "neither key_file nor key is given",
        ),
        (
            Written {
                cert_file: given("cert_file", "a.crt"),
                ..good()
            },
            "tls_server_config.cert_file stands beside tls_server_config.cert",
        ),
        (
            Written {
                cert: None,
                cert_file: given("cert_file", "a.crt"),
                ..good()
            },
            "tls_server_config.cert_file \"a.crt\": expected a file; it cannot be read",
        ),
        (
            Written {
                cert: given("cert", "x"),
                ..good()
            },
            "the file holds none",
        ),
        (
            Written {
                key: given("key", pem.clone()),
                ..good()
            },
            "a private key as PEM",
        ),
        (
            Written {
                client_ca: given("client_ca", pem.clone()),
                ..good()
            },
            "client_auth_type asks no client for a certificate",
        ),
        (
            Written {
                client_ca: None,
                ..verify()
            },
            "no authority is given",
        ),
        (
            Written {
                client_ca: given("client_ca", "x"),
                ..verify()
            },
            "tls_server_config.client_ca \"x\": expected a PEM file with certificates",
        ),
        (
            Written {
                client_auth_type: given("client_auth_type", "Always"),
                ..good()
            },
            "expected NoClientCert, ",
        ),
        (
            Written {
                client_allowed_sans: sans(&["a"]),
                ..good()
            },
            "lets clients in without a certificate",
        ),
        (
            Written {
                client_auth_type: given("client_auth_type", "VerifyClientCertIfGiven"),
                client_allowed_sans: sans(&["a"]),
                ..verify()
            },
            "lets clients in without a certificate",
        ),
        (
            Written {
                client_allowed_sans: sans(&[]),
                ..verify()
            },
            "no name is listed",
        ),
        (
            Written {
                min_version: given("min_version", "TLS11"),
                ..good()
            },
            "write TLS12",
        ),
        (
            Written {
                min_version: given("min_version", "TLS13"),
                max_version: given("max_version", "TLS12"),
                ..good()
            },
            "min_version is above max_version",
        ),
        (
            Written {
                cipher_suites: settings("cipher_suites", &["TLS_AES_128_GCM_SHA256"]),
                max_version: given("max_version", "TLS12"),
                ..good()
            },
            "leave nothing",
        ),
        (
            Written {
                prefer_server_cipher_suites: given("prefer_server_cipher_suites", "yes"),
                ..good()
            },
            "expected true or false",
        ),
        (
            Written {
                curve_preferences: settings("curve_preferences", &["CurveP521"]),
                ..good()
            },
            "not built in",
        ),
    ];
    for (written, says) in cases {
        let mistake = mistake(&written);
        assert!(mistake.starts_with("line "), "{mistake}");
        assert!(mistake.contains(says), "{says:?}: {mistake}");
        assert!(!mistake.contains("PRIVATE KEY-----\n"), "{mistake}");
    }
}

#[test]
fn all_mistakes_of_the_section_are_told_at_once() {
    let written = Written {
        cert_file: given("cert_file", "a.crt"),
        min_version: given("min_version", "TLS10"),
        cipher_suites: settings(
            "cipher_suites",
            &[
                "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
                "TLS_AES_128_GCM_SHA256",
                "X",
            ],
        ),
        curve_preferences: settings("curve_preferences", &["P256"]),
        client_ca_file: given("client_ca_file", "ca.crt"),
        ..Written::default()
    };
    let mistakes = reading(&written).unwrap_err();
    // Neither file, no key, no policy for the authority, the version, two suites, a curve.
    assert_eq!(mistakes.len(), 8, "{mistakes:#?}");
}
