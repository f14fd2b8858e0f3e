//! What the toolkit documents, and what it is tested with, each as a file of our own with the verdict
//! on it: taken, and as what; or refused, and why.

use super::WebConfig;
use super::tests::{HASH, reading};

enum Verdict {
    Taken(&'static str),
    Refused(&'static str),
}

use Verdict::{Refused, Taken};

/// A section of TLS with this in it beside certificate and key.
fn tls(more: &str) -> String {
    let lines: String = more.lines().map(|line| format!("  {line}\n")).collect();
    format!("tls_server_config:\n  cert_file: \"server.crt\"\n  key_file: \"server.key\"\n{lines}")
}

/// A configuration in few words.
fn meaning(config: &WebConfig) -> String {
    let mut words = Vec::new();
    if let Some(tls) = &config.tls {
        words.push(match tls.requires_certificate {
            true => "tls of clients with certificates".to_owned(),
            false => "tls".to_owned(),
        });
    }
    let headers = config.headers.iter();
    words.extend(headers.map(|(name, value)| format!("{name}: {value}")));
    words.extend(config.users.iter().map(|(name, _)| format!("user {name}")));
    let rate = config.rate_limit.map(|rate| {
        let every = rate.interval;
        format!("{} at once, one more every {every:?}", rate.burst)
    });
    words.extend(rate);
    words.join(", ")
}

fn hold(cases: impl IntoIterator<Item = (impl AsRef<str>, Verdict)>) {
    for (text, verdict) in cases {
        let text = text.as_ref();
        match (reading(text), verdict) {
            (Ok(config), Taken(as_what)) => assert_eq!(meaning(&config), as_what, "{text}"),
            (Err(mistakes), Refused(why)) => {
                let told = mistakes.iter().any(|mistake| mistake.contains(why));
                assert!(told, "{text}: {why:?} is not in {mistakes:#?}");
            }
            (Ok(config), Refused(why)) => panic!("{text}: {why:?}, but it is {config:?}"),
            (Err(mistakes), Taken(_)) => panic!("{text}: {mistakes:#?}"),
        }
    }
}

#[test]
fn files_as_a_whole() {
    hold([
        ("", Taken("")),
        (
            "junk without a meaning",
            Refused("expected keys and values"),
        ),
        ("- a\n- list\n", Refused("expected keys and values")),
        (
            "tls_config:\n  cert_file: a\n",
            Refused("tls_config: there is no such key"),
        ),
        (
            "tls_server_config: {cert: a, cert: b}",
            Refused("is no YAML"),
        ),
        ("tls_server_config: {}\nhttp_server_config: {}\n", Taken("")),
        // Of versions that never were, or of other programs.
        (
            "bearer_auth_tokens: [abc]",
            Refused("bearer_auth_tokens: there is no such key"),
        ),
        (
            "auth_excluded_paths: [/x]",
            Refused("auth_excluded_paths: there is no such key"),
        ),
        (
            "basic_auth_excluded_paths: [/-/healthy]",
            Refused("basic_auth_excluded_paths: there is no such key"),
        ),
        (
            "ip_socket_config: {dscp: 46}",
            Refused("ip_socket_config: there is no such key"),
        ),
    ]);
}

#[test]
fn certificate_and_key() {
    hold([
        (tls(""), Taken("tls")),
        (
            "tls_server_config: {cert_file: \"\", key_file: server.key}".to_owned(),
            Refused("neither cert_file nor cert is given"),
        ),
        (
            "tls_server_config: {cert: \"\", key_file: server.key}".to_owned(),
            Refused("neither cert_file nor cert is given"),
        ),
        (
            "tls_server_config: {cert_file: server.crt, key_file: \"\"}".to_owned(),
            Refused("neither key_file nor key is given"),
        ),
        (
            "tls_server_config: {cert_file: server.crt, key: \"\"}".to_owned(),
            Refused("neither key_file nor key is given"),
        ),
        (
            "tls_server_config: {cert_file: \"\", key_file: \"\"}".to_owned(),
            Refused("neither cert_file nor cert is given"),
        ),
        (
            "tls_server_config: {cert_file: nowhere, key_file: server.key}".to_owned(),
            Refused("cert_file \"nowhere\": expected a file"),
        ),
        (
            "tls_server_config: {cert_file: server.crt, key_file: nowhere}".to_owned(),
            Refused("key_file \"nowhere\": expected a file"),
        ),
        (
            "tls_server_config: {cert_file: nowhere, key_file: nowhere2}".to_owned(),
            Refused("key_file \"nowhere2\": expected a file"),
        ),
        // The toolkit asks not to write both, and takes one of them.
        (tls("cert: x"), Refused("cert_file stands beside")),
        (tls("key: x"), Refused("key_file stands beside")),
        (
            "tls_server_config: {client_auth_type: NoClientCert}".to_owned(),
            Refused("neither cert_file nor cert is given"),
        ),
    ]);
}

#[test]
fn a_key_in_the_file_goes_with_a_certificate_beside_it() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("server.crt"), made.cert.pem()).unwrap();
    let key = made.signing_key.serialize_pem().replace('\n', "\n    ");
    let text = format!(
        "tls_server_config:\n  cert_file: server.crt\n  key: |\n    {key}\n  client_auth_type: RequireAnyClientCert\n"
    );
    let path = folder.path().join("web.yml");
    std::fs::write(&path, text).unwrap();
    let config = super::WebFile::read(&path).unwrap().config;
    assert_eq!(meaning(&config), "tls of clients with certificates");
}

