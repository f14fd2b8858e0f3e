//! Three replicas and their database, to which everything happens that happens, again and again.
//!
//! `METAACCESS_TESTS_MINUTES=10 cargo test --test it -- replicas_storm --nocapture` lets it take longer.

use std::time::Duration;

use metaaccess_exporter::clock;
use metaaccess_exporter::moment::Moment;
use metaaccess_exporter::simulator::{Drift, Fault, Kind, Line, Settings, Wait};

use crate::api::{self, Api};
use crate::lives::{Dice, pause};
use crate::postgres::{Postgres, Proxy};
use crate::replicas::{REQUESTS, WINDOW};
use crate::replicas_fleet::{Fleet, PATIENCE};
use crate::wait::{timed, until};

/// What happens is drawn from this.
const SEED: u64 = 0x5701_4a11;

/// How long it takes, unless `METAACCESS_TESTS_MINUTES` says otherwise.
const SECONDS: u64 = 45;

/// After so many blows there is peace until all that was logged before is counted: a read that takes
/// several windows begins again where it is broken off.
const PEACE_EVERY: u32 = 8;

/// How long it may take then. The log moves while it is read and never rests, so that much of it is read
/// once more; and it grows with the storm.
const CATCHES_UP_WITHIN: Duration = Duration::from_mins(2);

/// How long a replica stands still: less than its lease and more.
const STANDS: [u64; 4] = [300, 2_000, 6_500, 8_000];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    Kill,
    KillDatabase,
    Stand,
    Cut,
    CutAll,
    Hold,
    Terminate,
}

/// Some come more often than others.
const BLOWS: [Blow; 12] = [
    Blow::Kill,
    Blow::Kill,
    Blow::Kill,
    Blow::KillDatabase,
    Blow::Stand,
    Blow::Stand,
    Blow::Cut,
    Blow::Cut,
    Blow::CutAll,
    Blow::CutAll,
    Blow::Hold,
    Blow::Terminate,
];

/// What came of it.
#[derive(Debug, Default)]
struct Record {
    kills: u32,
    kills_of_database: u32,
    stands: u32,
    cuts: u32,
    holds: u32,
    terminations: u32,
    /// From the end of a storm until all was counted that had been logged by then.
    longest_catch_up: Duration,
    /// What happened when.
    history: Vec<(Moment, String)>,
}

/// Everything that a blow meets.
struct Storm<'a> {
    api: &'a Api,
    fleet: &'a Fleet<'a>,
    server: &'a mut Postgres,
    ways: &'a [Proxy],
    dice: Dice,
    /// Who stands still or hears nothing from the database, and until when.
    standing: Vec<(usize, Moment)>,
    held: Vec<(usize, Moment)>,
    record: Record,
}

