//! Whole files, good and bad.

use super::{WebConfig, WebFile};

const HASH: &str = "$2y$10$EYxs8IOG46m9CtpB/XlPxO1ei7E4BjAen0SUv6di7mD4keR/8JO6m";

fn read(text: &str) -> Result<WebConfig, Vec<String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("web.yml");
    std::fs::write(&path, text).expect("written");
    let read = WebFile::read(&path);
    read.map(|file| file.config)
        .map_err(|error| error.mistakes.iter().map(ToString::to_string).collect())
}

#[test]
fn a_file_may_ask_for_nothing() {
    for text in [
        "",
        "# nothing yet\n",
        "basic_auth_users:\n",
        "tls_server_config:\n",
        "http_server_config: {}\n",
    ] {
        let config = read(text).expect(text);
        assert!(config.tls.is_none() && config.users.is_empty(), "{text}");
    }
}

#[test]
fn users_headers_and_a_rate_are_read() {
    let text = format!(
        "basic_auth_users:\n  alice: {HASH}\n  bob: {HASH}\nhttp_server_config:\n  http2: false\n  \
         headers:\n    X-Frame-Options: deny\n    Strict-Transport-Security: max-age=31536000\n\
         rate_limit:\n  interval: 1s\n  burst: 20\n"
    );
    let config = read(&text).expect("a good file");
    let names: Vec<&str> = config.users.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["alice", "bob"]);
    assert_eq!(config.headers.len(), 2);
    assert_eq!(config.rate_limit.expect("a rate").burst, 20);
    assert!(!format!("{config:?}").contains("EYxs8"));
}

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let text = "basic_auth_users:\n  alice: hunter2\nhttp_server_config:\n  http3: true\n  headers:\n    \
                X-Frame-Options: maybe\n    Server: x\ntls_server_configs: {}\nrate_limit: 5\n";
    let all = read(text).expect_err("a bad file");
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
        let all = read(&text).expect_err(setting).join("\n");
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
