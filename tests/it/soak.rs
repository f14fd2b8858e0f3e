//! Minutes of it: several exporters with state, each beside a company that writes in its own way.
//!
//! `cargo test --release --test it -- --ignored soak --nocapture` prints a table of what came of it.
//! Time runs thirty times as fast as in life: ten requests in two seconds, and a minute of the log
//! takes as long.

use std::time::Duration;

use metaaccess_exporter::clock;
use metaaccess_exporter::moment::Moment;
use metaaccess_exporter::simulator::{Drift, Fault, Kind, Line, Order, Settings};

use crate::api::{self, Api};
use crate::lives::{Dice, Lives, Scraping, pause};
use crate::watch::{BOTH, rollout};

/// All seeds are made of this one.
const SEED: u64 = 0x50a_4000;

const WINDOW: Duration = Duration::from_secs(2);
const REQUESTS: usize = 10;
const SPEED: f64 = 30.0;

/// How long all of it takes, unless `METAACCESS_SOAK_SECONDS` says otherwise.
const SECONDS: u64 = 660;
/// Exporters at the same time.
const AT_ONCE: usize = 9;
/// Until every count has to be exact once the company rests.
const REST_AT_MOST: Duration = Duration::from_secs(180);

/// What a company writes, and what else happens.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    name: &'static str,
    /// Lines in a minute of the log, which is a window.
    rate: f64,
    drift: u32,
    late: f64,
    /// Windows between two bursts of so many lines, and how many those are.
    bursts: Option<(u64, usize)>,
    /// Equal lines in each window.
    equal: usize,
    /// One request in so many fails.
    faults: Option<u64>,
    /// Seconds between two kills, at most.
    kills: Option<u64>,
}

const CALM: Schedule = Schedule {
    name: "calm: 2 lines a minute",
    rate: 2.0,
    drift: 0,
    late: 0.0,
    bursts: None,
    equal: 0,
    faults: None,
    kills: None,
};

const SCHEDULES: [Schedule; 9] = [
    CALM,
    Schedule {
        name: "busy: 100 lines a minute",
        rate: 100.0,
        ..CALM
    },
    Schedule {
        name: "bursts of 400 lines",
        rate: 10.0,
        bursts: Some((10, 400)),
        ..CALM
    },
    Schedule {
        name: "3 lines between any two requests",
        rate: 20.0,
        drift: 3,
        ..CALM
    },
    Schedule {
        name: "half of the lines equal",
        rate: 30.0,
        equal: 30,
        ..CALM
    },
    Schedule {
        name: "one line in ten late",
        rate: 30.0,
        late: 0.1,
        ..CALM
    },
    Schedule {
        name: "one request in five fails",
        rate: 20.0,
        faults: Some(5),
        ..CALM
    },
    Schedule {
        name: "a kill every few seconds",
        rate: 20.0,
        kills: Some(6),
        ..CALM
    },
    Schedule {
        name: "all of it",
        rate: 15.0,
        drift: 1,
        late: 0.05,
        bursts: Some((30, 150)),
        equal: 8,
        faults: Some(12),
        kills: Some(20),
    },
];

/// What came of a schedule.
struct Row {
    schedule: &'static str,
    order: Order,
    lines: u64,
    scrapes: u64,
    requests: u64,
    kills: u64,
    most_in_window: usize,
    over_limit: u64,
    error: u64,
    rested: Duration,
}

impl Row {
    fn markdown(&self) -> String {
        let order = match self.order {
            Order::OldestFirst => "oldest first",
            _ => "newest first",
        };
        format!(
            "| {} | {order} | {} | {} | {} | {} | {} / {REQUESTS} | {} |",
            self.schedule,
            self.lines,
            self.scrapes,
            self.requests,
            self.kills,
            self.most_in_window,
            self.error
        )
    }
}

impl Schedule {
    fn settings(&self, order: Order, seed: u64) -> Settings {
        Settings {
            seed,
            order,
            speed: SPEED,
            rate: self.rate,
            late_fraction: self.late,
            drift: Drift {
                lines: self.drift,
                every: 1,
                purge: 0,
            },
            rate_limit: api::limit(REQUESTS, WINDOW),
            ..api::at_rest()
        }
    }

    fn inject(&self, api: &Api) {
        let Some(every) = self.faults else { return };
        let status = |status| Kind::Status {
            status,
            retry_after: None,
        };
        let kinds = [
            status(500),
            Kind::CutOff,
            status(413),
            Kind::Html,
            Kind::Reset,
            Kind::Truncated,
            status(401),
            Kind::Hang,
        ];
        let round = every * kinds.len() as u64;
        for (number, kind) in (0..).zip(kinds) {
            api.inject(Fault {
                skip: number * every,
                every: round,
                ..Fault::always(kind).on_logs()
            });
        }
    }

