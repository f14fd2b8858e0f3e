//! An exporter that ends and is started again on one state file: what holds over all of its lives.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metaaccess_exporter::clock;
use metaaccess_exporter::event::EventType;
use tempfile::TempDir;

use crate::api::{Api, TOKEN};
use crate::exporter::{Exporter, PATIENCE, difference, samples};
use crate::http::{self, Answer};
use crate::program::Program;
use crate::samples::{Counts, Samples};

/// Counters that are kept beside the events.
pub const KEPT: [&str; 5] = [
    "metaaccess_log_unparsable_lines_total",
    "metaaccess_log_unattributed_lines_total",
    "metaaccess_log_missed_lines_total",
    "metaaccess_log_gaps_total",
    "metaaccess_series_overflowed_lines_total",
];
const UNPARSABLE: &str = KEPT[0];
const UNATTRIBUTED: &str = KEPT[1];

/// How long what is exact has to stay so.
const STAYS: Duration = Duration::from_millis(150);

/// The exporter of one API and one state file, whoever it is at the moment.
#[derive(Debug)]
pub struct Lives<'a> {
    api: &'a Api,
    folder: TempDir,
    flags: Vec<String>,
    highest: Mutex<Highest>,
    scrapes: AtomicU64,
}

/// The highest value that any scrape showed, by series.
#[derive(Debug, Default)]
struct Highest {
    counts: Counts,
    kept: BTreeMap<String, f64>,
}

/// One life, as long as it is scraped.
#[derive(Debug)]
pub struct Life {
    /// None after its end.
    exporter: Mutex<Option<Exporter>>,
    ending: AtomicBool,
    answered: AtomicU64,
}

/// How a life is scraped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scraping {
    /// One scrape after another; after the first, so many milliseconds between them.
    Every(u64),
    /// Once, and nobody comes again.
    Once,
}

