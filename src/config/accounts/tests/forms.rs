//! Files as a whole, and the entries of accounts.

use std::fmt::Write;

use super::{Folder, accounts, authority, labels, mistakes, one, only_mistake};
use crate::config::settings::Command;
use crate::config::typing::typed;

#[test]
fn an_account_needs_a_name_of_its_own_and_one_credential() {
    let token = "access_token_file: secrets/token";
    for (entries, says) in [
        (
            "[]",
            "line 1, column 11: there is no account; write at least one below `accounts:`",
        ),
        ("", "there is no account"),
        ("europe", "line 1, column 11: accounts: expected a list"),
        (
            "{name: europe}",
            "line 1, column 11: accounts: expected a list",
        ),
        (
            "[europe]",
            "line 1, column 12: accounts[0]: expected keys and values",
        ),
        (
            "[{access_token_file: secrets/token}]",
            "accounts[0].name: it is missing",
        ),
        (
            "[{name: , access_token_file: secrets/token}]",
            "accounts[0].name: nothing stands",
        ),
        (
            "[{name: \"a\\nb\", access_token_file: secrets/token}]",
            "accounts[0].name \"a\\nb\": expected 1 to 128",
        ),
        (
            "[{name: a}]",
            "line 1, column 12: accounts[0]: no credential is given; name an OAuth client",
        ),
        (
            "[{name: a, client_id: x}]",
            "accounts[0].client_id: the client's secret is not given; write it",
        ),
        (
            "[{name: a, client_secret_file: secrets/one}]",
            "accounts[0].client_secret_file: the client's id is not given; add it by client_id",
        ),
        (
            "[{name: a, client_id: x, access_token_file: secrets/token}]",
            "accounts[0].access_token_file and accounts[0].client_id: an access token and an OAuth client are both given",
        ),
        (
            "[{name: a, client_id: ä, client_secret_file: secrets/one}]",
            "accounts[0].client_id \"ä\": expected the client's id",
        ),
        (
            "[{name: a, access_token_file: secrets/absent}]",
            "accounts[0].access_token_file \"secrets/absent\": expected a file that holds the access token alone; the file cannot be read",
        ),
        (
            "[{name: a, access_token_file: 01234567-89ab-cdef-0123-456789abcdef}]",
            "accounts[0].access_token_file (value not shown): ",
        ),
    ] {
        let told = only_mistake(&format!("accounts: {entries}\n"));
        assert!(
            told.starts_with("accounts.yml: line 1, column "),
            "{entries}: {told}"
        );
        assert!(told.contains(says), "{says:?} is not in {told}");
    }
    let twice = format!("accounts:\n  - name: a\n    {token}\n  - name: a\n    {token}\n");
    assert_eq!(
        only_mistake(&twice),
        "accounts.yml: line 4, column 11: accounts[1].name: accounts[0].name (line 2, column 11) is \
         the same; give each account a name of its own"
    );
}

#[test]
fn a_secret_in_the_file_is_refused_by_name_and_not_shown() {
    for (key, instead) in [
        ("access_token", "access_token_file"),
        ("client_secret", "client_secret_file"),
    ] {
        for value in ["hunter5", "[hunter5]", ""] {
            let told = only_mistake(&format!("accounts:\n  - name: a\n    {key}: {value}\n"));
            let start = format!(
                "accounts.yml: line 3, column 5: accounts[0].{key} (value not shown): a secret does \
                 not stand in this file; write it to a file of its own, and name that by {instead}"
            );
            assert_eq!(told, start);
        }
    }
    let all = mistakes(one(
        "    token: hunter5\n    01234567-89ab-cdef-0123-456789abcdef:\n",
    ));
    assert_eq!(all.len(), 2, "{all:#?}");
    assert!(!all.concat().contains("01234567"), "{all:#?}");
}

