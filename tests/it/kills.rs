//! An exporter with `--state.path` that is killed, again and again, at whatever it is just doing.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use metaaccess_exporter::event::EventType;
use metaaccess_exporter::simulator::{Drift, Fault, Kind, Line, Order, Raw, Settings, Wait};
use serde_json::json;

use crate::api::{self, Api};
use crate::exporter::PATIENCE;
use crate::lives::{Dice, Lives, Scraping, pause, soon};
use crate::watch::BOTH;

/// All seeds are made of this one.
const SEED: u64 = 0x0ddb_a115;

/// Of every life: nothing that it does is waited for any longer.
const LIFE_AT_MOST: Duration = Duration::from_millis(400);

/// When a life is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strike {
    /// While it starts, before anybody can ask it.
    Starting,
    /// A request was sent and has not reached the server.
    OnTheWay,
    /// The server has a request and has not answered it.
    Unanswered,
    /// The write-ahead log has just grown.
    Saving,
    /// A scrape has just been answered.
    Shown,
    /// Nobody scrapes, nothing is asked.
    Idle,
    /// At any moment.
    Anywhen,
}

const STRIKES: [Strike; 7] = [
    Strike::Starting,
    Strike::OnTheWay,
    Strike::Unanswered,
    Strike::Saving,
    Strike::Shown,
    Strike::Idle,
    Strike::Anywhen,
];

/// What one kill after another does to one exporter.
#[derive(Clone, Copy, Debug)]
pub struct Play {
    pub seed: u64,
    pub order: Order,
    pub window: Duration,
    pub kills: usize,
    /// One life in so many has a burst to read.
    pub bursts: u64,
    /// Whether kills come from the first read on, and not only when it is complete.
    pub from_birth: bool,
}

/// A log of four lines a second and more, which moves between two pages and has late lines. Its answers
/// take their time.
fn company(play: &Play) -> Settings {
    Settings {
        seed: play.seed,
        order: play.order,
        speed: 4.0,
        rate: 60.0,
        history_hours: if play.from_birth { 23 } else { 6 },
        late_fraction: 0.05,
        drift: Drift {
            lines: 2,
            every: 2,
            purge: 0,
        },
        rate_limit: api::limit(10, play.window),
        ..api::at_rest()
    }
}

fn faults(api: &Api) {
    let wait = Wait {
        ms: 2,
        spread_ms: 20,
    };
    api.inject(Fault::always(Kind::Delay(wait)));
    api.inject(Fault::always(Kind::LateArrival(wait)));
}

/// Between two long lives, in which a read can end.
const LONG_LIFE_EVERY: usize = 8;

/// Writes what a company does not write by itself: equal lines, late ones, bursts, and entries that
/// are no lines.
fn write(api: &Api, play: &Play, life: usize, dice: &mut Dice) {
    if dice.one_in(2) {
        let equal = 1 + dice.below(12) as usize;
        api.install_on(&vec!["TEST-EQUAL"; equal]);
        api.log_on(dice.below(4) as usize);
    }
    if dice.one_in(2) {
        let host = format!("TEST-LATE{life}");
        // Oldest first, those of a minute further back may lie below all that is read again.
        let late_by = if play.order == Order::OldestFirst {
            1
        } else {
            2
        };
        let late: Vec<Line> = (0..=dice.below(3))
            .map(|n| api.install(&host, 1 + n as i64 % late_by))
            .collect();
        api.append(&late);
    }
    if dice.one_in(play.bursts) {
        let lines = 60 + dice.below(120);
        let hosts: Vec<String> = (0..lines).map(|n| format!("TEST-B{:02}", n % 40)).collect();
        api.install_on(&hosts.iter().map(String::as_str).collect::<Vec<_>>());
    }
    if dice.one_in(3) {
        // Equal ones of a day are one, since nothing tells when they came.
        let value = json!(format!("25:61|PM|MetaAccess|TEST-{life}|Installed"));
        let log = dice.of(&EventType::ALL);
        api.append_malformed(log, api.present(), Raw { value, date: None });
    }
}

