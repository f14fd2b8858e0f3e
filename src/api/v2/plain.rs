//! Answers without anything odd, read in one go: what nearly all are, and four times as fast.

use std::fmt;

use jiff::civil::Date;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::page::{Name, written};
use super::{Page, date};
use crate::window::PAGE;

/// An answer of which every text stands in the body as it is, without escapes: its `logs`, once.
struct Plain<'a>(Vec<Day<'a>>);

/// One of those: `date` and `eventlog`, once each.
struct Day<'a> {
    date: &'a str,
    lines: Lines<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Plain<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with logs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut logs = None;
        while let Some(name) = map.next_key()? {
            match name {
                Name::Logs => once(&mut logs, map.next_value()?)?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        logs.map(Plain).ok_or_else(missing)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Day<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DayVisitor)
    }
}

struct DayVisitor;

impl<'de> Visitor<'de> for DayVisitor {
    type Value = Day<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with date and eventlog")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut date, mut lines) = (None, None);
        while let Some(name) = map.next_key()? {
            match name {
                Name::Date => once(&mut date, map.next_value()?)?,
                Name::EventLog => once(&mut lines, map.next_value()?)?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let day = date.zip(lines);
        day.map(|(date, lines)| Day { date, lines })
            .ok_or_else(missing)
    }
}

fn once<T, E: Error>(member: &mut Option<T>, value: T) -> Result<(), E> {
    match member.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom("a member is there twice")),
    }
}

fn missing<E: Error>() -> E {
    E::custom("a member is missing")
}

/// The strings of a list, with room from the start for as many as a page has.
struct Lines<'a>(Vec<&'a str>);

impl<'de: 'a, 'a> Deserialize<'de> for Lines<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(LinesVisitor).map(Lines)
    }
}

struct LinesVisitor;

impl<'de> Visitor<'de> for LinesVisitor {
    type Value = Vec<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut lines = Vec::with_capacity(PAGE as usize);
        while let Some(line) = list.next_element()? {
            lines.push(line);
        }
        Ok(lines)
    }
}

/// The page of a plain answer, as [`super::parse`] gives it; none for any other answer.
pub(super) fn parse(body: &[u8]) -> Option<Page<'_>> {
    let plain: Plain<'_> = serde_json::from_str(std::str::from_utf8(body).ok()?).ok()?;
    let Plain(logs) = plain;
    let days = logs.iter().map(|day| date::parse(day.date.trim()));
    let days: Vec<Date> = days.collect::<Option<_>>()?;
    let lines = logs.iter().map(|day| day.lines.0.len()).sum();
    let mut entries = Vec::with_capacity(lines);
    for (day, of_day) in days.into_iter().zip(logs) {
        let date = of_day.date.trim().into();
        let lines = of_day.lines.0.into_iter();
        entries.extend(lines.map(|text| written(text.into(), day, &date)));
    }
    Some(Page { entries })
}
