//! Web configurations that nobody would write, as YAML and by what they mean.

use std::path::Path;
use std::sync::LazyLock;

use tempfile::TempDir;

use super::written::{self, Written};
use crate::config::files::Files;
use crate::config::fuzz_tests::is_placed;
use crate::config::mistake::Mistake;
use crate::config::setting::Setting;
use crate::config::yaml::{self, Node, Value};
use crate::fuzz_tests::{Broken, ensure, targets};

targets! {
    yaml_files, "yaml", SEEDS, is_read_as_yaml;
    web_configurations, "web_config", SEEDS, is_read;
}

/// It stands only where a secret should.
const SECRET: &str = "hunter2hunter2";

const SEEDS: [&[u8]; 8] = [
    b"tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  client_allowed_sans:\n    - prometheus.example.com\n  min_version: TLS12\n  max_version: TLS13\n  cipher_suites:\n    - TLS_AES_128_GCM_SHA256\n    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n  prefer_server_cipher_suites: true\n  curve_preferences: [X25519, CurveP256]\n",
    b"http_server_config:\n  http2: true\n  headers:\n    Content-Security-Policy: default-src 'self'\n    X-Frame-Options: sameorigin\n    X-Content-Type-Options: nosniff\n    X-XSS-Protection: 1; mode=block\n    Strict-Transport-Security: max-age=31536000\n",
    b"basic_auth_users:\n  alice: hunter2hunter2\n  bob: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG\n",
    b"basic_auth_users: {\"alice\": 'hunter2hunter2', bob: \"$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG\"}\nrate_limit: {interval: \"1s\", burst: 20}\n",
    b"rate_limit:\n  interval: 1m30s # between two requests\n  burst: 20\n",
    b"tls_server_config:\n  cert_file: server.crt\n  key: |\n    -----BEGIN PRIVATE KEY-----\n    hunter2hunter2\n    -----END PRIVATE KEY-----\n",
    b"a: &a {x: [1, 2.50, null, true, ~]}\nb: *a\nc: >-\n  folded\n  text\nd: !!str 5\n? e\n: f\n",
    b"---\n%YAML 1.2\n# words\n{}\n...\n",
];

/// Files that a configuration can name.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write("server.crt", made.cert.pem());
    write("ca.crt", made.cert.pem());
    write("server.key", made.signing_key.serialize_pem());
    folder
});

fn is_read_as_yaml(input: &[u8]) -> Result<bool, Broken> {
    let Ok(text) = std::str::from_utf8(input) else {
        return Ok(false);
    };
    match yaml::read(text) {
        Ok(tree) => {
            // As many values as that come of aliases.
            let values = count(&tree);
            ensure(values <= 100_000 + text.len(), || {
                format!("{values} values come of {} bytes", text.len())
            })?;
            let again = in_one_line(&tree);
            let read = yaml::read(&again).map_err(|error| format!("{error}: {again}"))?;
            ensure(in_one_line(&read) == again, || {
                format!("written as {again} it reads as {}", in_one_line(&read))
            })?;
            Ok(true)
        }
        Err(error) => {
            is_told_well(text, &error.to_string())?;
            Ok(false)
        }
    }
}

fn is_read(input: &[u8]) -> Result<bool, Broken> {
    let Ok(text) = std::str::from_utf8(input) else {
        return Ok(false);
    };
    let (written, mut mistakes) = written::read(text);
    let secrets: Vec<String> = written.as_ref().map(secrets).unwrap_or_default();
    let config = written.map(|written| {
        let mut files = Files::beside(&FOLDER.path().join(Path::new("web.yml")));
        super::meaning(&written, &mut files, &mut mistakes)
    });
    let is_taken = config.is_some() && mistakes.is_empty();
    for mistake in mistakes.iter().map(Mistake::to_string) {
        is_told_well(text, &mistake)?;
        is_silent(text, &secrets, &mistake)?;
    }
    is_silent(text, &secrets, &format!("{config:?}"))?;
    Ok(is_taken)
}

/// What no message may show.
fn secrets(written: &Written) -> Vec<String> {
    let tls = written.tls.as_ref().map(|(_, tls)| tls);
    let inline = tls
        .into_iter()
        .flat_map(|tls| [&tls.key, &tls.cert, &tls.client_ca]);
    let all = inline.flatten().chain(&written.users);
    all.map(|Setting { text, .. }| text.clone()).collect()
}

/// What stands in secrets alone, and in none of our own words, is not said.
fn is_silent(text: &str, secrets: &[String], said: &str) -> Result<(), Broken> {
    for mark in ["hunter2", "X0h1gDs"] {
        let in_secrets: usize = secrets
            .iter()
            .map(|secret| secret.matches(mark).count())
            .sum();
        let is_alone = text.matches(mark).count() == in_secrets;
        ensure(!is_alone || !said.contains(mark), || {
            format!("a secret in {said:?}")
        })?;
    }
    Ok(())
}

/// A mistake is well told, and a secret that is no key is not in it.
fn is_told_well(text: &str, mistake: &str) -> Result<(), Broken> {
    is_placed(text, mistake)?;
    // Where a secret became the name of a key, it is told as that.
    let is_key = mistake.contains("duplicate") || mistake.contains("there is no such key");
    let is_elsewhere = text.matches(SECRET).count() != 1 || is_key;
    let parsed = yaml::read(text).is_ok();
    ensure(parsed || is_elsewhere || !mistake.contains(SECRET), || {
        format!("a secret in {mistake:?}")
    })
}

fn count(node: &Node) -> usize {
    1 + match &node.value {
        Value::Null | Value::Scalar(_) => 0,
        Value::List(items) => items.iter().map(count).sum(),
        Value::Table(entries) => entries.iter().map(|(_, node)| count(node)).sum(),
    }
}

/// The tree on one line, with every text in quotes.
fn in_one_line(node: &Node) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Scalar(text) => quoted(text),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(in_one_line).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(entries) => {
            let entry = |(key, node): &(yaml::Key, Node)| {
                // A longer key needs the mark.
                format!("? {} : {}", quoted(&key.text), in_one_line(node))
            };
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}
