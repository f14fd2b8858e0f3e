//! The state of the real program: what a restart shows, what it refuses, and what it does without
//! room to save in.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use metaaccess_exporter::clock;
use metaaccess_exporter::simulator::{Fault, Kind, Order, Settings, Wait};

use crate::api::{self, Api, TOKEN};
use crate::exporter::{Exporter, PATIENCE};
use crate::http;
use crate::lives::{Lives, Scraping, pause, soon};
use crate::program::{Ended, Program};
use crate::samples::Counts;
use crate::tools::tool;
use crate::wait::{throughout, timed, until};
use crate::watch::{BOTH, rollout};

const UNSAVED: &str = "metaaccess_state_unsaved";
const SAVE_FAILURES: &str = "metaaccess_state_save_failures_total";

/// A scrape every time, and soon.
const EAGER: [&str; 1] = ["--scrape.min-interval=100ms"];

/// A small log at rest, and an eager exporter that has read it.
fn settled<'a>(api: &'a Api) -> (Lives<'a>, Exporter) {
    let lives = Lives::of(api, &EAGER);
    let exporter = lives.start();
    lives.rest(&exporter);
    (lives, exporter)
}

#[track_caller]
fn stop(exporter: Exporter) -> Ended {
    let ended = exporter.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    ended
}

/// Makes every request arrive so late that nothing of it can be seen in a first answer.
fn arrive_late(api: &Api) {
    let wait = Wait {
        ms: 1500,
        spread_ms: 0,
    };
    api.inject(Fault::always(Kind::LateArrival(wait)));
}

/// The value of the one label of this name that a metric has.
fn epoch(exporter: &Exporter) -> String {
    let body = exporter.get("/metrics").body;
    let line = body
        .lines()
        .find(|line| line.starts_with("metaaccess_state_info{"));
    let (_, rest) = line
        .and_then(|line| line.split_once("epoch=\""))
        .expect("an epoch");
    rest.split('"').next().expect("its end").to_owned()
}

fn of(counts: &Counts, log: &str) -> Counts {
    let mut counts = counts.clone();
    counts.retain(|(its_log, _), _| its_log == log);
    counts
}

#[test]
fn a_restart_shows_the_counts_at_once_although_the_api_is_down() {
    let api = Api::start(api::at_rest());
    let (lives, exporter) = settled(&api);
    let before = lives.look(&exporter).counts();
    api.inject(Fault::always(Kind::Reset));
    let asked = api.requests().total;
    let mut last = exporter;
    for killed in [false, true] {
        if killed {
            drop(last);
        } else {
            stop(last);
        }
        last = lives.start();
        let first = lives.look_at_once(&last);
        assert_eq!(first.counts(), before);
        assert!(!first.is_up());
        until(PATIENCE, "it asks, in vain", || {
            let samples = lives.look(&last);
            assert_eq!(samples.counts(), before);
            (api.requests().total > asked && !samples.is_up()).then_some(())
        });
    }
    api.clear_faults();
    api.install_on(&["TEST-R1W3Y"; 3]);
    lives.rest(&last);
}

#[test]
fn a_second_process_on_the_state_stops_and_says_so_and_the_first_goes_on() {
    let api = Api::start(api::at_rest());
    let (lives, exporter) = settled(&api);
    let asked = api.requests().total;
    for _ in 0..3 {
        let ended = lives.unborn().end(PATIENCE);
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert_names(&ended, &lives.path(), "stop that one");
        assert_eq!(api.requests().total, asked);
    }
    api.install_on(&["TEST-R1W3Y"; 3]);
    lives.rest(&exporter);
    stop(exporter);
    lives.rest(&lives.start());
}

/// The last words have to name the file and say what to do.
#[track_caller]
fn assert_names(ended: &Ended, path: &Path, advice: &str) {
    let last = ended.err.lines().last().unwrap_or_default();
    assert!(last.contains(&path.display().to_string()), "{}", ended.err);
    assert!(last.contains(advice), "{}", ended.err);
    assert!(
        !last.contains(TOKEN) && !last.contains("panicked"),
        "{last}"
    );
}

