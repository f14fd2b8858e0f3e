//! What answers come to: the documented sample, odd answers, and laws for all others.

use std::collections::HashSet;

use jiff::civil::date;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::page::parse_any;
use super::{Entry, Line, parse, plain};
use crate::api::failure::Failure;
use crate::classify;
use crate::event::BadLine;

const SAMPLE: &[u8] = include_bytes!("../../../tests/fixtures/get-logs-v2-sample.json");
const INSTALL: &str = "05:28|PM|MetaAccess (Version 1.1.1.1)|TEST-B3WMO|Installed";

fn install() -> Entry<'static> {
    Entry::Line(Line {
        wall: date(2013, 12, 6).at(17, 28, 0, 0),
        category: "MetaAccess (Version 1.1.1.1)".into(),
        hostname: "TEST-B3WMO".into(),
        description: "Installed".into(),
    })
}

fn entries(body: &str) -> Vec<Entry<'_>> {
    parse(body.as_bytes()).expect("a page").entries
}

fn failure(body: &[u8]) -> Option<Failure> {
    parse(body).err()
}

/// Reason, day, date and text of the one entry, which is bad.
fn bad(body: &str) -> (BadLine, bool, String, String) {
    match entries(body).as_slice() {
        [
            Entry::Bad {
                reason,
                day,
                date,
                text,
            },
        ] => (*reason, day.is_some(), date.to_string(), text.to_string()),
        other => panic!("one bad entry was expected: {other:?}"),
    }
}

#[test]
fn the_documented_sample_is_ten_installs_on_ten_hosts() {
    let page = parse(SAMPLE).unwrap();
    let mut events = HashSet::new();
    for entry in &page.entries {
        let Entry::Line(line) = entry else {
            panic!("a line was expected: {entry:?}")
        };
        assert_eq!(line.wall, date(2013, 12, 6).at(17, 28, 0, 0));
        let split = classify::category_and_version(&line.category);
        let event = classify::event(split, &line.hostname, &line.description);
        let labels = event.labels();
        let labels = [labels.category, labels.version, labels.event];
        assert_eq!(labels, ["MetaAccess", "1.1.1.1", "Installed"]);
        events.insert(event);
    }
    assert_eq!((page.entries.len(), events.len()), (10, 10));
}

#[test]
fn an_answer_without_lines_is_an_empty_page() {
    for body in [
        "{}",
        r#"{"logs":[]}"#,
        r#"{"logs":null}"#,
        r#"{"logs":[{"date":"Dec 6, 2013 ","eventlog":[]}]}"#,
        r#"{"logs":[{"date":"Dec 6, 2013 ","eventlog":null}]}"#,
        "\u{feff} {\"logs\" : [ ] }\r\n",
    ] {
        assert_eq!(entries(body), [], "{body}");
    }
}

#[test]
fn one_date_may_come_in_several_objects_in_any_order_of_keys() {
    let body = json!({"total": 9e99, "logs": [
        {"eventlog": [INSTALL], "date": "Dec 6, 2013 ", "more": {"deep": [1, null]}},
        {"date": "December 6 2013", "eventlog": [INSTALL, INSTALL]},
    ]});
    assert_eq!(
        entries(&body.to_string()),
        [install(), install(), install()]
    );
}

#[test]
fn a_key_that_is_named_twice_loses_no_line() {
    let body = format!(
        r#"{{"logs":[{{"date":"x","date":"Dec 6, 2013","eventlog":["{INSTALL}"],"eventlog":["{INSTALL}"]}}],"logs":[]}}"#
    );
    assert_eq!(entries(&body), [install(), install()]);
}

#[test]
fn escapes_in_a_string_are_read() {
    let body = r#"{"logs":[{"date":"Dec\u0020 6, 2013","eventlog":["05:28|PM|A\/B|TEST-\u00e9|a \"b\"\u0000"]}]}"#;
    let [Entry::Line(line)] = &entries(body)[..] else {
        panic!("one line was expected")
    };
    assert_eq!((&*line.category, &*line.hostname), ("A/B", "TEST-é"));
    assert_eq!(line.description, "a \"b\"\0");
}

