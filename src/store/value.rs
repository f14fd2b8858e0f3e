//! The values of [`crate::saved`] as columns, and back. What is read is checked: a file may be
//! damaged where SQLite does not notice.

use std::time::Duration;

use super::error::Fault;
use crate::births::Generation;
use crate::event::{EventType, Minute};
use crate::moment::Moment;
use crate::order::Order;
use crate::sighting::{Bucket, Fingerprint};

/// Bytes of one line of a bucket: its fingerprint (8) and how often it was counted (4), big-endian.
const ENTRY: usize = 12;

/// A number of ours as SQL's integers hold it; refused where it would turn negative.
pub(super) fn integer(what: &'static str, value: u64) -> Result<i64, Fault> {
    i64::try_from(value).map_err(|_| Fault::TooLarge {
        what,
        value: value.into(),
    })
}

/// A duration in nanoseconds: up to 292 years.
pub(super) fn nanoseconds(what: &'static str, value: Duration) -> Result<i64, Fault> {
    let value = value.as_nanos();
    i64::try_from(value).map_err(|_| Fault::TooLarge { what, value })
}

pub(super) fn duration(what: &'static str, value: i64) -> Result<Duration, Fault> {
    unsigned(what, value).map(Duration::from_nanos)
}

pub(super) fn moment(what: &'static str, value: i64) -> Result<Moment, Fault> {
    duration(what, value).map(Moment)
}

pub(super) fn unsigned(what: &'static str, value: i64) -> Result<u64, Fault> {
    u64::try_from(value).map_err(|_| odd(what, value))
}

pub(super) fn small(what: &'static str, value: i64) -> Result<u32, Fault> {
    u32::try_from(value).map_err(|_| odd(what, value))
}

/// A generation after which there are others.
pub(super) fn generation(value: i64) -> Result<Generation, Fault> {
    match small("a generation", value)? {
        u32::MAX => Err(odd("a generation", value)),
        sound => Ok(Generation(sound)),
    }
}

/// 16 hexadecimal digits.
pub(super) fn epoch(epoch: String) -> Result<String, Fault> {
    let digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    match epoch.len() == 16 && epoch.chars().all(digit) {
        true => Ok(epoch),
        false => Err(odd("an epoch", epoch)),
    }
}

pub(super) fn flag(what: &'static str, value: i64) -> Result<bool, Fault> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(odd(what, value)),
    }
}

pub(super) fn log(value: &str) -> Result<EventType, Fault> {
    let found = EventType::ALL.into_iter().find(|log| log.as_str() == value);
    found.ok_or_else(|| odd("a log", value))
}

pub(super) fn order(value: &str) -> Result<Order, Fault> {
    let orders = [Order::NewestFirst, Order::OldestFirst];
    let found = orders.into_iter().find(|order| order.as_str() == value);
    found.ok_or_else(|| odd("an order of pages", value))
}

/// The columns `kind` and `minute` of a bucket.
pub(super) fn bucket_columns(bucket: Bucket) -> (&'static str, i64) {
    match bucket {
        Bucket::Undated => ("undated", 0),
        Bucket::Day(Minute(minute)) => ("day", minute),
        Bucket::At(Minute(minute)) => ("minute", minute),
    }
}

pub(super) fn bucket(kind: &str, minute: i64) -> Result<Bucket, Fault> {
    match (kind, minute) {
        ("undated", 0) => Ok(Bucket::Undated),
        ("day", minute) => Ok(Bucket::Day(Minute(minute))),
        ("minute", minute) => Ok(Bucket::At(Minute(minute))),
        _ => Err(odd("a kind of bucket", kind)),
    }
}

pub(super) fn counted_bytes(counted: &[(Fingerprint, u32)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(counted.len() * ENTRY);
    for (fingerprint, times) in counted {
        bytes.extend(fingerprint.0.to_be_bytes());
        bytes.extend(times.to_be_bytes());
    }
    bytes
}

pub(super) fn counted(bytes: &[u8]) -> Result<Vec<(Fingerprint, u32)>, Fault> {
    let (entries, rest) = bytes.as_chunks::<ENTRY>();
    if !rest.is_empty() {
        return Err(odd("the length of what was counted", bytes.len()));
    }
    let entry = |[a, b, c, d, e, f, g, h, times @ ..]: &[u8; ENTRY]| {
        let fingerprint = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
        (Fingerprint(fingerprint), u32::from_be_bytes(*times))
    };
    Ok(entries.iter().map(entry).collect())
}

pub(super) fn odd(what: &str, value: impl std::fmt::Display) -> Fault {
    Fault::Odd(format!("{value} cannot be {what}"))
}