#[test]
fn a_state_that_cannot_be_used_is_refused_in_clear_words_and_left_as_it_is() {
    let api = Api::start(api::at_rest());
    let (lives, exporter) = settled(&api);
    stop(exporter);
    let path = lives.path();
    let whole = fs::read(&path).expect("read");
    let sql = |statement: &str| {
        let database = rusqlite::Connection::open(&path).expect("a database");
        database.execute_batch(statement).expect("done");
        database.close().expect("closed");
        fs::read(&path).expect("read")
    };
    let mut damaged = whole.clone();
    damaged[4096..8192].fill(0xa5);
    let cut = whole[..whole.len() / 2].to_vec();
    let in_header = whole[..40].to_vec();
    let newer = sql("PRAGMA user_version = 99");
    let foreign = sql("PRAGMA user_version = 1; PRAGMA application_id = 77");
    let cases = [
        (damaged, "is damaged"),
        (cut, "is damaged"),
        (in_header, "is damaged"),
        (newer, "has format 99"),
        (foreign, "is no state of this exporter"),
        (
            b"scrape_configs: []\n".to_vec(),
            "is no state of this exporter",
        ),
    ];
    let asked = api.requests().total;
    for (bytes, words) in cases {
        fs::write(&path, &bytes).expect("written");
        let ended = lives.unborn().end(PATIENCE);
        assert_eq!(ended.code, Some(1), "{words}: {}", ended.err);
        assert_names(&ended, &path, words);
        assert!(
            fs::read(&path).expect("read") == bytes,
            "{words}: written to"
        );
        let log = fs::metadata(lives.folder().join("state.db-wal"));
        assert!(log.is_ok_and(|log| log.len() == 0), "{words}: logged to");
    }
    fs::write(&path, &whole).expect("written");
    assert_eq!(api.requests().total, asked);
    lives.rest(&lives.start());
}

#[test]
fn a_folder_as_the_state_or_no_folder_for_it_is_refused_in_clear_words() {
    let api = Api::start(api::at_rest());
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing").join("state.db");
    for (path, advice) in [
        (folder.path(), "name a file"),
        (&missing, "make the folder"),
    ] {
        let mut flags = api.flags();
        flags.push("--web.listen-address=127.0.0.1:0".to_owned());
        flags.push(format!("--state.path={}", path.display()));
        let program = Program::exporter(&flags, &[("METAACCESS_ACCESS_TOKEN", TOKEN)]);
        let ended = program.end(PATIENCE);
        assert_eq!(ended.code, Some(1), "{}", ended.err);
        assert_names(&ended, path, advice);
    }
    assert!(!missing.parent().expect("a folder").exists());
    assert_eq!(api.requests().total, 0);
}

/// Sets how long the files that a process writes may become.
#[track_caller]
pub fn limit_files(exporter: &Exporter, bytes: &str) {
    let pid = exporter.id().to_string();
    let fsize = format!("--fsize={bytes}:unlimited");
    let set = Command::new("prlimit")
        .args(["--pid", &pid, &fsize])
        .status();
    assert!(set.is_ok_and(|status| status.success()), "prlimit {fsize}");
}

/// Shows what was saved last, says that nothing is saved, and asks nothing.
#[track_caller]
fn goes_on_without_saving(api: &Api, lives: &Lives, exporter: &Exporter, saved: &Counts) {
    let (asked, failures) = (
        api.requests().total,
        lives.look(exporter).sum(SAVE_FAILURES, &[]),
    );
    throughout(Duration::from_millis(700), || {
        let samples = lives.look(exporter);
        assert_eq!(&samples.counts(), saved);
        assert!(!samples.is_up());
        assert_eq!(samples.value(UNSAVED, &[]), 1.0);
        for log in ["device", "admin"] {
            assert_eq!(samples.failing(log), ["not_saved"]);
        }
    });
    assert!(lives.look(exporter).value(SAVE_FAILURES, &[]) > failures + 2.0);
    assert_eq!(api.requests().total, asked, "asked without a saved place");
    assert_eq!(
        exporter.log_at("error").len(),
        1,
        "{:#?}",
        exporter.log_at("error")
    );
}

