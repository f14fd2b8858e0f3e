//! What counts, what does not, and what is saved of it.

use super::*;
use crate::event::{Event, EventType, Labels};
use crate::saved::SavedLog;

const NOON: Minute = Minute(720);

fn installed_on(host: &str) -> What {
    What::Event(Event::new(Labels {
        category: "MetaAccess",
        version: "1.1.1.1",
        hostname: host,
        event: "Installed",
    }))
}

fn seen(lines: &[(u64, &str)]) -> Seen {
    let mut seen = Seen::default();
    for (fingerprint, host) in lines {
        let count = lines.iter().filter(|line| line.0 == *fingerprint).count();
        let count = u32::try_from(count).expect("few");
        seen.at_least(Fingerprint(*fingerprint), count, &installed_on(host));
    }
    seen
}

fn begun() -> Ledger {
    let mut ledger = Ledger::default();
    ledger.begin(Minute(0));
    ledger
}

fn total(gains: &Gains) -> u32 {
    gains.lines.iter().map(|gain| gain.count).sum()
}

#[test]
fn applying_a_stretch_twice_counts_it_once() {
    let mut ledger = begun();
    let three = seen(&[(1, "TEST-A"), (1, "TEST-A"), (2, "TEST-B")]);
    assert_eq!(total(&ledger.apply(Bucket::At(NOON), &three, true)), 3);
    assert_eq!(
        ledger.apply(Bucket::At(NOON), &three, true),
        Gains::default()
    );
}

#[test]
fn an_equal_line_more_in_the_same_minute_is_a_new_line() {
    let mut ledger = begun();
    ledger.apply(Bucket::At(NOON), &seen(&[(1, "TEST-A")]), true);
    let again = ledger.apply(
        Bucket::At(NOON),
        &seen(&[(1, "TEST-A"), (1, "TEST-A")]),
        true,
    );
    assert_eq!(total(&again), 1);
    let later = ledger.apply(Bucket::At(Minute(721)), &seen(&[(1, "TEST-A")]), true);
    assert_eq!(total(&later), 1);
}

#[test]
fn a_part_of_a_minute_takes_nothing_back_and_counts_nothing_twice() {
    let mut ledger = begun();
    ledger.apply(
        Bucket::At(NOON),
        &seen(&[(1, "TEST-A"), (2, "TEST-B")]),
        true,
    );
    let part = ledger.apply(Bucket::At(NOON), &seen(&[(2, "TEST-B")]), true);
    assert_eq!(part, Gains::default());
}

#[test]
fn a_rewritten_line_is_not_a_new_line() {
    let mut ledger = begun();
    ledger.apply(
        Bucket::At(NOON),
        &seen(&[(1, "TEST-A"), (2, "TEST-B")]),
        true,
    );
    let renamed = ledger.apply(
        Bucket::At(NOON),
        &seen(&[(1, "TEST-A"), (3, "TEST-C")]),
        true,
    );
    assert_eq!(renamed, Gains::default());
    let and_new = seen(&[(1, "TEST-A"), (3, "TEST-C"), (4, "TEST-D")]);
    assert_eq!(total(&ledger.apply(Bucket::At(NOON), &and_new, true)), 1);
}

#[test]
fn a_new_line_among_rewritten_ones_is_counted_as_nobodys() {
    let mut ledger = begun();
    let two = seen(&[(1, "TEST-A"), (2, "TEST-B")]);
    ledger.apply(Bucket::At(NOON), &two, true);
    let three = seen(&[(1, "TEST-A"), (3, "TEST-C"), (4, "TEST-D")]);
    let gains = ledger.apply(Bucket::At(NOON), &three, true);
    assert_eq!((total(&gains), gains.unattributed), (0, 1));
    let again = ledger.apply(Bucket::At(NOON), &three, true);
    assert_eq!(again, Gains::default());
}

#[test]
fn what_a_part_of_a_minute_shows_beyond_what_was_there_waits_for_the_whole() {
    let mut ledger = begun();
    let two = seen(&[(1, "TEST-A"), (2, "TEST-B")]);
    ledger.apply(Bucket::At(NOON), &two, true);
    let part = ledger.apply(Bucket::At(NOON), &seen(&[(3, "TEST-C")]), false);
    assert_eq!((total(&part), part.withheld), (0, Some(NOON)));
    let whole = seen(&[(1, "TEST-A"), (2, "TEST-B"), (3, "TEST-C")]);
    assert_eq!(total(&ledger.apply(Bucket::At(NOON), &whole, true)), 1);
}

#[test]
fn entries_without_a_time_are_counted_once_by_day_and_text() {
    let mut ledger = begun();
    let day = Bucket::Day(Minute(0));
    for fingerprint in [1, 2, 1, 2] {
        let bad = seen(&[(fingerprint, "TEST-A")]);
        ledger.apply(day, &bad, false);
    }
    let gains = ledger.apply(day, &seen(&[(1, ""), (2, ""), (3, "")]), false);
    assert_eq!(total(&gains), 1);
}