impl Storm<'_> {
    fn notes(&mut self, what: String) {
        self.record.history.push((clock::now(), what));
    }

    fn strike(&mut self) {
        let number = self.dice.below(3) as usize;
        match self.dice.of(&BLOWS) {
            Blow::Kill => self.kill(number),
            Blow::KillDatabase => self.kill_database(),
            Blow::Stand => self.stand(number),
            Blow::Cut => self.cut(&[number]),
            Blow::CutAll => self.cut(&[0, 1, 2]),
            Blow::Hold => self.hold(number),
            Blow::Terminate => self.terminate(number),
        }
        self.log_lines();
        pause(self.dice.below(1_500));
        self.ends_what_is_over(clock::now());
    }

    /// Waits for a request in half of all cases, for so long at most.
    fn aims(&mut self) {
        let asked = self.api.requests().total;
        if self.dice.one_in(2) {
            crate::lives::soon(WINDOW, || self.api.requests().total > asked);
            pause(self.dice.below(40));
        }
    }

    fn kill(&mut self, number: usize) {
        self.aims();
        self.notes(format!("kill {number}"));
        self.fleet.kill(number);
        self.record.kills += 1;
        self.standing.retain(|(standing, _)| *standing != number);
        pause(self.dice.below(1_000));
        self.revives(number);
    }

    fn terminate(&mut self, number: usize) {
        if self
            .standing
            .iter()
            .any(|(standing, _)| *standing == number)
        {
            return;
        }
        self.notes(format!("terminate {number}"));
        let ended = self.fleet.stop(number);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        self.record.terminations += 1;
        pause(self.dice.below(1_000));
        self.revives(number);
    }

    /// None starts without the database.
    fn revives(&mut self, number: usize) {
        self.ways[number].hold(false);
        self.held.retain(|(held, _)| *held != number);
        self.fleet.revive(number);
        self.notes(format!("{number} is back"));
    }

    fn kill_database(&mut self) {
        self.aims();
        self.notes("kill the database".to_owned());
        self.server.kill();
        self.record.kills_of_database += 1;
        pause(self.dice.below(3_000));
        self.server.start_again();
        self.notes("the database is back".to_owned());
    }

    fn stand(&mut self, number: usize) {
        let is_standing = |(standing, _): &(usize, Moment)| *standing == number;
        if self.standing.iter().any(is_standing) {
            return;
        }
        self.aims();
        let time = Duration::from_millis(self.dice.of(&STANDS));
        self.notes(format!("stop {number} for {time:?}"));
        self.fleet.signal(number, "STOP");
        self.record.stands += 1;
        self.standing.push((number, clock::now().plus(time)));
    }

    fn hold(&mut self, number: usize) {
        let time = Duration::from_millis(self.dice.of(&STANDS));
        self.notes(format!("silence for {number} for {time:?}"));
        self.ways[number].hold(true);
        self.record.holds += 1;
        self.held.retain(|(held, _)| *held != number);
        self.held.push((number, clock::now().plus(time)));
    }

    fn cut(&mut self, numbers: &[usize]) {
        self.aims();
        self.notes(format!("cut {numbers:?}"));
        for number in numbers {
            self.ways[*number].cut();
            self.record.cuts += 1;
        }
    }

    fn ends_what_is_over(&mut self, now: Moment) {
        let over = |all: &mut Vec<(usize, Moment)>| {
            let (over, left) = all.iter().partition(|(_, until)| *until <= now);
            *all = left;
            over
        };
        let standing: Vec<(usize, Moment)> = over(&mut self.standing);
        for (number, _) in standing {
            self.fleet.signal(number, "CONT");
            self.notes(format!("{number} goes on"));
        }
        for (number, _) in over(&mut self.held) {
            self.ways[number].hold(false);
            self.notes(format!("{number} hears again"));
        }
    }

    /// All live and hear, until one replica shows as many lines as there were when that began.
    #[track_caller]
    fn calms_down(&mut self) {
        self.ends_what_is_over(clock::now().plus(PATIENCE));
        let lines = self.api.truth().lines();
        let (_, took) = timed(|| {
            until(CATCHES_UP_WITHIN, "it has caught up", || {
                let shown = self.fleet.look(0).samples.counts();
                (shown.values().sum::<u64>() >= lines).then_some(())
            });
        });
        self.record.longest_catch_up = took.max(self.record.longest_catch_up);
    }

    /// What a company does not write by itself: equal lines, late ones, bursts.
    fn log_lines(&mut self) {
        let (api, dice) = (self.api, &mut self.dice);
        if dice.one_in(2) {
            let equal = 1 + dice.below(12) as usize;
            api.install_on(&vec!["TEST-EQUAL"; equal]);
            api.log_on(dice.below(4) as usize);
        }
        if dice.one_in(2) {
            let late = |n| api.install("TEST-LATE", 1 + n % 2);
            let late: Vec<Line> = (0..=dice.below(3) as i64).map(late).collect();
            api.append(&late);
        }
        if dice.one_in(6) {
            let lines = 40 + dice.below(80);
            let hosts: Vec<String> = (0..lines).map(|n| format!("TEST-B{:02}", n % 40)).collect();
            api.install_on(&hosts.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }

    /// Nothing may come over the limit; if it does, what led to it is told.
    #[track_caller]
    fn holds_the_limit(&self) {
        let record = self.api.requests();
        if record.most_in_any_window <= REQUESTS {
            return;
        }
        let begin = record
            .requests
            .front()
            .map_or(clock::now(), |first| first.at);
        let asked: Vec<String> = record
            .requests
            .iter()
            .rev()
            .take(40)
            .rev()
            .map(|it| format!("{:?} {:?}", it.at.since(begin), it.status))
            .collect();
        let events = self.record.history.iter().rev().take(30).rev();
        let events: Vec<String> = events
            .map(|(at, what)| format!("{:?} {what}", at.since(begin)))
            .collect();
        let logs: Vec<_> = self.fleet.numbers().map(|it| self.fleet.log(it)).collect();
        panic!(
            "{} requests in a window: {asked:#?}; {events:#?}; {logs:#?}",
            record.most_in_any_window
        );
    }
}

/// Four lines a second, late ones among them, in a log that moves between two pages.
fn company() -> Settings {
    Settings {
        seed: SEED,
        speed: 4.0,
        rate: 60.0,
        history_hours: 6,
        late_fraction: 0.05,
        drift: Drift {
            lines: 2,
            every: 2,
            purge: 0,
        },
        rate_limit: api::limit(REQUESTS, WINDOW),
        ..api::at_rest()
    }
}

fn time() -> Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is for the tests, and no setting"
    )]
    let minutes = std::env::var("METAACCESS_TESTS_MINUTES");
    let seconds = minutes.map_or(SECONDS, |it| 60 * it.parse::<u64>().expect("minutes"));
    Duration::from_secs(seconds)
}

