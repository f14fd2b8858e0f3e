//! Whole files, good and bad.

use std::path::Path;

use super::*;

/// What a file with this text asks for; else all that is wrong with it.
pub(super) fn reading(text: &str) -> Result<WebConfig, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.path().join("server.crt"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("ca.crt"), made.cert.pem()).unwrap();
    std::fs::write(
        folder.path().join("server.key"),
        made.signing_key.serialize_pem(),
    )
    .unwrap();
    let path = folder.path().join("web.yml");
    std::fs::write(&path, text).unwrap();
    let read = WebFile::read(&path).map(|file| file.config);
    read.map_err(|error| error.mistakes.iter().map(ToString::to_string).collect())
}

pub(super) const HASH: &str = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

#[test]
fn an_empty_file_asks_for_nothing() {
    for text in [
        "",
        "# nothing\n",
        "{}",
        "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\n",
        "tls_server_config: {}\nbasic_auth_users: {}\nhttp_server_config: {headers: {}}\n",
    ] {
        let config = reading(text).unwrap();
        assert!(config.tls.is_none() && config.users.is_empty(), "{text:?}");
        assert!(config.headers.is_empty() && config.rate_limit.is_none());
    }
}

#[test]
fn every_setting_of_the_documentation_is_read() {
    let config = reading(&format!(
        "tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  client_allowed_sans:
    - prometheus.example.com
  min_version: TLS12
  max_version: TLS13
  cipher_suites:
    - TLS_AES_128_GCM_SHA256
    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
  prefer_server_cipher_suites: true
  curve_preferences: [X25519, CurveP256]
http_server_config:
  http2: true
  headers:
    Content-Security-Policy: default-src 'self'
    X-Frame-Options: sameorigin
    X-Content-Type-Options: nosniff
    X-XSS-Protection: 1; mode=block
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  alice: {HASH}
  bob: {HASH}
rate_limit:
  interval: \"1s\" # between two requests
  burst: 20
"
    ));
    let config = config.unwrap();
    let shown = format!("{config:?}");
    assert!(config.tls.is_some());
    assert_eq!(config.headers.len(), 5, "{config:?}");
    let names: Vec<&str> = config.users.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["alice", "bob"]);
    let limit = config.rate_limit.unwrap();
    assert_eq!((limit.interval.as_secs(), limit.burst), (1, 20));
    assert!(!shown.contains("X0h1g"), "{shown}");
}

#[test]
fn certificates_may_stand_in_the_file_itself() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let indented = |pem: String| pem.replace('\n', "\n    ");
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let text = format!(
        "tls_server_config:\n  cert: |\n    {}\n  key: |\n    {}\n",
        indented(cert),
        indented(key)
    );
    assert!(reading(&text).unwrap().tls.is_some());
}

#[test]
fn http_2_may_be_asked_for_or_not_and_nothing_else() {
    for text in ["true", "false"] {
        assert!(reading(&format!("http_server_config: {{http2: {text}}}")).is_ok());
    }
    assert!(reading("http_server_config: {http2: maybe}").is_err());
}

#[test]
fn a_rate_limit_without_an_interval_is_none() {
    for text in [
        "rate_limit: {interval: 0, burst: 5}",
        "rate_limit: {interval: 0s}",
        "rate_limit:",
    ] {
        assert!(reading(text).unwrap().rate_limit.is_none(), "{text}");
    }
}

