//! A running exporter: its log, its scrapes and its end.

use std::net::SocketAddr;
use std::ops::Deref;
use std::time::Duration;

use serde_json::Value;

use crate::api::{Api, TOKEN};
use crate::http::{self, Answer};
use crate::program::{Ended, Program};
use crate::samples::{Counts, Samples};
use crate::wait::{timed, until};

/// To the letter what Prometheus has to be told.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How long a start, a stop or a state that has to come may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// An exporter that listens on a port of its own.
#[derive(Debug)]
pub struct Exporter {
    program: Program,
    addresses: Vec<SocketAddr>,
}

impl Exporter {
    /// Starts an exporter of this API.
    #[track_caller]
    pub fn of(api: &Api, flags: &[&str]) -> Self {
        let mut all = api.flags();
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        all.push("--web.listen-address=127.0.0.1:0".to_owned());
        Self::with(&all)
    }

    /// Starts an exporter with these flags, which say where to listen, and the token.
    #[track_caller]
    pub fn with<S: AsRef<str>>(flags: &[S]) -> Self {
        let listens = |flag: &&S| flag.as_ref().starts_with("--web.listen-address=");
        let expected = flags.iter().filter(listens).count();
        let program = Program::exporter(flags, &[("METAACCESS_ACCESS_TOKEN", TOKEN)]);
        Self::listening(program, expected)
    }

    /// Takes a program that is about to listen on so many addresses.
    #[track_caller]
    pub fn listening(program: Program, expected: usize) -> Self {
        let addresses = until(PATIENCE, "the exporter listens", || {
            let found = addresses(&program.err());
            (found.len() >= expected).then_some(found)
        });
        Self { program, addresses }
    }

    pub fn address(&self) -> SocketAddr {
        *self.addresses.first().expect("an address")
    }

    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        http::get(self.address(), path)
    }

    /// The samples of a scrape, which has to be answered as Prometheus asks.
    #[track_caller]
    pub fn scrape(&self) -> Samples {
        samples(&self.get("/metrics"))
    }

    /// A scrape that waits so long, and how long it took.
    #[track_caller]
    pub fn scrape_within(&self, seconds: f64) -> (Samples, Duration) {
        let header = ("X-Prometheus-Scrape-Timeout-Seconds", &*seconds.to_string());
        let ask = || http::ask(self.address(), "GET", "/metrics", &[header]);
        let (answer, took) = timed(ask);
        (samples(&answer.expect("an answer")), took)
    }

    /// Scrapes until the counts are the truth and all is well. No scrape may be over the truth.
    #[track_caller]
    pub fn settle(&self, api: &Api) -> Samples {
        let what = "every count equals the truth";
        let mut last = Samples::default();
        let begin = metaaccess_exporter::clock::now();
        loop {
            let (samples, truth) = self.scrape_honestly(api);
            if samples.is_up() && samples.counts() == truth {
                return samples;
            }
            let waited = metaaccess_exporter::clock::now().since(begin);
            let shown = samples.counts();
            assert!(
                waited < PATIENCE,
                "after {waited:?} still not: {what}; {}; {}; the log ends: {:#?}",
                difference(&shown, &truth),
                samples.own_words(),
                self.log().iter().rev().take(4).collect::<Vec<_>>()
            );
            let same = last == samples;
            last = samples;
            std::thread::sleep(Duration::from_millis(if same { 50 } else { 20 }));
        }
    }

    /// A scrape, and the truth after it: nothing may be counted that was never logged.
    #[track_caller]
    pub fn scrape_honestly(&self, api: &Api) -> (Samples, Counts) {
        let samples = self.scrape();
        let truth = api.counts();
        let over = samples.counts().into_iter();
        let over: Vec<_> = over
            .filter(|(series, count)| {
                truth
                    .get(series)
                    .is_none_or(|true_count| count > true_count)
            })
            .collect();
        assert!(over.is_empty(), "counted more than there is: {over:#?}");
        (samples, truth)
    }

    /// The lines of its log up to now.
    pub fn log(&self) -> Vec<String> {
        self.program.err()
    }

    /// The lines of its log at this level.
    pub fn log_at(&self, level: &str) -> Vec<String> {
        let mut lines = self.log();
        let level = format!(" level={level} ");
        lines.retain(|line| line.contains(&level));
        lines
    }

    /// Stops it by SIGTERM.
    #[track_caller]
    pub fn stop(self) -> Ended {
        self.program.signal("TERM");
        self.program.end(PATIENCE)
    }

    pub fn into_program(self) -> Program {
        self.program
    }
}

impl Deref for Exporter {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

/// The addresses that a log, in either format, says it listens on.
fn addresses(log: &[String]) -> Vec<SocketAddr> {
    log.iter().filter_map(|line| address(line)).collect()
}

fn address(line: &str) -> Option<SocketAddr> {
    if line.starts_with('{') {
        let line: Value = serde_json::from_str(line).ok()?;
        let listens = line["message"] == "listening";
        return listens.then(|| line["address"].as_str()?.parse().ok())?;
    }
    let listens = line.contains(" message=listening ");
    let words = listens.then(|| line.split(' ')).into_iter().flatten();
    words
        .filter_map(|word| word.strip_prefix("address="))
        .find_map(|address| address.parse().ok())
}

#[track_caller]
pub fn samples(answer: &Answer) -> Samples {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some(CONTENT_TYPE));
    Samples::parse(&answer.body)
}

/// Where two counts differ, in few words.
pub fn difference(shown: &Counts, truth: &Counts) -> String {
    let keys: std::collections::BTreeSet<_> = shown.keys().chain(truth.keys()).collect();
    let differing = keys
        .into_iter()
        .filter(|key| shown.get(key) != truth.get(key));
    let words = differing
        .take(8)
        .map(|key| format!("{key:?}: {:?} of {:?}", shown.get(key), truth.get(key)));
    let sums = (shown.values().sum::<u64>(), truth.values().sum::<u64>());
    format!(
        "{} of {} lines; {:#?}",
        sums.0,
        sums.1,
        words.collect::<Vec<_>>()
    )
}
