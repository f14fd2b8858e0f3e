//! Whether the newest lines fit the time zone that is set, and which one would fit.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::finding::{Finding, Name};
use super::page::Page;
use super::spans::{offset, span};

/// What clocks may differ, and a line may be on its way into the log.
const TOLERANCE: i64 = 120;

/// The offsets of zones are multiples of this.
const STEP: i64 = 900;

/// No two zones are further apart.
const FURTHEST: i64 = 26 * 3_600;

/// Behind by a multiple of this looks like a zone, if other lines come much more often.
const HALF_HOUR: i64 = 1_800;

/// How many times the usual interval between lines a silence has to be to look odd.
const ODD_SILENCE: i64 = 6;

/// Zones in which many consoles stand, one or two for each offset.
#[rustfmt::skip]
const KNOWN: [&str; 31] = [
    "UTC", "Europe/London", "Europe/Berlin", "Europe/Athens", "Europe/Moscow", "Asia/Jerusalem",
    "Asia/Dubai", "Asia/Tehran", "Asia/Karachi", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Dhaka",
    "Asia/Ho_Chi_Minh", "Asia/Bangkok", "Asia/Singapore", "Asia/Shanghai", "Asia/Tokyo",
    "Asia/Seoul", "Australia/Adelaide", "Australia/Sydney", "Pacific/Auckland", "America/St_Johns",
    "America/Sao_Paulo", "America/Halifax", "America/New_York", "America/Bogota", "America/Chicago",
    "America/Denver", "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu",
];

/// Holds the newest lines of these pages against the time, in seconds since 1970.
pub fn judge(pages: &[&Page], now: i64, zone: &TimeZone) -> Finding {
    let name = Name::Timezone;
    let of = |page: &Page| {
        let seconds = page.minutes().map(|minute| minute.unix_seconds());
        // A line dated far ahead says nothing of the zone, if there are others.
        let near = seconds.clone().filter(|second| second - now <= FURTHEST);
        near.max().or_else(|| seconds.max())
    };
    let Some(newest) = pages.iter().filter_map(|page| of(page)).max() else {
        return Finding::skipped(name, "there is no line to tell it by");
    };
    if newest - now > TOLERANCE {
        return ahead(newest, now, zone);
    }
    let seen = pages.iter().filter(|page| page.has_the_newest());
    let last = seen
        .filter_map(|page| Some((of(page)?, *page)))
        .max_by_key(|(newest, _)| *newest);
    let Some((newest, page)) = last else {
        return Finding::skipped(
            name,
            "page 1 shows the oldest lines, and the newest are not seen by one request",
        );
    };
    behind(newest, page, now, zone)
}

fn ahead(newest: i64, now: i64, zone: &TimeZone) -> Finding {
    let ahead = newest - now;
    let message = format!("the newest line is {} in the future", span(ahead));
    if ahead > FURTHEST {
        let advice = "no time zone explains that: look in the console at the lines that are dated ahead, \
                      and at the clock of this machine";
        return Finding::warning(Name::Timezone, message, advice);
    }
    let steps = (ahead - TOLERANCE).div_euclid(STEP) + 1;
    let found = offset_at(zone, newest) + steps * STEP;
    let next = known_offsets(now).filter(|offset| *offset >= found).min();
    let found = next.unwrap_or(found);
    let advice = format!(
        "the log's clock is at {} or further east: set --api.timezone to its zone{}",
        said(found),
        fitting(found, now)
    );
    Finding::warning(
        Name::Timezone,
        format!(
            "{message}: the log does not write its times in {}",
            named(zone)
        ),
        advice,
    )
}