#[test]
fn without_room_to_save_the_last_counts_are_shown_nothing_is_asked_and_it_recovers_by_itself() {
    if tool("prlimit").is_none() {
        return;
    }
    let api = Api::start(api::at_rest());
    let lives = Lives::of(&api, &EAGER);
    // A file that is too long is an error then, and no signal that ends the process.
    let mut command = Command::new("bash");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    command.arg(env!("CARGO_BIN_EXE_metaaccess-exporter"));
    command.args(lives.flags(&[]));
    command.env("METAACCESS_ACCESS_TOKEN", TOKEN);
    let exporter = Exporter::listening(Program::start(command), 1);
    for round in 1..=2 {
        let saved = lives.rest(&exporter).counts();
        let log = fs::metadata(lives.folder().join("state.db-wal")).expect("a log");
        limit_files(&exporter, &log.len().to_string());
        api.install_on(&["TEST-R1W3Y"; 3]);
        api.log_on(2);
        // It may find room once more where its log began anew.
        until(PATIENCE, "it cannot save", || {
            (lives.look(&exporter).value(UNSAVED, &[]) == 1.0).then_some(())
        });
        let shown = lives.look(&exporter).counts();
        assert_eq!(shown, saved, "round {round}");
        if round == 1 {
            goes_on_without_saving(&api, &lives, &exporter, &shown);
        }
        limit_files(&exporter, "unlimited");
        let samples = lives.rest(&exporter);
        assert_eq!(samples.value(UNSAVED, &[]), 0.0);
        assert_eq!(exporter.log_at("error").len(), round, "once each time");
        let again = exporter.log_at("info");
        let again = again.iter().filter(|line| line.contains("saved again"));
        assert_eq!(again.count(), round);
    }
    drop(exporter);
    lives.rest(&lives.start());
}

#[test]
fn a_state_file_that_is_taken_away_or_replaced_is_noticed_and_nothing_unsaved_is_shown() {
    for replaced in [false, true] {
        let api = Api::start(api::at_rest());
        let (lives, exporter) = settled(&api);
        let (saved, before) = (lives.look(&exporter).counts(), epoch(&exporter));
        let path = lives.path();
        fs::rename(&path, path.with_extension("away")).expect("renamed");
        let other = b"another file".to_vec();
        if replaced {
            fs::write(&path, &other).expect("written");
        }
        api.install_on(&["TEST-R1W3Y"; 3]);
        until(PATIENCE, "it notices", || {
            (lives.look(&exporter).value(UNSAVED, &[]) == 1.0).then_some(())
        });
        goes_on_without_saving(&api, &lives, &exporter, &saved);
        let errors = exporter.log_at("error");
        let said = errors.first().expect("an error");
        assert!(said.contains(&path.display().to_string()), "{said}");
        assert!(said.contains("removed or replaced"), "{said}");
        exporter.stop();
        if replaced {
            assert_eq!(fs::read(&path).expect("read"), other);
            fs::remove_file(&path).expect("removed");
        }
        let exporter = lives.start();
        assert_ne!(epoch(&exporter), before);
    }
}

#[test]
fn the_epoch_stays_over_restarts_and_a_new_state_has_another() {
    let api = Api::start(api::at_rest());
    let (lives, exporter) = settled(&api);
    let first = epoch(&exporter);
    assert_eq!(first.len(), 16, "{first}");
    stop(exporter);
    let exporter = lives.start();
    assert_eq!(epoch(&exporter), first);
    drop(exporter);
    let exporter = lives.start();
    assert_eq!(epoch(&exporter), first);
    let log = exporter.log_at("info");
    assert!(
        log.iter().any(|line| line.contains("counts go on")),
        "{log:#?}"
    );
    stop(exporter);
    let (_, another) = settled(&api);
    assert_ne!(epoch(&another), first);
}

#[test]
fn a_clean_restart_opens_no_window() {
    const WINDOW: Duration = Duration::from_secs(2);
    let api = Api::start(Settings {
        rate_limit: api::limit(4, WINDOW),
        ..api::at_rest()
    });
    let lives = Lives::of(&api, &[]);
    for round in 1..=2 {
        let exporter = lives.start();
        until(PATIENCE, "the window is used up", || {
            lives.look_at_once(&exporter);
            (api.requests().total >= 4 * round).then_some(())
        });
        stop(exporter);
        let exporter = lives.start();
        let sent = api.requests().requests;
        let oldest = sent[sent.len() - 4].at;
        until(PATIENCE, "it asks again", || {
            let left = lives.look_at_once(&exporter);
            let left = left.value("metaaccess_api_budget_left_requests", &[]);
            let is_open = clock::now().since(oldest) >= WINDOW;
            assert!(is_open || left == 0.0, "{left} left after the restart");
            (api.requests().requests.len() > sent.len()).then_some(())
        });
        let next = api.requests().requests[sent.len()].at;
        let waited = next.since(oldest);
        assert!(waited >= WINDOW, "{waited:?}");
        assert!(waited < 2 * WINDOW, "{waited:?}");
        until(PATIENCE, "and uses up the next window", || {
            lives.look_at_once(&exporter);
            (api.requests().total >= 4 * (round + 1)).then_some(())
        });
        drop(exporter);
        pause(100);
    }
    assert_eq!(api.requests().over_limit, 0);
}

