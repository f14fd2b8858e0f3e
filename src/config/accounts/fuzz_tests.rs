//! Files of accounts that nobody would write.

use std::collections::HashSet;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::config::fuzz_tests::is_placed;
use crate::config::typing::typed;
use crate::config::{Command, ConfigFile};
use crate::fuzz_tests::{Broken, ensure, targets};

targets! {
    files_of_accounts, "accounts", SEEDS, is_read;
}

const SEEDS: [&[u8]; 5] = [
    b"accounts:\n  - name: europe\n    base_url: https://gears.example.com\n    client_id: TEST-CLIENT\n    client_secret_file: secret\n    logs: [device, admin]\n    order: newest-first\n    timezone: Europe/Berlin\n    lookback: 48h\n    lateness: 3m\n    rate_limit: 20/1m\n    timeout: 7s\n    ca_file: ca.pem\n    min_interval: 30s\n    labels: {region: europe, a_b: \"1.10\", number: 1.10}\n    events:\n      - match: 'Policy .* was changed'\n        event: Policy changed\n",
    b"accounts:\n  - name: \"Z\xc3\xbcrich office\"\n    access_token_file: token\n    logs: admin\n  - name: usa\n    access_token_file: ./token\n    base_url: https://usa.example.com\n",
    b"accounts: [{name: a, access_token_file: token}, {name: b, access_token_file: token}]\n",
    b"accounts:\n  - &a {name: a, access_token_file: token, labels: &l {x: y}, events: &e [{match: '(a|b)+c?[d-f]{2,3}', event: x}]}\n  - {name: b, access_token_file: token, labels: *l, events: *e}\n",
    b"accounts:\n",
];

/// A folder with the file and what it names.
static FILE: LazyLock<(TempDir, ConfigFile)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    write("ca.pem", made.cert.pem().as_bytes());
    write("secret", b"hunter2");
    write("token", b"hunter2");
    write("accounts.yml", SEEDS[2]);
    let path = folder.path().join("accounts.yml");
    let line = format!("--config.file={}", path.display());
    let Ok(Command::Serve(exporter)) = typed(&line, &[]).map(|config| config.command) else {
        panic!("{line} is refused");
    };
    (folder, exporter.config_file.unwrap().file)
});

fn is_read(input: &[u8]) -> Result<bool, Broken> {
    let (_, file) = &*FILE;
    std::fs::write(file.path(), input).unwrap();
    let accounts = match file.read() {
        Ok(accounts) => accounts,
        Err(error) => {
            let Ok(text) = std::str::from_utf8(input) else {
                return Ok(false);
            };
            let path = format!("{}: ", file.path().display());
            for mistake in error.mistakes.iter().map(ToString::to_string) {
                let told = mistake.strip_prefix(&path);
                is_placed(text, told.ok_or_else(|| format!("no path in {mistake}"))?)?;
                ensure(!mistake.contains("hunter2"), || {
                    format!("a secret in {mistake}")
                })?;
            }
            return Ok(false);
        }
    };
    let shown = format!("{accounts:?}");
    ensure(!shown.contains("hunter2"), || {
        format!("a secret in {shown}")
    })?;
    let names: HashSet<&str> = accounts
        .list
        .iter()
        .map(|account| account.name.as_str())
        .collect();
    let all = accounts.list.len();
    ensure(all > 0 && names.len() == all, || {
        format!("{names:?} of {all}")
    })?;
    for account in &accounts.list {
        // However a rule is written, it is soon held against a text.
        let long = "Policy a was changed ".repeat(20);
        let _ = account.rules.event(&long);
    }
    Ok(true)
}