fn behind(newest: i64, page: &Page, now: i64, zone: &TimeZone) -> Finding {
    let behind = now - newest;
    let over = behind.rem_euclid(HALF_HOUR);
    let hours = behind - over;
    let usual = usual_interval(page);
    let looks_like_a_zone = (2 * HALF_HOUR..=FURTHEST).contains(&hours) && over <= TOLERANCE + 60;
    let message = format!("the newest line is {} old", span(behind.max(0)));
    if looks_like_a_zone && usual.is_some_and(|usual| behind > ODD_SILENCE * usual) {
        let found = offset_at(zone, newest) - hours;
        return Finding::warning(
            Name::Timezone,
            format!(
                "{message}, almost exactly {}, though lines come every {} on average",
                span(hours),
                span(usual.unwrap_or_default())
            ),
            format!(
                "if the console shows newer ones, the log's clock is at {}: set --api.timezone to its zone{}",
                said(found),
                fitting(found, now)
            ),
        );
    }
    let meaning = match behind > FURTHEST {
        true => "so that it does not tell the zone".to_owned(),
        false => format!("which fits {}", named(zone)),
    };
    Finding::ok(Name::Timezone, format!("{message}, {meaning}"))
}

/// The average interval between the lines of a page that has enough of them, in seconds.
fn usual_interval(page: &Page) -> Option<i64> {
    const ENOUGH: i64 = 8;
    let oldest = page.minutes().min()?.unix_seconds();
    let newest = page.minutes().max()?.unix_seconds();
    let lines = i64::try_from(page.minutes().count()).ok()?;
    (lines >= ENOUGH).then(|| (newest - oldest) / (lines - 1))
}

fn named(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("the zone that is set")
}

fn said(seconds: i64) -> String {
    let known = i32::try_from(seconds)
        .ok()
        .and_then(|seconds| Offset::from_seconds(seconds).ok());
    known.map_or_else(|| "an offset that no zone has".to_owned(), offset)
}

fn offset_at(zone: &TimeZone, second: i64) -> i64 {
    let instant = Timestamp::from_second(second);
    instant.map_or(0, |instant| zone.to_offset(instant).seconds().into())
}

fn known_offsets(now: i64) -> impl Iterator<Item = i64> {
    let zones = KNOWN.iter().filter_map(|name| TimeZone::get(name).ok());
    zones.map(move |zone| offset_at(&zone, now))
}