#[test]
fn a_request_that_a_kill_cut_off_holds_its_place_in_the_window() {
    let api = Api::start(Settings {
        rate_limit: api::limit(3, Duration::from_secs(3)),
        ..api::at_rest()
    });
    api.inject(Fault::always(Kind::Hang));
    let lives = Lives::of(&api, &["--api.timeout=300ms"]);
    let begin = clock::now();
    for life in 0..8 {
        let asked = api.requests().total;
        lives.live(Scraping::Every(10), |_| {
            let limit = Duration::from_millis(if asked < 3 { 5000 } else { 200 });
            soon(limit, || api.requests().total > asked);
        });
        assert_eq!(api.requests().total, (life + 1).min(3));
    }
    assert!(
        clock::now().since(begin) < Duration::from_secs(3),
        "too slow to tell"
    );
    api.clear_faults();
    lives.rest(&lives.start());
}

#[test]
fn what_is_not_saved_yet_is_not_shown() {
    let api = Api::start(api::at_rest());
    let lives = Lives::of(&api, &["--api.logs=device"]);
    let exporter = lives.start();
    let saved = until(PATIENCE, "the log is read", || {
        let counts = lives.look(&exporter).counts();
        (counts == of(&api.counts(), "device")).then_some(counts)
    });
    let wait = Wait {
        ms: 400,
        spread_ms: 0,
    };
    api.inject(Fault::always(Kind::Delay(wait)));
    api.install_on(&["TEST-R1W3Y"; 3]);
    let asked = api.requests().total;
    lives.look_at_once(&exporter);
    until(PATIENCE, "a request has come", || {
        lives.look_at_once(&exporter);
        (api.requests().total > asked).then_some(())
    });
    // From now on nobody can save, and the answer comes.
    let other = rusqlite::Connection::open(lives.path()).expect("the state");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    throughout(Duration::from_millis(1500), || {
        assert_eq!(lives.look_at_once(&exporter).counts(), saved);
    });
    drop(exporter);
    drop(other);
    let exporter = lives.start();
    assert_eq!(lives.look_at_once(&exporter).counts(), saved);
    until(PATIENCE, "it is shown", || {
        let counts = lives.look(&exporter).counts();
        (counts == of(&api.counts(), "device")).then_some(())
    });
}

/// Reads the log, which is written in UTC, in one zone after another, each after a restart.
fn is_read_in(zones: &[&str]) {
    for order in BOTH {
        let api = Api::start(Settings {
            order,
            ..api::at_rest()
        });
        let (lives, exporter) = settled(&api);
        stop(exporter);
        for (number, zone) in zones.iter().enumerate() {
            let before = api.counts();
            let zone = format!("--api.timezone={zone}");
            let exporter = lives.start_with(&[&zone]);
            throughout(Duration::from_millis(400), || {
                assert_eq!(lives.look(&exporter).counts(), before, "{zone}");
            });
            let later = 1 + 10 * number as i64;
            api.append(&rollout(&api, &format!("Z{number}"), 70, later, 9));
            lives.rest(&exporter);
            stop(exporter);
        }
    }
}

#[test]
fn another_time_zone_after_a_restart_counts_nothing_twice() {
    is_read_in(&["Europe/Berlin", "UTC", "Asia/Kolkata"]);
}

#[test]
fn a_time_zone_in_which_an_hour_of_the_log_does_not_exist_counts_nothing_twice() {
    is_read_in(&["America/New_York", "UTC"]);
}

