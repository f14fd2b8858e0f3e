//! Answers, lines and headers that no vendor would send.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use jiff::civil::date;
use jiff::tz::TimeZone;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::json;

use super::headers::{LONGEST_WAIT, RateHeaders};
use super::{Entry, Line, Page, line, page, plain};
use crate::api::failure::Failure;
use crate::event::BadLine;
use crate::fuzz_tests::{Broken, ensure, targets};
use crate::sight::{self, FingerprintKey};
use crate::sighting::What;

targets! {
    answers, "answer", ANSWERS, is_answer;
    lines, "line", LINES, is_line;
    rate_headers, "rate_headers", HEADERS, are_headers;
}

const ANSWERS: [&[u8]; 7] = [
    include_bytes!("../../../tests/fixtures/get-logs-v2-sample.json"),
    br#"{"logs":[{"date":"Dec 6, 2013 ","eventlog":["05:28|PM|MetaAccess (Version 1.1.1.1)|TEST-A|Installed","11:59 AM|Console|<private>|Admin Logged On|x"]},{"date":"2013-12-05","eventlog":[]}]}"#,
    br#"{"total": 9e99, "logs": [{"eventlog": ["12:00|am|\u00e9\"\\|TEST-\ud83d\ude00|a|b"], "date": "December 6 2013", "more": {"deep": [1, null, {}]}}]}"#,
    br#"{"logs":[{"date":"x","date":"Dec 6, 2013","eventlog":["05:28|PM|A|B|C"],"eventlog":[7, null, "x"]}],"logs":[[], 7, "x", null, {}]}"#,
    br#"{"logs":null}"#,
    b"\xEF\xBB\xBF {} \r\n",
    br#"{"error":"invalid_token","error_description":"hunter2"}"#,
];

const LINES: [&[u8]; 8] = [
    b"05:28|PM|MetaAccess (Version 1.1.1.1)|TEST-R1W3Y|Installed",
    b" 12:00 | am | MetaAccess (Version 10.2.3) | <private> | Changed status to compliant ",
    b"11:59:59 PM|Console|TEST-A|Admin made configuration change policy \"x\" by someone@example.com",
    b"5:28|pM||||",
    b"05:28 PM|AM|AM|PM|x",
    "01:00|AM|\u{a0}é\u{2003}|\u{feff}|\u{202e}x\u{0}".as_bytes(),
    b"25:61|PM|A|B|C",
    b"",
];

const HEADERS: [&[u8]; 8] = [
    b"10\n7\n42\n5",
    b"10\n0\n1700000037\nSun, 06 Nov 1994 08:49:37 GMT",
    b"10\n-1\n1700000037000\n0.001",
    b"inf\nnan\n1e3\n.",
    b" 18446744073709551616 \n4294967295\n99999999999999\n36.25",
    b"\n\n\nTue, 14 Nov 2023 22:14:20 +0100",
    b"10, 10\n7;w=60\n60\n120",
    b"10\n7\nThursday, 01-Jan-70 00:00:00 GMT\nThu Jan  1 00:00:00 1970",
];

fn is_answer(body: &[u8]) -> Result<bool, Broken> {
    let read = page::parse(body);
    // Two readings say the same.
    if let Some(page) = plain::parse(body) {
        ensure(page::parse_any(body).as_ref() == Ok(&page), || {
            "two readings".to_owned()
        })?;
    }
    let page = match read {
        Ok(page) => page,
        Err(Failure::NotJson | Failure::BodyCutOff | Failure::UnexpectedAnswer) => {
            return Ok(false);
        }
        Err(other) => return Err(format!("{other:?} is no failure of reading")),
    };
    if let Some(expected) = counted(body) {
        let entries = page.entries.len();
        ensure(entries == expected, || {
            format!("{entries} entries of {expected}")
        })?;
    }
    // What was cut off is not taken for a shorter whole.
    let text = body.trim_ascii();
    let cut = &text[..text.len() / 2];
    ensure(page::parse(cut).is_err(), || {
        "a half is taken for a whole".to_owned()
    })?;
    are_sighted(&page)?;
    page.entries.iter().try_for_each(is_entry)?;
    Ok(!page.entries.is_empty())
}

fn is_line(text: &[u8]) -> Result<bool, Broken> {
    let Ok(text) = std::str::from_utf8(text) else {
        return Ok(false);
    };
    let day = date(2013, 12, 6);
    let read = line::parse(day, text.into());
    let body = json!({"logs": [{"date": "Dec 6, 2013 ", "eventlog": [text]}]}).to_string();
    let page = page::parse(body.as_bytes()).map_err(|failure| format!("{failure:?}"))?;
    let [entry] = page.entries.as_slice() else {
        return Err(format!("{} entries of one line", page.entries.len()));
    };
    let is_same = match (entry, &read) {
        (Entry::Line(line), Ok(read)) => line == read,
        (
            Entry::Bad {
                reason, text: kept, ..
            },
            Err((why, whole)),
        ) => reason == why && whole == text && text.starts_with(&**kept),
        _ => false,
    };
    ensure(is_same, || format!("{entry:?} is not {read:?}"))?;
    are_sighted(&page)?;
    is_entry(entry)?;
    Ok(read.is_ok())
}

