//! What a state keeps, and what a commit costs.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::Store;
use super::format::newest;
use crate::births::Birth;
use crate::clock;
use crate::event::{Account, Event, EventType, Labels, Minute};
use crate::moment::Moment;
use crate::saved::{
    Changes, Identity, Saved, SavedBucket, SavedLog, SavedPlace, SavedRequests, SavedSeries,
};
use crate::sighting::{Bucket, Fingerprint};

/// A folder of its own, and the path of a state file in it.
pub(super) fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.db");
    (folder, path)
}

/// An identity that tells which call made it.
pub(super) fn identity(number: u8) -> Identity {
    Identity {
        epoch: format!("00000000000000{number:02x}"),
        created: Duration::new(1_700_000_000, 123_456_789),
        key: [number; 16],
    }
}

pub(super) fn main_account() -> Account {
    Account::new("main")
}

pub(super) async fn open(path: &std::path::Path) -> Store {
    Store::open(path, identity(1)).await.unwrap()
}

/// The count of one host.
pub(super) fn series(host: &str, count: u64) -> SavedSeries {
    let event = Event::new(Labels {
        category: "MetaAccess",
        version: "4.3",
        hostname: host,
        event: "Installed",
    });
    SavedSeries {
        event_type: EventType::Device,
        event,
        place: 0,
        count,
        birth: Birth::default(),
    }
}

/// A commit that sets the count of host `a`, and what belongs to it elsewhere.
pub(super) fn counted(count: u64) -> Changes {
    let bucket = SavedBucket {
        event_type: EventType::Device,
        bucket: Bucket::At(Minute(28_000_000)),
        total: u32::try_from(count).unwrap(),
        most_at_once: 50,
        counted: vec![(Fingerprint(u64::MAX), u32::try_from(count).unwrap())],
    };
    Changes {
        changed: Saved {
            series: vec![series("a", count)],
            buckets: vec![bucket],
            ..Saved::default()
        },
        ..Changes::default()
    }
}

/// The count of host `a`.
pub(super) fn count_in(saved: &Saved) -> Option<u64> {
    saved.series.first().map(|series| series.count)
}

pub(super) async fn count(store: &Store) -> Option<u64> {
    count_in(&store.load_all(&main_account()).await.unwrap())
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart_with_the_identity_of_the_first_start() {
    let (_folder, path) = folder();
    let store = Store::open(&path, identity(1)).await.unwrap();
    assert!(store.is_fresh());
    assert_eq!(
        (store.backend(), store.format()),
        ("sqlite", Some(newest()))
    );
    store.commit(&main_account(), counted(3)).await.unwrap();
    store.close().await.unwrap();

    let store = Store::open(&path, identity(2)).await.unwrap();
    assert!(!store.is_fresh());
    assert_eq!(*store.identity(), identity(1));
    let saved = store.load_all(&main_account()).await.unwrap();
    assert_eq!(saved, counted(3).changed);
}

#[tokio::test]
async fn memory_keeps_nothing_and_every_commit_works() {
    let store = Store::memory(identity(7));
    store.commit(&main_account(), counted(3)).await.unwrap();
    let saved = store.load_all(&main_account()).await.unwrap();
    assert_eq!(saved, Saved::default());
    assert_eq!(*store.identity(), identity(7));
    assert!(store.is_fresh());
    assert_eq!((store.backend(), store.format()), ("memory", None));
    store.close().await.unwrap();
}

#[tokio::test]
async fn closing_twice_is_closing_once_and_a_closed_state_takes_nothing() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    store.clone().close().await.unwrap();
    let refused = store.commit(&main_account(), counted(1)).await.unwrap_err();
    assert_eq!(refused.reason(), "closed");
    assert!(store.load_all(&main_account()).await.is_err());
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_closed_state_is_one_file_and_its_lock() {
    let (folder, path) = folder();
    let store = open(&path).await;
    store.commit(&main_account(), counted(1)).await.unwrap();
    store.close().await.unwrap();
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["state.db", "state.db.lock"]);
}

#[tokio::test]
async fn accounts_that_commit_at_the_same_time_are_all_saved() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    let commits = (0_u64..200).map(|n| {
        let store = store.clone();
        let account = Account::new(&format!("account {n}"));
        tokio::spawn(async move { store.commit(&account, counted(n)).await })
    });
    for commit in commits.collect::<Vec<_>>() {
        commit.await.unwrap().unwrap();
    }
    for n in 0..200 {
        let account = Account::new(&format!("account {n}"));
        let saved = store.load_all(&account).await.unwrap();
        assert_eq!(count_in(&saved), Some(n));
    }
}

