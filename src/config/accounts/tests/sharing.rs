//! Accounts with one credential.

use std::time::Duration;

use super::{Folder, accounts, one, only_mistake};

fn shared(first: &str, second: &str) -> String {
    one(first) + &format!("  - name: usa\n    access_token_file: ./secrets/token\n{second}")
}

#[test]
fn accounts_with_one_credential_share_its_budget() {
    let read = accounts(&shared("    logs: device\n", "    logs: admin\n"));
    assert!(read[0].shares_with(&read[1]));
    for account in &read {
        assert_eq!(
            account.limits.min_interval,
            Duration::from_secs(15),
            "of two logs"
        );
    }
    let read = accounts(&shared("", "    min_interval: 40s\n"));
    assert_eq!(
        read[0].limits.min_interval,
        Duration::from_secs(30),
        "of four logs"
    );
    assert_eq!(read[1].limits.min_interval, Duration::from_secs(40));
    let elsewhere = accounts(&shared("", "    base_url: https://example.com\n"));
    assert!(!elsewhere[0].shares_with(&elsewhere[1]));
    assert_eq!(elsewhere[0].limits.min_interval, Duration::from_secs(15));
    let client = |id: &str, secret: &str| {
        format!("{{name: {id}-{secret}, client_id: {id}, client_secret_file: secrets/{secret}}}")
    };
    let clients = [client("x", "one"), client("x", "two"), client("y", "one")];
    let token = "{name: token, access_token_file: secrets/one}";
    let read = accounts(&format!("accounts: [{}, {token}]", clients.join(", ")));
    for (nth, account) in read.iter().enumerate() {
        for (other_nth, other) in read.iter().enumerate() {
            assert_eq!(
                account.shares_with(other),
                // Those of one client do, wherever its secret is.
                nth == other_nth || nth.max(other_nth) == 1,
                "{account:?} {other:?}"
            );
        }
        let seconds = if nth < 2 { 30 } else { 15 };
        assert_eq!(account.limits.min_interval, Duration::from_secs(seconds));
    }
}

#[test]
fn accounts_with_one_credential_have_one_rate_limit() {
    let told = only_mistake(&shared(
        "    rate_limit: 20/1m\n",
        "    rate_limit: 10/1m\n",
    ));
    assert_eq!(
        told,
        "accounts.yml: line 7, column 17: accounts[1].rate_limit: it is 10/1m, but 20/1m by \
         accounts.yml: line 4, column 17: accounts[0].rate_limit, which has the same credential, and \
         so the same requests: give both one rate_limit"
    );
    let told = only_mistake(&shared("    rate_limit: 20/1m\n", ""));
    assert!(
        told.starts_with("--api.rate-limit: it is 10/1m, but 20/1m by accounts.yml: "),
        "{told}"
    );
    let same = shared("    rate_limit: 20/1m\n", "    rate_limit: 20/60s\n");
    assert_eq!(accounts(&same).len(), 2);
}

#[test]
fn what_is_most_likely_not_wanted_is_warned_of() {
    let folder = Folder::new();
    let warnings = |text: &str| folder.typed(text, "", &[]).unwrap().warnings;
    assert_eq!(
        warnings(&one("    min_interval: 12s\n")),
        Vec::<String>::new()
    );
    let eager = warnings(&one("    min_interval: 11s\n"));
    assert_eq!(eager.len(), 1, "{eager:?}");
    let start =
        "the account europe: min_interval is 11s, but 10/1m is used up by a refresh every 12s";
    assert!(eager[0].starts_with(start), "{eager:?}");
    let apart = shared(
        "    logs: device\n",
        "    logs: admin\n    min_interval: 11s\n",
    );
    let of_both = warnings(&apart);
    assert_eq!(of_both.len(), 1, "{of_both:?}");
    let start = "the account usa: min_interval is 11s, but 10/1m is used up by a refresh of the 2 \
                 accounts with this credential every 12s";
    assert!(of_both[0].starts_with(start), "{of_both:?}");
    let twice = warnings(&shared("", "    logs: admin\n"));
    assert_eq!(twice.len(), 1, "{twice:?}");
    let start = "the accounts europe and usa read the same log by one credential";
    assert!(twice[0].starts_with(start), "{twice:?}");
}

#[test]
fn a_client_with_secrets_of_two_files_is_warned_of() {
    let folder = Folder::new();
    let client = |name: &str, id: &str, secret: &str| {
        format!("{{name: {name}, client_id: {id}, client_secret_file: secrets/{secret}}}")
    };
    let warnings = |others: &str| {
        let text = format!("accounts: [{}, {others}]", client("a", "x", "one"));
        folder.typed(&text, "", &[]).unwrap().warnings
    };
    let told = warnings(&client("b", "x", "two"));
    let is_of_it = |told: &String| told.contains("secrets of two files");
    assert_eq!(told.iter().filter(|told| is_of_it(told)).count(), 1);
    assert!(
        told[0].starts_with("the accounts a and b are one client"),
        "{told:?}"
    );
    for others in [client("b", "x", "one"), client("b", "y", "two")] {
        assert!(!warnings(&others).iter().any(is_of_it), "{others}");
    }
}
