//! The simulated world: a clock, a company that writes both logs, and the truth of what it wrote.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::answer;
use super::arrivals::Arrivals;
use super::change::{Change, PRIVATE, Plans};
use super::company::Company;
use super::line::Line;
use super::log::{Entry, Log, Order, PastTheEnd, Purge, Raw};
use super::pace::Pace;
use super::settings::{Drift, Settings};
use super::truth::Truth;
use crate::event::{EventType, Minute};

const MINUTE_MS: u64 = 60_000;

/// Both logs and what fills them. It is told the time, and moves on only when told.
#[derive(Debug)]
pub struct World {
    settings: Arc<Settings>,
    logs: [Log; 2],
    truth: Truth,
    arrivals: Arrivals,
    /// The minute at which simulated time starts.
    start: Minute,
    pace: Pace,
    /// Simulated milliseconds since the start.
    now_ms: u64,
    drift: Drift,
    answers: u64,
    /// The order in which the logs are shown now.
    order: Order,
    plans: Plans,
    /// The logs whose hostnames are hidden.
    hidden: BTreeSet<EventType>,
}

/// What a page has that it was not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Twist {
    /// Lines more than its limit.
    pub extra: usize,
    /// Whether its lines come the other way round.
    pub reversed: bool,
}

impl World {
    /// A world whose simulated time starts at this minute, with the history before it.
    pub fn new(settings: Arc<Settings>, start: Minute) -> Self {
        let mut world = Self {
            logs: [Log::default(), Log::default()],
            truth: Truth::default(),
            arrivals: Arrivals::new(Arc::clone(&settings), start),
            start,
            now_ms: 0,
            pace: Pace::new(settings.speed),
            drift: settings.drift,
            answers: 0,
            order: settings.order,
            plans: Plans::default(),
            hidden: BTreeSet::new(),
            settings,
        };
        for line in world.arrivals.history() {
            world.log_line(&line);
        }
        world
    }

    /// Lets the lines arrive that are due when this much real time has passed since the start.
    pub fn advance(&mut self, elapsed: Duration) {
        let now_ms = self.pace.millis(elapsed);
        while self.now_ms < now_ms {
            // A minute at a time, so that retention bounds a long idle stretch too.
            self.now_ms = now_ms.min((self.now_ms / MINUTE_MS + 1) * MINUTE_MS);
            for line in self.arrivals.due(self.now_ms) {
                self.log_line(&line);
            }
            self.keep();
        }
        self.keep();
    }

    /// Stops arrivals and simulated time; a world at rest stays at rest.
    pub fn pause(&mut self, elapsed: Duration) {
        self.advance(elapsed);
        self.pace.pause(elapsed);
    }

    /// Goes on from where the pause began; nothing happened meanwhile.
    pub fn resume(&mut self, elapsed: Duration) {
        self.pace.resume(elapsed);
    }

    pub fn is_paused(&self) -> bool {
        self.pace.is_paused()
    }

    /// The minute in which the world is.
    pub fn present(&self) -> Minute {
        Minute(
            self.start
                .0
                .saturating_add((self.now_ms / MINUTE_MS) as i64),
        )
    }

    /// Logs a line now, whatever its date, paused or not.
    pub fn append(&mut self, line: &Line) {
        self.log_line(line);
        self.keep();
    }

    /// Logs an entry that is not a line.
    pub fn append_malformed(&mut self, event_type: EventType, minute: Minute, raw: Raw) {
        let entry = Entry::malformed(minute, raw, &self.settings.timezone);
        self.log_mut(event_type).insert(entry);
        self.truth.add_malformed(event_type);
        self.keep();
    }

    /// Removes entries, and gives how many there were. The truth keeps them.
    pub fn purge(&mut self, event_type: EventType, what: &Purge) -> usize {
        self.log_mut(event_type).purge(what)
    }

    /// Rewrites a host's name in lines already logged, which the truth keeps as they were logged.
    pub fn rename(&mut self, event_type: EventType, from: &str, to: &str) -> usize {
        self.log_mut(event_type).rename_host(from, to)
    }

    /// Hides the hostnames of a log, and gives how many lines that rewrote.
    pub fn hide_hosts(&mut self, event_type: EventType) -> usize {
        self.hidden.insert(event_type);
        self.log_mut(event_type).rename_all(PRIVATE)
    }

    /// Shows both logs in this order from now on.
    pub fn turn(&mut self, order: Order) {
        self.order = order;
    }

    /// Plans a change of a log for the moment after its next `answers` answers, paused or not.
    pub fn plan(&mut self, event_type: EventType, answers: u64, change: Change) {
        self.plans.add(event_type, answers, change);
    }

