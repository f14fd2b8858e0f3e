//! A page of the API to sightings: lines placed in time, fingerprinted and classified.

use std::borrow::Cow;
use std::hash::Hasher;

use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp};
use siphasher::sip::SipHasher24;

use crate::api::v2::{Entry, Line, Page};
use crate::classify::{self, EventRules};
use crate::event::{BadLine, Event, Minute};
use crate::sighting::{Bucket, Fingerprint, LineId, Sighting, What};

/// The secret by which fingerprints are made, so that they tell nothing of the lines.
#[derive(Clone)]
pub struct FingerprintKey(SipHasher24);

impl FingerprintKey {
    /// A key of these random bytes.
    pub fn new(random: &[u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(random))
    }

    /// Every field is written with its length, so that no two different lines look the same. States
    /// that were saved hold fingerprints: the same line has to have the same one for ever.
    fn fingerprint(&self, fields: [&str; 3]) -> Fingerprint {
        let mut buffer = [0; ENOUGH_FOR_A_LINE];
        if let Some(bytes) = in_one(fields, &mut buffer) {
            // In one piece it is hashed in half the time.
            return Fingerprint(self.0.hash(bytes));
        }
        let mut hasher = self.0;
        for field in fields {
            hasher.write(&length_of(field));
            hasher.write(field.as_bytes());
        }
        Fingerprint(hasher.finish())
    }
}

/// Bytes that hold most lines, with the lengths of their fields.
const ENOUGH_FOR_A_LINE: usize = 256;

fn length_of(field: &str) -> [u8; 8] {
    (field.len() as u64).to_le_bytes()
}

/// The fields with their lengths, one after the other, if there is room for them.
fn in_one<'a>(fields: [&str; 3], buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut length = 0;
    for field in fields {
        for bytes in [&length_of(field)[..], field.as_bytes()] {
            let end = length + bytes.len();
            buffer.get_mut(length..end)?.copy_from_slice(bytes);
            length = end;
        }
    }
    buffer.get(..length)
}

impl std::fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FingerprintKey")
    }
}

/// The entries of a page, in its order. Dates and times are read in `zone`. A local time that is
/// skipped is taken for the one an hour later; of one that occurs twice, both minutes are given.
pub fn sightings(page: &Page<'_>, zone: &TimeZone, key: &FingerprintKey) -> Vec<Sighting> {
    sightings_by(&EventRules::default(), page, zone, key)
}

/// As `sightings`, by rules of the user's own. They say what a line counts as, and nothing of which
/// line it is: with other rules, lines that were counted are still the same.
pub fn sightings_by<'a>(
    rules: &EventRules,
    page: &'a Page<'_>,
    zone: &TimeZone,
    key: &FingerprintKey,
) -> Vec<Sighting> {
    let (mut placed, mut split) = (Placed::default(), Split::default());
    let sight = |entry: &'a Entry<'_>| match entry {
        Entry::Line(line) => {
            let place = placed.of(line.wall, zone);
            let split = split.of(&line.category);
            let event = || classify::event_by(rules, split, &line.hostname, &line.description);
            sight_line(line, place, event, zone, key)
        }
        Entry::Bad {
            reason,
            day,
            date,
            text,
        } => sight_bad(*reason, *day, [date, text], zone, key),
    };
    page.entries.iter().map(sight).collect()
}

/// The last category and what it splits into, which the next line has too as often as not.
#[derive(Default)]
struct Split<'a>(&'a str, (&'a str, &'a str));

impl<'a> Split<'a> {
    fn of(&mut self, category: &'a str) -> (&'a str, &'a str) {
        if self.0 != category {
            *self = Self(category, classify::category_and_version(category));
        }
        self.1
    }
}

/// Where a local time lies: its minute, the second one where it occurs twice, and its day.
type Place = (Minute, Option<Minute>, i32);

/// The last local time and its place, which is that of the next line too more often than not.
#[derive(Default)]
struct Placed(Option<(civil::DateTime, Option<Place>)>);

impl Placed {
    fn of(&mut self, wall: civil::DateTime, zone: &TimeZone) -> Option<Place> {
        match self.0 {
            Some((last, place)) if last == wall => place,
            _ => {
                let minutes = minutes_of(wall, zone);
                let day = day_number(wall.date());
                let place = minutes.map(|(minute, again)| (minute, again, day));
                self.0 = Some((wall, place));
                place
            }
        }
    }
}

