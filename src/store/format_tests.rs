//! Formats: one that a released version wrote is read for ever, and steps to a next one are safe.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::Store;
use super::database::Database;
use super::format::{STEPS, newest};
use super::tests::{counted, folder, identity, main_account, open, series};
use crate::births::Birth;
use crate::event::{Account, Event, EventType, Labels, Minute};
use crate::moment::Moment;
use crate::order::Order;
use crate::saved::{
    Identity, SavedBucket, SavedLog, SavedOpen, SavedPlace, SavedRequests, SavedSeries, SavedTally,
};
use crate::sighting::{Bucket, Fingerprint};

const FIXTURE: &str = include_str!("../../tests/fixtures/state-v1.sql");

/// Adds a table; the SQL of formats after the first.
const NEXT: &str = "CREATE TABLE notes (text TEXT NOT NULL); INSERT INTO notes VALUES ('once')";
/// Fails after it changed something.
const BROKEN: &str = "DELETE FROM series; INSERT INTO nowhere VALUES (1)";

fn load_fixture(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(FIXTURE).unwrap();
}

fn fixture_log() -> SavedLog {
    SavedLog {
        event_type: EventType::Device,
        order: Some(Order::NewestFirst),
        closed_place: Some(7),
        horizon: Some(Minute(28_398_560)),
        closed_below: Some(Minute(28_400_000)),
        late_from: None,
        second_hour: None,
        empty_answers: 2,
        complete: true,
        zone: "Europe/Berlin".to_owned(),
        open: vec![SavedOpen {
            minute: Minute(28_400_001),
            attempts: 3,
            postponed: true,
            uncounted: 12,
        }],
    }
}

fn fixture_buckets() -> [SavedBucket; 2] {
    let bucket = |bucket, total, counted: &[(u64, u32)]| SavedBucket {
        event_type: EventType::Device,
        bucket,
        total,
        most_at_once: total,
        counted: counted
            .iter()
            .map(|(fingerprint, times)| (Fingerprint(*fingerprint), *times))
            .collect(),
    };
    let largest = (u64::MAX, 40);
    [
        bucket(
            Bucket::At(Minute(28_400_001)),
            42,
            &[(0x0102_0304_0506_0708, 2), largest],
        ),
        bucket(Bucket::Undated, 0, &[]),
    ]
}

fn fixture_requests() -> SavedRequests {
    let place = |nanos, foreign| SavedPlace {
        free_at: Moment(Duration::from_nanos(nanos)),
        foreign,
    };
    SavedRequests {
        boot: "5f0c".to_owned(),
        places: vec![place(90_000_000_001, false), place(60_000_000_000, true)],
        paused_until: Some(Moment(Duration::from_secs(95))),
    }
}

#[tokio::test]
async fn a_state_of_format_1_is_read_exactly() {
    let (_folder, path) = folder();
    load_fixture(&path);
    let store = Store::open(&path, identity(9)).await.unwrap();
    assert!(!store.is_fresh());
    let known = Identity {
        epoch: "0123456789abcdef".to_owned(),
        created: Duration::new(1_704_067_200, 5),
        key: *b"0123456789abcdef",
    };
    assert_eq!(*store.identity(), known);
    assert_eq!(store.identity().key, known.key);

    let saved = store.load_all(&main_account()).await.unwrap();
    assert_eq!(saved.logs, [fixture_log()]);
    assert_eq!(saved.buckets, fixture_buckets());
    let removed = Event::new(Labels {
        category: "MetaAccess",
        version: "",
        hostname: "büro's",
        event: "Removed",
    });
    let removed = SavedSeries {
        event_type: EventType::Device,
        event: removed,
        place: 0,
        count: 9_007_199_254_740_993,
        birth: Birth::default(),
    };
    assert_eq!(saved.series, [removed, series("a", 41)]);
    let tally = SavedTally {
        event_type: EventType::Admin,
        name: "bad_date".to_owned(),
        lines: 3,
    };
    assert_eq!(saved.tallies, [tally]);
    assert_eq!(saved.requests, Some(fixture_requests()));

    let other = store.load_all(&Account::new("other")).await.unwrap();
    assert_eq!(other.series, [series("a", 1)]);
}