#[test]
fn nothing_below_the_horizon_counts() {
    let mut ledger = Ledger::default();
    ledger.begin(NOON);
    ledger.begin(Minute(0));
    let below = ledger.apply(Bucket::At(NOON.minus(1)), &seen(&[(1, "TEST-A")]), true);
    assert_eq!(below, Gains::default());
    assert_eq!(ledger.must_reach(Depth::Open), Some(NOON));
}

#[test]
fn the_horizon_follows_what_is_closed_but_never_passes_what_is_open() {
    let mut ledger = begun();
    let line = seen(&[(1, "TEST-A")]);
    ledger.apply(Bucket::At(Minute(10)), &line, true);
    ledger.close(Minute(10_000), &unclear(Minute(10), 100), Depth::Open);
    assert_eq!(ledger.must_reach(Depth::Open), Some(Minute(10)));
    assert_eq!(ledger.horizon(), Some(Minute(0)));
    ledger.close(Minute(10_000), &BTreeMap::new(), Depth::Open);
    assert_eq!(ledger.horizon(), Some(Minute(10_000 - REMEMBERED_MINUTES)));
    assert_eq!(
        ledger.apply(Bucket::At(Minute(10)), &line, true),
        Gains::default()
    );
}

fn unclear(minute: Minute, depth: usize) -> BTreeMap<Minute, Unclear> {
    BTreeMap::from([(minute, Unclear { depth, places: 7 })])
}

#[test]
fn a_minute_that_can_not_be_told_apart_is_postponed_when_it_is_far_down() {
    let after_reads = |depth| {
        let mut ledger = begun();
        let unclear = unclear(NOON, depth);
        let close = |_| ledger.close(Minute(800), &unclear, Depth::Open);
        let postponed: u64 = (0..ATTEMPTS).map(close).map(|it| it.postponed).sum();
        let reach = |depth| ledger.must_reach(depth).map(|minute| minute.0);
        (postponed, reach(Depth::Open), reach(Depth::Postponed))
    };
    assert_eq!(after_reads(501), (1, Some(800), Some(NOON.0)));
    assert_eq!(after_reads(500), (0, Some(NOON.0), Some(NOON.0)));
}

#[test]
fn a_postponed_minute_is_open_until_it_is_told_apart_or_forgotten() {
    let mut ledger = begun();
    let three = seen(&[(1, "TEST-A"), (2, "TEST-B"), (3, "TEST-C")]);
    ledger.apply(Bucket::At(NOON), &three, false);
    for _ in 0..ATTEMPTS {
        ledger.close(Minute(800), &unclear(NOON, 501), Depth::Open);
    }
    assert_eq!(ledger.uncounted(), 4);
    let calm = ledger.close(Minute(801), &BTreeMap::new(), Depth::Open);
    assert_eq!((calm, ledger.has_postponed()), (Closed::default(), true));
    let mut told = ledger.clone();
    told.close(Minute(801), &BTreeMap::new(), Depth::Postponed);
    assert!(!told.has_postponed());
    let a_day_later = Minute(NOON.0 + REMEMBERED_MINUTES + 1);
    let forgotten = ledger.close(a_day_later, &BTreeMap::new(), Depth::Open);
    assert_eq!((forgotten.missed, ledger.has_postponed()), (4, false));
}

#[test]
fn what_was_saved_is_the_same_ledger() {
    let mut ledger = begun();
    let two = seen(&[(1, "TEST-A"), (2, "TEST-B")]);
    ledger.apply(Bucket::At(NOON), &two, true);
    ledger.apply(Bucket::Day(Minute(0)), &two, false);
    ledger.close(Minute(800), &unclear(NOON, 3), Depth::Open);
    let mut log = SavedLog::new(EventType::Device);
    ledger.write(&mut log);
    let mut restored = Ledger::restore(&log, ledger.changes(EventType::Device));
    assert_eq!(restored.must_reach(Depth::Open), Some(NOON));
    assert_eq!(
        restored.apply(Bucket::At(NOON), &two, true),
        Gains::default()
    );
    assert!(restored.changes(EventType::Device).is_empty());
    restored.close(Minute(10_000), &BTreeMap::new(), Depth::Open);
    assert_eq!(
        restored.forgotten(),
        [Bucket::Day(Minute(0)), Bucket::At(NOON)]
    );
}

#[test]
fn only_what_changed_since_the_last_save_is_saved_again() {
    let mut ledger = begun();
    let line = seen(&[(1, "TEST-A")]);
    ledger.apply(Bucket::At(NOON), &line, true);
    ledger.are_saved();
    ledger.apply(Bucket::At(NOON), &line, true);
    ledger.apply(Bucket::At(Minute(721)), &line, true);
    let changes = ledger.changes(EventType::Device);
    let buckets: Vec<Bucket> = changes.iter().map(|saved| saved.bucket).collect();
    assert_eq!(buckets, [Bucket::At(Minute(721))]);
}