/// Lets it blow for so long, and then waits until all is exact.
fn blow(api: &Api, server: &mut Postgres, time: Duration) {
    let ways: Vec<Proxy> = (0..3).map(|_| Proxy::to(server.port())).collect();
    let url = server.url();
    let urls: Vec<String> = ways.iter().map(|way| way.through(&url)).collect();
    // At the default interval a place is left for late lines.
    let flags = ["--api.timeout=300ms", "--api.lateness=3m"];
    let fleet = Fleet::start(api, &urls, &flags);
    fleet.is_read();
    let mut storm = Storm {
        api,
        fleet: &fleet,
        server,
        ways: &ways,
        dice: Dice::new(SEED),
        standing: Vec::new(),
        held: Vec::new(),
        record: Record::default(),
    };
    let begin = clock::now();
    fleet.scraped_during(|| {
        while clock::now().since(begin) < time {
            for _ in 0..PEACE_EVERY {
                storm.strike();
                storm.holds_the_limit();
            }
            storm.calms_down();
        }
    });
    api.pause();
    api.clear_faults();
    fleet.settle_within(CATCHES_UP_WITHIN);
    storm.holds_the_limit();
    let Record {
        kills,
        kills_of_database,
        stands,
        cuts,
        holds,
        terminations,
        longest_catch_up,
        ..
    } = storm.record;
    println!(
        "replicas: {kills} kills, {kills_of_database} of the database, {stands} stood still, \
         {terminations} told to stop, {cuts} cut off, {holds} in silence; {} scrapes, {} requests, {} \
         lines: 0 lost, 0 doubled, 0 fallen, {} requests in a window at most; caught up after \
         {longest_catch_up:?} at most",
        fleet.scrapes(),
        api.requests().total,
        api.truth().lines(),
        api.requests().most_in_any_window,
    );
    assert_eq!(api.requests().most_in_any_window, REQUESTS);
}

#[test]
fn whatever_happens_nothing_is_lost_doubled_over_the_limit_or_falls() {
    let Some(mut server) = Postgres::start() else {
        return;
    };
    let api = Api::start(company());
    let wait = Wait {
        ms: 2,
        spread_ms: 20,
    };
    api.inject(Fault::always(Kind::Delay(wait)));
    blow(&api, &mut server, time());
}