/// Everything that a reader can tell of a file.
fn told(path: &Path) -> String {
    let db = Connection::open(path).unwrap();
    let version: i64 = db
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    let list = |sql: &str| -> Vec<String> {
        let mut statement = db.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let schema = list("SELECT coalesce(sql, name) FROM sqlite_master ORDER BY name");
    let series = list("SELECT hostname || ' ' || count FROM series ORDER BY account, hostname");
    format!("{version} {schema:?} {series:?}")
}

#[test]
fn a_new_state_and_the_fixture_have_the_same_tables() {
    let (folder, path) = folder();
    load_fixture(&path);
    let new = folder.path().join("new.db");
    let made = Database::open_with(&new, &identity(1), &STEPS[..1]).unwrap();
    made.close().unwrap();
    for path in [&path, &new] {
        let db = Connection::open(path).unwrap();
        db.execute_batch("DELETE FROM series").unwrap();
    }
    assert_eq!(told(&path), told(&new));
}

#[test]
fn a_step_to_a_newer_format_is_applied_once() {
    let (_folder, path) = folder();
    load_fixture(&path);
    let steps = [STEPS, &[NEXT]].concat();
    for _ in 0..2 {
        let database = Database::open_with(&path, &identity(1), &steps).unwrap();
        let one: i64 = database
            .connection()
            .query_row("SELECT count(*) FROM notes", [], |row| row.get(0))
            .unwrap();
        assert_eq!(one, 1);
        let saved = database.load(&main_account(), drop).unwrap();
        assert_eq!(saved.buckets, fixture_buckets());
        database.close().unwrap();
    }
    let version = format!("{} ", newest() + 1);
    assert!(told(&path).starts_with(&version));
}

#[test]
fn a_step_that_fails_leaves_the_format_before_it() {
    let (_folder, path) = folder();
    load_fixture(&path);
    Database::open(&path, &identity(1))
        .unwrap()
        .close()
        .unwrap();
    let before = told(&path);
    let steps = [STEPS, &[BROKEN]].concat();
    assert!(Database::open_with(&path, &identity(1), &steps).is_err());
    assert_eq!(told(&path), before);

    let mut database = Database::open(&path, &identity(1)).unwrap();
    let (account, changes) = (main_account(), counted(5));
    database.commit([(&account, &changes)].into_iter()).unwrap();
}

#[test]
fn steps_that_worked_before_one_that_fails_are_kept() {
    let (_folder, path) = folder();
    load_fixture(&path);
    let steps = [STEPS, &[NEXT, BROKEN]].concat();
    assert!(Database::open_with(&path, &identity(1), &steps).is_err());
    let next = [STEPS, &[NEXT]].concat();
    let database = Database::open_with(&path, &identity(1), &next).unwrap();
    let mut series = 0;
    let some = |some: Vec<SavedSeries>| series += some.len();
    database.load(&main_account(), some).unwrap();
    assert_eq!(series, 2);
}

#[tokio::test]
async fn a_newer_format_is_refused_with_both_versions_and_left_as_it_is() {
    let (_folder, path) = folder();
    let steps = [STEPS, &[NEXT]].concat();
    let newer = Database::open_with(&path, &identity(1), &steps).unwrap();
    newer.close().unwrap();
    let before = fs::read(&path).unwrap();
    let refused = Store::open(&path, identity(2)).await.unwrap_err();
    assert_eq!(refused.reason(), "newer");
    let words = refused.to_string();
    let versions = format!(
        "has format {}, and this version of the exporter knows formats up to {}",
        newest() + 1,
        newest()
    );
    assert!(words.contains(&versions), "{words}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn whoever_opens_the_file_finds_it_explained() {
    let (_folder, path) = folder();
    open(&path).await.close().await.unwrap();
    let told = told(&path);
    for words in ["how far each log was read", "big-endian"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}
