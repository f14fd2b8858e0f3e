//! What is refused when a state is opened, and that nothing is written to it then.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::tests::{count, counted, folder, identity, main_account, open, series};
use super::{Store, StoreError};
use crate::saved::{Changes, Saved};

fn wal_of(path: &Path) -> PathBuf {
    format!("{}-wal", path.display()).into()
}

/// The file and its write-ahead log, as far as they exist.
fn bytes(path: &Path) -> [Option<Vec<u8>>; 2] {
    [path.to_owned(), wal_of(path)].map(|path| fs::read(path).ok().filter(|b| !b.is_empty()))
}

/// A state of many pages. With `log`, some of it is in the write-ahead log still.
async fn made(path: &Path, log: bool) {
    let store = open(path).await;
    let all = (0..2_000).map(|n| series(&format!("host-{n:06}"), 1));
    let changed = Saved {
        series: all.collect(),
        ..Saved::default()
    };
    let changes = Changes {
        changed,
        ..Changes::default()
    };
    store.commit(&main_account(), changes).await.unwrap();
    if !log {
        return store.close().await.unwrap();
    }
    store.run("PRAGMA wal_checkpoint(PASSIVE)").await;
    store.commit(&main_account(), counted(3)).await.unwrap();
    let kept = bytes(path);
    store.close().await.unwrap();
    for (path, kept) in [path.to_owned(), wal_of(path)].into_iter().zip(kept) {
        fs::write(path, kept.unwrap()).unwrap();
    }
}

/// Why a file is refused, which is left as it is.
async fn refused(path: &Path) -> StoreError {
    let before = bytes(path);
    let refused = Store::open(path, identity(2)).await.unwrap_err();
    assert!(bytes(path) == before, "written to: {refused}");
    refused
}

async fn is_damaged(path: &Path) {
    let refused = refused(path).await;
    assert_eq!(refused.reason(), "damaged", "{refused}");
    let words = refused.to_string();
    for word in ["state.db", "restore a copy", "reset"] {
        assert!(words.contains(word), "{words}");
    }
}

async fn is_foreign(path: &Path) {
    let refused = refused(path).await;
    assert_eq!(refused.reason(), "foreign", "{refused}");
    let words = refused.to_string();
    assert!(words.contains("--state.path"), "{words}");
    assert!(!wal_of(path).exists(), "SQLite was let near it");
}

fn overwrite(path: &Path, at: usize, with: &[u8]) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at..at + with.len()].copy_from_slice(with);
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_truncated_state_is_refused_and_left_as_it_is() {
    for log in [false, true] {
        let (_folder, path) = folder();
        made(&path, log).await;
        let whole = fs::read(&path).unwrap();
        let end = whole.len();
        let last_byte = if log { None } else { Some(end - 1) };
        let kept = [20, 100, 4096, 8192, end / 2, end - 4096];
        for keep in kept.into_iter().chain(last_byte) {
            fs::write(&path, &whole[..keep]).unwrap();
            is_damaged(&path).await;
        }
    }
}

#[tokio::test]
async fn a_state_with_a_page_overwritten_is_refused_and_left_as_it_is() {
    for log in [false, true] {
        let (_folder, path) = folder();
        made(&path, log).await;
        let whole = fs::read(&path).unwrap();
        assert!(whole.len() > 20 * 4096);
        for page in [whole.len() / 8192, whole.len() / 4096 - 3] {
            for with in [[0; 4096], [0xff; 4096], [b'x'; 4096]] {
                overwrite(&path, page * 4096, &with);
                is_damaged(&path).await;
                fs::write(&path, &whole).unwrap();
            }
        }
        assert!(Store::open(&path, identity(2)).await.is_ok());
    }
}

#[tokio::test]
async fn wherever_a_bit_flips_the_state_is_used_or_refused_as_a_whole() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    store.commit(&main_account(), counted(3)).await.unwrap();
    store.close().await.unwrap();
    let whole = fs::read(&path).unwrap();
    let mut refusals = 0;
    for at in (0..whole.len()).filter(|at| at % 4096 < 128 || at % 61 == 0) {
        overwrite(&path, at, &[whole[at] ^ 0x10]);
        let before = bytes(&path);
        match Store::open(&path, identity(2)).await {
            Ok(store) => {
                store.load_all(&main_account()).await.unwrap();
                store.close().await.unwrap();
            }
            Err(refused) => {
                assert!(bytes(&path) == before, "byte {at}: {refused}");
                refusals += 1;
            }
        }
        fs::write(&path, &whole).unwrap();
        let _ = fs::remove_file(wal_of(&path));
    }
    assert!(refusals > 100, "only {refusals} were refused");
}

