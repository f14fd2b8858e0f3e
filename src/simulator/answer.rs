//! The JSON of a page of Get Logs v2.0.

use jiff::civil::{Date, Time};
use serde_json::{Value, json};

use super::line::Line;
use super::log::{Content, Entry};

/// How a page is written, where the vendor's documents leave more than one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Spaces round the pipes, as the documented format has them and the documented sample has not.
    pub spaces: bool,
    /// One date over several objects of a page: a new one every seven entries.
    pub split_dates: bool,
}

/// Entries of one date object where dates are split: no divisor of a full page.
const SPLIT_AFTER: usize = 7;

/// The body of a page with these entries, in this order.
pub fn body(entries: &[&Entry], style: Style) -> Vec<u8> {
    let mut days: Vec<(Value, Vec<Value>)> = Vec::new();
    for entry in entries {
        let date = date_value(entry);
        match days.last_mut() {
            Some((day, lines))
                if *day == date && !(style.split_dates && lines.len() == SPLIT_AFTER) =>
            {
                lines.push(entry_value(entry, style));
            }
            _ => days.push((date, vec![entry_value(entry, style)])),
        }
    }
    let days: Vec<Value> = days
        .into_iter()
        .map(|(date, lines)| json!({ "date": date, "eventlog": lines }))
        .collect();
    json!({ "logs": days }).to_string().into_bytes()
}

fn date_value(entry: &Entry) -> Value {
    match &entry.content {
        Content::Raw(raw) if raw.date.is_some() => raw.date.clone().unwrap_or_default(),
        _ => Value::String(date_text(entry.written.date())),
    }
}

fn entry_value(entry: &Entry, style: Style) -> Value {
    match &entry.content {
        Content::Raw(raw) => raw.value.clone(),
        Content::Line {
            category,
            version,
            hostname,
            description,
        } => {
            let pipe = if style.spaces { " | " } else { "|" };
            let (clock, half) = time_texts(entry.written.time());
            let category = Line::category_field(category, version);
            Value::String([&clock, half, &category, hostname, description].join(pipe))
        }
    }
}

/// A date as the vendor's sample has it, with the space behind it: `Dec 6, 2013 `.
fn date_text(date: Date) -> String {
    date.strftime("%b %-d, %Y ").to_string()
}

/// A time on the 12-hour clock, and its half of the day.
fn time_texts(time: Time) -> (String, &'static str) {
    let half = if time.hour() < 12 { "AM" } else { "PM" };
    let hour = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    (format!("{hour:02}:{:02}", time.minute()), half)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    use super::super::line::minute_at;
    use super::super::log::Raw;
    use super::*;

    fn entry(day: i8, hour: i8, host: &str) -> Entry {
        let minute = minute_at(date(2013, 12, day).at(hour, 28, 0, 0), &TimeZone::UTC).unwrap();
        let line = Line::device(minute, "MetaAccess", "1.1.1.1", host, "Installed");
        Entry::of_line(&line, &TimeZone::UTC)
    }

    fn text(entries: &[&Entry], style: Style) -> String {
        String::from_utf8(body(entries, style)).unwrap()
    }

    #[test]
    fn the_documented_sample_is_written_to_the_letter() {
        let (one, two) = (entry(6, 17, "TEST-R1W3Y"), entry(6, 17, "TEST-B3WMO"));
        assert_eq!(
            text(&[&one, &two], Style::default()),
            r#"{"logs":[{"date":"Dec 6, 2013 ","eventlog":["05:28|PM|MetaAccess (Version 1.1.1.1)|TEST-R1W3Y|Installed","05:28|PM|MetaAccess (Version 1.1.1.1)|TEST-B3WMO|Installed"]}]}"#
        );
    }

    #[test]
    fn midnight_and_noon_are_twelve() {
        let (midnight, noon) = (entry(6, 0, "TEST-R1W3Y"), entry(6, 12, "TEST-R1W3Y"));
        let shown = text(
            &[&midnight, &noon],
            Style {
                spaces: true,
                ..Style::default()
            },
        );
        assert!(
            shown.contains("12:28 | AM | MetaAccess (Version 1.1.1.1) | TEST-R1W3Y | Installed")
        );
        assert!(shown.contains("12:28 | PM | "));
    }

    #[test]
    fn days_are_objects_and_a_split_day_is_several() {
        let lines: Vec<Entry> = (0..16)
            .map(|n| entry(6 - n / 15, 5, "TEST-R1W3Y"))
            .collect();
        let lines: Vec<&Entry> = lines.iter().collect();
        let days = |style| {
            let page: Value = serde_json::from_slice(&body(&lines, style)).unwrap();
            let days = page["logs"].as_array().unwrap().clone();
            days.iter()
                .map(|day| day["eventlog"].as_array().unwrap().len())
                .collect::<Vec<_>>()
        };
        assert_eq!(days(Style::default()), [15, 1]);
        assert_eq!(
            days(Style {
                split_dates: true,
                ..Style::default()
            }),
            [7, 7, 1, 1]
        );
    }

    #[test]
    fn a_malformed_entry_is_shown_as_it_is() {
        let raw = Raw {
            value: json!(17),
            date: Some(json!("soon")),
        };
        let minute = entry(6, 17, "TEST-R1W3Y").minute;
        let malformed = Entry::malformed(minute, raw, &TimeZone::UTC);
        assert_eq!(
            text(&[&malformed], Style::default()),
            r#"{"logs":[{"date":"soon","eventlog":[17]}]}"#
        );
    }

    #[test]
    fn an_empty_page_has_no_logs() {
        assert_eq!(text(&[], Style::default()), r#"{"logs":[]}"#);
    }
}