    /// Changes that are planned and have not come yet.
    pub fn planned(&self) -> usize {
        self.plans.len()
    }

    pub fn set_drift(&mut self, drift: Drift) {
        self.drift = drift;
        self.answers = 0;
    }

    /// The body of a page with its twist; then what follows the answer has happened: planned changes
    /// and drift.
    pub fn page(
        &mut self,
        event_type: EventType,
        limit: usize,
        page: usize,
        twist: Twist,
    ) -> Result<Vec<u8>, PastTheEnd> {
        let settings = Arc::clone(&self.settings);
        let log = self.log(event_type);
        let found = log.page(limit, page, self.order).and_then(|mut entries| {
            if log.is_empty() && settings.empty_is_413 {
                return Err(PastTheEnd);
            }
            if twist.extra > 0 {
                let first = page.saturating_sub(1).saturating_mul(limit);
                entries = log.run(first, limit.saturating_add(twist.extra), self.order);
            }
            if twist.reversed {
                entries.reverse();
            }
            Ok(answer::body(&entries, settings.style))
        });
        for change in self.plans.after_answer(event_type) {
            self.change(event_type, change);
        }
        self.drift_after(event_type);
        found
    }

    pub fn log(&self, event_type: EventType) -> &Log {
        match event_type {
            EventType::Device => &self.logs[0],
            EventType::Admin => &self.logs[1],
        }
    }

    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    pub fn company(&self) -> &Company {
        self.arrivals.company()
    }

    fn log_mut(&mut self, event_type: EventType) -> &mut Log {
        match event_type {
            EventType::Device => &mut self.logs[0],
            EventType::Admin => &mut self.logs[1],
        }
    }

    fn change(&mut self, event_type: EventType, change: Change) {
        match change {
            Change::Append(lines) => lines.iter().for_each(|line| self.append(line)),
            Change::Purge(what) => drop(self.purge(event_type, &what)),
            Change::Rename { from, to } => drop(self.rename(event_type, &from, &to)),
            Change::HideHosts => drop(self.hide_hosts(event_type)),
            Change::Turn(order) => self.turn(order),
        }
    }

    fn log_line(&mut self, line: &Line) {
        if self.hidden.contains(&line.event_type) && *line.hostname != *PRIVATE {
            let hidden = Line {
                hostname: PRIVATE.into(),
                ..line.clone()
            };
            return self.log_line(&hidden);
        }
        let entry = Entry::of_line(line, &self.settings.timezone);
        self.log_mut(line.event_type).insert(entry);
        self.truth.add(line);
    }

    fn keep(&mut self) {
        let lines = self.settings.retention.lines;
        let oldest = self
            .settings
            .retention
            .hours
            .map(|hours| self.present().minus(i64::from(hours) * 60));
        for log in &mut self.logs {
            log.keep_newest(lines);
            if let Some(oldest) = oldest {
                log.keep_since(oldest);
            }
        }
    }