#[tokio::test]
async fn a_value_that_nobody_saved_is_damage_and_left_as_it_is() {
    let oddities = [
        "UPDATE series SET count = -1 WHERE hostname = 'host-000007'",
        "UPDATE series SET log = 'devise' WHERE hostname = 'host-000007'",
        "UPDATE series SET hostname = CAST(x'ff' AS TEXT) WHERE hostname = 'host-000007'",
        "UPDATE buckets SET counted = x'00'",
        "UPDATE buckets SET total = 4294967296",
        "UPDATE buckets SET kind = 'hour'",
        "UPDATE meta SET epoch = 'today'",
        "UPDATE meta SET key = x'00'",
        "DELETE FROM meta",
        "INSERT INTO meta SELECT * FROM meta",
        "INSERT INTO places VALUES (1, 0, 1, 0)",
        "INSERT INTO requests VALUES (1, '', -1)",
        "INSERT INTO open_minutes VALUES (1, 'admin', 1, 0, 0, 0)",
        "INSERT INTO logs (account, log, page_order, empty_answers, complete, zone) \
         VALUES (1, 'admin', 'sideways', 0, 0, 'UTC')",
        "INSERT INTO logs (account, log, empty_answers, complete, zone) \
         VALUES (1, 'admin', 0, 2, 'UTC')",
        "INSERT INTO tallies VALUES (1, 'admin', 'bad_date', -1)",
        "DROP TABLE series",
        "PRAGMA user_version = 0",
    ];
    let (_folder, path) = folder();
    made(&path, true).await;
    open(&path).await.close().await.unwrap();
    let whole = fs::read(&path).unwrap();
    for odd in oddities {
        Connection::open(&path).unwrap().execute_batch(odd).unwrap();
        is_damaged(&path).await;
        fs::write(&path, &whole).unwrap();
    }
    assert!(Store::open(&path, identity(2)).await.is_ok());
}

#[tokio::test]
async fn an_empty_file_is_a_new_state() {
    let (_folder, path) = folder();
    fs::write(&path, b"").unwrap();
    let store = open(&path).await;
    assert!(store.is_fresh());
    store.commit(&main_account(), counted(3)).await.unwrap();
}

#[tokio::test]
async fn an_empty_or_missing_file_beside_its_log_is_damage_and_the_log_is_left_as_it_is() {
    let (_folder, path) = folder();
    made(&path, true).await;
    fs::write(&path, b"").unwrap();
    is_damaged(&path).await;
    fs::remove_file(&path).unwrap();
    is_damaged(&path).await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_of_another_program_is_refused_and_left_as_it_is() {
    let (_folder, path) = folder();
    for text in ["x", "counts:\n  a: 3\n", &"no database at all ".repeat(99)] {
        fs::write(&path, text).unwrap();
        is_foreign(&path).await;
    }
    for sql in [
        "CREATE TABLE cats (name TEXT)",
        "PRAGMA journal_mode = WAL; CREATE TABLE cats (name TEXT)",
        "PRAGMA application_id = 252006673; PRAGMA user_version = 1; CREATE TABLE cats (name TEXT)",
    ] {
        fs::remove_file(&path).unwrap();
        Connection::open(&path)
            .unwrap()
            .query_row(sql, [], |_| Ok(()))
            .ok();
        Connection::open(&path).unwrap().execute_batch(sql).ok();
        is_foreign(&path).await;
    }
}

async fn is_locked(path: &Path) {
    let refused = Store::open(path, identity(2)).await.unwrap_err();
    assert_eq!(refused.reason(), "locked", "{refused}");
    let words = refused.to_string();
    assert!(words.contains("state.db is in use"), "{words}");
    assert!(words.contains("--state.path"), "{words}");
}

#[tokio::test]
async fn a_second_writer_is_refused_by_whatever_name_it_comes_and_the_first_goes_on() {
    let (folder, path) = folder();
    let store = open(&path).await;
    is_locked(&path).await;
    fs::create_dir(folder.path().join("sub")).unwrap();
    is_locked(&folder.path().join("sub/../state.db")).await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        let link = folder.path().join("link.db");
        symlink(&path, &link).unwrap();
        is_locked(&link).await;
        let link = folder.path().join("link");
        symlink(folder.path(), &link).unwrap();
        is_locked(&link.join("state.db")).await;
    }
    store.commit(&main_account(), counted(3)).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(count(&open(&path).await).await, Some(3));
}

#[tokio::test]
async fn a_lock_file_that_a_killed_process_left_holds_nobody_up() {
    let (folder, path) = folder();
    fs::write(folder.path().join("state.db.lock"), b"").unwrap();
    open(&path).await.close().await.unwrap();
    open(&path).await;
}

#[tokio::test]
async fn a_path_that_cannot_hold_state_is_refused_with_what_to_do() {
    let (folder, _path) = folder();
    let words = async |path: &Path| {
        let refused = Store::open(path, identity(2)).await.unwrap_err();
        assert_eq!(refused.reason(), "unwritable", "{refused}");
        refused.to_string()
    };
    let no_folder = words(&folder.path().join("no/state.db")).await;
    assert!(
        no_folder.contains("its folder does not exist"),
        "{no_folder}"
    );
    let a_folder = words(folder.path()).await;
    assert!(a_folder.contains("no ordinary file"), "{a_folder}");
    let no_name = words(Path::new("..")).await;
    assert!(no_name.contains("no ordinary file"), "{no_name}");
    words(Path::new("")).await;
    #[cfg(unix)]
    {
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink("/nowhere/at/all", &link).unwrap();
        let dangling = words(&link).await;
        assert!(dangling.contains("a link to a file"), "{dangling}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
