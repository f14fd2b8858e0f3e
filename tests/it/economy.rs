//! How much a catch-up makes of the requests it may send, and that the other log stays fresh in it.

use std::io::Write;
use std::time::Duration;

use metaaccess_exporter::clock;
use metaaccess_exporter::event::EventType;
use metaaccess_exporter::moment::Moment;
use metaaccess_exporter::simulator::{Line, Order, Received, Settings};

use crate::api::{self, Api};
use crate::samples::Counts;
use crate::watch::{Watch, in_both_orders, rollout};

const WINDOW: Duration = Duration::from_secs(2);
const REQUESTS: usize = 10;

/// New lines that a catch-up of thousands brings home with each request of their log, at least.
const LINES_PER_REQUEST: f64 = 44.0;
/// The same for a burst of a thousand, in which the first and the last one weigh more.
const LINES_PER_REQUEST_WHEN_SHORT: f64 = 43.0;
/// The same for a first read, which looks for the end of an oldest-first log before.
const LINES_PER_REQUEST_AT_FIRST: f64 = 37.0;
/// The mean share of the window that is in use during it, at least.
const SHARE_OF_WINDOW: f64 = 0.95;
/// The same for one of few windows, whose first and last are not all its own.
const SHARE_OF_WINDOW_WHEN_SHORT: f64 = 0.80;
/// An administrator's line is shown within so many windows during it.
const WINDOWS_UNTIL_SHOWN: f64 = 3.0;

/// What else runs on a machine can only make a catch-up look worse than it is: it is measured so
/// often at most, until it is seen as good as it has to be.
const MEASURED_AT_MOST: usize = 3;

/// As often as every six seconds where the window is a minute.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Longer than any of these catch-ups may take.
const TOO_LONG: Duration = Duration::from_secs(90);

/// A real limit, only faster: and the default pace of refreshes goes with it.
fn limited(order: Order) -> Settings {
    Settings {
        order,
        rate_limit: api::limit(REQUESTS, WINDOW),
        ..api::empty()
    }
}

/// What a catch-up cost.
#[derive(Debug)]
struct Cost {
    lines: usize,
    /// Requests for the device log.
    requests: usize,
    share_of_window: f64,
    took: Duration,
    /// The longest that an administrator's line was not shown, in windows.
    unseen: f64,
}

impl Cost {
    fn lines_per_request(&self) -> f64 {
        self.lines as f64 / self.requests as f64
    }

    /// Says it, past the test harness, which keeps what passing tests print.
    fn say(&self, of: &str, order: Order) {
        let _ = writeln!(
            std::io::stderr(),
            "{of}, {order:?}: {} lines by {} requests of their log in {:.1} s: {:.1} a request; \
             {:.3} of the window used; another log's line unseen for {:.2} windows at most",
            self.lines,
            self.requests,
            self.took.as_secs_f64(),
            self.lines_per_request(),
            self.share_of_window,
            self.unseen
        );
    }

    fn is_fair(&self, lines_per_request: f64, share_of_window: f64) -> bool {
        self.lines_per_request() >= lines_per_request
            && self.share_of_window >= share_of_window
            && self.unseen <= WINDOWS_UNTIL_SHOWN
    }
}

#[track_caller]
fn assert_fair(lines_per_request: f64, share_of_window: f64, measure: impl Fn() -> Cost) {
    let mut costs = Vec::new();
    while costs.len() < MEASURED_AT_MOST {
        let cost = measure();
        if cost.is_fair(lines_per_request, share_of_window) {
            return;
        }
        costs.push(cost);
    }
    panic!("{costs:?}");
}

