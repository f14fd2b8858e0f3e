//! The JSON that the control plane tells: the truth, and what was asked.

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::limit::{RateLimit, Received, Record};
use super::line::written;
use super::world::World;
use crate::event::{EventType, Labels, Minute};
use crate::moment::Moment;

/// The truth, and where the logs stand.
pub fn truth_json(world: &World, zone: &TimeZone) -> Value {
    let clock = |minute: Minute| written(minute, zone).strftime("%Y-%m-%dT%H:%M").to_string();
    let truth = world.truth();
    let counts = truth.counts().map(|(event_type, event, count)| {
        let Labels {
            category,
            version,
            hostname,
            event,
        } = event.labels();
        json!({
            "event_type": event_type.as_str(), "category": category, "version": version,
            "hostname": hostname, "event": event, "count": count,
        })
    });
    let logs = EventType::ALL.into_iter().map(|event_type| {
        let log = truth.log(event_type);
        let told = json!({
            "lines": log.lines, "malformed": log.malformed, "newest": log.newest.map(clock),
            "kept": world.log(event_type).len(),
        });
        (event_type.as_str().to_owned(), told)
    });
    json!({
        "counts": counts.collect::<Vec<_>>(),
        "lines": truth.lines(),
        "logs": logs.collect::<Map<_, _>>(),
        "present": clock(world.present()),
        "paused": world.is_paused(),
    })
}

/// What was seen of requests, by the limit that they are held to; with `list`, each of the last.
pub fn requests_json(record: &Record, limit: RateLimit, started: Moment, list: bool) -> Value {
    let millis = |at: Moment| at.since(started).as_millis() as u64;
    let by_path = record
        .by_path
        .iter()
        .map(|(path, count)| (path.as_str().to_owned(), json!(count)));
    let by_status = record
        .by_status
        .iter()
        .map(|(status, count)| (status.to_string(), json!(count)));
    let mut told = json!({
        "total": record.total,
        "by_path": by_path.collect::<Map<_, _>>(),
        "by_status": by_status.collect::<Map<_, _>>(),
        "unanswered": record.total - record.by_status.values().sum::<u64>(),
        "most_in_any_window": record.most_in_any_window,
        "over_limit": record.over_limit,
        "limit": limit.requests,
        "window_seconds": limit.window.as_secs_f64(),
        "first_ms": record.first.map(millis),
        "last_ms": record.last.map(millis),
    });
    if list {
        let requests = record
            .requests
            .iter()
            .map(|request| request_json(request, millis(request.at)));
        told["requests"] = requests.collect();
    }
    told
}

fn request_json(request: &Received, at_ms: u64) -> Value {
    json!({
        "at_ms": at_ms,
        "path": request.path.as_str(),
        "event_type": request.event_type.map(EventType::as_str),
        "limit": request.limit,
        "page": request.page,
        "status": request.status,
    })
}
