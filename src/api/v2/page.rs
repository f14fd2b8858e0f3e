//! The JSON of an answer: the entries it holds, each either a line or bad, none dropped.

use std::borrow::Cow;
use std::fmt;

use jiff::civil::Date;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::{Entry, Page, date, line, plain};
use crate::api::failure::Failure;
use crate::event::BadLine;

/// How many bytes of a bad entry's text are kept: enough to tell it from others.
const LONGEST_BAD_TEXT: usize = 512;

/// Reads the body of an answer whose status promised lines.
///
/// Each entry of the answer comes out once, in order. Only an answer that is no Get Logs answer at
/// all fails: what is odd inside one is a bad entry. `{}` and `null` lists are an empty page, since
/// nothing says how the vendor writes one.
pub fn parse(body: &[u8]) -> Result<Page<'_>, Failure> {
    match plain::parse(body) {
        Some(page) => Ok(page),
        None => parse_any(body),
    }
}

/// The same of any answer, whatever is odd in it.
pub(super) fn parse_any(body: &[u8]) -> Result<Page<'_>, Failure> {
    let answer = answer(text(body)?)?;
    if answer.logs.is_empty() && !answer.is_empty {
        return Err(Failure::UnexpectedAnswer);
    }
    let mut entries = Vec::new();
    for list in answer.logs {
        let elements = items(list).ok_or(Failure::UnexpectedAnswer)?;
        elements
            .into_iter()
            .for_each(|element| entries.append(&mut day(element)));
    }
    Ok(Page { entries })
}

/// The body as text without its byte order mark.
fn text(body: &[u8]) -> Result<&str, Failure> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    match std::str::from_utf8(body) {
        Ok(text) if text.trim_ascii().is_empty() => Err(Failure::NotJson),
        Ok(text) => Ok(text),
        // A body that was cut within a character was cut off, if it was JSON up to there.
        Err(cut) if cut.error_len().is_none() => {
            let whole = body.get(..cut.valid_up_to()).unwrap_or_default();
            Err(text(whole)
                .and_then(answer)
                .err()
                .unwrap_or(Failure::NotJson))
        }
        Err(_) => Err(Failure::NotJson),
    }
}

fn answer(text: &str) -> Result<Members<'_>, Failure> {
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Eof => Failure::BodyCutOff,
        Category::Data => Failure::UnexpectedAnswer,
        Category::Syntax | Category::Io => Failure::NotJson,
    })
}

/// The entries of one element of `logs`: a date and the strings of that day.
fn day(element: &RawValue) -> Vec<Entry<'_>> {
    let Ok(members) = serde_json::from_str::<Members<'_>>(element.get()) else {
        return vec![bad(BadLine::NotText, None, "".into(), element.get().into())];
    };
    let date = trimmed(members.date.map_or("".into(), text_or_json));
    let written = members.date.and_then(string).is_some();
    let day = if written { date::parse(&date) } else { None };
    let whole = [element];
    let lists: &[&RawValue] = if members.eventlog.is_empty() {
        &whole
    } else {
        &members.eventlog
    };
    let mut entries = Vec::new();
    for list in lists {
        match items(list) {
            Some(items) => entries.extend(items.into_iter().map(|item| entry(item, day, &date))),
            None => entries.push(bad(BadLine::NotText, day, date.clone(), list.get().into())),
        }
    }
    entries
}

fn entry<'a>(item: &'a RawValue, day: Option<Date>, date: &Cow<'a, str>) -> Entry<'a> {
    let Some(day) = day else {
        return bad(BadLine::Date, None, date.clone(), text_or_json(item));
    };
    match string(item) {
        Some(text) => written(text, day, date),
        None => bad(BadLine::NotText, Some(day), date.clone(), item.get().into()),
    }
}

/// The entry that is written so under this date, which is that day.
pub(super) fn written<'a>(text: Cow<'a, str>, day: Date, date: &Cow<'a, str>) -> Entry<'a> {
    match line::parse(day, text) {
        Ok(line) => Entry::Line(line),
        Err((reason, text)) => bad(reason, Some(day), date.clone(), text),
    }
}

fn bad<'a>(
    reason: BadLine,
    day: Option<Date>,
    date: Cow<'a, str>,
    text: Cow<'a, str>,
) -> Entry<'a> {
    Entry::Bad {
        reason,
        day,
        date: bounded(date),
        text: bounded(text),
    }
}

fn bounded(text: Cow<'_, str>) -> Cow<'_, str> {
    let end = text.floor_char_boundary(LONGEST_BAD_TEXT);
    part(text, 0, end)
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    let start = text.len() - text.trim_start().len();
    let end = start + text.trim().len();
    part(text, start, end)
}

fn part(text: Cow<'_, str>, start: usize, end: usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => text.get(start..end).unwrap_or(text).into(),
        Cow::Owned(text) => text
            .get(start..end)
            .map(str::to_owned)
            .unwrap_or(text)
            .into(),
    }
}

/// What a JSON string says; none for other values, and for one whose escapes name no text.
fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    let json = value.get();
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str::<String>(json).ok().map(Cow::Owned);
    }
    Some(inner.into())
}

fn text_or_json(value: &RawValue) -> Cow<'_, str> {
    string(value).unwrap_or_else(|| value.get().into())
}

/// The items of a JSON list; a null is a list of none, anything else is no list.
fn items(value: &RawValue) -> Option<Vec<&RawValue>> {
    let list: Option<Vec<&RawValue>> = serde_json::from_str(value.get()).ok()?;
    Some(list.unwrap_or_default())
}

/// The members of a JSON object that mean something here. A list that is named twice is two.
struct Members<'a> {
    is_empty: bool,
    logs: Vec<&'a RawValue>,
    date: Option<&'a RawValue>,
    eventlog: Vec<&'a RawValue>,
}

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
pub(super) enum Name {
    Logs,
    Date,
    EventLog,
    #[serde(other)]
    Unknown,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members {
            is_empty: true,
            logs: Vec::new(),
            date: None,
            eventlog: Vec::new(),
        };
        while let Some(name) = map.next_key()? {
            members.is_empty = false;
            match name {
                Name::Logs => members.logs.push(map.next_value()?),
                Name::Date => members.date = Some(map.next_value()?),
                Name::EventLog => members.eventlog.push(map.next_value()?),
                Name::Unknown => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(members)
    }
}