#[tokio::test]
async fn a_count_that_does_not_fit_is_refused_and_nobody_else_is() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    store.commit(&main_account(), counted(3)).await.unwrap();
    let mut too_large = counted(4);
    too_large.changed.series.push(series("b", 1 << 63));
    let (main, other) = (main_account(), Account::new("other"));
    let (refused, saved) = tokio::join!(
        store.commit(&main, too_large),
        store.commit(&other, counted(5)),
    );
    let refused = refused.unwrap_err();
    assert_eq!(refused.reason(), "other");
    assert!(refused.to_string().contains("9223372036854775808"));
    saved.unwrap();
    assert_eq!(count(&store).await, Some(3));

    let mut largest = counted(4);
    largest.changed.series.push(series("b", (1 << 63) - 1));
    store
        .commit(&main_account(), largest.clone())
        .await
        .unwrap();
    assert_eq!(
        store.load_all(&main_account()).await.unwrap(),
        largest.changed
    );
}

fn one_request(n: u64) -> Changes {
    let place = |slot: u64| SavedPlace {
        free_at: Moment(Duration::from_millis(n + slot)),
        foreign: false,
    };
    let requests = SavedRequests {
        boot: "0d4d3d5e".to_owned(),
        places: (0..10).map(place).collect(),
        paused_until: None,
    };
    Changes {
        changed: Saved {
            requests: Some(requests),
            ..Saved::default()
        },
        ..Changes::default()
    }
}

fn many_series(from: u64, how_many: u64, count: u64) -> Changes {
    let all = (from..from + how_many).map(|n| series(&format!("host-{n:06}"), count));
    Changes {
        changed: Saved {
            series: all.collect(),
            ..Saved::default()
        },
        ..Changes::default()
    }
}

/// Prints the median and the longest of 100 commits of each kind.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures this machine: run it in release mode with --nocapture"]
async fn how_long_a_commit_takes() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    let everything = many_series(0, 100_000, 1);
    store.commit(&main_account(), everything).await.unwrap();
    let mut took: [Vec<Duration>; 3] = Default::default();
    for n in 0..100 {
        let spread = (0..10).map(|part| many_series((n * 7 + part * 9_973) % 99_900, 100, n));
        let spread = spread.fold(Changes::default(), |mut all, part| {
            all.changed.series.extend(part.changed.series);
            all
        });
        for (kind, changes) in [one_request(n), many_series(0, 1000, n), spread]
            .into_iter()
            .enumerate()
        {
            let before = clock::now();
            store.commit(&main_account(), changes).await.unwrap();
            took[kind].push(clock::now().since(before));
        }
    }
    let kinds = ["10 places", "1,000 neighbours", "1,000 in 10 places"];
    for (kind, took) in kinds.iter().zip(&mut took) {
        took.sort();
        println!("{kind}: median {:?}, longest {:?}", took[50], took[99]);
    }
    let before = clock::now();
    let commits = (0..1000).map(|n| {
        let store = store.clone();
        let account = Account::new(&format!("account {n}"));
        tokio::spawn(async move { store.commit(&account, one_request(n)).await })
    });
    for commit in commits.collect::<Vec<_>>() {
        commit.await.unwrap().unwrap();
    }
    println!("1,000 accounts at once: {:?}", clock::now().since(before));
    store.close().await.unwrap();
    let before = clock::now();
    let store = open(&path).await;
    println!("opening 101,000 series: {:?}", clock::now().since(before));
    let before = clock::now();
    store.load_all(&main_account()).await.unwrap();
    println!("loading them: {:?}", clock::now().since(before));
    let size = std::fs::metadata(&path).unwrap().len();
    println!("{size} bytes");
}

#[tokio::test]
async fn the_requests_of_all_accounts_are_known_without_their_names() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    let requests = SavedRequests {
        boot: "boot".to_owned(),
        places: vec![SavedPlace {
            free_at: Moment(Duration::from_secs(7)),
            foreign: true,
        }],
        paused_until: None,
    };
    let mut changes = Changes::default();
    changes.changed.requests = Some(requests.clone());
    store.commit(&main_account(), changes).await.unwrap();
    store
        .commit(&Account::new("other"), counted(1))
        .await
        .unwrap();
    let mut all = store.requests().await.unwrap();
    assert_eq!(all.remove(&main_account()), Some(requests));
    assert!(
        Store::memory(identity(1))
            .requests()
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn an_account_in_memory_is_handed_over_with_the_logs_that_it_does_not_read_now() {
    let store = Store::memory(identity(1));
    let log = |event_type| SavedLog::new(event_type);
    let all = |logs: &[EventType], count| Saved {
        logs: logs.iter().copied().map(log).collect(),
        series: vec![series("a", count)],
        ..Saved::default()
    };
    store.hand_over(&main_account(), all(&EventType::ALL, 1));
    assert_eq!(
        store.load_all(&main_account()).await.unwrap().series,
        [series("a", 1)]
    );
    store.hand_over(&main_account(), all(&[EventType::Admin], 2));
    let left = store.load_all(&main_account()).await.unwrap();
    assert_eq!(left.series, [series("a", 2)]);
    let logs: Vec<EventType> = left.logs.iter().map(|log| log.event_type).collect();
    assert_eq!(logs, [EventType::Admin, EventType::Device]);
    assert_eq!(
        store.load_all(&Account::new("other")).await.unwrap(),
        Saved::default()
    );
}