#[test]
fn all_mistakes_of_all_accounts_are_told_at_once() {
    let text = "\
accounts:
  - nam: a
    timeout: 5
    access_token: hunter5
  - name: b
    client_id: x
    lookback: 1
    labels: {account: x, fine: y}
    events: [{match: '(', event: x}, {match: y}]
  - name: b
    access_token_file: secrets/token
account: 1
";
    let all = Folder::new().mistakes(text, "--api.lateness=5 --web.telemetry-path=x", &[]);
    for start in [
        "--web.telemetry-path \"x\": ",
        "--api.lateness \"5\": expected a duration",
        "accounts.yml: line 12, column 1: account: there is no such key; those that there are: \
         accounts; did you mean accounts?",
        "accounts.yml: line 2, column 5: accounts[0].nam: there is no such key; those that there are: \
         name, ",
        "accounts.yml: line 2, column 5: accounts[0].name: it is missing",
        "accounts.yml: line 3, column 14: accounts[0].timeout \"5\": ",
        "accounts.yml: line 4, column 5: accounts[0].access_token (value not shown)",
        "accounts.yml: line 6, column 16: accounts[1].client_id: the client's secret is not given",
        "accounts.yml: line 7, column 15: accounts[1].lookback \"1\": ",
        "accounts.yml: line 8, column 14: accounts[1].labels.account: ",
        "accounts.yml: line 9, column 22: accounts[1].events[0].match \"(\": ",
        "accounts.yml: line 9, column 38: accounts[1].events[1].event: it is missing",
        "accounts.yml: line 10, column 11: accounts[2].name: accounts[1].name (line 5, column 11) is \
         the same",
    ] {
        let told = all.iter().any(|mistake| mistake.starts_with(start));
        assert!(told, "nothing starts with {start:?} in {all:#?}");
    }
    assert_eq!(all.len(), 13, "{all:#?}");
}

#[test]
fn what_is_no_file_of_accounts_is_refused() {
    for text in [
        "",
        "\n",
        "# only words\n",
        "---\n",
        "{}",
        "accounts:\n",
        "\u{feff}",
    ] {
        let told = only_mistake(text);
        let is_placed = told.starts_with("accounts.yml: line ");
        assert!(
            is_placed && told.contains(": there is no account; "),
            "{text:?}: {told}"
        );
    }
    for (text, says) in [
        (
            "- a\n",
            "line 1, column 1: the file: expected keys and values",
        ),
        (
            "europe\n",
            "line 1, column 1: the file: expected keys and values",
        ),
        ("accounts: [\n", "this is no YAML as it is read here"),
        (
            "accounts:\n\t- name: a\n",
            "line 2, column 2: this is no YAML as it is read here: tabs",
        ),
        (
            "accounts: []\n---\naccounts: []\n",
            "this is no YAML as it is read here",
        ),
        (
            "accounts: []\naccounts: []\n",
            "line 2, column 1: this is no YAML as it is read here: ",
        ),
    ] {
        let told = only_mistake(text);
        assert!(told.starts_with("accounts.yml: line "), "{text:?}: {told}");
        assert!(told.contains(says), "{text:?}: {told}");
    }
    let told = mistakes(b"accounts: \xff\xfe\n").concat();
    assert_eq!(told, "accounts.yml: it is no text in UTF-8; write it anew");
    let told = mistakes(vec![b'#'; 10_000_000]).concat();
    assert_eq!(
        told,
        "accounts.yml: the file cannot be read: it is larger than 8192 KiB"
    );
    let folder = Folder::new();
    let absent = format!("--config.file={}/absent.yml", folder.path().display());
    let told = typed(&absent, &[]).unwrap_err().to_string();
    assert!(
        told.contains("absent.yml: the file cannot be read: "),
        "{told}"
    );
    assert!(typed("--config.file=", &[]).is_err());
}

#[test]
fn a_byte_order_mark_and_the_line_ends_of_windows_are_no_mistake() {
    let text = format!(
        "\u{feff}{}",
        one("    rate_limit: 10/2m\n").replace('\n', "\r\n")
    );
    assert_eq!(accounts(&text)[0].limits.rate.to_string(), "10/2m");
    // The text of a plain number is found by its place in the file.
    let text = format!("\u{feff}{}", one("    labels: {number: 007}\n"));
    assert_eq!(labels(&accounts(&text)[0]), [("number", "007")]);
}