/// Watches until these lines are counted. As soon as one of an administrator's log-ons is shown, the
/// next one is logged.
#[track_caller]
fn catch_up(api: &Api, watch: &Watch, lines: usize) -> Cost {
    let begin = clock::now();
    let (mut logged_on, mut unseen) = (None, Duration::ZERO);
    loop {
        let since = *logged_on.get_or_insert_with(|| {
            api.log_on(1);
            clock::now()
        });
        let (samples, truth) = watch.look();
        let now = clock::now();
        unseen = unseen.max(now.since(since));
        let counts = samples.counts();
        if of(&counts, "admin") == of(&truth, "admin") {
            logged_on = None;
        }
        if of(&counts, "device") == of(&truth, "device") {
            break;
        }
        assert!(now.since(begin) < TOO_LONG, "{}", samples.own_words());
        std::thread::sleep(LOOK_EVERY);
    }
    let requests = api.requests().requests;
    let requests: Vec<&Received> = requests.iter().filter(|asked| asked.at >= begin).collect();
    let of_devices = |asked: &&&Received| asked.event_type == Some(EventType::Device);
    Cost {
        lines,
        requests: requests.iter().filter(of_devices).count(),
        share_of_window: share_of_window(&requests),
        took: clock::now().since(begin),
        unseen: unseen.as_secs_f64() / WINDOW.as_secs_f64(),
    }
}

/// The counts of this log.
fn of(counts: &Counts, log: &str) -> Counts {
    let of_log = counts.iter().filter(|((its_log, _), _)| its_log == log);
    of_log
        .map(|(series, count)| (series.clone(), *count))
        .collect()
}

/// The share of a window that is in use on the mean, over every window within these requests.
fn share_of_window(requests: &[&Received]) -> f64 {
    let times: Vec<Moment> = requests.iter().map(|asked| asked.at).collect();
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return 0.0;
    };
    let ends: Vec<Moment> = (0..)
        .map(|step| first.plus(WINDOW).plus(Duration::from_millis(10 * step)))
        .take_while(|end| end <= last)
        .collect();
    let used = |end: &Moment| {
        let within = |at: &&Moment| **at <= *end && at.plus(WINDOW) > *end;
        times.iter().filter(within).count() as f64 / REQUESTS as f64
    };
    ends.iter().map(used).sum::<f64>() / ends.len().max(1) as f64
}

/// A burst of so many lines, two hundred a minute.
#[track_caller]
fn burst(order: Order, lines: usize) -> Cost {
    let api = Api::start(limited(order));
    api.append(&rollout(&api, "A", 30, -30, 1));
    let watch = Watch::of(&api, &[]);
    watch.rest();
    api.append(&busy(&api, lines, 1, 200));
    let cost = catch_up(&api, &watch, lines);
    cost.say("a burst", order);
    watch.rest();
    assert!(api.requests().most_in_any_window <= REQUESTS);
    cost
}

/// The first read of so many lines, over the 23 hours before the present.
#[track_caller]
fn history(order: Order, lines: usize) -> Cost {
    let api = Api::start(limited(order));
    api.append(&busy(&api, lines, -23 * 60, lines.div_ceil(23 * 60)));
    let watch = Watch::of(&api, &[]);
    let cost = catch_up(&api, &watch, lines);
    cost.say("a history", order);
    watch.rest();
    assert!(api.requests().most_in_any_window <= REQUESTS);
    cost
}

/// So many installs on a few hundred hosts, `each` of them in a minute.
fn busy(api: &Api, lines: usize, first: i64, each: usize) -> Vec<Line> {
    let mut lines = rollout(api, "B", lines, first, each);
    for (number, line) in lines.iter_mut().enumerate() {
        line.hostname = format!("TEST-B{:03}", number % 300).into();
    }
    lines
}

#[test]
fn catch_ups_take_few_requests_and_all_of_the_window_and_starve_nobody() {
    // Side by side, since all that they do is wait for the window.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            in_both_orders(|order| {
                let short = || burst(order, 1000);
                assert_fair(
                    LINES_PER_REQUEST_WHEN_SHORT,
                    SHARE_OF_WINDOW_WHEN_SHORT,
                    short,
                );
            });
        });
        scope.spawn(|| {
            in_both_orders(|order| {
                assert_fair(LINES_PER_REQUEST, SHARE_OF_WINDOW, || burst(order, 4000));
            });
        });
        in_both_orders(|order| {
            let first = || history(order, 4000);
            assert_fair(LINES_PER_REQUEST_AT_FIRST, SHARE_OF_WINDOW, first);
        });
    });
}
