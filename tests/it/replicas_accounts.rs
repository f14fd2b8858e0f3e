//! Accounts are shared out among the replicas, and few move when one comes or goes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use metaaccess_exporter::clock;

use crate::api::{self, Api, TOKEN};
use crate::exporter::Exporter;
use crate::postgres::shared_server;
use crate::program::Program;
use crate::replicas_fleet::PATIENCE;
use crate::samples::Samples;
use crate::wait::until;

/// That one replica leads them all comes about once in 200,000 times.
const ACCOUNTS: usize = 12;

/// Longer than a replica is new, and two beats.
const STAYS: Duration = Duration::from_secs(5);

/// Which replica leads each account.
type Leaders = BTreeMap<usize, usize>;

fn name(account: usize) -> String {
    format!("account{account}")
}

/// A file of accounts, each of an API of its own.
fn write_accounts(folder: &Path, apis: &[Api]) {
    std::fs::write(folder.join("token"), TOKEN).expect("written");
    let account = |(number, api): (usize, &Api)| {
        let (name, address) = (name(number), api.address());
        format!("  - {{name: {name}, base_url: 'http://{address}', access_token_file: token}}\n")
    };
    let accounts: String = apis.iter().enumerate().map(account).collect();
    let text = format!("accounts:\n{accounts}");
    std::fs::write(folder.join("accounts.yml"), text).expect("written");
}

fn started(folder: &Path, url: &str) -> Exporter {
    let flags = [
        format!("--config.file={}", folder.join("accounts.yml").display()),
        format!("--state.url={url}"),
        "--web.listen-address=127.0.0.1:0".to_owned(),
        "--api.rate-limit=200/1s".to_owned(),
        "--metrics.zero-for=0s".to_owned(),
    ];
    Exporter::listening(Program::exporter(&flags, &[]), 1)
}

/// The accounts that each replica leads; none, where one is led by two or nobody.
fn leaders(replicas: &BTreeMap<usize, Exporter>) -> Option<Leaders> {
    let mut leaders = Leaders::new();
    for (number, exporter) in replicas {
        let (samples, _) = exporter.scrape_within(0.1);
        for account in 0..ACCOUNTS {
            let labels = [("account", &*name(account))];
            if samples.sum("metaaccess_replica_leads", &labels) == 1.0 {
                let before = leaders.insert(account, *number);
                if before.is_some() {
                    return None;
                }
            }
        }
    }
    (leaders.len() == ACCOUNTS).then_some(leaders)
}

/// The same, once they move no more.
#[track_caller]
fn leaders_that_stay(replicas: &BTreeMap<usize, Exporter>) -> Leaders {
    let (mut known, mut since) = (None, clock::now());
    until(PATIENCE, "each account is led by one replica", || {
        let before = std::mem::replace(&mut known, leaders(replicas));
        if known.is_none() || known != before {
            since = clock::now();
        }
        known.clone().filter(|_| clock::now().since(since) > STAYS)
    })
}

#[track_caller]
fn all_show_the_truth(replicas: &BTreeMap<usize, Exporter>, apis: &[Api]) {
    for exporter in replicas.values() {
        until(PATIENCE, "every account is counted", || {
            let samples = exporter.scrape();
            let is_exact = |(number, api): (usize, &Api)| {
                let of_it: Samples = samples.of(&name(number));
                of_it.counts() == api.counts() && of_it.is_up()
            };
            apis.iter().enumerate().all(is_exact).then_some(())
        });
    }
}

#[test]
fn accounts_spread_over_the_replicas_and_only_those_of_the_one_that_goes_or_comes_move() {
    let Some(server) = shared_server() else {
        return;
    };
    let apis: Vec<Api> = (0..ACCOUNTS).map(|_| Api::start(api::empty())).collect();
    let folder = tempfile::tempdir().expect("a folder");
    write_accounts(folder.path(), &apis);
    let url = server.new_database();
    let start = || started(folder.path(), &url);
    let mut replicas: BTreeMap<usize, Exporter> = (0..3).map(|it| (it, start())).collect();
    let install = |host: &str| apis.iter().for_each(|api| api.install_on(&[host]));
    install("TEST-FIRST");
    let before = leaders_that_stay(&replicas);
    let all_of_one = before.values().all(|leader| *leader == before[&0]);
    assert!(!all_of_one, "{before:?}");
    all_show_the_truth(&replicas, &apis);
    let gone = before[&0];
    drop(replicas.remove(&gone));
    install("TEST-SECOND");
    let after = leaders_that_stay(&replicas);
    for (account, leader) in &before {
        let moves = after[account] != *leader;
        assert_eq!(
            moves,
            *leader == gone,
            "{account}: {before:?}, then {after:?}"
        );
    }
    all_show_the_truth(&replicas, &apis);
    replicas.insert(3, start());
    install("TEST-THIRD");
    let again = leaders_that_stay(&replicas);
    for (account, leader) in &again {
        let stays = after[account] == *leader;
        assert!(
            stays || *leader == 3,
            "{account}: {after:?}, then {again:?}"
        );
    }
    all_show_the_truth(&replicas, &apis);
    println!("{before:?}, then {after:?}, then {again:?}");
}