impl<'a> Lives<'a> {
    /// An exporter that has not been born yet, with these flags in all of its lives.
    pub fn of(api: &'a Api, flags: &[&str]) -> Self {
        Self {
            api,
            folder: tempfile::tempdir().expect("a folder"),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            highest: Mutex::default(),
            scrapes: AtomicU64::new(0),
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The state file.
    pub fn path(&self) -> PathBuf {
        self.folder().join("state.db")
    }

    /// All flags of a life, and these.
    pub fn flags(&self, more: &[&str]) -> Vec<String> {
        let mut flags = self.api.flags();
        flags.push("--web.listen-address=127.0.0.1:0".to_owned());
        flags.push(format!("--state.path={}", self.path().display()));
        flags.extend(self.flags.iter().cloned());
        flags.extend(more.iter().map(|flag| (*flag).to_owned()));
        flags
    }

    /// A process that is about to begin a life.
    pub fn unborn(&self) -> Program {
        Program::exporter(&self.flags(&[]), &[("METAACCESS_ACCESS_TOKEN", TOKEN)])
    }

    #[track_caller]
    pub fn start(&self) -> Exporter {
        self.start_with(&[])
    }

    /// Starts it with these flags, too.
    #[track_caller]
    pub fn start_with(&self, more: &[&str]) -> Exporter {
        Exporter::with(&self.flags(more))
    }

    /// How many lines of the device log were shown: none before it was read to its end.
    pub fn shown(&self) -> u64 {
        let highest = self.highest.lock().unwrap_or_else(PoisonError::into_inner);
        let device = highest
            .counts
            .iter()
            .filter(|((log, _), _)| log == "device");
        device.map(|(_, count)| count).sum()
    }

    /// How many scrapes were answered and held against what was shown before.
    pub fn scrapes(&self) -> u64 {
        self.scrapes.load(Ordering::Relaxed)
    }

    /// Holds an answer against the highest that was shown before, and against the truth after it.
    #[track_caller]
    pub fn check(&self, answer: &Answer) -> Samples {
        let samples = samples(answer);
        let truth = self.api.truth();
        let true_counts = self.api.counts();
        let shown = samples.counts();
        let mut highest = self.highest.lock().unwrap_or_else(PoisonError::into_inner);
        for (series, before) in &highest.counts {
            let now = shown.get(series);
            assert!(
                now.is_some_and(|now| now >= before),
                "{series:?} falls from {before} to {now:?}"
            );
        }
        for (series, count) in &shown {
            let most = true_counts.get(series);
            assert!(
                most.is_some_and(|most| count <= most),
                "{series:?} is {count} of {most:?}"
            );
        }
        let kept = samples.values_of(&KEPT);
        for (series, before) in &highest.kept {
            let now = kept.get(series);
            assert!(
                now.is_some_and(|now| now >= before),
                "{series} falls from {before} to {now:?}"
            );
        }
        let lines = shown.values().sum::<u64>() + samples.sum(UNATTRIBUTED, &[]) as u64;
        assert!(lines <= truth.lines(), "{lines} lines of {}", truth.lines());
        for log in EventType::ALL {
            let labels = [("event_type", log.as_str())];
            let unparsable = samples.sum(UNPARSABLE, &labels);
            assert!(
                unparsable <= truth.log(log).malformed as f64,
                "{unparsable}"
            );
        }
        *highest = Highest {
            counts: shown,
            kept,
        };
        self.scrapes.fetch_add(1, Ordering::Relaxed);
        samples
    }

    /// A scrape of a life that goes on.
    #[track_caller]
    pub fn look(&self, exporter: &Exporter) -> Samples {
        self.check(&exporter.get("/metrics"))
    }

    /// A scrape that waits for nothing: what there is to show.
    #[track_caller]
    pub fn look_at_once(&self, exporter: &Exporter) -> Samples {
        let at_once = ("X-Prometheus-Scrape-Timeout-Seconds", "0.1");
        let answer = http::ask(exporter.address(), "GET", "/metrics", &[at_once]);
        self.check(&answer.expect("an answer"))
    }

    /// Whether a scrape was answered whole; not, where a kill came first.
    #[track_caller]
    fn was_answered(&self, address: SocketAddr, at_once: bool) -> bool {
        let timeout = if at_once { "0.1" } else { "10" };
        let header = ("X-Prometheus-Scrape-Timeout-Seconds", timeout);
        let Ok(answer) = http::ask(address, "GET", "/metrics", &[header]) else {
            return false;
        };
        let length = answer.header("content-length");
        if length != Some(&*answer.body.len().to_string()) {
            return false;
        }
        self.check(&answer);
        true
    }

    /// Lives once: scraped all the time by somebody whose first scrape waits for nothing, until
    /// `end` comes, and then a SIGKILL.
    pub fn live(&self, scraping: Scraping, end: impl FnOnce(&Life)) {
        let exporter = self.start();
        let address = exporter.address();
        let life = Life {
            exporter: Mutex::new(Some(exporter)),
            ending: AtomicBool::new(false),
            answered: AtomicU64::new(0),
        };
        std::thread::scope(|scope| {
            let scraper = scope.spawn(|| self.scrape(&life, address, scraping));
            end(&life);
            life.kill();
            if let Err(panic) = scraper.join() {
                resume_unwind(panic);
            }
        });
    }

    fn scrape(&self, life: &Life, address: SocketAddr, scraping: Scraping) {
        while !life.is_ending() {
            let first = life.answered() == 0;
            if self.was_answered(address, first) {
                life.answered.fetch_add(1, Ordering::Relaxed);
            } else {
                assert!(life.is_ending(), "a scrape fails, and nobody killed it");
            }
            match scraping {
                Scraping::Every(millis) if !first => pause(millis),
                Scraping::Once if !first => return,
                _ => {}
            }
        }
    }

    /// Looks until all is well and every count is the truth, and stays so.
    #[track_caller]
    pub fn rest(&self, exporter: &Exporter) -> Samples {
        self.rest_within(exporter, PATIENCE)
    }

    /// The same, with another limit. It looks seldom enough that requests are left for late lines.
    #[track_caller]
    pub fn rest_within(&self, exporter: &Exporter, limit: Duration) -> Samples {
        let between = self.api.settings().rate_limit.window / 3;
        let begin = clock::now();
        let mut exact_since = None;
        loop {
            let samples = self.look(exporter);
            let (shown, truth) = (samples.counts(), self.api.counts());
            let now = clock::now();
            if samples.is_up() && shown == truth && self.malformed_left(&samples) == 0.0 {
                let since = *exact_since.get_or_insert(now);
                if now.since(since) >= STAYS {
                    return samples;
                }
            } else {
                assert!(exact_since.is_none(), "exact no more");
            }
            assert!(
                now.since(begin) < limit,
                "after {limit:?} still not exact: {}; {}; asked last: {:?}; the log ends: {:#?}",
                difference(&shown, &truth),
                samples.own_words(),
                self.asked_last(40),
                exporter.log().iter().rev().take(4).collect::<Vec<_>>()
            );
            std::thread::sleep(if exact_since.is_some() {
                STAYS / 3
            } else {
                between
            });
        }
    }

    /// The last requests: the log, limit and page of each.
    fn asked_last(&self, requests: usize) -> Vec<String> {
        let asked = self.api.requests().requests;
        let last = asked.iter().skip(asked.len().saturating_sub(requests));
        let words = last.map(|asked| {
            let number = |number: Option<u64>| number.unwrap_or(0);
            let log = asked.event_type.map_or("?", EventType::as_str);
            format!("{log} {}/{}", number(asked.limit), number(asked.page))
        });
        words.collect()
    }

    /// How many lines the counts differ from the truth by, over all series, once they stay: none, as
    /// soon as that is so, and else what is left after this time.
    #[track_caller]
    pub fn error_at_rest(&self, exporter: &Exporter, limit: Duration) -> u64 {
        let begin = clock::now();
        loop {
            let samples = self.look(exporter);
            let (shown, truth) = (samples.counts(), self.api.counts());
            let series = truth.iter();
            let missing = series.map(|(key, count)| count - shown.get(key).unwrap_or(&0));
            let error = missing.sum();
            if (error == 0 && samples.is_up()) || clock::now().since(begin) >= limit {
                return error;
            }
            std::thread::sleep(self.api.settings().rate_limit.window / 3);
        }
    }

    /// What a failed test tells of the exporter, beside the truth.
    pub fn words_of(&self, exporter: &Exporter) -> String {
        let samples = self.look(exporter);
        let difference = difference(&samples.counts(), &self.api.counts());
        let asked = self.asked_last(40);
        format!(
            "{difference}; {}; asked last: {asked:?}",
            samples.own_words()
        )
    }

    /// Entries that are no lines and are not counted yet.
    pub fn malformed_left(&self, samples: &Samples) -> f64 {
        let truth = self.api.truth();
        let logged = EventType::ALL.map(|log| truth.log(log).malformed as f64);
        logged.iter().sum::<f64>() - samples.sum(UNPARSABLE, &[])
    }
}

impl Life {
    /// Ends it as nothing else does: by SIGKILL.
    fn kill(&self) {
        self.ending.store(true, Ordering::SeqCst);
        let exporter = self.exporter.lock();
        drop(exporter.unwrap_or_else(PoisonError::into_inner).take());
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }

    /// How many scrapes of this life were answered.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

/// Looks every half millisecond whether something has come, for so long; whether it has.
pub fn soon(limit: Duration, mut has_come: impl FnMut() -> bool) -> bool {
    let begin = clock::now();
    loop {
        if has_come() {
            return true;
        }
        if clock::now().since(begin) >= limit {
            return false;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
}

pub fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// Chance from a seed that is told where a test fails.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 to `bound` - 1. It is of splitmix64.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }

    pub fn one_in(&mut self, so_many: u64) -> bool {
        self.below(so_many) == 0
    }

    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}