#[test]
fn certificates_of_clients() {
    const VERIFY: &str = "client_auth_type: RequireAndVerifyClientCert\n";
    let verified = |more: &str| tls(&format!("{VERIFY}client_ca_file: ca.crt\n{more}"));
    let of_clients = || Taken("tls of clients with certificates");
    hold([
        (tls("client_auth_type: NoClientCert"), Taken("tls")),
        (tls("client_auth_type: RequestClientCert"), Taken("tls")),
        (tls("client_auth_type: RequireClientCert"), of_clients()),
        (
            tls("client_auth_type: \"RequireAnyClientCert\""),
            of_clients(),
        ),
        (
            tls("client_auth_type: VerifyClientCertIfGiven\nclient_ca_file: ca.crt"),
            Taken("tls"),
        ),
        (verified(""), of_clients()),
        (
            tls("client_auth_type: Invalid"),
            Refused("client_auth_type \"Invalid\""),
        ),
        // Go would hold certificates against the authorities of the web.
        (
            tls("client_auth_type: VerifyClientCertIfGiven"),
            Refused("no authority is given"),
        ),
        (tls(VERIFY), Refused("no authority is given")),
        (
            tls("client_ca_file: ca.crt"),
            Refused("asks no client for a certificate"),
        ),
        (
            tls(&format!("{VERIFY}client_ca_file: nowhere")),
            Refused("client_ca_file \"nowhere\": expected a file"),
        ),
        (
            tls(&format!("{VERIFY}client_ca_file: web.yml")),
            Refused("client_ca_file \"web.yml\": expected"),
        ),
        (
            tls(&format!("{VERIFY}client_ca: \"this is no certificate\"")),
            Refused("client_ca (value not shown): expected"),
        ),
        (
            verified("client_ca: x"),
            Refused("client_ca_file stands beside"),
        ),
        (
            verified("client_allowed_sans: [one, test3, two]"),
            of_clients(),
        ),
        (
            tls("client_auth_type: RequireAnyClientCert\nclient_allowed_sans: [one]"),
            of_clients(),
        ),
        (
            tls(
                "client_auth_type: VerifyClientCertIfGiven\nclient_ca_file: ca.crt\nclient_allowed_sans: [one]",
            ),
            Refused("client_allowed_sans: client_auth_type lets clients in without"),
        ),
        (
            tls("client_allowed_sans: [one]"),
            Refused("client_allowed_sans: client_auth_type lets clients in without"),
        ),
        (
            verified("client_cert_allowed_cn: test"),
            Refused("client_cert_allowed_cn: there is no such key"),
        ),
        (
            verified("client_cert_allowed_san_regex: test"),
            Refused("client_cert_allowed_san_regex: there is no such key"),
        ),
        (
            verified("client_fingerprints: [\"92:CA\"]"),
            Refused("client_fingerprints: there is no such key"),
        ),
    ]);
}

