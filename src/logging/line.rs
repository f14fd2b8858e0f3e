//! A log line as text, in either format.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tracing::Level;

use super::fields::Fields;

/// `ts=2026-11-25T13:14:15.161718Z level=info target=... message="..." name=value`, and the end of the
/// line. `now` is the time since the Unix epoch.
pub(super) fn logfmt(now: Duration, level: Level, target: &str, fields: &Fields) -> String {
    let level = level.as_str().to_ascii_lowercase();
    let mut line = format!("ts={} level={level} target={target}", time(now));
    for (name, value) in besides(&["ts", "level", "target"], fields) {
        // Writing to a string cannot fail.
        let _ = match value {
            Value::String(text) if !text.chars().any(needs_quotes) => {
                write!(line, " {name}={text}")
            }
            other => write!(line, " {name}={other}"),
        };
    }
    line.push('\n');
    line
}

/// The same as an object of JSON, with the level as [`Level`] writes it.
pub(super) fn json(now: Duration, level: Level, target: &str, fields: &Fields) -> String {
    let head: [(&str, Value); 3] = [
        ("timestamp", time(now).into()),
        ("level", level.as_str().into()),
        ("target", target.into()),
    ];
    let head = head.iter().map(|(name, value)| (*name, value));
    let rest = besides(&["timestamp", "level", "target"], fields);
    let members = head
        .chain(rest)
        .map(|(name, value)| format!("{}:{value}", Value::from(name)));
    format!("{{{}}}\n", members.collect::<Vec<_>>().join(","))
}

/// The fields without those that would stand in a line twice.
fn besides<'a>(
    taken: &'a [&str],
    fields: &'a Fields,
) -> impl Iterator<Item = (&'static str, &'a Value)> {
    fields.iter().filter(|(name, _)| !taken.contains(name))
}

fn time(now: Duration) -> String {
    let micros = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
    let time = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX);
    format!("{time:.6}")
}

/// Whether a value with this character in it is written as JSON writes it, which readers of logfmt
/// know.
fn needs_quotes(character: char) -> bool {
    character <= ' ' || matches!(character, '=' | '"' | '\\') || character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_millis(1_767_225_600_123);

    #[test]
    fn a_line_has_each_field_once_in_either_format() {
        let mut fields = Fields::of(&[
            ("message", "it \"is\"\nso".into()),
            ("account", "here".into()),
            ("level", "of no use".into()),
            ("empty", "".into()),
        ]);
        let around = [("account", "there".into()), ("refresh", 7.into())];
        fields.add(&Fields::of(&around));
        assert_eq!(
            logfmt(NOW, Level::WARN, "a::b", &fields),
            "ts=2026-01-01T00:00:00.123000Z level=warn target=a::b \
             message=\"it \\\"is\\\"\\nso\" account=here empty= refresh=7\n"
        );
        assert_eq!(
            json(NOW, Level::WARN, "a::b", &fields),
            "{\"timestamp\":\"2026-01-01T00:00:00.123000Z\",\"level\":\"WARN\",\"target\":\"a::b\",\
             \"message\":\"it \\\"is\\\"\\nso\",\"account\":\"here\",\"empty\":\"\",\"refresh\":7}\n"
        );
    }
}
