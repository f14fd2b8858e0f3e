//! The limits, the overflow, and what a restart leaves of them.

use proptest::prelude::*;

use super::*;

const DEVICE: EventType = EventType::Device;

fn labels<'a>(hostname: &'a str, event: &'a str) -> Labels<'a> {
    Labels {
        category: "MetaAccess",
        version: "",
        hostname,
        event,
    }
}

fn limited(series: usize, events: usize) -> Series {
    Series::new(SeriesLimits { series, events }, [7; 16])
}

fn count(series: &mut Series, host: &str, name: &str, lines: u64) {
    series.add(DEVICE, labels(host, name), lines, Birth::default());
}

/// The counts by hostname and event.
fn counts(series: &Series) -> Vec<(&str, &str, u64)> {
    let of_log = series.of_log(DEVICE);
    of_log
        .map(|one| (one.labels.hostname, one.labels.event, one.count))
        .collect()
}

fn restored(limits: SeriesLimits, saved: &[SavedSeries], overflowed: Vec<u64>) -> Series {
    let mut series = Series::new(limits, [7; 16]);
    saved.iter().for_each(|one| series.take_up(one));
    series.take_up_overflowed(overflowed);
    series
}

/// What a process with these limits goes on from. A second one that saves nothing changes nothing.
fn restarted(series: &Series, limits: SeriesLimits) -> Series {
    restored(limits, &series.changes(), series.overflowed_changes())
}

#[test]
fn beyond_the_limit_lines_count_under_another_host_and_never_move() {
    let mut series = limited(2, 10);
    for host in ["TEST-A", "TEST-B", "TEST-C", "TEST-D", "TEST-A", "TEST-C"] {
        count(&mut series, host, "Installed", 1);
    }
    let expected = [("TEST-A", 2), ("TEST-B", 1), (OTHER, 3)];
    assert_eq!(
        counts(&series),
        expected.map(|(host, lines)| (host, "Installed", lines))
    );
    assert_eq!((series.told_apart(), series.overflowed_lines()), (2, 3));
}

#[test]
fn each_log_has_its_own_limit_of_events() {
    let mut series = limited(100, 2);
    for name in ["Installed", "Added", "Fetch log", "Installed"] {
        count(&mut series, "TEST-A", name, 1);
    }
    let admin = labels("TEST-A", "System Log");
    series.add(EventType::Admin, admin, 1, Birth::default());
    let names: Vec<&str> = series.of_log(DEVICE).map(|one| one.labels.event).collect();
    assert_eq!(names, ["Installed", "Added", OTHER]);
    assert_eq!(series.event_names(DEVICE), 2);
    assert_eq!(series.event_names(EventType::Admin), 1);
}

#[test]
fn what_overflowed_once_finds_no_room_when_there_is_more() {
    let mut series = limited(2, 2);
    for (host, name) in [
        ("TEST-A", "Installed"),
        ("TEST-B", "Added"),
        ("TEST-C", "Installed"),
        ("TEST-B", "Fetch log"),
    ] {
        count(&mut series, host, name, 1);
    }
    let more = SeriesLimits {
        series: 100,
        events: 100,
    };
    let mut series = restarted(&series, more);
    let before = counts(&series).len();
    // Its label set overflowed; its name did, for every host.
    count(&mut series, "TEST-C", "Installed", 1);
    count(&mut series, "TEST-D", "Fetch log", 1);
    assert_eq!(
        counts(&series)[before..],
        [("TEST-D", OTHER, 1)],
        "{:?}",
        counts(&series)
    );
    count(&mut series, "TEST-C", "Added", 1);
    assert_eq!(counts(&series).last(), Some(&("TEST-C", "Added", 1)));
}

#[test]
fn the_overflow_has_its_own_limit() {
    let mut series = limited(1, 10);
    for n in 0..300 {
        let labels = Labels {
            version: &n.to_string(),
            ..labels("TEST-A", "Installed")
        };
        series.add(DEVICE, labels, 1, Birth::default());
    }
    let of_log: Vec<One<'_>> = series.of_log(DEVICE).collect();
    assert_eq!(of_log.len(), 1 + 100 + 1);
    let last = of_log.last().expect("a series");
    assert_eq!(
        (last.labels.category, last.labels.version, last.count),
        (OTHER, OTHER, 199)
    );
}

#[test]
fn a_host_that_is_called_like_the_overflow_is_limited_as_that_is() {
    let mut series = limited(1, 10);
    for n in 0..300 {
        let labels = Labels {
            version: &n.to_string(),
            ..labels(OTHER, "Installed")
        };
        series.add(DEVICE, labels, 1, Birth::default());
    }
    assert_eq!(series.of_log(DEVICE).count(), 100 + 1);
}

