//! A disk that is full, a process that is killed, files that are taken away, and who may read them.

use std::fs;
use std::path::Path;

use super::database::Database;
use super::tests::{count, counted, folder, identity, main_account, open, series};
use super::{Store, StoreError};
use crate::saved::{Changes, Saved};

fn many(how_many: u64) -> Changes {
    let all = (0..how_many).map(|n| series(&format!("host-{n:06}"), 1));
    Changes {
        changed: Saved {
            series: all.collect(),
            ..Saved::default()
        },
        ..Changes::default()
    }
}

/// More than fits where room for a few pages is left.
fn plenty() -> Changes {
    many(5_000)
}

#[tokio::test]
async fn a_full_disk_fails_the_commit_and_the_next_one_works_when_there_is_room() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    store.commit(&main_account(), counted(3)).await.unwrap();
    store.run("PRAGMA max_page_count = 24").await;
    let refused = store.commit(&main_account(), plenty()).await.unwrap_err();
    assert_eq!(refused.reason(), "full");
    assert!(refused.to_string().contains("state.db"), "{refused}");
    let saved = store.load_all(&main_account()).await.unwrap();
    assert_eq!(saved, counted(3).changed);

    store.run("PRAGMA max_page_count = 4294967294").await;
    store.commit(&main_account(), plenty()).await.unwrap();
    store.commit(&main_account(), counted(4)).await.unwrap();
    store.close().await.unwrap();
    let saved = open(&path).await.load_all(&main_account()).await.unwrap();
    assert_eq!(saved.series.len(), 5_001);
}

#[tokio::test]
async fn a_disk_that_turns_read_only_fails_the_commit_and_the_next_one_works_when_it_turns_back() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    store.run("PRAGMA query_only = 1").await;
    let refused = store.commit(&main_account(), counted(3)).await.unwrap_err();
    assert_eq!(refused.reason(), "unwritable");
    store.run("PRAGMA query_only = 0").await;
    store.commit(&main_account(), counted(3)).await.unwrap();
    assert_eq!(count(&store).await, Some(3));
}

#[tokio::test]
async fn a_transaction_that_a_failed_disk_left_open_is_ended_before_the_next() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    store.commit(&main_account(), counted(3)).await.unwrap();
    store.run("BEGIN; DELETE FROM series").await;
    store
        .commit(&main_account(), Changes::default())
        .await
        .unwrap();
    assert_eq!(count(&store).await, Some(3));
}

#[tokio::test]
async fn another_program_that_writes_is_waited_for_and_then_named() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.commit(&main_account(), counted(3)).await.unwrap_err();
    assert_eq!(refused.reason(), "busy");
    other.execute_batch("COMMIT").unwrap();
    store.commit(&main_account(), counted(3)).await.unwrap();
}

#[tokio::test]
async fn another_program_may_read_while_commits_go_on() {
    let (_folder, path) = folder();
    let store = open(&path).await;
    store.commit(&main_account(), counted(3)).await.unwrap();
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let reader = rusqlite::Connection::open_with_flags(&path, flags).unwrap();
    let read = || reader.query_row("SELECT sum(count) FROM series", [], |row| row.get(0));
    let sum: i64 = read().unwrap();
    store.commit(&main_account(), counted(4)).await.unwrap();
    assert_eq!((sum, read().unwrap()), (3, 4));
}

/// Copies the state as a kill would leave it: each file as it is at this moment.
fn killed_copy(path: &Path, to: &Path) {
    for ending in ["", "-wal"] {
        let named = |path: &Path| format!("{}{ending}", path.display());
        fs::copy(named(path), named(to)).unwrap();
    }
}

#[tokio::test]
async fn a_kill_leaves_exactly_the_last_commit_that_was_answered() {
    let (folder, path) = folder();
    let store = open(&path).await;
    for n in 1..=20 {
        store.commit(&main_account(), counted(n)).await.unwrap();
        let copy = folder.path().join(format!("killed-{n}.db"));
        killed_copy(&path, &copy);
        let again = open(&copy).await;
        let saved = again.load_all(&main_account()).await.unwrap();
        assert_eq!(saved, counted(n).changed);
        assert_eq!(again.identity(), store.identity());
    }
}

