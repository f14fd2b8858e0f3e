//! Never more than N requests in any window, as the server sees them; and none that nobody asked for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metaaccess_exporter::clock;
use metaaccess_exporter::moment::Moment;
use metaaccess_exporter::simulator::{
    Drift, Fault, HeaderMode, Kind, PathKind, Record, ResetForm, Settings, Wait,
};

use crate::api::{self, Api, TOKEN};
use crate::canned::{self, Canned};
use crate::exporter::{Exporter, PATIENCE};
use crate::http;
use crate::wait::{throughout, timed, until};

const WINDOW: Duration = Duration::from_secs(2);

/// A company that writes more than ten requests in two seconds can read at leisure.
fn ten_in_two_seconds() -> Settings {
    Settings {
        rate_limit: api::limit(10, WINDOW),
        rate: 200.0,
        drift: Drift {
            lines: 2,
            every: 1,
            purge: 0,
        },
        ..api::alive()
    }
}

/// Scrapes for a time, all at once, each as soon as its last one is answered. No scrape may fail.
fn scrape_together(exporter: &Exporter, scrapers: usize, time: Duration) {
    std::thread::scope(|scope| {
        for _ in 0..scrapers {
            scope.spawn(|| {
                throughout(time, || {
                    exporter.scrape();
                });
            });
        }
    });
}

/// Six scrapers of two logs that want a refresh each time, for many windows. The server tells
/// nothing of what is left, so that the exporter has only its own account of it.
fn stays_within_the_limit(faults: &[Kind]) -> Record {
    let api = Api::start(Settings {
        headers: HeaderMode::Never,
        ..ten_in_two_seconds()
    });
    for kind in faults {
        api.inject(Fault::always(kind.clone()));
    }
    let exporter = Exporter::of(&api, &["--scrape.min-interval=0s"]);
    throughout(Duration::from_millis(500), || {
        assert_eq!(api.requests().total, 0, "nobody has scraped yet");
    });
    let first_scrape = clock::now();
    scrape_together(&exporter, 6, Duration::from_secs(10));
    let record = api.requests();
    assert_eq!(record.over_limit, 0);
    assert!(record.first.is_some_and(|first| first >= first_scrape));
    // Else the test shows nothing: the limit has to be wanted.
    assert_eq!(record.most_in_any_window, 10);
    record
}

#[test]
fn six_scrapers_of_two_logs_never_overrun_the_window() {
    let record = stays_within_the_limit(&[]);
    assert!(
        record.total >= 40,
        "{} requests in ten seconds",
        record.total
    );
}

#[test]
fn the_window_holds_at_the_server_however_long_requests_and_answers_travel() {
    let wait = |ms, spread_ms| Wait { ms, spread_ms };
    let faults = [Kind::LateArrival(wait(0, 120)), Kind::Delay(wait(0, 80))];
    stays_within_the_limit(&faults);
}

#[test]
fn what_others_ask_of_the_account_is_respected() {
    let mut settings = ten_in_two_seconds();
    settings.retry_after = true;
    let api = Api::shared_with_others(settings);
    let exporter = Exporter::of(&api, &["--scrape.min-interval=0s"]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let path = format!("/o/api/v2/account?access_token={TOKEN}");
                http::get(api.address(), &path);
                std::thread::sleep(Duration::from_millis(310));
            }
        });
        scrape_together(&exporter, 3, Duration::from_secs(10));
        done.store(true, Ordering::Relaxed);
    });
    let record = api.requests();
    assert!(record.by_path[&PathKind::Account] >= 20);
    assert!(record.by_path[&PathKind::Logs] >= 10, "it is not silenced");
    assert_obeys(&record);
}

