//! The exporter's own log: what every line of it holds, in either format.

use metaaccess_exporter::simulator::Kind;
use serde_json::Value;

use crate::api::{self, Api};
use crate::exporter::{Exporter, PATIENCE};
use crate::wait::until;

/// A line as names and values, in its order.
type Line = Vec<(String, String)>;

#[test]
fn lines_of_one_refresh_are_found_by_one_search_in_logfmt() {
    are_tied_together("logfmt", logfmt);
}

#[test]
fn lines_of_one_refresh_are_found_by_one_search_in_json() {
    are_tied_together("json", json);
}

fn are_tied_together(format: &str, parse: fn(&str) -> Line) {
    let lines: Vec<Line> = log_of_a_failure_and_its_end(format)
        .lines()
        .map(parse)
        .collect();
    for line in &lines {
        let mut names: Vec<&str> = line.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "a name twice: {line:?}");
        let target = value(line, "target").expect("a target");
        if target.starts_with("metaaccess_exporter::refresh") {
            assert_eq!(value(line, "account"), Some("my-account"), "{line:?}");
            assert!(value(line, "refresh").is_some(), "{line:?}");
        } else {
            assert_eq!(value(line, "refresh"), None, "{line:?}");
        }
    }
    // One that fails and one that works again, and what each asked of either log.
    let said = |message: &str| -> Vec<&str> {
        let of = lines
            .iter()
            .filter(|line| value(line, "message").is_some_and(|it| it.starts_with(message)));
        of.filter_map(|line| value(line, "refresh")).collect()
    };
    let asked = said("the API was asked");
    let failed = said("the log could not be read");
    let recovered = said("the log is read again");
    assert_eq!(failed, ["1"]);
    assert_eq!(asked.iter().filter(|number| **number == "1").count(), 2);
    assert_eq!(recovered.len(), 1);
    assert_ne!(recovered, failed);
    assert!(asked.contains(recovered.first().expect("one")));
}

/// What an exporter logs whose device log cannot be read at first.
fn log_of_a_failure_and_its_end(format: &str) -> String {
    let api = Api::start(api::empty());
    api.fail_device_log(Kind::Status {
        status: 500,
        retry_after: None,
    });
    let format = format!("--log.format={format}");
    let flags = [
        "--account.name=my-account",
        "--log.level=trace",
        "--scrape.min-interval=1ms",
        &format,
    ];
    let exporter = Exporter::of(&api, &flags);
    assert!(!exporter.scrape().is_up());
    api.clear_faults();
    until(PATIENCE, "both logs are read", || {
        exporter.scrape().is_up().then_some(())
    });
    exporter.stop().err
}

fn value<'a>(line: &'a Line, name: &str) -> Option<&'a str> {
    let found = line.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| &**value)
}

fn logfmt(line: &str) -> Line {
    let mut fields = Line::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').expect("a name");
        let (value, end) = if after.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(after).into_iter::<String>();
            let value = values.next().expect("a value").expect("a string");
            (value, values.byte_offset())
        } else {
            let end = after.find(' ').unwrap_or(after.len());
            (after[..end].to_owned(), end)
        };
        fields.push((name.to_owned(), value));
        rest = after[end..].trim_start();
    }
    fields
}

/// All members of an object, those that stand there twice too. None is an object itself.
fn json(line: &str) -> Line {
    let object: Value = serde_json::from_str(line).expect("JSON");
    let members = object.as_object().expect("an object");
    let flat = members.iter().map(|(name, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Object(_) | Value::Array(_) => panic!("{name} is not flat: {line}"),
            other => other.to_string(),
        };
        (name.clone(), value)
    });
    let fields: Line = flat.collect();
    // What the parser has made one of would be missing here.
    let written: usize = fields
        .iter()
        .map(|(name, _)| line.matches(&format!("\"{name}\":")).count())
        .sum();
    assert_eq!(written, fields.len(), "a name twice: {line}");
    fields
}