#[test]
fn a_page_borrows_its_text_from_the_body() {
    let page = parse(SAMPLE).unwrap();
    let borrowed = |entry: &Entry<'_>| match entry {
        Entry::Line(line) => matches!(line.description, std::borrow::Cow::Borrowed(_)),
        Entry::Bad { .. } => false,
    };
    assert!(page.entries.iter().all(borrowed));
}

#[test]
fn an_answer_that_is_no_page_fails() {
    for body in [
        r#"{"error":"invalid_token"}"#,
        "[]",
        "null",
        "7",
        r#""x""#,
        r#"{"logs":{}}"#,
        r#"{"logs":"x"}"#,
    ] {
        assert_eq!(
            failure(body.as_bytes()),
            Some(Failure::UnexpectedAnswer),
            "{body}"
        );
    }
}

#[test]
fn what_is_not_json_is_told_from_json_that_was_cut_off() {
    for body in [
        "",
        " \n",
        "<html><body>",
        "{'logs':[]}",
        "{\"logs\":[]} x",
        "OK",
        "{]",
    ] {
        assert_eq!(failure(body.as_bytes()), Some(Failure::NotJson), "{body:?}");
    }
    assert_eq!(failure(b"{\"logs\":[\"\xff\"]}"), Some(Failure::NotJson));
    for end in 1..SAMPLE.trim_ascii().len() {
        assert_eq!(failure(&SAMPLE[..end]), Some(Failure::BodyCutOff), "{end}");
    }
    assert_eq!(failure(b"{\"logs\":[\"\xc3"), Some(Failure::BodyCutOff));
    assert_eq!(failure(b"{\"logs\":[]}\xc3"), Some(Failure::NotJson));
}