#[tokio::test]
async fn a_commit_that_was_cut_off_on_its_way_to_the_disk_is_no_part_of_the_state() {
    let (folder, path) = folder();
    let store = open(&path).await;
    store.commit(&main_account(), counted(1)).await.unwrap();
    let log = folder.path().join("state.db-wal");
    let before = fs::metadata(&log).unwrap().len();
    store.commit(&main_account(), counted(2)).await.unwrap();
    let after = fs::metadata(&log).unwrap().len();
    for (n, cut) in (before..after).step_by(997).enumerate() {
        let copy = folder.path().join(format!("cut-{n}.db"));
        killed_copy(&path, &copy);
        let log = fs::File::options()
            .write(true)
            .open(format!("{}-wal", copy.display()));
        log.unwrap().set_len(cut).unwrap();
        assert_eq!(count(&open(&copy).await).await, Some(1), "cut at {cut}");
    }
}

async fn refuses_after(taken_away: impl Fn(&Path)) -> StoreError {
    let (_folder, path) = folder();
    let store = open(&path).await;
    store.commit(&main_account(), counted(3)).await.unwrap();
    taken_away(&path);
    let refused = store.commit(&main_account(), counted(4)).await.unwrap_err();
    assert_eq!(refused.reason(), "replaced", "{refused}");
    assert!(refused.to_string().contains("restart"), "{refused}");
    store.close().await.unwrap();
    refused
}

#[tokio::test]
async fn nothing_is_saved_into_a_file_that_was_taken_away() {
    refuses_after(|path| fs::remove_file(path).unwrap()).await;
    for ending in ["-wal", ".lock"] {
        let named = |path: &Path| format!("{}{ending}", path.display());
        let refused = refuses_after(|path| fs::remove_file(named(path)).unwrap()).await;
        assert!(refused.to_string().contains(ending), "{refused}");
    }
    refuses_after(|path| fs::remove_dir_all(path.parent().unwrap()).unwrap()).await;
}

#[tokio::test]
async fn nothing_is_saved_beside_a_file_that_was_replaced_and_closing_leaves_the_new_one_alone() {
    let (folder, path) = folder();
    let spare = folder.path().join("spare.db");
    let store = open(&spare).await;
    store.commit(&main_account(), counted(8)).await.unwrap();
    let copy = folder.path().join("copy.db");
    killed_copy(&spare, &copy);
    store.close().await.unwrap();

    let store = open(&path).await;
    store.commit(&main_account(), counted(3)).await.unwrap();
    for ending in ["", "-wal"] {
        let named = |path: &Path| format!("{}{ending}", path.display());
        fs::rename(named(&copy), named(&path)).unwrap();
    }
    let refused = store.commit(&main_account(), counted(4)).await.unwrap_err();
    assert_eq!(refused.reason(), "replaced");
    store.close().await.unwrap();
    assert_eq!(count(&open(&path).await).await, Some(8));
}

#[tokio::test]
async fn a_copy_that_is_put_in_place_of_the_file_does_not_inherit_its_log() {
    let (folder, path) = folder();
    let copy = folder.path().join("copy.db");
    let store = open(&copy).await;
    store.commit(&main_account(), counted(8)).await.unwrap();
    store.close().await.unwrap();

    let store = open(&path).await;
    store.commit(&main_account(), counted(3)).await.unwrap();
    fs::rename(&copy, &path).unwrap();
    assert!(store.commit(&main_account(), counted(4)).await.is_err());
    store.close().await.unwrap();
    let log = fs::metadata(folder.path().join("state.db-wal"));
    assert_eq!(log.map_or(0, |log| log.len()), 0);
    assert_eq!(count(&open(&path).await).await, Some(8));
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = folder();
    let store = open(&path).await;
    store.commit(&main_account(), counted(3)).await.unwrap();
    let mut seen = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
        seen += 1;
    }
    assert_eq!(seen, 4, "the file, -wal, -shm and .lock");
}

#[tokio::test]
async fn the_write_ahead_log_gives_back_the_room_of_a_large_commit() {
    let (folder, path) = folder();
    let store = open(&path).await;
    let length = || {
        fs::metadata(folder.path().join("state.db-wal"))
            .unwrap()
            .len()
    };
    store.commit(&main_account(), many(80_000)).await.unwrap();
    let large = length();
    assert!(large > 4 << 20, "{large} bytes");
    for n in 0..3 {
        store.commit(&main_account(), counted(n)).await.unwrap();
    }
    assert_eq!(length(), 4 << 20);
}