/// The known zones whose clocks are at this offset now.
fn fitting(offset: i64, now: i64) -> String {
    let fits = |name: &&&str| TimeZone::get(name).is_ok_and(|zone| offset_at(&zone, now) == offset);
    let fitting: Vec<&str> = KNOWN.iter().filter(fits).copied().collect();
    match fitting.is_empty() {
        true => String::new(),
        false => format!(", such as {}", fitting.join(" or ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v2;
    use crate::check::Verdict;
    use crate::hostnames::Hostnames;
    use crate::sight::{FingerprintKey, sightings};

    /// Noon UTC of a day in winter.
    const NOON: i64 = 1_386_331_200;

    /// A page of lines, each so many minutes before the noon of the wall clock, read in a zone.
    fn page(minutes: &[i64], zone: &TimeZone) -> Page {
        let lines: Vec<_> = minutes
            .iter()
            .map(|back| {
                let wall = 12 * 60 - back;
                let (half, hour) = if wall < 720 {
                    ("AM", wall / 60)
                } else {
                    ("PM", wall / 60 - 12)
                };
                let hour = if hour == 0 { 12 } else { hour };
                format!(
                    "{hour:02}:{:02}|{half}|MetaAccess|TEST-A|Installed",
                    wall % 60
                )
            })
            .collect();
        let body = serde_json::json!({"logs": [{"date": "Dec 6, 2013", "eventlog": lines}]});
        let body = body.to_string();
        let read = v2::parse(body.as_bytes()).unwrap();
        let seen = sightings(&read, zone, &FingerprintKey::new(&[0; 16]));
        Page::of(&seen, &Hostnames::Keep)
    }

    /// What is said when the log's clock is at this many hours from UTC, and UTC is set. The newest
    /// line is half a minute old.
    fn with_offset(hours: f64) -> Finding {
        let back: Vec<i64> = (0..20).map(|n| 2 * n).collect();
        let now = NOON - (hours * 3_600.0) as i64 + 30;
        judge(&[&page(&back, &TimeZone::UTC)], now, &TimeZone::UTC)
    }

    #[test]
    fn a_log_in_the_zone_that_is_set_fits() {
        let fits = with_offset(0.0);
        assert_eq!(fits.verdict, Verdict::Ok);
        assert_eq!(fits.message, "the newest line is 30 s old, which fits UTC");
    }

    #[test]
    fn a_log_of_the_east_is_in_the_future_and_its_zone_is_named() {
        for (hours, offset, zone) in [
            (1.0, "UTC+01:00", "Europe/Berlin"),
            (5.5, "UTC+05:30", "Asia/Kolkata"),
            (5.75, "UTC+05:45", "Asia/Kathmandu"),
            (9.0, "UTC+09:00", "Asia/Tokyo or Asia/Seoul"),
            (11.0, "UTC+11:00", "Australia/Sydney"),
        ] {
            let finding = with_offset(hours);
            assert_eq!(finding.verdict, Verdict::Warning, "{finding:?}");
            assert!(finding.message.contains("in the future"), "{finding:?}");
            let advice = finding.advice.unwrap();
            assert!(advice.contains(offset) && advice.contains(zone), "{advice}");
        }
    }

    #[test]
    fn a_log_of_the_west_is_behind_by_almost_exactly_its_hours() {
        for (hours, offset, zone) in [
            (-5.0, "UTC-05:00", "America/New_York"),
            (-3.5, "UTC-03:30", "America/St_Johns"),
            (-8.0, "UTC-08:00", "America/Los_Angeles"),
        ] {
            let finding = with_offset(hours);
            assert_eq!(finding.verdict, Verdict::Warning, "{finding:?}");
            let advice = finding.advice.unwrap();
            assert!(advice.contains(offset) && advice.contains(zone), "{advice}");
        }
    }

    #[test]
    fn a_log_that_is_quiet_or_not_behind_by_hours_is_believed() {
        let quiet: Vec<i64> = (0..12).map(|n| 55 * n).collect();
        let quiet = judge(
            &[&page(&quiet, &TimeZone::UTC)],
            NOON + 5 * 3_600,
            &TimeZone::UTC,
        );
        assert_eq!(quiet.verdict, Verdict::Ok, "{quiet:?}");
        assert_eq!(with_offset(-5.2).verdict, Verdict::Ok);
        assert_eq!(with_offset(-0.5).verdict, Verdict::Ok);
        let few = judge(
            &[&page(&[0, 2], &TimeZone::UTC)],
            NOON + 5 * 3_600,
            &TimeZone::UTC,
        );
        assert_eq!(few.verdict, Verdict::Ok);
    }

    #[test]
    fn the_offset_of_the_zone_that_is_set_is_taken_into_account() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let back: Vec<i64> = (0..20).map(|n| 2 * n).collect();
        let page = page(&back, &berlin);
        assert_eq!(
            judge(&[&page], NOON - 3_600 + 30, &berlin).verdict,
            Verdict::Ok
        );
        let utc = judge(&[&page], NOON + 30, &berlin).advice.unwrap();
        assert!(
            utc.contains("UTC+00:00") && utc.contains("such as UTC"),
            "{utc}"
        );
    }

    #[test]
    fn one_line_of_next_year_says_nothing_of_the_zone() {
        let mut stray = page(&[0, 2, 4, 6], &TimeZone::UTC);
        assert_eq!(judge(&[&stray], NOON, &TimeZone::UTC).verdict, Verdict::Ok);
        let next_year = page(&[0], &TimeZone::UTC);
        let finding = judge(&[&next_year], NOON - 40 * 86_400, &TimeZone::UTC);
        assert!(finding.advice.unwrap().contains("no time zone explains"));
        stray = Page::default();
        assert_eq!(
            judge(&[&stray], NOON, &TimeZone::UTC).verdict,
            Verdict::Skipped
        );
    }

    #[test]
    fn the_oldest_lines_tell_nothing_unless_they_are_of_the_future() {
        let oldest: Vec<i64> = (0..50).rev().collect();
        let oldest = page(&oldest, &TimeZone::UTC);
        let late = judge(&[&oldest], NOON + 5 * 3_600, &TimeZone::UTC);
        assert_eq!(late.verdict, Verdict::Skipped);
        let early = judge(&[&oldest], NOON - 5 * 3_600, &TimeZone::UTC);
        assert_eq!(early.verdict, Verdict::Warning);
    }
}