#[test]
fn what_overflowed_twice_finds_no_room_when_there_is_more() {
    let mut series = limited(1, 10);
    let of_version = |series: &mut Series, n: usize| {
        let labels = Labels {
            version: &n.to_string(),
            ..labels("TEST-B", "Installed")
        };
        series.add(DEVICE, labels, 1, Birth::default());
    };
    (0..102).for_each(|n| of_version(&mut series, n));
    let more = SeriesLimits {
        series: 10_000,
        events: 10,
    };
    let mut series = restarted(&series, more);
    let before = series.of_log(DEVICE).count();
    of_version(&mut series, 101);
    assert_eq!(
        series.of_log(DEVICE).count(),
        before,
        "it has no series of its own"
    );
    let lines: u64 = series.of_log(DEVICE).map(|one| one.count).sum();
    assert_eq!(lines, 103);
}

#[test]
fn a_host_that_is_called_like_the_overflow_takes_nobodys_place() {
    let mut series = limited(1, 1);
    count(&mut series, OTHER, OTHER, 1);
    count(&mut series, "TEST-A", "Installed", 1);
    let expected = [(OTHER, OTHER, 1), ("TEST-A", "Installed", 1)];
    assert_eq!(counts(&series), expected);
    assert_eq!((series.told_apart(), series.event_names(DEVICE)), (1, 1));
}

#[test]
fn what_was_saved_is_the_same_counts_and_the_same_overflow() {
    let mut series = limited(2, 2);
    let names = ["Installed", "Added", "Fetch log", "Installed"];
    for (host, name) in ["TEST-A", "TEST-B", "TEST-C", "TEST-D"].iter().zip(names) {
        count(&mut series, host, name, 2);
    }
    let restored = restarted(&series, series.limits());
    assert!(restored.changes().is_empty());
    assert_eq!(counts(&restored), counts(&series));
    assert_eq!(restored.told_apart(), series.told_apart());
    assert_eq!(restored.overflowed_lines(), series.overflowed_lines());
    assert_eq!(restored.event_names(DEVICE), series.event_names(DEVICE));
}

#[test]
fn only_what_changed_is_saved_and_written_again() {
    let mut series = limited(10, 10);
    count(&mut series, "TEST-A", "Installed", 1);
    count(&mut series, "TEST-B", "Installed", 1);
    series.are_saved();
    assert_eq!(series.take_unwritten(DEVICE), [0, 1]);
    count(&mut series, "TEST-B", "Installed", 1);
    count(&mut series, "TEST-C", "Installed", 1);
    count(&mut series, "TEST-C", "Installed", 1);
    let changes: Vec<(String, u64)> = series
        .changes()
        .into_iter()
        .map(|saved| (saved.event.labels().hostname.to_owned(), saved.count))
        .collect();
    assert_eq!(
        changes,
        [("TEST-B".to_owned(), 2), ("TEST-C".to_owned(), 2)]
    );
    series.are_saved();
    assert_eq!(series.take_unwritten(DEVICE), [1, 2]);
    assert!(series.take_unwritten(DEVICE).is_empty());
    assert!(series.take_unwritten(EventType::Admin).is_empty());
}

#[test]
fn a_newborn_series_is_zero_until_its_generation_has_grown_up() {
    let mut series = limited(10, 10);
    let born = |generation| Birth {
        created: Some(7),
        zero: Some(Generation(generation)),
    };
    series.add(DEVICE, labels("TEST-A", "Installed"), 1, born(1));
    series.add(DEVICE, labels("TEST-A", "Installed"), 1, born(2));
    series.add(DEVICE, labels("TEST-B", "Installed"), 1, born(2));
    let mut series = restarted(&series, series.limits());
    series.take_unwritten(DEVICE);
    let shown =
        |series: &Series| -> Vec<u64> { series.of_log(DEVICE).map(|one| one.shown()).collect() };
    assert_eq!(shown(&series), [0, 0]);
    assert_eq!(
        series.at_zero().collect::<Vec<_>>(),
        [Generation(1), Generation(2)]
    );
    series.grow_up(Generation(1));
    assert_eq!(shown(&series), [2, 0]);
    assert_eq!(series.take_unwritten(DEVICE), [0]);
    assert_eq!(series.changes().len(), 1);
    series.grow_up(Generation(2));
    assert_eq!(shown(&series), [2, 1]);
    assert_eq!(series.at_zero().count(), 0);
}