#[test]
fn a_commit_is_synchronous() {
    let (_folder, path) = folder();
    let database = Database::open(&path, &identity(1)).unwrap();
    let pragma = |name| -> String {
        let value = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
        let db = database.connection();
        db.query_row(&value, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(
        (pragma("journal_mode"), pragma("synchronous")),
        ("wal".into(), "2".into())
    );
}

#[tokio::test]
async fn a_state_that_was_half_made_is_made_again() {
    let (folder, path) = folder();
    fs::write(folder.path().join("state.db.new"), b"half").unwrap();
    let store = Store::open(&path, identity(2)).await.unwrap();
    assert!(store.is_fresh());
    assert!(!folder.path().join("state.db.new").exists());
}

/// A small file system of its own in memory, which only root can mount.
#[cfg(target_os = "linux")]
struct Disk(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl Disk {
    fn new(folder: &Path) -> Option<Self> {
        let mounted = run(
            "mount",
            &["-t", "tmpfs", "-o", "size=512k", "tmpfs"],
            folder,
        );
        if !mounted {
            println!("skipped: this user cannot mount a disk");
        }
        mounted.then(|| Self(folder.to_owned()))
    }

    /// Mounts a file over itself, so that it alone can be read-only.
    fn over(file: &Path) -> Option<Self> {
        let name = file.to_str().unwrap();
        run("mount", &["--bind", name], file).then(|| Self(file.to_owned()))
    }

    fn set_read_only(&self) {
        assert!(run("mount", &["-o", "remount,bind,ro"], &self.0));
    }
}

#[cfg(target_os = "linux")]
impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["--lazy"], &self.0);
    }
}

#[cfg(target_os = "linux")]
fn run(program: &str, arguments: &[&str], folder: &Path) -> bool {
    let output = std::process::Command::new(program)
        .args(arguments)
        .arg(folder)
        .output();
    output.is_ok_and(|output| output.status.success())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_disk_that_is_mounted_read_only_is_noticed_at_the_start() {
    let (folder, path) = folder();
    let Some(disk) = Disk::new(folder.path()) else {
        return;
    };
    open(&path).await.close().await.unwrap();
    disk.set_read_only();
    for path in [&path, &folder.path().join("new.db")] {
        let refused = Store::open(path, identity(2)).await.unwrap_err();
        assert_eq!(refused.reason(), "unwritable", "{refused}");
        let words = refused.to_string();
        assert!(words.contains("--state.path"), "{words}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_can_only_be_read_is_noticed_at_the_start() {
    let (_folder, path) = folder();
    open(&path).await.close().await.unwrap();
    let Some(mounted) = Disk::over(&path) else {
        println!("skipped: this user cannot mount a file");
        return;
    };
    mounted.set_read_only();
    let refused = Store::open(&path, identity(2)).await.unwrap_err();
    assert_eq!(refused.reason(), "unwritable", "{refused}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_disk_that_is_really_full_is_survived() {
    let (folder, path) = folder();
    let Some(_disk) = Disk::new(folder.path()) else {
        return;
    };
    let store = open(&path).await;
    store.commit(&main_account(), counted(3)).await.unwrap();
    let filler = folder.path().join("filler");
    let _ = fs::write(&filler, vec![0; 512 << 10]);
    let mut failed = None;
    for n in 4..200 {
        if let Err(error) = store.commit(&main_account(), counted(n)).await {
            failed = Some((n, error));
            break;
        }
    }
    let (n, error) = failed.unwrap();
    assert_eq!(error.reason(), "full", "{error}");
    assert_eq!(count(&store).await, Some(n - 1));
    let new = folder.path().join("new.db");
    let refused = Store::open(&new, identity(2)).await.unwrap_err();
    assert_eq!(refused.reason(), "full", "{refused}");
    assert!(!new.exists());
    let again = store.commit(&main_account(), counted(n)).await.unwrap_err();
    assert_eq!(again.reason(), "full");

    fs::remove_file(filler).unwrap();
    store.commit(&main_account(), counted(n)).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(count(&open(&path).await).await, Some(n));
}
