//! One string of an answer: `hh:mm|AM/PM|category|hostname|description`.

use std::borrow::Cow;

use jiff::civil::{Date, Time};

use super::Line;
use crate::event::BadLine;

/// The line that a string of the given day holds; every field is trimmed, the description takes
/// the rest with whatever pipes are in it. Fields are looked at before the time.
pub(super) fn parse(day: Date, text: Cow<'_, str>) -> Result<Line<'_>, (BadLine, Cow<'_, str>)> {
    match text {
        Cow::Borrowed(text) => fields(day, text).map_err(|reason| (reason, text.into())),
        Cow::Owned(text) => match fields(day, &text) {
            Ok(line) => Ok(owned(line)),
            Err(reason) => Err((reason, text.into())),
        },
    }
}

fn fields(day: Date, text: &str) -> Result<Line<'_>, BadLine> {
    let (clock, rest) = field(text)?;
    // Written together as `05:28 PM` the line has one field less; a half of its own goes first.
    let (clock, half, rest) = match (half_of_day(clock), field(rest)?) {
        ((bare, Some(half)), (next, _)) if !is_half_of_day(next) => (bare, half, rest),
        (_, (half, rest)) => (clock, half, rest),
    };
    let (category, rest) = field(rest)?;
    let (hostname, description) = field(rest)?;
    let time = time(clock, half).ok_or(BadLine::Time)?;
    Ok(Line {
        wall: day.to_datetime(time),
        category: category.into(),
        hostname: hostname.into(),
        description: trimmed(description).into(),
    })
}

/// What stands before the next pipe, trimmed, and what stands after it.
fn field(text: &str) -> Result<(&str, &str), BadLine> {
    // Fields are so short that looking at byte after byte is the quickest.
    let at = text.bytes().position(|byte| byte == b'|');
    let (field, rest) = text.split_at(at.ok_or(BadLine::Fields)?);
    Ok((trimmed(field), rest.get("|".len()..).unwrap_or_default()))
}

/// The text without white space round it, which most fields have not.
fn trimmed(text: &str) -> &str {
    let is_seen = u8::is_ascii_graphic;
    match text.as_bytes() {
        [first, .., last] if is_seen(first) && is_seen(last) => text,
        _ => text.trim(),
    }
}

/// Splits a text that ends in AM or PM, in any case, before it.
fn half_of_day(text: &str) -> (&str, Option<&str>) {
    let at = text.len().saturating_sub(2);
    match text.split_at_checked(at) {
        Some((rest, half)) if ["am", "pm"].iter().any(|h| half.eq_ignore_ascii_case(h)) => {
            (rest.trim_end(), Some(half))
        }
        _ => (text, None),
    }
}

fn is_half_of_day(text: &str) -> bool {
    matches!(half_of_day(text), ("", Some(_)))
}

/// A time of day to the minute; seconds may be written and are dropped.
fn time(clock: &str, half: &str) -> Option<Time> {
    let first_hour = match half_of_day(half) {
        ("", Some(half)) if half.eq_ignore_ascii_case("pm") => 12,
        ("", Some(_)) => 0,
        _ => return None,
    };
    let (hour, rest) = clock.split_once(':')?;
    let (minute, second) = rest.split_once(':').unwrap_or((rest, "00"));
    let (hour, minute) = (number(hour, 1)?, number(minute, 2)?);
    let in_range = (1..=12).contains(&hour) && number(second, 2)? <= 59;
    if !in_range {
        return None;
    }
    // Twelve comes first on a 12-hour clock: 12 AM is midnight and 12 PM is noon.
    Time::new(hour % 12 + first_hour, minute, 0, 0).ok()
}