#[test]
fn versions_ciphers_and_curves() {
    let one_by_one = |key: &str, names: &[&str], verdict: fn() -> Verdict| {
        let cases = names.iter();
        hold(cases.map(|name| (tls(&format!("{key}:\n- {name}")), verdict())));
    };
    let taken = || Taken("tls");
    one_by_one(
        "cipher_suites",
        &[
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            // Go refuses this one alone, since HTTP/2 wants another; it is not spoken here.
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            "TLS_AES_128_GCM_SHA256",
            "TLS_AES_256_GCM_SHA384",
            "TLS_CHACHA20_POLY1305_SHA256",
        ],
        taken,
    );
    one_by_one(
        "cipher_suites",
        &[
            "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
            "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
            "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
            "TLS_RSA_WITH_AES_128_CBC_SHA",
            "TLS_RSA_WITH_AES_256_CBC_SHA",
        ],
        || Refused("CBC suites are broken and not built in"),
    );
    one_by_one(
        "cipher_suites",
        &[
            "TLS_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_RSA_WITH_AES_256_GCM_SHA384",
        ],
        || Refused("suites without forward secrecy"),
    );
    one_by_one("cipher_suites", &["TLS_INVENTED", "2"], || {
        Refused("expected a cipher suite")
    });
    one_by_one(
        "curve_preferences",
        &["CurveP256", "CurveP384", "X25519"],
        taken,
    );
    one_by_one(
        "curve_preferences",
        &["CurveP521", "X25519MLKEM768"],
        || Refused("this one is not built in"),
    );
    one_by_one("curve_preferences", &["CurveP257", "Curves"], || {
        Refused("expected X25519, CurveP256 or CurveP384")
    });
    hold([
        (
            tls("cipher_suites: []\ncurve_preferences: []"),
            Taken("tls"),
        ),
        (tls("min_version: TLS12\nmax_version: TLS13"), Taken("tls")),
        (tls("min_version: TLS13"), Taken("tls")),
        (tls("max_version: TLS12"), Taken("tls")),
        (tls("min_version: TLS10"), Refused("min_version \"TLS10\"")),
        (tls("max_version: TLS11"), Refused("max_version \"TLS11\"")),
        (
            tls("min_version: TLS111"),
            Refused("expected TLS12 or TLS13; write one"),
        ),
        (tls("min_version: 1.2"), Refused("min_version \"1.2\"")),
        (
            tls("min_version: TLS13\nmax_version: TLS12"),
            Refused("above max_version"),
        ),
        (tls("prefer_server_cipher_suites: true"), Taken("tls")),
        (tls("prefer_server_cipher_suites: false"), Taken("tls")),
        (
            tls("prefer_server_cipher_suites: 1"),
            Refused("expected true or false"),
        ),
    ]);
}

#[test]
fn http() {
    let headers = |lines: &str| {
        let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
        format!("http_server_config:\n  headers:\n{lines}")
    };
    hold([
        ("http_server_config: {http2: true}".to_owned(), Taken("")),
        (
            tls("max_version: TLS12") + "http_server_config: {http2: false}",
            Taken("tls"),
        ),
        (
            "http_server_config: {http2: 2}".to_owned(),
            Refused("expected true or false"),
        ),
        (
            headers(
                "X-Frame-Options: deny\n\
                 Strict-Transport-Security: max-age=31536000; includeSubDomains\n\
                 X-Content-Type-Options: nosniff\n\
                 X-XSS-Protection: 1\n\
                 Content-Security-Policy: \"default-src 'self' *.example.com\"",
            ),
            Taken(
                "X-Frame-Options: deny, Strict-Transport-Security: max-age=31536000; includeSubDomains, X-Content-Type-Options: nosniff, X-XSS-Protection: 1, Content-Security-Policy: default-src 'self' *.example.com",
            ),
        ),
        (
            headers("X-Frame-Options: sameorigin"),
            Taken("X-Frame-Options: sameorigin"),
        ),
        (headers("X-Frame-Options:"), Taken("")),
        (
            headers("X-Frame-Options: \"\"\nX-Content-Type-Options: \"\""),
            Taken(""),
        ),
        (
            headers("X-Frame-Options: allow"),
            Refused("expected deny or sameorigin"),
        ),
        (
            headers("X-Content-Type-Options: sniff"),
            Refused("expected nosniff"),
        ),
        (
            headers("Server: other"),
            Refused("headers.Server: this header cannot be set"),
        ),
    ]);
}

