//! An exporter watched beside the truth: what has to hold at every scrape, and what in the end.

use std::cell::RefCell;
use std::time::Duration;

use metaaccess_exporter::clock;
use metaaccess_exporter::event::EventType;
use metaaccess_exporter::simulator::{Fault, Line, Order};

use crate::api::Api;
use crate::exporter::{Exporter, PATIENCE, difference};
use crate::samples::{Counts, Samples};
use crate::wait::throughout;

/// Lines of which it is known that they are new, but not which they are.
const UNATTRIBUTED: &str = "metaaccess_log_unattributed_lines_total";

/// How long what is exact has to stay so.
const STAYS: Duration = Duration::from_millis(80);

/// An exporter of this API, no count of which may fall or be more than there is.
#[derive(Debug)]
pub struct Watch<'a> {
    api: &'a Api,
    exporter: Exporter,
    /// Lines may be rewritten before they are counted: then only their number is known.
    rewritten: bool,
    last: RefCell<Counts>,
}

impl<'a> Watch<'a> {
    #[track_caller]
    pub fn of(api: &'a Api, flags: &[&str]) -> Self {
        Self {
            api,
            exporter: Exporter::of(api, flags),
            rewritten: false,
            last: RefCell::default(),
        }
    }

    /// From now on a line may be counted under what it was rewritten to: the sum is held against
    /// the truth, and no single series.
    pub fn lines_are_rewritten(&mut self) {
        self.rewritten = true;
    }

    /// A scrape, and the truth after it.
    #[track_caller]
    pub fn look(&self) -> (Samples, Counts) {
        let (samples, truth) = if self.rewritten {
            let samples = self.exporter.scrape();
            (samples, self.api.counts())
        } else {
            self.exporter.scrape_honestly(self.api)
        };
        let (seen, true_sum) = (total(&samples), truth.values().sum::<u64>());
        assert!(seen <= true_sum, "counted {seen} lines of {true_sum}");
        let shown = samples.counts();
        for (series, before) in self.last.replace(shown.clone()) {
            let now = shown.get(&series);
            assert!(
                now.is_some_and(|now| *now >= before),
                "{series:?} falls from {before} to {now:?}"
            );
        }
        (samples, truth)
    }

    /// Looks for so long.
    #[track_caller]
    pub fn look_for(&self, time: Duration) {
        throughout(time, || drop(self.look()));
    }

    /// Looks until all is well and every count is the truth, and stays so.
    #[track_caller]
    pub fn rest(&self) -> Samples {
        self.rest_but_for(&[])
    }

    /// The same, where the lines of these hosts may be counted or not.
    #[track_caller]
    pub fn rest_but_for(&self, hosts: &[&str]) -> Samples {
        self.until("every count is the truth", |samples, truth| {
            let of_others = |counts: &Counts| -> Counts {
                let mut counts = counts.clone();
                counts.retain(|(_, event), _| !hosts.contains(&event.labels().hostname));
                counts
            };
            of_others(&samples.counts()) == of_others(truth)
        })
    }

    /// Looks until all is well and as many lines are counted as there are, and stays so.
    #[track_caller]
    pub fn rest_in_sum(&self) -> Samples {
        self.until(
            "as many lines are counted as there are",
            |samples, truth| total(samples) == truth.values().sum::<u64>(),
        )
    }

    #[track_caller]
    pub fn until(&self, what: &str, come: impl Fn(&Samples, &Counts) -> bool) -> Samples {
        let begin = clock::now();
        loop {
            let (samples, truth) = self.look();
            if samples.is_up() && come(&samples, &truth) {
                throughout(STAYS, || {
                    let (samples, truth) = self.look();
                    assert!(
                        come(&samples, &truth),
                        "no more: {what}; {}",
                        difference(&samples.counts(), &truth)
                    );
                });
                return samples;
            }
            let waited = clock::now().since(begin);
            assert!(
                waited < PATIENCE,
                "after {waited:?} still not: {what}; {}; {}; the log ends: {:#?}",
                difference(&samples.counts(), &truth),
                samples.own_words(),
                self.exporter.log().iter().rev().take(4).collect::<Vec<_>>()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// How many lines were counted, whatever they are.
pub fn total(samples: &Samples) -> u64 {
    samples.counts().values().sum::<u64>() + samples.sum(UNATTRIBUTED, &[]) as u64
}

/// The orders that every log is read in.
pub const BOTH: [Order; 2] = [Order::NewestFirst, Order::OldestFirst];

/// Plays a scene in both orders of the log, at the same time, and says which of them failed.
#[track_caller]
pub fn in_both_orders(scene: impl Fn(Order) + Sync) {
    in_orders(&BOTH, scene);
}

/// Plays a scene in each of these orders, at the same time, and says which of them failed.
#[track_caller]
pub fn in_orders(orders: &[Order], scene: impl Fn(Order) + Sync) {
    let failed: Vec<Order> = std::thread::scope(|scope| {
        let scene = &scene;
        let playing = orders.iter().map(|order| {
            let play = move || scene(*order);
            (*order, scope.spawn(play))
        });
        let playing: Vec<_> = playing.collect();
        let ended = playing.into_iter();
        let ended = ended.map(|(order, playing)| (order, playing.join().is_err()));
        let failed = ended.filter(|(_, failed)| *failed);
        failed.map(|(order, _)| order).collect()
    });
    assert!(failed.is_empty(), "failed with {failed:?}");
}

/// Installs on so many hosts of their own, `each` of them in a minute, from `first` minutes after
/// the present on. Nobody looks at a clock, so that a log may be ahead of it.
pub fn rollout(api: &Api, name: &str, lines: usize, first: i64, each: usize) -> Vec<Line> {
    let line = |number: usize| {
        let minute = first + (number / each) as i64;
        api.install(&format!("TEST-{name}{number:04}"), -minute)
    };
    (0..lines).map(line).collect()
}

/// A fault of the device log alone.
pub fn of_device_log(fault: Fault) -> Fault {
    Fault {
        event_type: Some(EventType::Device),
        ..fault.on_logs()
    }
}