/// Every entry is a line that reads the same when it is written anew, or bad for a reason.
fn is_entry(entry: &Entry<'_>) -> Result<(), Broken> {
    match entry {
        Entry::Line(line) => {
            let fields = [&line.category, &line.hostname, &line.description];
            let is_trimmed = fields.iter().all(|field| *field.trim() == ***field);
            ensure(is_trimmed, || format!("{line:?} is not trimmed"))?;
            let again = line::parse(line.wall.date(), Cow::Owned(written(line)));
            ensure(again.as_ref() == Ok(line), || {
                format!("{line:?} is read again as {again:?}")
            })
        }
        Entry::Bad {
            reason,
            day,
            date,
            text,
        } => {
            ensure(date.len() <= 512 && text.len() <= 512, || {
                "a long text".to_owned()
            })?;
            let has_day = matches!(reason, BadLine::Fields | BadLine::Time);
            ensure(!has_day || day.is_some(), || {
                format!("{reason:?} without a day")
            })
        }
    }
}

fn written(line: &Line<'_>) -> String {
    let (hour, minute) = (line.wall.hour(), line.wall.minute());
    let half = if hour < 12 { "AM" } else { "PM" };
    let clock = (hour + 11) % 12 + 1;
    let Line {
        category,
        hostname,
        description,
        ..
    } = line;
    format!("{clock:02}:{minute:02}|{half}|{category}|{hostname}|{description}")
}

/// Each entry is seen as one, the same each time, with labels that are not longer than the line.
fn are_sighted(page: &Page<'_>) -> Result<(), Broken> {
    let key = FingerprintKey::new(&[7; 16]);
    let zone = TimeZone::UTC;
    let seen = sight::sightings(page, &zone, &key);
    ensure(seen.len() == page.entries.len(), || {
        "an entry was lost".to_owned()
    })?;
    for (sighting, entry) in seen.iter().zip(&page.entries) {
        match (&sighting.what, entry) {
            (What::Event(event), Entry::Line(line)) => {
                let labels = event.labels();
                let is_host = labels.hostname == line.hostname;
                let is_short = labels.category.len() + labels.version.len() <= line.category.len()
                    && labels.event.chars().count() <= line.description.chars().count().max(200);
                ensure(is_host && is_short, || format!("{labels:?} of {line:?}"))?;
            }
            (What::Bad(_), _) => {}
            (What::Event(_), Entry::Bad { .. }) => return Err("a bad entry is counted".to_owned()),
        }
    }
    ensure(sight::sightings(page, &zone, &key) == seen, || {
        "seen otherwise".to_owned()
    })
}

fn are_headers(input: &[u8]) -> Result<bool, Broken> {
    let Ok(text) = std::str::from_utf8(input) else {
        return Ok(false);
    };
    let values: Vec<&str> = text.split('\n').collect();
    let of = |name: &str| {
        let at = match name {
            "X-RateLimit-Limit" => 0,
            "X-RateLimit-Remaining" => 1,
            "X-RateLimit-Reset-Time" => 2,
            _ => 3,
        };
        values.get(at).copied()
    };
    for now in [0, 784_111_777, 1_700_000_000, 32_503_680_000] {
        let read = RateHeaders::read(of, Duration::from_secs(now));
        for wait in [read.reset, read.retry_after].into_iter().flatten() {
            let is_bounded = wait <= LONGEST_WAIT && wait.subsec_nanos() == 0;
            ensure(is_bounded, || format!("a wait of {wait:?}"))?;
        }
        for (number, at) in [(read.limit, 0), (read.remaining, 1)] {
            let digits = values
                .get(at)
                .map(|text| text.trim().trim_start_matches('+'));
            let digits = digits.map(|text| text.trim_start_matches('0'));
            let is_so = number.is_none_or(|number| match digits {
                Some("") => number == 0,
                Some(digits) => number.to_string() == digits,
                None => false,
            });
            ensure(is_so, || format!("{number:?} of {digits:?}"))?;
        }
        // A time that comes nearer is waited for no longer.
        let later = RateHeaders::read(of, Duration::from_secs(now + 10));
        let shorter = |one: Option<Duration>, other: Option<Duration>| other <= one;
        ensure(
            shorter(read.reset, later.reset) && shorter(read.retry_after, later.retry_after),
            || format!("{read:?}, and later {later:?}"),
        )?;
    }
    let now = Duration::from_secs(1_700_000_000);
    let read = RateHeaders::read(of, now);
    Ok(read != RateHeaders::default())
}

/// How many entries an answer must have, by a second reading; none where that cannot say.
fn counted(body: &[u8]) -> Option<usize> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let Tree::Object(members) = serde_json::from_slice(body).ok()? else {
        return None;
    };
    let of_element = |element: &Tree| match element {
        Tree::Object(members) => {
            let mut lists = named(members, "eventlog").peekable();
            match lists.peek() {
                Some(_) => lists.map(Tree::items).sum(),
                None => 1,
            }
        }
        _ => 1,
    };
    let logs = named(&members, "logs").map(|logs| match logs {
        Tree::List(elements) => elements.iter().map(of_element).sum(),
        _ => 0_usize,
    });
    Some(logs.sum())
}

fn named<'a>(members: &'a [(String, Tree)], name: &'a str) -> impl Iterator<Item = &'a Tree> {
    let members = members.iter().filter(move |(found, _)| found == name);
    members.map(|(_, tree)| tree)
}

/// JSON in which a name may stand twice.
enum Tree {
    Null,
    Other,
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Tree {
    /// The entries that a list of lines holds; what is no list is one.
    fn items(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::List(items) => items.len(),
            Self::Other | Self::Object(_) => 1,
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfAnyKind)
    }
}

struct OfAnyKind;

impl<'de> Visitor<'de> for OfAnyKind {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Tree::Object(object))
    }
}
