//! Lines a second, from the bytes of the API's answers to counts: `cargo bench --bench lines`.
//!
//! What is measured from end to end takes 20,000 lines in the answers that the plan asks for, some
//! lines of which are shown twice: a page for each refresh, as in calm times, or all in one long
//! read. All of it runs on one core; nothing is sent.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot be run breaks off"
)]

use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use jiff::Span;
use jiff::civil::date;
use jiff::tz::TimeZone;
use metaaccess_exporter::api::v2;
use metaaccess_exporter::births::Birth;
use metaaccess_exporter::classify;
use metaaccess_exporter::event::{EventType, Minute};
use metaaccess_exporter::ledger::{Gains, Ledger, Seen};
use metaaccess_exporter::order::Order;
use metaaccess_exporter::plan::{Answer, LogState, OrderSetting, Plan, Reach, Step};
use metaaccess_exporter::series::{Series, SeriesLimits};
use metaaccess_exporter::sight::{self, FingerprintKey};
use metaaccess_exporter::sighting::What;
use metaaccess_exporter::window::{PAGE, Query};

fn main() {
    divan::main();
}

/// How many lines there are before those that are counted, and how many of those.
const LINES: u64 = 20_000;

const LINES_A_MINUTE: u64 = 15;

/// How many lines come from one refresh to the next: one page shows them and all of the last minute
/// before.
const LINES_A_REFRESH: u64 = 30;

/// Phrases of the vendor's, as `benches/run` has mtail count them.
const PHRASES: [&str; 4] = [
    "Installed",
    "Compliance check",
    "Changed status to compliant",
    "Changed status to non-compliant",
];

/// Descriptions that something has to be taken out of.
const TEXTS: [&str; 4] = [
    "User jane.roe@example.com uninstalled the agent",
    "Changed Agent Version from 7.6.1 to 7.6.2",
    "Admin made configuration change policy \"Finance\"",
    "Removed by an administrator: EXAMPLE\\jroe",
];

/// What the API answers when so many lines were logged, of which the newest comes first; and how
/// many lines that shows.
fn body(query: Query, logged: u64, descriptions: [&str; 4]) -> (String, usize) {
    let mut days: Vec<(String, Vec<String>)> = Vec::new();
    let shown = query.start()..query.end().min(logged);
    for place in shown.clone() {
        let nth = logged - 1 - place;
        let minutes = i64::try_from(nth / LINES_A_MINUTE).expect("small");
        let at = date(2026, 1, 15).at(0, 0, 0, 0) + Span::new().minutes(minutes);
        let day = at.strftime("%b %-d, %Y ").to_string();
        if days.last().is_none_or(|(last, _)| *last != day) {
            days.push((day, Vec::new()));
        }
        let (host, description) = (nth % LINES / 4, descriptions[nth as usize % 4]);
        let time = at.strftime("%I:%M|%p");
        let line = format!(
            "{time}|MetaAccess (Version 7.6.{}.0)|TEST-{host:07}|{description}",
            host % 5
        );
        if let Some((_, lines)) = days.last_mut() {
            lines.push(line);
        }
    }
    let days = days.into_iter();
    let days = days.map(|(date, lines)| serde_json::json!({"date": date, "eventlog": lines}));
    let logs: Vec<serde_json::Value> = days.collect();
    (
        serde_json::json!({ "logs": logs }).to_string(),
        shown.count(),
    )
}

/// What is known of the log, and its counts.
#[derive(Clone)]
struct Known {
    state: LogState,
    series: Series,
    zone: TimeZone,
    key: FingerprintKey,
}

const REACH: Reach = Reach {
    lookback_minutes: (LINES / LINES_A_MINUTE) as i64,
    lateness_minutes: 2,
};

impl Known {
    fn nothing() -> Self {
        let limits = SeriesLimits {
            series: LINES as usize,
            events: 100,
        };
        Self {
            state: LogState::new(OrderSetting::Fixed(Order::NewestFirst)),
            series: Series::new(limits, [7; 16]),
            zone: TimeZone::UTC,
            key: FingerprintKey::new(b"sixteen bytes..."),
        }
    }

    /// One answer: decoded, parsed, classified and counted, as a refresh does.
    fn take(&mut self, plan: &mut Plan, body: &[u8]) {
        let page = v2::parse(body).expect("a page");
        let sightings = sight::sightings(&page, &self.zone, &self.key);
        let gains = plan.answer(Answer::Lines(sightings), &mut self.state);
        for gains in &gains {
            count(&mut self.series, gains);
        }
    }

    fn counted(&self) -> u64 {
        let all = self.series.of_log(EventType::Device);
        all.map(|one| one.count).sum()
    }
}

fn count(series: &mut Series, gains: &Gains) {
    for gain in &gains.lines {
        if let What::Event(event) = &gain.what {
            let lines = u64::from(gain.count);
            series.add(EventType::Device, event.labels(), lines, Birth::default());
        }
    }
}

/// Reads that can be done again and again: what was known before, and the answers to each in turn.
struct Recorded {
    before: Known,
    reads: Vec<Vec<String>>,
    lines: usize,
}

