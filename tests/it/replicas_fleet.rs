//! Several replicas of the exporter over one database, each watched: no count of it may fall or be more
//! than there is.

use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metaaccess_exporter::clock;
use metaaccess_exporter::simulator::RateLimit;

use crate::api::{Api, TOKEN};
use crate::exporter::{Exporter, difference, samples};
use crate::http::{self, Answer};
use crate::lives::KEPT;
use crate::program::{Ended, Program};
use crate::samples::{Counts, Samples};
use crate::wait::{throughout, timed, until};

/// How long replicas may take to agree: a lease is free only when its holder's life is over.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// How long a scrape waits that waits for nothing, for the exporter keeps half a second of it.
pub const AT_ONCE: f64 = 0.1;

/// How long what is exact has to stay so.
const STAYS: Duration = Duration::from_millis(150);

/// Longer than a replica is new, and two beats.
const STAYS_WHERE_IT_BELONGS: Duration = Duration::from_secs(5);

/// Between two scrapes of one replica that is scraped all the time.
const SCRAPED_EVERY: Duration = Duration::from_millis(120);

/// The replicas of one API's account.
#[derive(Debug)]
pub struct Fleet<'a> {
    api: &'a Api,
    flags: Vec<String>,
    replicas: Vec<Replica>,
    scrapes: AtomicU64,
}

/// One replica, whichever process it is at the moment.
#[derive(Debug)]
struct Replica {
    url: String,
    life: Mutex<Life>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Life {
    number: u64,
    /// None while it is dead.
    exporter: Option<Exporter>,
}

/// The highest that was shown, by series.
#[derive(Clone, Debug, Default)]
struct Seen {
    life: u64,
    /// In this life: none of them may go.
    now: Counts,
    /// In any: what is shown was saved.
    ever: Counts,
}

/// A scrape that was answered.
#[derive(Clone, Debug)]
pub struct Scrape {
    pub samples: Samples,
    /// The lines of the event counts, as they came.
    pub events: String,
    pub took: Duration,
}

impl Scrape {
    pub fn is_connected(&self) -> bool {
        self.samples.value("metaaccess_state_connected", &[]) == 1.0
    }

    pub fn leads(&self) -> bool {
        self.samples.value("metaaccess_replica_leads", &[]) == 1.0
    }
}

impl<'a> Fleet<'a> {
    /// Starts a replica for each of these databases, which are one.
    #[track_caller]
    pub fn start(api: &'a Api, urls: &[String], flags: &[&str]) -> Self {
        let replica = |url: &String| Replica {
            url: url.clone(),
            life: Mutex::default(),
            seen: Mutex::default(),
        };
        let mut all = api.flags();
        all.push("--web.listen-address=127.0.0.1:0".to_owned());
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let fleet = Self {
            api,
            flags: all,
            replicas: urls.iter().map(replica).collect(),
            scrapes: AtomicU64::new(0),
        };
        fleet.numbers().for_each(|number| fleet.revive(number));
        fleet
    }

    /// Three of one database.
    #[track_caller]
    pub fn three(api: &'a Api, url: &str, flags: &[&str]) -> Self {
        Self::start(api, &vec![url.to_owned(); 3], flags)
    }

    pub fn numbers(&self) -> std::ops::Range<usize> {
        0..self.replicas.len()
    }

    pub fn scrapes(&self) -> u64 {
        self.scrapes.load(Ordering::Relaxed)
    }

    /// Starts it where it is dead.
    #[track_caller]
    pub fn revive(&self, number: usize) {
        let mut flags = self.flags.clone();
        flags.push(format!("--state.url={}", self.replicas[number].url));
        let program = Program::exporter(&flags, &[("METAACCESS_ACCESS_TOKEN", TOKEN)]);
        let exporter = Exporter::listening(program, 1);
        self.life(number).exporter = Some(exporter);
    }

    /// Ends it by SIGKILL.
    pub fn kill(&self, number: usize) {
        drop(self.taken(number));
    }

    /// Ends it by SIGTERM, and waits for that.
    #[track_caller]
    pub fn stop(&self, number: usize) -> Ended {
        let exporter = self.taken(number).expect("it lives");
        exporter.stop()
    }

    /// The process of a life that is over as far as scrapes are concerned.
    fn taken(&self, number: usize) -> Option<Exporter> {
        let mut life = self.life(number);
        life.number += 1;
        life.exporter.take()
    }