/// Scrapes without a pause while others take five of ten places of every window.
#[track_caller]
fn leaves_others_their_five(settings: Settings, others_come_later: bool) {
    let api = Api::shared_with_others(settings);
    if !others_come_later {
        api.set_others(5);
    }
    let exporter = Exporter::of(&api, &["--scrape.min-interval=0s"]);
    if others_come_later {
        scrape_together(&exporter, 3, WINDOW);
        api.set_others(5);
        // They may come in the middle of a window that was free until then.
        scrape_together(&exporter, 3, 2 * WINDOW);
    }
    let (refused, begin) = (api.requests().over_limit, clock::now());
    scrape_together(&exporter, 3, 4 * WINDOW);
    let record = api.requests();
    assert_eq!(
        record.over_limit, refused,
        "some were refused in the long run"
    );
    let times: Vec<Moment> = record.requests.iter().map(|asked| asked.at).collect();
    let recent: Vec<Moment> = times.into_iter().filter(|at| *at >= begin).collect();
    let in_window = |first: &Moment| {
        let within = recent
            .iter()
            .filter(|at| **at >= *first && **at < first.plus(WINDOW));
        within.count()
    };
    let most = recent.iter().map(in_window).max();
    assert!(most <= Some(5), "{most:?} of five places");
    assert!(
        recent.len() >= 10,
        "only {} requests in four windows",
        recent.len()
    );
}

#[test]
fn the_one_place_that_others_leave_serves_both_logs_by_turns() {
    let api = Api::shared_with_others(Settings {
        rate_limit: api::limit(10, WINDOW),
        ..api::at_rest()
    });
    let exporter = Exporter::of(&api, &["--scrape.min-interval=100ms"]);
    exporter.settle(&api);
    // Others come in the middle of a window: a request is refused, and a read interrupted.
    api.set_others(9);
    until(PATIENCE, "a request is refused", || {
        exporter.scrape();
        (api.requests().over_limit > 0).then_some(())
    });
    scrape_together(&exporter, 1, WINDOW);
    for log in ["device", "admin"] {
        let refreshes = || {
            let samples = exporter.scrape();
            samples.value("metaaccess_refreshes_total", &[("event_type", log)])
        };
        let before = refreshes();
        until(6 * WINDOW, "the log is read again", || {
            (refreshes() > before).then_some(())
        });
    }
}

#[test]
fn what_others_take_of_every_window_is_left_to_them() {
    let unix = Settings {
        reset: ResetForm::UnixTime,
        ..ten_in_two_seconds()
    };
    std::thread::scope(|scope| {
        scope.spawn(|| leaves_others_their_five(ten_in_two_seconds(), false));
        scope.spawn(|| leaves_others_their_five(unix, false));
        leaves_others_their_five(ten_in_two_seconds(), true);
    });
}

/// Whoever is told to wait, or that nothing is left although it has not used all itself, sends
/// nothing until then. What it used up itself, it knows better than in whole seconds.
#[track_caller]
fn assert_obeys(record: &Record) {
    let requests: Vec<_> = record.requests.iter().collect();
    for (index, request) in requests.iter().enumerate() {
        if request.path != PathKind::Logs {
            continue;
        }
        // A little longer, as the exporter allows for clocks that differ.
        let remembered = WINDOW + Duration::from_millis(100);
        let before = requests[..=index].iter();
        let recent = before.filter(|other| request.at.since(other.at) < remembered);
        let own = recent.filter(|other| other.path == PathKind::Logs).count();
        let window: Vec<Moment> = requests[..=index]
            .iter()
            .map(|other| other.at)
            .filter(|at| request.at.since(*at) < WINDOW)
            .collect();
        if window.len() < 10 || own >= 10 {
            continue;
        }
        // Seconds are rounded up by the server.
        let told = WINDOW - request.at.since(window[0]);
        let told = Duration::from_secs(told.as_millis().div_ceil(1000) as u64);
        let next = requests[index + 1..]
            .iter()
            .find(|later| later.path == PathKind::Logs);
        let waited = next.map(|next| next.at.since(request.at));
        assert!(
            waited.is_none_or(|waited| waited >= told),
            "told to wait {told:?} by a {:?}, waited {waited:?}",
            request.status
        );
    }
}