impl Recorded {
    /// The reads that are made of a log when so many lines were logged, and what is known then.
    fn new(
        before: Known,
        logged: impl Iterator<Item = u64>,
        descriptions: [&str; 4],
    ) -> (Self, Known) {
        let (mut reads, mut lines) = (Vec::new(), 0);
        let mut after = before.clone();
        for logged in logged {
            let mut plan = Plan::new(&mut after.state, REACH);
            let mut answers = Vec::new();
            while let Step::Ask(query) = plan.step() {
                let (body, count) = body(query, logged, descriptions);
                after.take(&mut plan, body.as_bytes());
                answers.push(body);
                lines += count;
            }
            reads.push(answers);
            assert_eq!(after.counted(), logged, "it counts what was logged");
        }
        let recorded = Self {
            before,
            reads,
            lines,
        };
        (recorded, after)
    }

    fn measure(&self, bencher: Bencher) {
        bencher
            .counter(ItemsCount::new(self.lines))
            .with_inputs(|| self.before.clone())
            .bench_local_values(|mut known| {
                for answers in &self.reads {
                    let mut plan = Plan::new(&mut known.state, REACH);
                    for answer in answers {
                        known.take(&mut plan, black_box(answer.as_bytes()));
                    }
                    assert!(matches!(plan.step(), Step::Done(_)));
                }
                known
            });
    }
}

/// What is known after a first read.
fn known(descriptions: [&str; 4]) -> Known {
    let first = std::iter::once(LINES);
    Recorded::new(Known::nothing(), first, descriptions).1
}

fn a_page_each(bencher: Bencher, descriptions: [&str; 4]) {
    let refreshes = 1..=LINES / LINES_A_REFRESH;
    let logged = refreshes.map(|nth| LINES + nth * LINES_A_REFRESH);
    let (reads, _) = Recorded::new(known(descriptions), logged, descriptions);
    reads.measure(bencher);
}

#[divan::bench]
fn answers_a_page_for_each_refresh(bencher: Bencher) {
    a_page_each(bencher, PHRASES);
}

#[divan::bench]
fn answers_a_page_for_each_refresh_with_names_to_take_out(bencher: Bencher) {
    a_page_each(bencher, TEXTS);
}

#[divan::bench]
fn answers_to_one_long_read(bencher: Bencher) {
    let logged = std::iter::once(2 * LINES);
    let (read, _) = Recorded::new(known(PHRASES), logged, PHRASES);
    read.measure(bencher);
}

#[divan::bench]
fn answers_to_a_first_read_of_new_series(bencher: Bencher) {
    let logged = std::iter::once(LINES);
    let (read, _) = Recorded::new(Known::nothing(), logged, PHRASES);
    read.measure(bencher);
}

/// The same without the plan, which says what to ask and joins the answers.
#[divan::bench]
fn answers_that_need_not_be_joined(bencher: Bencher) {
    let (pages, lines) = pages(LINES / PAGE, PHRASES);
    let known = known(PHRASES);
    bencher
        .counter(lines)
        .with_inputs(|| (Ledger::default(), known.series.clone()))
        .bench_local_values(|(mut ledger, mut series)| {
            ledger.begin(Minute(0));
            for page in &pages {
                let page = v2::parse(black_box(page.as_bytes())).expect("a page");
                let sightings = sight::sightings(&page, &known.zone, &known.key);
                for lines in sightings.chunk_by(|line, next| line.id.bucket == next.id.bucket) {
                    let mut seen = Seen::default();
                    seen.lines.reserve(lines.len());
                    for line in lines {
                        seen.one_more(line.id.fingerprint, &line.what);
                    }
                    let bucket = lines[0].id.bucket;
                    count(&mut series, &ledger.apply(bucket, &seen, false));
                }
            }
            (ledger, series)
        });
}

/// The bodies of so many full pages.
fn pages(pages: u64, descriptions: [&str; 4]) -> (Vec<String>, ItemsCount) {
    let pages = (1..=pages).map(|page| body(Query::full(page), LINES, descriptions));
    let (pages, lines): (Vec<String>, Vec<usize>) = pages.unzip();
    (pages, ItemsCount::new(lines.iter().sum::<usize>()))
}

#[divan::bench]
fn decoded_and_parsed(bencher: Bencher) {
    let (pages, lines) = pages(20, PHRASES);
    bencher.counter(lines).bench_local(|| {
        for page in &pages {
            black_box(v2::parse(black_box(page.as_bytes())).expect("a page"));
        }
    });
}

#[divan::bench]
fn decoded_to_sightings(bencher: Bencher) {
    let (pages, lines) = pages(20, PHRASES);
    let (zone, key) = (TimeZone::UTC, FingerprintKey::new(b"sixteen bytes..."));
    bencher.counter(lines).bench_local(|| {
        for page in &pages {
            let page = v2::parse(black_box(page.as_bytes())).expect("a page");
            black_box(sight::sightings(&page, &zone, &key));
        }
    });
}

fn named(bencher: Bencher, descriptions: [&'static str; 4]) {
    bencher
        .counter(ItemsCount::new(descriptions.len()))
        .bench_local(|| {
            for description in descriptions {
                black_box(classify::event_name(black_box(description), "TEST-0000001"));
            }
        });
}

#[divan::bench]
fn known_phrases_named(bencher: Bencher) {
    named(bencher, PHRASES);
}

#[divan::bench]
fn names_taken_out(bencher: Bencher) {
    named(bencher, TEXTS);
}