#[test]
fn a_header_without_a_value_is_not_set() {
    let text = "http_server_config: {headers: {X-Frame-Options: \"\", X-XSS-Protection: }}";
    assert!(reading(text).unwrap().headers.is_empty());
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, says) in [
        ("bogus: 1", "line 1, column 1: bogus: there is no such key"),
        (
            "\ntls_server_config:\n  cert-file: a",
            "line 3, column 3: tls_server_config.cert-file: there is no such key",
        ),
        (
            "http_server_config: {http3: true}",
            "http_server_config.http3: there is no such key; those that there are: http2, headers",
        ),
        (
            "rate_limit: {rate: 1}",
            "rate_limit.rate: there is no such key",
        ),
        (
            "rate_limit: {interval: 1s}",
            "rate_limit.burst: expected at least 1",
        ),
        (
            "rate_limit: {interval: 1s, burst: 0}",
            "rate_limit.burst: expected at least 1",
        ),
        (
            "rate_limit: {interval: 5, burst: 1}",
            "rate_limit.interval \"5\": expected a duration",
        ),
        (
            "rate_limit: {interval: 1s, burst: many}",
            "rate_limit.burst \"many\": expected a number",
        ),
        (
            "http_server_config: {headers: {Server: x}}",
            "http_server_config.headers.Server: this header cannot be set; those that can are",
        ),
        (
            "http_server_config: {headers: {x-frame-options: deny}}",
            "this header cannot be set",
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: DENY}}",
            "X-Frame-Options \"DENY\": expected deny or sameorigin",
        ),
        (
            "http_server_config: {headers: {X-Content-Type-Options: sniff}}",
            "expected nosniff",
        ),
        (
            "http_server_config: {headers: {X-XSS-Protection: \"a\\nb\"}}",
            "expected visible characters",
        ),
        (
            "basic_auth_users: {alice: hunter2}",
            "basic_auth_users.alice (value not shown): expected a bcrypt hash",
        ),
        (
            "basic_auth_users: {alice: }",
            "basic_auth_users.alice (value not shown)",
        ),
        (
            "basic_auth_users: [alice]",
            "basic_auth_users: expected keys and values",
        ),
        ("basic_auth_users: {a: [hunter2]}", "expected one value"),
        ("tls_server_config: {cipher_suites: X}", "expected a list"),
        ("- a", "the file: expected keys and values"),
        ("junk", "the file: expected keys and values"),
        ("a: [", "this is no YAML"),
        ("bogus: 1\nbogus: 2", "this is no YAML"),
    ] {
        let mistakes = reading(text).unwrap_err();
        let told = mistakes.iter().find(|mistake| mistake.contains(says));
        let told = told.unwrap_or_else(|| panic!("{says:?} is not in {mistakes:#?}"));
        assert!(told.starts_with("line "), "{told}");
        assert!(!mistakes.concat().contains("hunter2"), "{mistakes:#?}");
    }
}

#[test]
fn a_name_with_a_colon_is_refused_since_it_could_never_log_in() {
    let mistakes = reading(&format!("basic_auth_users: {{'a:b': {HASH}}}")).unwrap_err();
    assert!(
        mistakes.concat().contains("a name with a colon"),
        "{mistakes:?}"
    );
}

#[test]
fn a_file_that_is_none_is_refused() {
    let error = WebFile::read(Path::new("/nowhere/web.yml")).unwrap_err();
    let told = error.to_string();
    assert!(
        told.starts_with("/nowhere/web.yml: the file cannot be read"),
        "{told}"
    );
}

#[test]
fn the_digest_is_of_the_file_and_of_all_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let digest = || match WebFile::read(&folder.path().join("web.yml")) {
        Ok(file) => file.digest,
        Err(error) => error.digest(),
    };
    let text = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n";
    let mut seen = vec![digest()];
    let mut changed = |what: &str| {
        let now = digest();
        assert!(!seen.contains(&now), "{what}");
        assert_eq!(now, digest(), "{what}: the same is the same");
        seen.push(now);
    };
    file("web.yml", text);
    changed("the file");
    file("server.crt", "x");
    changed("the certificate");
    file("server.key", "x");
    changed("the key");
    file("server.key", "y");
    changed("the key again");
    std::fs::remove_file(folder.path().join("server.crt")).unwrap();
    changed("the certificate is gone");
}

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let text = "basic_auth_users:\n  alice: hunter2\nhttp_server_config:\n  http3: true\n  headers:\n    \
                X-Frame-Options: maybe\n    Server: x\ntls_server_configs: {}\nrate_limit: 5\n";
    let all = reading(text).expect_err("a bad file");
    for start in [
        "line 2, column 10: basic_auth_users.alice (value not shown): expected a bcrypt hash",
        "line 4, column 3: http_server_config.http3: there is no such key",
        "line 6, column 22: http_server_config.headers.X-Frame-Options \"maybe\": ",
        "line 7, column 13: http_server_config.headers.Server: this header cannot be set",
        "line 8, column 1: tls_server_configs: there is no such key",
        "line 9, column 13: rate_limit: expected keys and values",
    ] {
        let told = all.iter().any(|mistake| mistake.starts_with(start));
        assert!(told, "nothing starts with {start:?} in {all:#?}");
    }
    assert_eq!(all.len(), 6, "{all:#?}");
    assert!(!all.concat().contains("hunter2"));
}

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    let refused = |setting: &str, name: &str| {
        let text = format!("tls_server_config:\n  cert_file: a\n  key_file: b\n  {setting}\n");
        let all = reading(&text).expect_err(setting).join("\n");
        assert!(all.contains(name), "{setting}: {all}");
    };
    refused("min_version: TLS10", "TLS10");
    refused(
        "cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]",
        "TLS_RSA_WITH_AES_128_CBC_SHA",
    );
    refused("client_auth_type: Sometimes", "Sometimes");
    refused("curve_preferences: [CurveP521]", "CurveP521");
    refused("cipher_suites: TLS_AES_128_GCM_SHA256", "expected a list");
}