/// An exporter whose first request gets these words waits the three seconds that they say.
#[track_caller]
fn waits_as_told(status: &'static str, headers: &'static str) {
    let api = Canned::start(move |_| canned::answer(status, headers, r#"{"logs":[]}"#));
    let base_url = format!("--api.base-url=http://{}", api.address());
    let flags = [
        "--web.listen-address=127.0.0.1:0",
        "--api.rate-limit=10/500ms",
        &base_url,
    ];
    let exporter = Exporter::with(&flags);
    until(PATIENCE, "it asks twice", || {
        exporter.scrape();
        (api.asked().len() >= 2).then_some(())
    });
    let asked = api.asked();
    let waited = asked[1].0.since(asked[0].0);
    assert!(waited >= Duration::from_secs(3), "{status}: {waited:?}");
}

#[test]
fn a_server_that_says_nothing_is_left_is_asked_nothing_until_it_resets() {
    waits_as_told(
        "200 OK",
        "X-RateLimit-Limit: 10\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset-Time: 3\r\n",
    );
}

#[test]
fn a_server_that_says_when_to_come_again_is_asked_nothing_until_then() {
    waits_as_told("429 Too Many Requests", "Retry-After: 3\r\n");
    waits_as_told("429 Too Many Requests", "X-RateLimit-Reset-Time: 3\r\n");
    waits_as_told("503 Service Unavailable", "Retry-After: 3\r\n");
}

#[test]
fn a_refresh_that_is_young_enough_is_served_again_without_a_request() {
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &["--scrape.min-interval=1h"]);
    let first = exporter.scrape();
    assert_eq!(first.counts(), api.counts());
    let asked = api.requests().total;
    api.install_on(&["TEST-R1W3Y"; 3]);
    for _ in 0..20 {
        assert_eq!(exporter.scrape().counts(), first.counts());
    }
    assert_eq!(api.requests().total, asked);
}

#[test]
fn nobody_who_scrapes_means_no_request() {
    let api = Api::start(api::alive());
    let exporter = Exporter::of(&api, &[]);
    exporter.settle(&api);
    let asked = api.requests().total;
    throughout(Duration::from_secs(1), || {
        for page in ["/", "/-/healthy", "/-/ready"] {
            assert_eq!(exporter.get(page).status, 200);
        }
    });
    assert_eq!(api.requests().total, asked);
}

#[test]
fn a_scrape_with_no_request_left_is_answered_at_once() {
    let api = Api::start(Settings {
        rate_limit: api::limit(3, Duration::from_secs(6)),
        ..api::at_rest()
    });
    let exporter = Exporter::of(&api, &[]);
    until(PATIENCE, "the window is used up", || {
        exporter.scrape();
        (api.requests().total == 3).then_some(())
    });
    for _ in 0..10 {
        let (samples, took) = timed(|| exporter.scrape());
        assert!(took < Duration::from_millis(300), "{took:?}");
        assert_eq!(
            samples.value("metaaccess_api_budget_left_requests", &[]),
            0.0
        );
        // History is shown when it is whole, and not before.
        let device = samples
            .counts()
            .into_keys()
            .filter(|(log, _)| log == "device");
        assert_eq!(device.count(), 0);
    }
    assert_eq!(api.requests().total, 3);
}

#[test]
fn a_catch_up_that_has_begun_goes_on_without_scrapes() {
    let api = Api::start(Settings {
        rate_limit: api::limit(3, Duration::from_millis(500)),
        ..api::at_rest()
    });
    let exporter = Exporter::of(&api, &["--scrape.min-interval=1h"]);
    exporter.scrape();
    until(PATIENCE, "the history is read to its end", || {
        let asked = api.requests().total;
        throughout(Duration::from_millis(900), || {});
        (asked > 3 && api.requests().total == asked).then_some(())
    });
    assert_eq!(exporter.scrape().counts(), api.counts());
}