fn sight_line(
    line: &Line,
    place: Option<Place>,
    event: impl FnOnce() -> Event,
    zone: &TimeZone,
    key: &FingerprintKey,
) -> Sighting {
    let (category, hostname, description) = (&line.category, &line.hostname, &line.description);
    let Some((minute, again, day)) = place else {
        let text = format!("{category}|{hostname}|{description}");
        return sight_bad(
            BadLine::Date,
            None,
            [&Cow::Borrowed(""), &Cow::Owned(text)],
            zone,
            key,
        );
    };
    Sighting {
        id: LineId {
            bucket: Bucket::At(minute),
            fingerprint: key.fingerprint([category, hostname, description]),
        },
        again,
        day: Some(day),
        what: What::Event(event()),
    }
}

fn sight_bad(
    reason: BadLine,
    day: Option<civil::Date>,
    [date, text]: [&Cow<str>; 2],
    zone: &TimeZone,
    key: &FingerprintKey,
) -> Sighting {
    let start_of_day = day.and_then(|day| minute_of(day.at(0, 0, 0, 0), zone));
    Sighting {
        id: LineId {
            bucket: start_of_day.map_or(Bucket::Undated, Bucket::Day),
            fingerprint: key.fingerprint([reason.reason(), date, text]),
        },
        again: None,
        day: day.map(day_number),
        what: What::Bad(reason),
    }
}

fn day_number(date: civil::Date) -> i32 {
    let epoch = civil::date(1970, 1, 1);
    date.since(epoch).map_or(0, |span| span.get_days())
}

fn minute_of(wall: civil::DateTime, zone: &TimeZone) -> Option<Minute> {
    minutes_of(wall, zone).map(|(minute, _)| minute)
}

/// The minute of a local time, and its second one where it occurs twice.
fn minutes_of(wall: civil::DateTime, zone: &TimeZone) -> Option<(Minute, Option<Minute>)> {
    let ambiguous = zone.to_ambiguous_timestamp(wall);
    let occurs_twice = matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. });
    let minute = |instant: Timestamp| Minute(instant.as_second().div_euclid(60));
    let first = minute(ambiguous.compatible().ok()?);
    let again = occurs_twice.then(|| ambiguous.later().ok()).flatten();
    Some((first, again.map(minute)))
}

