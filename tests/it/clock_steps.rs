//! The wall clock of the machine steps back and forth under a running exporter, by Debian's
//! libfaketime: nothing may be counted by it, and no request window opened.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use metaaccess_exporter::clock;
use metaaccess_exporter::simulator::{ResetForm, Settings};

use crate::api::{self, Api, TOKEN};
use crate::exporter::Exporter;
use crate::lives::Lives;
use crate::program::Program;
use crate::tools::library;
use crate::wait::throughout;
use crate::watch::BOTH;

const WINDOW: Duration = Duration::from_secs(1);

/// Half a second before Berlin's clocks went from 2 to 3, and from 3 to 2, in 2025: Unix time.
const SPRING: f64 = 1_743_296_399.5;
const AUTUMN: f64 = 1_761_440_399.5;

/// An exporter whose wall clock is off by what stands in a file, now and whenever it changes.
struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    fn set(&self, seconds: f64) {
        // Whoever reads it meanwhile has to find the whole of it.
        let draft = self.file.with_extension("draft");
        fs::write(&draft, format!("{seconds:+.1}\n")).expect("written");
        fs::rename(draft, &self.file).expect("renamed");
    }

    fn start(&self, lives: &Lives) -> Exporter {
        let file = self.file.display().to_string();
        let library = self.library.display().to_string();
        let environment = [
            ("METAACCESS_ACCESS_TOKEN", TOKEN),
            ("LD_PRELOAD", &*library),
            ("FAKETIME_TIMESTAMP_FILE", &*file),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("TZ", "Europe/Berlin"),
        ];
        Exporter::listening(Program::exporter(&lives.flags(&[]), &environment), 1)
    }
}

/// Scrapes while the clock steps, and starts anew at every other step. What it says of the clock has
/// to be what it was set to, else the test shows nothing.
fn is_exact_whatever_the_clock_says(library: PathBuf, settings: Settings) {
    let api = Api::start(settings);
    let lives = Lives::of(&api, &["--scrape.min-interval=100ms"]);
    let clock = Clock {
        library,
        file: lives.folder().join("clock"),
    };
    clock.set(0.0);
    let mut exporter = clock.start(&lives);
    lives.look(&exporter);
    let now = clock::unix_now().as_secs_f64();
    let steps = [
        -3_600.0,
        86_400.0,
        SPRING - now,
        0.0,
        AUTUMN - now,
        -400.0 * 86_400.0,
    ];
    for (number, step) in steps.into_iter().enumerate() {
        clock.set(step);
        api.install_on(&["TEST-R1W3Y"; 3]);
        throughout(WINDOW + Duration::from_millis(300), || {
            drop(lives.look(&exporter));
        });
        let saved = "metaaccess_state_saved_timestamp_seconds";
        let saved = lives.look(&exporter).value(saved, &[]);
        let off = saved - clock::unix_now().as_secs_f64() - step;
        assert!(
            off.abs() < 30.0,
            "set by {step}, it says {saved}: {off} off"
        );
        if number % 2 == 0 {
            exporter.stop();
            exporter = clock.start(&lives);
            lives.look_at_once(&exporter);
        }
    }
    api.pause();
    lives.rest(&exporter);
    let record = api.requests();
    assert_eq!(record.over_limit, 0);
    assert_eq!(record.most_in_any_window, 10, "the limit has to be wanted");
}

#[test]
fn steps_of_the_wall_clock_change_no_count_and_open_no_window() {
    let Some(library) = library("libfaketime.so.1") else {
        return;
    };
    std::thread::scope(|scope| {
        let forms = [
            (BOTH[0], ResetForm::Seconds),
            (BOTH[1], ResetForm::UnixTime),
        ];
        let playing = forms.map(|(order, reset)| {
            let settings = Settings {
                order,
                rate_limit: api::limit(10, WINDOW),
                reset,
                ..api::alive()
            };
            let library = library.clone();
            scope.spawn(|| is_exact_whatever_the_clock_says(library, settings))
        });
        let ended = playing.map(|playing| playing.join().is_ok());
        assert_eq!(ended, [true, true], "{forms:?}");
    });
}