    /// Writes what belongs to one window, the `number`th.
    fn write(&self, api: &Api, number: u64) {
        let line = Line::device(
            api.present(),
            "MetaAccess",
            "9.9.9.9",
            "TEST-EQUAL",
            "Fetch log",
        );
        api.append(&vec![line; self.equal]);
        if let Some((_, lines)) = self.bursts.filter(|(every, _)| number % every == every / 2) {
            api.append(&rollout(api, &format!("W{number}-"), lines, 0, lines));
        }
    }

    /// Plays it until this moment, and then lets the company rest.
    fn play(&self, order: Order, seed: u64, until: Moment) -> Row {
        let api = Api::start(self.settings(order, seed));
        let lives = Lives::of(&api, &["--api.timeout=1s"]);
        self.inject(&api);
        let mut dice = Dice::new(seed);
        let (mut windows, mut next) = (0, clock::now());
        let mut write = || {
            if clock::now() >= next {
                self.write(&api, windows);
                windows += 1;
                next = next.plus(WINDOW);
            }
        };
        let mut kills = 0;
        let mut exporter = None;
        while clock::now() < until {
            match self.kills {
                None => {
                    write();
                    lives.look(exporter.get_or_insert_with(|| lives.start()));
                    pause(500 + dice.below(300));
                }
                Some(seconds) => {
                    let life = Duration::from_millis(200 + dice.below(seconds * 1000));
                    let end = clock::now().plus(life).min(until);
                    lives.live(Scraping::Every(500), |_| {
                        while clock::now() < end {
                            write();
                            pause(1 + dice.below(60));
                        }
                    });
                    kills += 1;
                }
            }
        }
        api.pause();
        api.clear_faults();
        let exporter = exporter.unwrap_or_else(|| lives.start());
        let begin = clock::now();
        let error = lives.error_at_rest(&exporter, REST_AT_MOST);
        let record = api.requests();
        let row = Row {
            schedule: self.name,
            order,
            lines: api.truth().lines(),
            scrapes: lives.scrapes(),
            requests: record.total,
            kills,
            most_in_window: record.most_in_any_window,
            over_limit: record.over_limit,
            error,
            rested: clock::now().since(begin),
        };
        println!("{} exact after {:?}", row.markdown(), row.rested);
        if error > 0 {
            println!("seed {seed}: {}", lives.words_of(&exporter));
        }
        row
    }
}

fn seconds() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is for the tests, and no setting"
    )]
    let set = std::env::var("METAACCESS_SOAK_SECONDS");
    set.map_or(SECONDS, |seconds| seconds.parse().expect("seconds"))
}

/// Whether a schedule of this name is to be played: all, unless one is named.
fn is_wanted(name: &str) -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is for the tests, and no setting"
    )]
    let only = std::env::var("METAACCESS_SOAK_ONLY");
    only.map_or(true, |only| name.contains(&only))
}

#[test]
#[ignore = "takes eleven minutes: cargo test --release --test it -- --ignored soak --nocapture"]
fn soak() {
    let runs: Vec<(Schedule, Order)> = SCHEDULES
        .into_iter()
        .filter(|schedule| is_wanted(schedule.name))
        .flat_map(|schedule| BOTH.map(|order| (schedule, order)))
        .collect();
    let rounds = runs.chunks(AT_ONCE);
    let each = Duration::from_secs(seconds()) / rounds.len() as u32;
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for (round, runs) in rounds.enumerate() {
        let until = clock::now().plus(each);
        std::thread::scope(|scope| {
            let playing = runs.iter().enumerate().map(|(number, (schedule, order))| {
                let seed = SEED + (round * AT_ONCE + number) as u64;
                let play = move || schedule.play(*order, seed, until);
                (schedule.name, *order, seed, scope.spawn(play))
            });
            let playing: Vec<_> = playing.collect();
            for (name, order, seed, play) in playing {
                match play.join() {
                    Ok(row) => rows.push(row),
                    Err(_) => failed.push((name, order, seed)),
                }
            }
        });
    }
    println!(
        "\n| schedule | log | lines logged | scrapes | requests | kills | most requests in any window | error at rest |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|");
    rows.iter().for_each(|row| println!("{}", row.markdown()));
    assert!(failed.is_empty(), "failed: {failed:?}");
    assert!(rows.iter().all(|row| row.over_limit == 0));
    assert!(rows.iter().all(|row| row.error == 0), "not exact at rest");
}