proptest! {
    #[test]
    fn totals_are_exact_and_no_count_falls_whatever_the_limits(
        limits in prop::collection::vec((1_usize..5, 1_usize..4), 1..4),
        lines in prop::collection::vec((0_u8..8, 0_u8..6, 1_u64..4), 0..60),
    ) {
        let limits = limits.into_iter().map(|(series, events)| SeriesLimits { series, events });
        let mut limits = limits.cycle();
        let mut series = Series::new(limits.next().expect("one"), [7; 16]);
        let (mut saved, mut overflowed) = (BTreeMap::new(), Vec::new());
        let (mut total, mut seen) = (0, BTreeMap::new());
        for (nth, (host, name, lines)) in lines.into_iter().enumerate() {
            count(&mut series, &format!("TEST-{host}"), &format!("event {name}"), lines);
            total += lines;
            prop_assert!(series.event_names(DEVICE) <= 3);
            if nth % 7 == 6 {
                for one in series.changes() {
                    saved.insert(one.event.clone(), one);
                }
                overflowed.extend(series.overflowed_changes());
                let saved: Vec<SavedSeries> = saved.values().cloned().collect();
                series = restored(limits.next().expect("one"), &saved, overflowed.clone());
            }
            let now: BTreeMap<(String, String), u64> = counts(&series)
                .into_iter()
                .map(|(host, name, lines)| ((host.to_owned(), name.to_owned()), lines))
                .collect();
            prop_assert_eq!(now.values().sum::<u64>(), total);
            for (labels, before) in &seen {
                prop_assert!(now.get(labels) >= Some(before), "{:?} fell", labels);
            }
            // What is counted elsewhere already begins no series of its own.
            let others: u64 = now.iter().filter(|((host, name), _)| host == OTHER || name == OTHER).map(|(_, n)| n).sum();
            prop_assert_eq!(series.overflowed_lines(), others);
            seen = now;
        }
    }

    /// No label set is split: either all of its lines are in its own series or none.
    #[test]
    fn a_series_holds_all_lines_of_its_labels(
        limits in prop::collection::vec((1_usize..5, 1_usize..4), 1..4),
        lines in prop::collection::vec((0_u8..8, 0_u8..6, 1_u64..4), 0..60),
    ) {
        let limits = limits.into_iter().map(|(series, events)| SeriesLimits { series, events });
        let mut limits = limits.cycle();
        let mut series = Series::new(limits.next().expect("one"), [7; 16]);
        let mut truth: BTreeMap<(String, String), u64> = BTreeMap::new();
        let (mut saved, mut overflowed) = (BTreeMap::new(), Vec::new());
        for (nth, (host, name, lines)) in lines.into_iter().enumerate() {
            let (host, name) = (format!("TEST-{host}"), format!("event {name}"));
            count(&mut series, &host, &name, lines);
            *truth.entry((host, name)).or_default() += lines;
            if nth % 5 == 4 {
                for one in series.changes() {
                    saved.insert(one.event.clone(), one);
                }
                overflowed.extend(series.overflowed_changes());
                let saved: Vec<SavedSeries> = saved.values().cloned().collect();
                series = restored(limits.next().expect("one"), &saved, overflowed.clone());
            }
        }
        for (host, name, lines) in counts(&series) {
            if host != OTHER && name != OTHER {
                prop_assert_eq!(Some(&lines), truth.get(&(host.to_owned(), name.to_owned())));
            }
        }
    }
}

/// A series of the device log as another process saved it.
fn saved_at(place: usize, host: &str, lines: u64, zero: Option<Generation>) -> SavedSeries {
    let event = Event::new(labels(host, "Installed"));
    SavedSeries {
        event_type: EventType::Device,
        event,
        place,
        count: lines,
        birth: Birth {
            created: None,
            zero,
        },
    }
}

#[test]
fn what_another_process_counts_is_followed_at_its_places() {
    let limits = SeriesLimits {
        series: 10,
        events: 10,
    };
    let mut series = Series::new(limits, [7; 16]);
    let born = Some(Generation(3));
    assert!(series.follow(&saved_at(0, "TEST-A", 2, None)));
    assert!(series.follow(&saved_at(1, "TEST-B", 1, born)));
    assert_eq!(series.at_zero().collect::<Vec<_>>(), [Generation(3)]);
    assert_eq!(series.take_unwritten(EventType::Device), [0, 1]);
    assert!(series.follow(&saved_at(0, "TEST-A", 2, None)), "again");
    assert!(series.follow(&saved_at(1, "TEST-B", 5, None)));
    assert_eq!(series.at_zero().count(), 0);
    assert_eq!(series.take_unwritten(EventType::Device), [0, 1]);
    let shown: Vec<u64> = series
        .of_log(EventType::Device)
        .map(|one| one.shown())
        .collect();
    assert_eq!(shown, [2, 5]);
    assert!(
        !series.follow(&saved_at(0, "TEST-A", 1, None)),
        "it would fall"
    );
    assert!(
        !series.follow(&saved_at(0, "TEST-C", 9, None)),
        "another stands there"
    );
    assert!(
        !series.follow(&saved_at(3, "TEST-C", 9, None)),
        "there is a gap"
    );
    // What was written is what was shown, whatever was counted since.
    series.add(
        EventType::Device,
        labels("TEST-A", "Installed"),
        4,
        Birth::default(),
    );
    let mut less = Series::new(limits, [7; 16]);
    less.take_up(&saved_at(0, "TEST-B", 4, None));
    let lost = less.takes_the_place_of(&series);
    let lost: Vec<u64> = (lost.of_log(EventType::Device))
        .map(|one| one.shown())
        .collect();
    assert_eq!(lost, [2, 5], "A is missing, and B is less");
    let mut none = Series::new(limits, [7; 16]);
    let lost = none.takes_the_place_of(&less);
    let lost: Vec<u64> = (lost.of_log(EventType::Device))
        .map(|one| one.shown())
        .collect();
    assert_eq!(
        lost,
        [5],
        "as it was written before, though never of this one"
    );
    let mut more = Series::new(limits, [7; 16]);
    more.take_up(&saved_at(0, "TEST-B", 5, None));
    assert_eq!(more.takes_the_place_of(&less).number(), 0);
}