    #[track_caller]
    pub fn signal(&self, number: usize, name: &str) {
        let life = self.life(number);
        life.exporter.as_ref().expect("it lives").signal(name);
    }

    /// The lines of its log in this life.
    pub fn log(&self, number: usize) -> Vec<String> {
        let life = self.life(number);
        life.exporter
            .as_ref()
            .map(|it| it.log())
            .unwrap_or_default()
    }

    pub fn lives(&self, number: usize) -> bool {
        self.life(number).exporter.is_some()
    }

    fn life(&self, number: usize) -> MutexGuard<'_, Life> {
        let life = self.replicas[number].life.lock();
        life.unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self, number: usize) -> MutexGuard<'_, Seen> {
        let seen = self.replicas[number].seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner)
    }

    fn address(&self, number: usize) -> Option<(u64, SocketAddr)> {
        let life = self.life(number);
        let exporter = life.exporter.as_ref()?;
        Some((life.number, exporter.address()))
    }

    /// A scrape of a replica that nobody kills.
    #[track_caller]
    pub fn look(&self, number: usize) -> Scrape {
        self.look_for(number, 10.0)
    }

    /// The same by a scraper with this timeout, in seconds.
    #[track_caller]
    pub fn look_for(&self, number: usize, timeout: f64) -> Scrape {
        self.ask(number, "/metrics", timeout).expect("it lives")
    }

    /// A scrape; none, where the replica is dead or was killed meanwhile.
    #[track_caller]
    pub fn ask(&self, number: usize, path: &str, timeout: f64) -> Option<Scrape> {
        let (life, address) = self.address(number)?;
        let before = self.seen(number).clone();
        let header = ("X-Prometheus-Scrape-Timeout-Seconds", &*timeout.to_string());
        let (answer, took) = timed(|| http::ask(address, "GET", path, &[header]));
        if self.life(number).number != life {
            return None;
        }
        let answer = answer.unwrap_or_else(|error| {
            let log = self.log(number);
            let end = log.iter().rev().take(6).collect::<Vec<_>>();
            panic!("replica {number} does not answer, and nobody killed it: {error}; {end:#?}")
        });
        let samples = self.check(number, life, &before, &answer);
        self.scrapes.fetch_add(1, Ordering::Relaxed);
        let events = answer.body.lines();
        let events: Vec<&str> = events
            .filter(|line| line.starts_with("metaaccess_events_total{"))
            .collect();
        Some(Scrape {
            samples,
            events: events.join("\n"),
            took,
        })
    }

    /// Holds an answer against what this replica had shown before it was asked, and against the truth
    /// after it.
    #[track_caller]
    fn check(&self, number: usize, life: u64, before: &Seen, answer: &Answer) -> Samples {
        let samples = samples(answer);
        let (shown, truth) = (samples.counts(), self.api.counts());
        if before.life == life {
            let gone = before.now.keys().find(|key| !shown.contains_key(*key));
            assert!(gone.is_none(), "replica {number} shows no more: {gone:?}");
        }
        for (series, count) in &shown {
            let least = before.ever.get(series).unwrap_or(&0);
            assert!(
                count >= least,
                "replica {number}: {series:?} falls from {least} to {count}; {:#?}",
                self.log(number)
            );
            let most = truth.get(series);
            assert!(
                most.is_some_and(|most| count <= most),
                "replica {number}: {series:?} is {count} of {most:?}; {:#?}",
                self.log(number)
            );
        }
        let mut seen = self.seen(number);
        if seen.life < life {
            seen.life = life;
            seen.now.clear();
        }
        if seen.life == life {
            seen.now.extend(shown.clone());
        }
        for (series, count) in shown {
            let highest = seen.ever.entry(series).or_default();
            *highest = count.max(*highest);
        }
        samples
    }

    /// Whoever refreshes the account, once one does and no other says so.
    #[track_caller]
    pub fn leader(&self) -> usize {
        until(PATIENCE, "one replica leads", || {
            let leads = |number: &usize| {
                let scrape = self.ask(*number, "/metrics", AT_ONCE);
                scrape.is_some_and(|scrape| scrape.leads())
            };
            let leading: Vec<usize> = self.numbers().filter(leads).collect();
            <[usize; 1]>::try_from(leading).ok().map(|[leader]| leader)
        })
    }

    /// The same, once leases move no more: none is given to a replica that came just now, but then each
    /// goes where it belongs.
    #[track_caller]
    pub fn leader_that_stays(&self) -> usize {
        let (mut leader, mut since) = (self.leader(), clock::now());
        until(PATIENCE, "one replica leads for long", || {
            let before = std::mem::replace(&mut leader, self.leader());
            if leader != before {
                since = clock::now();
            }
            (clock::now().since(since) > STAYS_WHERE_IT_BELONGS).then_some(leader)
        })
    }

    /// Waits until another replica leads than this one; how long that took.
    #[track_caller]
    pub fn is_followed_by(&self, gone: usize) -> (usize, Duration) {
        timed(|| {
            until(PATIENCE, "another replica leads", || {
                self.numbers().filter(|it| *it != gone).find(|number| {
                    let scrape = self.ask(*number, "/metrics", AT_ONCE);
                    scrape.is_some_and(|scrape| scrape.leads())
                })
            })
        })
    }

    /// Waits until every living replica shows something.
    #[track_caller]
    pub fn is_read(&self) {
        until(PATIENCE, "every replica shows the log", || {
            let living = self.numbers().filter(|number| self.lives(*number));
            let mut scrapes = living.map(|number| self.look(number));
            scrapes.all(|it| !it.events.is_empty()).then_some(())
        });
    }

    /// Scrapes every living replica all the time until the act is over.
    pub fn scraped_during<T>(&self, act: impl FnOnce() -> T) -> T {
        let is_over = AtomicBool::new(false);
        let scrape = |number: usize| {
            while !is_over.load(Ordering::Relaxed) {
                self.ask(number, "/metrics", 10.0);
                std::thread::sleep(SCRAPED_EVERY);
            }
        };
        std::thread::scope(|scope| {
            let scrape = &scrape;
            let scrapers: Vec<_> = self
                .numbers()
                .map(|number| scope.spawn(move || scrape(number)))
                .collect();
            let acting = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
            is_over.store(true, Ordering::Relaxed);
            for scraper in scrapers {
                if let Err(panic) = scraper.join() {
                    resume_unwind(panic);
                }
            }
            acting.unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    /// Waits until all living replicas are well and show the truth, byte for byte the same, and stay so.
    /// Nothing may be missed, and the limit kept.
    #[track_caller]
    pub fn settle(&self) {
        self.settle_within(PATIENCE);
    }

    /// The same, with more patience where much is to be read.
    #[track_caller]
    pub fn settle_within(&self, patience: Duration) {
        let living = || self.numbers().filter(|number| self.lives(*number));
        let between = self.api.settings().rate_limit.window / 3;
        let begin = clock::now();
        loop {
            let scrapes: Vec<Scrape> = living().map(|number| self.look(number)).collect();
            let truth = self.api.counts();
            let is_exact = |it: &Scrape| it.samples.is_up() && it.samples.counts() == truth;
            if scrapes.iter().all(is_exact) {
                break;
            }
            let waited = clock::now().since(begin);
            assert!(waited < patience, "{}", self.complaint(&scrapes, &truth));
            std::thread::sleep(between);
        }
        throughout(STAYS, || {
            let scrapes: Vec<Scrape> = living().map(|number| self.look(number)).collect();
            let first = scrapes.first().expect("one lives");
            for scrape in &scrapes {
                assert_eq!(scrape.events, first.events, "all show the same");
                for lost in &KEPT[1..] {
                    assert_eq!(scrape.samples.sum(lost, &[]), 0.0, "{lost}");
                }
            }
            assert_eq!(first.samples.counts(), self.api.counts());
        });
        let RateLimit { requests, .. } = self.api.settings().rate_limit;
        let most = self.api.requests().most_in_any_window;
        assert!(most <= requests, "{most} requests in a window");
    }

    fn complaint(&self, scrapes: &[Scrape], truth: &Counts) -> String {
        let words = scrapes.iter().enumerate().map(|(number, scrape)| {
            let log = self.log(number);
            let end = log.iter().rev().take(12).rev().collect::<Vec<_>>();
            let wrong = difference(&scrape.samples.counts(), truth);
            let own = scrape.samples.own_words();
            let leads = scrape.leads();
            format!("replica {number}, leads: {leads}: {wrong}; {own}; its log ends: {end:#?}")
        });
        format!("not exact yet: {}", words.collect::<Vec<_>>().join("\n"))
    }
}
