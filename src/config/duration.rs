//! Durations as Go and Prometheus write them: `500ms`, `0.5s`, `1m30s`, `24h`, `7d`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::mistake::Wrong;

/// The units and their nanoseconds, the largest first: the order in which they are written.
const UNITS: [(&str, u128); 5] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// The most fractional digits that are read: more could not be told from rounding.
const FRACTION_DIGITS: usize = 9;

/// Reads a duration that lies within the bounds.
pub fn within(bounds: RangeInclusive<Duration>) -> impl Fn(&str) -> Result<Duration, Wrong> {
    move |text| {
        let expected = || {
            let (least, most) = (spell(*bounds.start()), spell(*bounds.end()));
            format!("a duration from {least} to {most}")
        };
        let found = parse(text).map_err(|mend| Wrong::new(expected(), mend))?;
        if bounds.contains(&found) {
            return Ok(found);
        }
        let too = if found > *bounds.end() {
            "long"
        } else {
            "short"
        };
        Err(Wrong::new(expected(), format!("this is too {too}")))
    }
}

/// Reads a duration; the error says how to mend the text.
pub fn parse(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err("write a number and its unit, such as 30s".to_owned());
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (number, unit, after) = first_part(rest)?;
        // Going on from the last unit's place, so that each comes once and the largest first.
        let (_, nanos) = units.find(|(name, _)| *name == unit).ok_or_else(|| {
            "write each unit of d, h, m, s and ms once at most, the largest first, such as 1m30s"
                .to_owned()
        })?;
        total = nanoseconds(number, *nanos)
            .and_then(|part| total.checked_add(part))
            .ok_or("write a plain number, neither so large nor so fine")?;
        rest = after;
    }
    let seconds = u64::try_from(total / 1_000_000_000).map_err(|_| "this is too long")?;
    let nanos = u32::try_from(total % 1_000_000_000).unwrap_or_default();
    Ok(Duration::new(seconds, nanos))
}

/// Splits `1m30s` into `1`, `m` and `30s`.
fn first_part(text: &str) -> Result<(&str, &str, &str), String> {
    let number_ends = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let Some(number_ends) = number_ends else {
        return Err(format!("add the unit: {}s, for example", short(text)));
    };
    let (number, rest) = text.split_at(number_ends);
    if number.is_empty() {
        return Err("write a number and its unit without a sign or spaces, such as 30s".to_owned());
    }
    let unit_ends = rest.find(|c: char| !c.is_ascii_alphabetic());
    let (unit, after) = rest.split_at(unit_ends.unwrap_or(rest.len()));
    if UNITS.iter().any(|(name, _)| *name == unit) {
        Ok((number, unit, after))
    } else {
        Err("use the units d, h, m, s and ms, such as 1m30s".to_owned())
    }
}

/// The example for a number without a unit stays readable, whatever was typed.
fn short(number: &str) -> &str {
    if number.len() <= 6 { number } else { "30" }
}

/// `1.5` of a unit in whole nanoseconds; nothing where it is no number or does not come out even.
fn nanoseconds(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.len() > FRACTION_DIGITS {
        return None;
    }
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = fraction.parse::<u128>().ok()?.checked_mul(unit)?;
    if part % scale != 0 {
        return None;
    }
    let whole = whole.parse::<u128>().ok()?.checked_mul(unit)?;
    whole.checked_add(part / scale)
}

/// Writes a duration so that `parse` reads the same one: `1m30s`, `24h`, `500ms`.
pub fn spell(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if (1..1_000_000_000).contains(&nanos) && nanos.is_multiple_of(1_000_000) {
        return format!("{}ms", nanos / 1_000_000);
    }
    let seconds = duration.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let mut text = String::new();
    for (number, unit) in [(hours, "h"), (minutes, "m")] {
        if number > 0 {
            text += &format!("{number}{unit}");
        }
    }
    let rest = Duration::new(seconds % 60, duration.subsec_nanos());
    if !rest.is_zero() || text.is_empty() {
        text += &format!("{}.{:09}", rest.as_secs(), rest.subsec_nanos());
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
        text += "s";
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_of_the_manual_is_read() {
        let millis = |text| parse(text).map(|duration| duration.as_millis());
        assert_eq!(millis("500ms"), Ok(500));
        assert_eq!(millis("2s"), Ok(2_000));
        assert_eq!(millis("0.5s"), Ok(500));
        assert_eq!(millis("1.25m"), Ok(75_000));
        assert_eq!(millis("1m30s"), Ok(90_000));
        assert_eq!(millis("24h"), Ok(86_400_000));
        assert_eq!(millis("7d"), Ok(604_800_000));
        assert_eq!(millis("1h0m0s"), Ok(3_600_000));
        assert_eq!(millis("0"), Ok(0));
        assert_eq!(millis("0s"), Ok(0));
    }

    #[test]
    fn a_number_without_its_unit_is_refused_with_the_unit_as_a_hint() {
        assert_eq!(parse("5"), Err("add the unit: 5s, for example".to_owned()));
        assert!(parse("1m30").is_err());
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            " ",
            "s",
            "-1s",
            "+1s",
            "1 s",
            "5S",
            "1w",
            "1y",
            "1s1s",
            "1s1m",
            ".",
            ".s",
            "1.s",
            "1..5s",
            "1e3s",
            "٣s",
            "0.0000000001s",
            "0.0000001ms",
            "99999999999999999999d",
            "999999999999999999999999999999999999999999s",
        ] {
            assert!(parse(text).is_err(), "{text:?} was read as a duration");
        }
    }

    #[test]
    fn bounds_are_included_and_named_when_missed() {
        let read = within(Duration::from_millis(100)..=Duration::from_secs(60));
        assert_eq!(read("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(read("1m"), Ok(Duration::from_secs(60)));
        assert_eq!(
            read("2m").unwrap_err().to_string(),
            "expected a duration from 100ms to 1m; this is too long"
        );
        assert!(read("99ms").unwrap_err().to_string().ends_with("too short"));
    }

    #[test]
    fn a_duration_is_spelt_as_one_would_write_it() {
        let spelt = |text| parse(text).map(spell).unwrap();
        assert_eq!(spelt("90s"), "1m30s");
        assert_eq!(spelt("1d"), "24h");
        assert_eq!(spelt("10s"), "10s");
        assert_eq!(spelt("1m0.5s"), "1m0.5s");
        assert_eq!(spelt("0.5s"), "500ms");
        assert_eq!(spelt("0.5ms"), "0.0005s");
        assert_eq!(spelt("0"), "0s");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn no_text_that_resembles_a_duration_makes_the_parser_panic(text in "[0-9.dhms]{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_spelt_is_read_back(seconds in any::<u64>(), nanos in 0_u32..1_000_000_000) {
            let duration = Duration::new(seconds, nanos);
            prop_assert_eq!(parse(&spell(duration)), Ok(duration));
        }
    }
}