#[test]
fn users() {
    let bob = HASH.replace("$10$", "$18$");
    let short = &HASH[..20];
    hold([
        (
            format!(
                "{}basic_auth_users:\n  alice: {HASH}\n  bob: {bob}\n",
                tls("")
            ),
            Taken("tls, user alice, user bob"),
        ),
        (
            format!("basic_auth_users:\n  dave: {HASH}\n"),
            Taken("user dave"),
        ),
        (
            format!("basic_auth_users: {{\"dave\": \"{HASH}\"}}"),
            Taken("user dave"),
        ),
        ("basic_auth_users:\n".to_owned(), Taken("")),
        ("basic_auth_users: {}\n".to_owned(), Taken("")),
        (
            format!("basic_auth_users: {{john: {short}}}"),
            Refused("basic_auth_users.john (value not shown): expected a bcrypt hash"),
        ),
        (
            "basic_auth_users: {john: doe}".to_owned(),
            Refused("basic_auth_users.john (value not shown): expected a bcrypt hash"),
        ),
        (
            format!("basic_auth_users: [{HASH}]"),
            Refused("basic_auth_users: expected keys and values"),
        ),
    ]);
}

#[test]
fn rates() {
    hold([
        ("rate_limit: {interval: 0, burst: 0}", Taken("")),
        ("rate_limit: {interval: 0s, burst: 5}", Taken("")),
        ("rate_limit: {}", Taken("")),
        (
            "rate_limit:\n  interval: 1s\n  burst: 1\n",
            Taken("1 at once, one more every 1s"),
        ),
        (
            "rate_limit:\n  interval: \"1s\" # quoted\n  burst: 20\n",
            Taken("20 at once, one more every 1s"),
        ),
        (
            "rate_limit: {interval: 1h, burst: 1}",
            Taken("1 at once, one more every 3600s"),
        ),
        (
            "rate_limit: {interval: 24h, burst: 1}",
            Taken("1 at once, one more every 86400s"),
        ),
        (
            "rate_limit: {interval: 1h30m, burst: 1}",
            Taken("1 at once, one more every 5400s"),
        ),
        (
            "rate_limit: {interval: 1.5s, burst: 1}",
            Taken("1 at once, one more every 1.5s"),
        ),
        (
            "rate_limit: {interval: 100ms, burst: 3}",
            Taken("3 at once, one more every 100ms"),
        ),
        // Go takes both, and answers nobody.
        (
            "rate_limit: {interval: 1s}",
            Refused("rate_limit.burst: expected at least 1"),
        ),
        (
            "rate_limit: {interval: 1s, burst: 0}",
            Refused("rate_limit.burst: expected at least 1"),
        ),
        (
            "rate_limit: {interval: -1s, burst: 1}",
            Refused("rate_limit.interval \"-1s\""),
        ),
        (
            "rate_limit: {interval: 1s, burst: 1.5}",
            Refused("rate_limit.burst \"1.5\""),
        ),
        (
            "rate_limit: {interval: soon, burst: 1}",
            Refused("expected a duration"),
        ),
        (
            "rate_limit: {every: 1s}",
            Refused("rate_limit.every: there is no such key"),
        ),
    ]);
}
