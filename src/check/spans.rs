//! Times as people say them.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::event::Minute;

/// So many seconds in their two largest units: `3 d 4 h`, `2 h 5 min`, `40 s`.
pub fn span(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let place = units.iter().position(|(unit, _)| seconds >= *unit);
    let place = place.unwrap_or(units.len() - 1);
    let mut rest = seconds;
    let words = units.iter().skip(place).take(2).filter_map(|(unit, word)| {
        let number = rest / unit;
        rest %= unit;
        (number > 0).then(|| format!("{number} {word}"))
    });
    let words: Vec<String> = words.collect();
    match words.is_empty() {
        true => "0 s".to_owned(),
        false => words.join(" "),
    }
}

/// A minute as the log writes it, but for its form: `2013-12-06 17:28`.
pub fn written(minute: Minute, zone: &TimeZone) -> String {
    let instant = Timestamp::from_second(minute.unix_seconds());
    let wall = instant.map(|instant| zone.to_datetime(instant));
    wall.map_or_else(
        |_| "a time beyond the calendar".to_owned(),
        |wall| wall.strftime("%Y-%m-%d %H:%M").to_string(),
    )
}

/// `UTC+05:30`.
pub fn offset(offset: Offset) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_their_two_largest_units() {
        let said = [0, 40, 60, 3_599, 7_500, 86_400, 273_601].map(span);
        let expected = [
            "0 s",
            "40 s",
            "1 min",
            "59 min 59 s",
            "2 h 5 min",
            "1 d",
            "3 d 4 h",
        ];
        assert_eq!(said, expected);
        assert_eq!(span(-40), "40 s");
    }

    #[test]
    fn offsets_and_minutes_are_said_as_clocks_show_them() {
        assert_eq!(offset(Offset::from_seconds(19_800).unwrap()), "UTC+05:30");
        assert_eq!(offset(Offset::from_seconds(-12_600).unwrap()), "UTC-03:30");
        let minute = Minute(1_386_350_880 / 60);
        assert_eq!(written(minute, &TimeZone::UTC), "2013-12-06 17:28");
        assert!(written(Minute(i64::MAX), &TimeZone::UTC).contains("beyond"));
    }
}