/// Starts, is struck, and starts again, so often; then the company rests, and every count has to be
/// exact. Gives how many requests the server saw.
fn is_exact_after_kills(play: &Play, killed: &AtomicU64) -> u64 {
    let mut dice = Dice::new(play.seed);
    let api = Api::start(company(play));
    faults(&api);
    let lives = Lives::of(&api, &["--api.timeout=300ms", "--api.lateness=3m"]);
    if !play.from_birth {
        lives.live(Scraping::Every(20), |_| {
            let complete = || lives.shown() > 0;
            assert!(soon(PATIENCE, complete), "both logs are read");
        });
    }
    for life in 0..play.kills {
        write(&api, play, life, &mut dice);
        let strike = dice.of(&STRIKES);
        one_life(&api, &lives, strike, &mut dice);
        killed.fetch_add(1, Ordering::Relaxed);
        if life % LONG_LIFE_EVERY == LONG_LIFE_EVERY - 1 {
            lives.live(Scraping::Every(10), |_| {
                let more = 1 + dice.below(200);
                pause(play.window.as_millis() as u64 + more);
            });
            killed.fetch_add(1, Ordering::Relaxed);
        }
    }
    api.pause();
    api.clear_faults();
    let exporter = lives.start();
    lives.look_at_once(&exporter);
    let samples = lives.rest_within(&exporter, 2 * PATIENCE);
    for lost in &crate::lives::KEPT[1..] {
        assert_eq!(samples.sum(lost, &[]), 0.0, "{lost}");
    }
    let record = api.requests();
    assert_eq!(record.over_limit, 0);
    // Else it shows nothing: the limit has to be wanted.
    assert_eq!(record.most_in_any_window, 10);
    record.total
}

fn one_life(api: &Api, lives: &Lives, strike: Strike, dice: &mut Dice) {
    if strike == Strike::Starting {
        let program = lives.unborn();
        pause(dice.below(25));
        return drop(program);
    }
    let scraping = match strike {
        Strike::Idle => Scraping::Once,
        _ => Scraping::Every(1 + dice.below(30)),
    };
    let asked = api.requests().total;
    lives.live(scraping, |life| match strike {
        Strike::OnTheWay => {
            let others = api.faults_in_force();
            let late = Wait {
                ms: 60,
                spread_ms: 0,
            };
            api.inject(Fault {
                skip: dice.below(3),
                ..Fault::next(Kind::LateArrival(late), 1)
            });
            soon(LIFE_AT_MOST, || api.faults_in_force() == others);
            pause(dice.below(60));
            if api.faults_in_force() > others {
                api.clear_faults();
                faults(api);
            }
        }
        Strike::Unanswered => {
            let more = 1 + dice.below(4);
            soon(LIFE_AT_MOST, || api.requests().total >= asked + more);
            pause(dice.below(8));
        }
        Strike::Saving => {
            let mut state = written(lives);
            for _ in 0..=dice.below(6) {
                soon(LIFE_AT_MOST / 4, || {
                    std::mem::replace(&mut state, written(lives)) != written(lives)
                });
            }
        }
        Strike::Shown => {
            let scrapes = 1 + dice.below(3);
            soon(LIFE_AT_MOST, || life.answered() >= scrapes);
        }
        Strike::Idle => {
            soon(LIFE_AT_MOST, || life.answered() == 2);
            pause(40);
        }
        Strike::Starting | Strike::Anywhen => pause(dice.below(150)),
    });
}

/// How the write-ahead log stands: its length and when it was written last.
fn written(lives: &Lives) -> Option<(u64, SystemTime)> {
    let log = lives.folder().join("state.db-wal");
    let found = fs::metadata(log).ok()?;
    Some((found.len(), found.modified().ok()?))
}

/// Plays all of them, so many at the same time, and says which of them failed.
#[track_caller]
fn play_all(plays: &[Play], at_once: usize) -> (u64, u64) {
    let (killed, asked) = (AtomicU64::new(0), AtomicU64::new(0));
    let next = AtomicU64::new(0);
    let failed: Vec<Play> = std::thread::scope(|scope| {
        let players: Vec<_> = (0..at_once)
            .map(|_| {
                scope.spawn(|| {
                    let mut failed = Vec::new();
                    while let Some(play) = plays.get(next.fetch_add(1, Ordering::Relaxed) as usize)
                    {
                        let played = std::thread::scope(|scope| {
                            let play = scope.spawn(|| is_exact_after_kills(play, &killed));
                            play.join()
                        });
                        match played {
                            Ok(requests) => drop(asked.fetch_add(requests, Ordering::Relaxed)),
                            Err(_) => failed.push(*play),
                        }
                    }
                    failed
                })
            })
            .collect();
        let failed = players.into_iter().flat_map(|player| player.join());
        failed.flatten().collect()
    });
    assert!(failed.is_empty(), "failed: {failed:#?}");
    (killed.into_inner(), asked.into_inner())
}

fn plays(lives: usize, kills: usize, bursts: u64) -> Vec<Play> {
    let play = |number: usize| Play {
        seed: SEED + number as u64,
        order: BOTH[number % 2],
        window: Duration::from_millis([1000, 500][number / 4 % 2]),
        kills,
        bursts,
        from_birth: number % 4 < 2,
    };
    (0..lives).map(play).collect()
}

#[test]
fn kills_at_any_moment_lose_nothing_count_nothing_twice_and_open_no_window() {
    let (killed, asked) = play_all(&plays(8, 24, 6), 8);
    println!("{killed} kills, {asked} requests");
    assert!(killed >= 200, "{killed} kills");
}