#[test]
fn a_date_that_is_none_makes_every_entry_below_it_bad() {
    for (date, text) in [
        (r#""Feb 30, 2013 ""#, "Feb 30, 2013"),
        ("20131206", "20131206"),
        (r#"{"d": 1}"#, r#"{"d": 1}"#),
        (r#""\ud800""#, r#""\ud800""#),
        ("null", "null"),
    ] {
        let body = format!(r#"{{"logs":[{{"date":{date},"eventlog":["{INSTALL}"]}}]}}"#);
        let expected = (BadLine::Date, false, text.to_owned(), INSTALL.to_owned());
        assert_eq!(bad(&body), expected);
    }
    let without = format!(r#"{{"logs":[{{"eventlog":["{INSTALL}"]}}]}}"#);
    assert_eq!(
        bad(&without),
        (BadLine::Date, false, String::new(), INSTALL.to_owned())
    );
}

#[test]
fn an_entry_that_is_no_string_is_kept_as_its_json() {
    for item in [
        "null",
        "1e999",
        "[ 1, 2 ]",
        r#"{"a": "b"}"#,
        r#""05:28|PM|\udead""#,
    ] {
        let body = format!(r#"{{"logs":[{{"date":"Dec 6, 2013 ","eventlog":[{item}]}}]}}"#);
        let expected = (
            BadLine::NotText,
            true,
            "Dec 6, 2013".to_owned(),
            item.to_owned(),
        );
        assert_eq!(bad(&body), expected);
    }
}

#[test]
fn an_element_without_a_list_of_entries_is_one_bad_entry() {
    for element in [
        "null",
        "[1]",
        r#""x""#,
        "1e999",
        "{}",
        r#"{"date":"Dec 6, 2013"}"#,
    ] {
        let (reason, _, _, text) = bad(&format!(r#"{{"logs":[{element}]}}"#));
        assert_eq!((reason, &*text), (BadLine::NotText, element));
    }
    let body = format!(r#"{{"logs":[{{"date":"Dec 6, 2013","eventlog":"{INSTALL}"}}]}}"#);
    let expected = (
        BadLine::NotText,
        true,
        "Dec 6, 2013".to_owned(),
        format!("\"{INSTALL}\""),
    );
    assert_eq!(bad(&body), expected);
}

#[test]
fn a_bad_line_keeps_its_text_within_bounds() {
    let long = "é".repeat(1000);
    let body = json!({"logs": [{"date": "Dec 6, 2013 ", "eventlog": [long]}]}).to_string();
    let (reason, dated, _, text) = bad(&body);
    assert_eq!((reason, dated, text.len()), (BadLine::Fields, true, 512));
}

#[test]
fn nesting_without_end_is_no_danger() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    let body = format!(r#"{{"x":{},"logs":[{}]}}"#, deep("[", "]"), deep("[", "]"));
    assert_eq!(bad(&body).0, BadLine::NotText);
    assert_eq!(
        failure("[".repeat(100_000).as_bytes()),
        Some(Failure::UnexpectedAnswer)
    );
    assert_eq!(
        failure(r#"{"a":"#.repeat(100_000).as_bytes()),
        Some(Failure::BodyCutOff)
    );
}

/// How many entries a page must have, by a second, simpler reading of the same answer.
fn count(answer: &Value) -> usize {
    let of_element = |element: &Value| match &element["eventlog"] {
        Value::Array(items) => items.len(),
        Value::Null if element.get("eventlog").is_some() => 0,
        _ => 1,
    };
    answer["logs"]
        .as_array()
        .map_or(0, |logs| logs.iter().map(of_element).sum())
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        Just(INSTALL.into()),
        Just("Dec 6, 2013 ".into()),
    ];
    let key = prop_oneof!["logs", "date", "eventlog", "[a-z]{0,3}"];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..4)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn a_date() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "(Jan|Feb) [1-9], 20[0-9]{2} ?",
        1 => "\\PC{0,12}",
    ]
}

#[test]
fn lists_are_no_objects() {
    assert_eq!(failure(b"[[]]"), Some(Failure::UnexpectedAnswer));
    let day = format!(r#"{{"logs": [["Dec 6, 2013", ["{INSTALL}"]]]}}"#);
    assert_eq!(bad(&day).0, BadLine::NotText);
}

#[test]
fn the_documented_sample_is_plain() {
    assert_eq!(plain::parse(SAMPLE), parse_any(SAMPLE).ok());
    assert!(plain::parse(SAMPLE).is_some());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body: Vec<u8>) {
        let _ = parse(&body);
    }

    #[test]
    fn no_change_to_the_sample_makes_it_panic(
        changes in prop::collection::vec((0..SAMPLE.len(), any::<u8>()), 1..8),
        end in 0..=SAMPLE.len(),
    ) {
        let mut body = SAMPLE.to_vec();
        for (at, byte) in changes {
            body[at] = byte;
        }
        let _ = parse(&body[..end]);
        let _ = parse(&body);
    }

    #[test]
    fn no_json_makes_it_panic(answer in any_json()) {
        let _ = parse(answer.to_string().as_bytes());
    }

    #[test]
    fn as_many_entries_come_out_as_went_in(logs in prop::collection::vec(any_json(), 0..8)) {
        let answer = json!({ "logs": logs });
        for body in [answer.to_string(), serde_json::to_string_pretty(&answer).unwrap()] {
            prop_assert_eq!(entries(&body).len(), count(&answer));
        }
    }

    #[test]
    fn a_plain_answer_is_read_as_any_other(
        logs in prop::collection::vec(any_json(), 0..8),
        days in prop::collection::vec((a_date(), prop::collection::vec("\\PC{0,20}|05:28\\|[AP]M\\|[a|]{0,5}", 0..5)), 0..5),
    ) {
        let days = days.into_iter().map(|(date, lines)| json!({"date": date, "eventlog": lines}));
        let plain = json!({ "logs": days.collect::<Vec<_>>() }).to_string();
        for body in [plain, json!({ "logs": logs }).to_string()] {
            if let Some(page) = plain::parse(body.as_bytes()) {
                prop_assert_eq!(Ok(page), parse_any(body.as_bytes()));
            }
        }
    }

    #[test]
    fn a_line_that_was_written_is_read_back(
        hour in 0..24i8, minute in 0..60i8, hostname in "[^|]{0,20}", description in "\\PC{0,40}",
    ) {
        let half = if hour < 12 { "AM" } else { "PM" };
        let clock = (hour + 11) % 12 + 1;
        let line = format!("{clock:02}:{minute:02}|{half}|MetaAccess|{hostname}|{description}");
        let body = json!({"logs": [{"date": "Dec 6, 2013 ", "eventlog": [line]}]}).to_string();
        let expected = Entry::Line(Line {
            wall: date(2013, 12, 6).at(hour, minute, 0, 0),
            category: "MetaAccess".into(),
            hostname: hostname.trim().into(),
            description: description.trim().into(),
        });
        prop_assert_eq!(entries(&body), [expected]);
    }
}