/// The minutes that a line may be placed in when its wall-clock time is read in another zone: several
/// where that time occurs twice there, or where it is not known which time the line had, since an
/// hour that was left out here was taken for the next one.
pub fn in_other_zone(minute: Minute, from: &TimeZone, to: &TimeZone) -> Vec<Minute> {
    const LONGEST_GAP_MINUTES: i64 = 120;
    let instant = Timestamp::from_second(minute.unix_seconds()).ok();
    let Some(wall) = instant.map(|instant| from.to_datetime(instant)) else {
        return vec![minute];
    };
    let left_out = (1..=LONGEST_GAP_MINUTES).filter_map(|back| {
        let earlier = wall.checked_sub(Span::new().minutes(back)).ok()?;
        (minute_of(earlier, from) == Some(minute)).then_some(earlier)
    });
    let walls = std::iter::once(wall).chain(left_out);
    let minutes = walls.filter_map(|wall| minutes_of(wall, to));
    let all = minutes.flat_map(|(first, again)| std::iter::once(first).chain(again));
    let mut all: Vec<Minute> = all.collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::v2;

    fn see(body: &str, zone: &str) -> Vec<Sighting> {
        let page = v2::parse(body.as_bytes()).expect("a page");
        let zone = TimeZone::get(zone).expect("a zone");
        sightings(&page, &zone, &FingerprintKey::new(b"sixteen bytes..."))
    }

    fn page(date: &str, lines: &[&str]) -> String {
        serde_json::json!({"logs": [{"date": date, "eventlog": lines}]}).to_string()
    }

    #[test]
    fn a_line_is_placed_in_the_configured_zone() {
        let body = page(
            "Dec 6, 2013 ",
            &["05:28|PM|MetaAccess (Version 1.1.1.1)|TEST-A|Installed"],
        );
        let minute = |zone| see(&body, zone)[0].id.bucket.minute().expect("dated");
        assert_eq!(minute("UTC").unix_seconds(), 1_386_350_880);
        assert_eq!(minute("Europe/Berlin").0, minute("UTC").0 - 60);
    }

    #[test]
    fn a_local_time_that_occurs_twice_has_two_minutes() {
        let body = page(
            "Oct 26, 2025",
            &[
                "02:30|AM|MetaAccess|TEST-A|Installed",
                "03:00|AM|MetaAccess|TEST-A|Installed",
            ],
        );
        let seen = see(&body, "Europe/Berlin");
        let first = seen[0].id.bucket.minute().expect("dated");
        assert_eq!(first.unix_seconds(), 1_761_438_600);
        assert_eq!(seen[0].again, Some(first.minus(-60)));
        assert_eq!(seen[1].again, None);
        assert_eq!(see(&body, "UTC")[0].again, None);
    }

    #[test]
    fn a_line_has_the_fingerprint_that_it_has_in_states_that_were_saved() {
        let key = FingerprintKey::new(b"sixteen bytes...");
        let line = ["MetaAccess (Version 1.1.1.1)", "TEST-B3WMO", "Installed"];
        // SipHash-2-4 of each field after its length of eight bytes, the lowest first.
        assert_eq!(key.fingerprint(line), Fingerprint(0x1e3f_65ec_4c02_c88a));
    }

    proptest! {
        #[test]
        fn a_long_line_is_hashed_like_a_short_one(fields: [String; 3], more in 0_usize..300) {
            let description = fields[2].repeat(1 + more);
            let fields = [&*fields[0], &*fields[1], &*description];
            let key = FingerprintKey::new(b"sixteen bytes...");
            let mut hasher = key.0;
            for field in fields {
                hasher.write_u64(field.len() as u64);
                hasher.write(field.as_bytes());
            }
            prop_assert_eq!(key.fingerprint(fields), Fingerprint(hasher.finish()));
        }
    }

    #[test]
    fn lines_are_the_same_only_if_every_field_is() {
        let body = page(
            "Dec 6, 2013",
            &[
                "05:28|PM|MetaAccess|TEST-A|Installed",
                "05:28|PM| MetaAccess | TEST-A | Installed ",
                "05:28|PM|MetaAccess|TEST-AI|nstalled",
                "05:29|PM|MetaAccess|TEST-A|Installed",
            ],
        );
        let ids: Vec<LineId> = see(&body, "UTC").iter().map(|s| s.id).collect();
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[0].fingerprint, ids[2].fingerprint);
        assert_ne!(ids[0], ids[3]);
    }

    #[test]
    fn a_rule_changes_what_a_line_counts_as_and_not_which_line_it_is() {
        let body = page(
            "Dec 6, 2013",
            &[
                "05:28|PM|MetaAccess|TEST-A|Installed by Jane",
                "05:28|PM|MetaAccess|TEST-A|Installed by John",
                "05:29|PM|MetaAccess|TEST-B|Fetch log",
            ],
        );
        let page = v2::parse(body.as_bytes()).expect("a page");
        let rule = classify::Rule {
            pattern: "Installed by J.*".to_owned(),
            event: "Installed by us".to_owned(),
        };
        let rules = EventRules::new(vec![rule]).expect("rules");
        let key = FingerprintKey::new(b"sixteen bytes...");
        let without = sightings(&page, &TimeZone::UTC, &key);
        let with = sightings_by(&rules, &page, &TimeZone::UTC, &key);
        let ids = |seen: &[Sighting]| seen.iter().map(|s| s.id).collect::<Vec<_>>();
        assert_eq!(ids(&with), ids(&without));
        assert_ne!(with[0].id, with[1].id, "two lines stay two");
        let event = |seen: &Sighting| match &seen.what {
            What::Event(event) => event.labels().event.to_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(event(&with[0]), "Installed by us");
        assert_eq!(event(&with[1]), "Installed by us");
        assert_eq!(event(&with[2]), "Fetch log");
        assert_eq!(event(&without[0]), "Installed");
    }

    #[test]
    fn what_is_no_line_is_kept_by_its_date_and_text() {
        let bad = ["garbage", "25:99|PM|MetaAccess|TEST-A|Installed", "garbage"];
        let seen = see(&page("Dec 6, 2013", &bad), "UTC");
        assert!(seen.iter().all(|s| matches!(s.id.bucket, Bucket::Day(_))));
        assert_eq!(seen[0].id, seen[2].id);
        assert_ne!(seen[0].id, seen[1].id);
        let undated = see(&page("someday", &bad), "UTC");
        assert!(undated.iter().all(|s| s.id.bucket == Bucket::Undated));
        assert!(undated.iter().all(|s| s.what == What::Bad(BadLine::Date)));
    }
}