    fn drift_after(&mut self, event_type: EventType) {
        if self.is_paused() {
            return;
        }
        self.answers += 1;
        if !self.answers.is_multiple_of(self.drift.every.max(1)) {
            return;
        }
        for _ in 0..self.drift.lines {
            let line = self.arrivals.one(event_type, self.present());
            self.log_line(&line);
        }
        let purged = Purge::Oldest(self.drift.purge);
        self.log_mut(event_type).purge(&purged);
        self.keep();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::settings::Retention;
    use super::*;

    fn world(settings: Settings) -> World {
        World::new(Arc::new(settings), Minute(23_111_280))
    }

    fn busy() -> Settings {
        Settings {
            rate: 60.0,
            history_hours: 0,
            ..Settings::default()
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_default_history_fits_the_documented_budget() {
        for seed in 0..20 {
            let world = world(Settings {
                seed,
                ..Settings::default()
            });
            let lines = world.truth().lines();
            assert!(
                (190..=250).contains(&lines),
                "{lines} lines with seed {seed}"
            );
            let versions: HashSet<String> = world
                .truth()
                .counts()
                .filter(|(_, event, _)| event.labels().event == "Installed")
                .map(|(_, event, _)| event.labels().version.to_owned())
                .collect();
            assert!(versions.len() >= 3);
        }
    }

    #[test]
    fn the_lines_of_a_minute_trickle_in_within_it() {
        let mut world = world(busy());
        let mut seen = vec![0];
        for second in (10..=60).step_by(10) {
            world.advance(seconds(second));
            seen.push(world.truth().lines());
        }
        assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    }

    #[test]
    fn how_often_the_world_is_asked_does_not_change_what_happens() {
        let (mut often, mut once) = (world(busy()), world(busy()));
        (0..300).for_each(|second| often.advance(seconds(second)));
        once.advance(seconds(299));
        assert!(often.truth().counts().eq(once.truth().counts()));
        assert_eq!(
            often.page(EventType::Device, 50, 1, Twist::default()),
            once.page(EventType::Device, 50, 1, Twist::default())
        );
    }

    #[test]
    fn nothing_arrives_in_a_pause_and_all_goes_on_after_it() {
        let settings = Settings {
            drift: Drift {
                lines: 3,
                every: 1,
                purge: 0,
            },
            ..busy()
        };
        let mut world = world(settings);
        world.pause(seconds(30));
        let before = world.truth().lines();
        world.advance(seconds(300));
        world
            .page(EventType::Device, 50, 1, Twist::default())
            .unwrap();
        assert_eq!(world.truth().lines(), before);
        let present = world.present();
        world.resume(seconds(300));
        world.advance(seconds(301));
        assert_eq!(world.present(), present);
        world.advance(seconds(360));
        assert!(world.truth().lines() > before);
    }

    #[test]
    fn a_planned_change_comes_after_its_answer_and_leaves_the_truth() {
        let mut world = world(busy());
        world.advance(seconds(60));
        let (truth, log) = (world.truth().clone(), world.log(EventType::Device).clone());
        let asked = |world: &mut World| world.page(EventType::Device, 50, 1, Twist::default());
        world.plan(EventType::Device, 2, Change::HideHosts);
        asked(&mut world).unwrap();
        assert_eq!(world.log(EventType::Device).len(), log.len());
        assert_eq!(world.planned(), 1);
        let before = asked(&mut world);
        assert_ne!(asked(&mut world), before);
        assert_eq!(world.planned(), 0);
        assert!(world.truth().counts().eq(truth.counts()));
    }

    #[test]
    fn once_hosts_are_hidden_new_lines_are_to_be_counted_without_them() {
        let mut world = world(busy());
        world.hide_hosts(EventType::Device);
        world.advance(seconds(60));
        let device = |(log, ..): &(EventType, _, _)| *log == EventType::Device;
        let counts: Vec<_> = world.truth().counts().filter(device).collect();
        assert!(!counts.is_empty());
        assert!(
            counts
                .iter()
                .all(|(_, event, _)| event.labels().hostname == PRIVATE)
        );
    }

    #[test]
    fn the_truth_never_shrinks() {
        let mut world = world(Settings {
            retention: Retention {
                lines: 40,
                hours: None,
            },
            ..busy()
        });
        let mut before = 0;
        for minute in 1..10 {
            world.advance(seconds(60 * minute));
            world.purge(EventType::Device, &Purge::Newest(3));
            world.purge(EventType::Device, &Purge::Hostname("<private>".to_owned()));
            world.rename(EventType::Admin, "<private>", "TEST-R1W3Y");
            assert!(world.truth().lines() >= before);
            assert_eq!(
                world.truth().counts().map(|(.., count)| count).sum::<u64>(),
                world.truth().lines()
            );
            assert!(world.log(EventType::Device).len() <= 40);
            before = world.truth().lines();
        }
    }

    #[test]
    fn late_lines_are_dated_before_the_minute_in_which_they_arrive() {
        let mut world = world(Settings {
            late_fraction: 1.0,
            ..busy()
        });
        world.advance(seconds(60));
        assert_eq!(world.truth().lines(), 0);
        world.advance(seconds(60 + 60 + 90));
        let log = world.truth().log(EventType::Device);
        assert!(log.lines > 0);
        assert!(log.newest.unwrap() < world.present());
    }

    #[test]
    fn drift_follows_every_third_answer_where_it_is_told_so() {
        let settings = Settings {
            rate: 0.0,
            drift: Drift {
                lines: 2,
                every: 3,
                purge: 0,
            },
            ..busy()
        };
        let mut world = world(settings);
        let lines: Vec<u64> = (0..6)
            .map(|_| {
                world
                    .page(EventType::Admin, 1, 1, Twist::default())
                    .unwrap();
                world.truth().lines()
            })
            .collect();
        assert_eq!(lines, [0, 0, 2, 2, 2, 4]);
    }

    #[test]
    fn an_empty_log_answers_as_the_settings_say() {
        let empty = Settings {
            rate: 0.0,
            ..busy()
        };
        assert!(
            world(empty.clone())
                .page(EventType::Device, 50, 1, Twist::default())
                .is_ok()
        );
        let mut refusing = world(Settings {
            empty_is_413: true,
            ..empty
        });
        assert_eq!(
            refusing.page(EventType::Device, 50, 1, Twist::default()),
            Err(PastTheEnd)
        );
    }
}