/// A number of two digits, or of one where that is enough; `parse` alone would take a sign.
fn number(text: &str, fewest_digits: usize) -> Option<i8> {
    let plain =
        (fewest_digits..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn owned(line: Line<'_>) -> Line<'static> {
    Line {
        wall: line.wall,
        category: line.category.into_owned().into(),
        hostname: line.hostname.into_owned().into(),
        description: line.description.into_owned().into(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{DateTime, date};

    use super::*;

    fn read(text: &str) -> Result<Line<'_>, BadLine> {
        let day = date(2013, 12, 6);
        let line = parse(day, text.into()).map_err(|(reason, _)| reason);
        let escaped = parse(day, Cow::Owned(text.to_owned())).map_err(|(reason, _)| reason);
        assert_eq!(line, escaped, "a text with escapes reads as one without");
        line
    }

    fn at(hour: i8, minute: i8) -> Result<DateTime, BadLine> {
        Ok(date(2013, 12, 6).at(hour, minute, 0, 0))
    }

    fn wall(clock: &str) -> Result<DateTime, BadLine> {
        read(&format!("{clock}|MetaAccess|TEST-B3WMO|Installed")).map(|line| line.wall)
    }

    #[test]
    fn spaces_round_the_pipes_change_nothing() {
        let tight = read("05:28|PM|MetaAccess (Version 1.1.1.1)|TEST-B3WMO|Installed");
        let wide = " 05:28 | PM | MetaAccess (Version 1.1.1.1) |\tTEST-B3WMO | Installed ";
        assert_eq!(read(wide), tight);
        let expected = Line {
            wall: date(2013, 12, 6).at(17, 28, 0, 0),
            category: "MetaAccess (Version 1.1.1.1)".into(),
            hostname: "TEST-B3WMO".into(),
            description: "Installed".into(),
        };
        assert_eq!(tight, Ok(expected));
    }

    #[test]
    fn the_clock_has_twelve_hours_and_twelve_comes_first() {
        assert_eq!(wall("12:00|AM"), at(0, 0));
        assert_eq!(wall("12:59|AM"), at(0, 59));
        assert_eq!(wall("01:00|AM"), at(1, 0));
        assert_eq!(wall("11:59|am"), at(11, 59));
        assert_eq!(wall("12:00|PM"), at(12, 0));
        assert_eq!(wall("5:28|pM"), at(17, 28));
        assert_eq!(wall("11:59:59|PM"), at(23, 59));
    }

    #[test]
    fn a_time_that_does_not_exist_is_bad() {
        for clock in [
            "00:10|AM",
            "13:00|PM",
            "05:60|PM",
            "5:2|PM",
            "005:28|PM",
            "05:28:60|PM",
            "05:28:|PM",
            "05|PM",
            "|PM",
            "05:28|",
            "05:28|XM",
            "05:28|P.M.",
            "05:28|PM PM",
            "-5:28|PM",
            "+5:28|PM",
            "05:+8|PM",
            "05: 28|PM",
            "17:28|PM",
            "\u{665}:28|PM",
            "05:28 PM|PM",
        ] {
            assert_eq!(wall(clock), Err(BadLine::Time), "{clock}");
        }
    }

    #[test]
    fn a_half_of_the_day_in_the_clocks_own_field_is_read() {
        for clock in ["05:28 PM", "05:28PM", "5:28\u{202f}pm"] {
            assert_eq!(wall(clock), at(17, 28), "{clock}");
        }
        let team = read("05:28 PM|Team|TEST-B3WMO|Installed|by hand").unwrap();
        assert_eq!(
            (&*team.category, &*team.description),
            ("Team", "Installed|by hand")
        );
    }

    #[test]
    fn pipes_beyond_the_fourth_belong_to_the_description() {
        let line = read("05:28|PM|MetaAccess|<private>|Changed | policy |A|").unwrap();
        assert_eq!(line.hostname, "<private>");
        assert_eq!(line.description, "Changed | policy |A|");
    }

    #[test]
    fn fields_may_be_empty_but_not_missing() {
        let line = read("05:28|PM|||").unwrap();
        assert_eq!(
            (&*line.category, &*line.hostname, &*line.description),
            ("", "", "")
        );
        for text in [
            "",
            "05:28",
            "05:28|PM",
            "05:28|PM|MetaAccess|TEST-B3WMO",
            "99:99|XM|a|b",
        ] {
            assert_eq!(read(text), Err(BadLine::Fields), "{text}");
        }
    }
}
