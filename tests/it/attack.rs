//! Schedules that broke a promise when they were written.

use jiff::tz::TimeZone;
use metaaccess_exporter::api::v2;
use metaaccess_exporter::event::EventType;
use metaaccess_exporter::order::Order;
use metaaccess_exporter::plan::{Answer, LogState, OrderSetting, Plan, Reach, Step};
use metaaccess_exporter::refresh::Restored;
use metaaccess_exporter::saved::Saved;
use metaaccess_exporter::series::{Series, SeriesLimits};
use metaaccess_exporter::sight::{self, FingerprintKey};

const LOG: EventType = EventType::Device;
const ORDER: OrderSetting = OrderSetting::Fixed(Order::NewestFirst);

/// Counts what is new in a log of one short page.
fn read(state: &mut LogState, times: &[&str], zone: &str) -> u32 {
    let lines: Vec<String> = times
        .iter()
        .map(|time| format!("{time}|AM|MetaAccess|TEST-A|Installed"))
        .collect();
    let body = serde_json::json!({"logs": [{"date": "Oct 26, 2025", "eventlog": lines}]});
    let body = body.to_string();
    let page = v2::parse(body.as_bytes()).expect("a page");
    let zone = TimeZone::get(zone).expect("a zone");
    let reach = Reach {
        lookback_minutes: 24 * 60,
        lateness_minutes: 2,
    };
    let mut plan = Plan::new(state, reach);
    let mut counted = 0;
    while let Step::Ask(_) = plan.step() {
        let sightings = sight::sightings(&page, &zone, &FingerprintKey::new(&[7; 16]));
        let gains = plan.answer(Answer::Lines(sightings), state);
        let lines = gains.into_iter().flat_map(|gains| gains.lines);
        counted += lines.map(|gain| gain.count).sum::<u32>();
    }
    counted
}

#[test]
fn another_time_zone_after_a_restart_counts_no_line_of_the_repeated_hour_again() {
    let times = [
        "02:10", "02:05", "02:00", "02:55", "02:50", "02:40", "01:30", "01:20", "01:10",
    ];
    let mut state = LogState::new(ORDER);
    assert_eq!(read(&mut state, &times, "UTC"), 9);
    let mut log = state.saved(LOG);
    log.zone = "UTC".to_owned();
    let saved = Saved {
        logs: vec![log],
        buckets: state.ledger().changes(LOG),
        ..Saved::default()
    };
    let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
    let limits = SeriesLimits {
        series: 100,
        events: 100,
    };
    let mut restored = Restored::new(saved, Series::new(limits, [7; 16]), &[LOG], ORDER, &berlin);
    let (_, state) = restored.states.first_mut().expect("a log");
    assert_eq!(read(state, &times, "Europe/Berlin"), 0);
}