#[test]
fn anchors_aliases_and_merges_are_what_yaml_says() {
    let text = "\
accounts:
  - &first
    name: a
    access_token_file: secrets/token
    timeout: 7s
    events: &rules [{match: 'a', event: A}]
  - <<: *first
    name: b
    access_token_file: secrets/one
  - name: c
    access_token_file: secrets/two
    events: *rules
";
    let read = accounts(text);
    let timeouts: Vec<u64> = read.iter().map(|it| it.limits.timeout.as_secs()).collect();
    assert_eq!(timeouts, [7, 7, 5]);
    assert!(
        read.iter()
            .all(|account| account.rules.event("a") == Some("A"))
    );
}

#[test]
fn credentials_and_names_beside_the_file_are_refused() {
    let folder = Folder::new();
    for (line, variable, key) in [
        ("--api.client-id=x", None, "client_id"),
        ("--api.client-secret-file=x", None, "client_secret_file"),
        ("--api.access-token-file=x", None, "access_token_file"),
        ("--account.name=x", None, "name"),
        ("", Some("METAACCESS_API_CLIENT_ID"), "client_id"),
        ("", Some("METAACCESS_ACCESS_TOKEN"), "access_token_file"),
        ("", Some("METAACCESS_CLIENT_SECRET"), "client_secret_file"),
    ] {
        let environment: Vec<_> = variable.iter().map(|name| (*name, "hunter5")).collect();
        let all = folder.mistakes(one(""), line, &environment);
        assert_eq!(all.len(), 1, "{line}: {all:#?}");
        let name = variable.or(line.split('=').next()).unwrap();
        let start = format!("{name}: --config.file names the accounts; ");
        assert!(all[0].starts_with(&start), "{all:#?}");
        assert!(
            all[0].ends_with(&format!("as {key} of its account")),
            "{all:#?}"
        );
    }
    let config = folder
        .typed(one(""), "", &[("METAACCESS_ACCOUNT_NAME", "x")])
        .unwrap();
    assert_eq!(
        config.warnings,
        ["METAACCESS_ACCOUNT_NAME is set, but --config.file names the accounts: it is ignored"]
    );
    let Command::Serve(exporter) = config.command else {
        panic!("no exporter");
    };
    assert_eq!(exporter.accounts[0].name.as_str(), "europe");
    // The demo has an account of its own, whatever the environment says.
    let environment = [
        ("METAACCESS_CONFIG_FILE", "/nowhere"),
        ("METAACCESS_ACCESS_TOKEN", "x"),
    ];
    assert_eq!(typed("demo", &environment).unwrap().warnings.len(), 2);
}

fn many(number: usize, more: &str) -> String {
    let mut text = "accounts:\n".to_owned();
    for n in 0..number {
        let _ = writeln!(
            text,
            "  - name: account-{n}\n    client_id: TEST-{n}\n    client_secret_file: secrets/one\n{more}"
        );
    }
    text
}

#[test]
fn there_may_be_ten_thousand_accounts_and_no_more() {
    let folder = Folder::new();
    folder.write("ca.pem", authority());
    let text = many(
        10_000,
        "    ca_file: ca.pem\n    logs: [device, admin]\n    timezone: UTC",
    )
    .replacen(
        "    ca_file",
        "    events: &rules [{match: a.*, event: A}]\n    ca_file",
        1,
    )
    .replace("    timezone: UTC", "    labels: {region: europe}")
    .replace("TEST-9999\n", "TEST-9999\n    events: *rules\n");
    let read = folder.exporter(&text, "").accounts;
    assert_eq!(read.len(), 10_000);
    assert_eq!(read[9_999].rules, read[0].rules);
    let told = only_mistake(&many(10_001, ""));
    assert!(
        told.contains("accounts: these are 10001; write at most 10000"),
        "{told}"
    );
}

#[test]
fn one_list_of_rules_may_be_named_by_hundreds_of_accounts() {
    let folder = Folder::new();
    let rules = vec!["{match: 'Policy .* was changed', event: Policy changed}"; 40].join(",");
    let text = many(600, "    events: *rules").replacen("*rules", &format!("&rules [{rules}]"), 1);
    let read = folder.exporter(&text, "").accounts;
    assert_eq!(read.len(), 600);
    assert!(read.iter().all(|account| account.rules == read[0].rules));
}