#[test]
fn a_lower_limit_of_series_after_a_restart_takes_no_count_away() {
    let api = Api::start(api::at_rest());
    api.install_on(&["TEST-R1W3Y"]);
    let (lives, exporter) = settled(&api);
    let before = lives.look(&exporter).counts();
    stop(exporter);
    let exporter = lives.start_with(&["--metrics.max-series=3"]);
    assert_eq!(lives.look(&exporter).counts(), before);
    api.install_on(&["TEST-R1W3Y", "TEST-ANEW", "TEST-ANEW2"]);
    let counts = until(PATIENCE, "all are counted", || {
        let counts = exporter.scrape().counts();
        let all = counts.values().sum::<u64>() == api.truth().lines();
        all.then_some(counts)
    });
    let grown = counts
        .iter()
        .filter(|(series, count)| before.get(series) != Some(count));
    let grown: Vec<(&str, u64)> = grown
        .map(|((_, event), count)| (event.labels().hostname, *count))
        .collect();
    assert_eq!(grown, [("TEST-R1W3Y", 2), ("__other__", 2)]);
    assert!(before.keys().all(|series| counts.contains_key(series)));
    stop(exporter);
    let exporter = lives.start();
    assert_eq!(exporter.scrape().counts(), counts);
}

#[test]
fn an_order_that_is_given_after_it_was_found_changes_no_count() {
    for (order, name) in [
        (Order::NewestFirst, "newest-first"),
        (Order::OldestFirst, "oldest-first"),
    ] {
        let api = Api::start(Settings {
            order,
            ..api::at_rest()
        });
        let (lives, exporter) = settled(&api);
        stop(exporter);
        for (number, order) in [name, "auto"].iter().enumerate() {
            let order = format!("--api.order={order}");
            let exporter = lives.start_with(&[&order]);
            assert_eq!(lives.look(&exporter).counts(), api.counts());
            let later = 1 + 20 * number as i64;
            api.append(&rollout(&api, &format!("O{number}"), 130, later, 9));
            lives.rest(&exporter);
            stop(exporter);
        }
    }
}

#[test]
fn sigterm_while_a_request_hangs_ends_in_time_and_what_was_complete_is_saved() {
    let api = Api::start(api::at_rest());
    let (lives, exporter) = settled(&api);
    // The log that waits longest is read first; the other one's request hangs.
    api.inject(Fault {
        skip: 1,
        ..Fault::always(Kind::Hang).on_logs()
    });
    api.log_on(3);
    api.install_on(&["TEST-R1W3Y"; 3]);
    let asked = api.requests().total as usize;
    // A refresh as young as the last one would be served again.
    pause(150);
    let one_second = ("X-Prometheus-Scrape-Timeout-Seconds", "1");
    let scrape = http::send(exporter.address(), "GET", "/metrics", &[one_second]);
    let two = until(PATIENCE, "a request hangs", || {
        let requests = api.requests().requests;
        let log = |nth: usize| Some(requests.get(nth)?.event_type?.as_str());
        Some([log(asked)?, log(asked + 1)?])
    });
    assert_ne!(two[0], two[1]);
    let (ended, took) = timed(|| stop(exporter));
    assert!(took < Duration::from_secs(3), "{took:?}: {}", ended.err);
    lives.check(&http::receive(scrape.expect("sent")).expect("an answer"));
    api.clear_faults();
    arrive_late(&api);
    let asked = api.requests().total;
    let exporter = lives.start();
    let first = lives.look_at_once(&exporter).counts();
    assert_eq!(api.requests().total, asked, "nothing was asked yet");
    assert_eq!(of(&first, two[0]), of(&api.counts(), two[0]));
    assert_ne!(of(&first, two[1]), of(&api.counts(), two[1]));
    api.clear_faults();
    lives.rest(&exporter);
}

#[test]
fn sigterm_within_a_catch_up_ends_in_time_with_what_was_shown_and_opens_no_window() {
    for order in BOTH {
        let api = Api::start(Settings {
            order,
            rate_limit: api::limit(10, Duration::from_secs(1)),
            ..api::at_rest()
        });
        let (lives, mut exporter) = settled(&api);
        let wait = Wait {
            ms: 20,
            spread_ms: 20,
        };
        api.inject(Fault::always(Kind::Delay(wait)));
        for (number, requests) in [2, 5, 9].into_iter().enumerate() {
            let later = 1 + 40 * number as i64;
            api.append(&rollout(&api, &format!("T{number}"), 300, later, 9));
            let asked = api.requests().total;
            until(PATIENCE, "it is in the middle of it", || {
                lives.look_at_once(&exporter);
                (api.requests().total >= asked + requests).then_some(())
            });
            let (_, took) = timed(|| stop(exporter));
            assert!(took < Duration::from_secs(2), "{took:?}");
            exporter = lives.start();
            lives.look_at_once(&exporter);
        }
        lives.rest(&exporter);
    }
}
