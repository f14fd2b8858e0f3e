//! How an account stands, as JSON in its row: other replicas show it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::saved::{SavedLogStanding, SavedStanding};
use crate::store::error::Fault;
use crate::store::value;

#[derive(Deserialize, Serialize)]
struct Written {
    up: bool,
    logs: Vec<WrittenLog>,
}

/// Times are milliseconds since 1970.
#[derive(Deserialize, Serialize)]
struct WrittenLog {
    log: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_ms: Option<u64>,
    behind: u64,
    unsettled: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failing: Option<String>,
}

/// The standing as it is written.
pub(super) fn column(standing: &SavedStanding) -> Result<String, Fault> {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let log = |log: &SavedLogStanding| WrittenLog {
        log: log.event_type.as_str().to_owned(),
        read_ms: log.read.map(ms),
        newest_ms: log.newest_line.map(ms),
        behind: log.behind,
        unsettled: log.unsettled,
        order: log.order.map(|order| order.as_str().to_owned()),
        failing: log.failing.map(str::to_owned),
    };
    let written = Written {
        up: standing.up,
        logs: standing.logs.iter().map(log).collect(),
    };
    serde_json::to_string(&written).map_err(|error| Fault::Odd(error.to_string()))
}

/// The standing that is written there; none before the first refresh. `reasons` are those that are
/// known of why a log fails.
pub(super) fn standing(
    column: &str,
    reasons: &[&'static str],
) -> Result<Option<SavedStanding>, Fault> {
    if column.is_empty() {
        return Ok(None);
    }
    let written: Written =
        serde_json::from_str(column).map_err(|error| Fault::Odd(format!("a standing: {error}")))?;
    let log = |log: WrittenLog| -> Result<SavedLogStanding, Fault> {
        let failing = log.failing.as_deref();
        // A newer version may know other reasons.
        let known = |reason: &str| reasons.iter().copied().find(|known| *known == reason);
        Ok(SavedLogStanding {
            event_type: value::log(&log.log)?,
            read: log.read_ms.map(Duration::from_millis),
            newest_line: log.newest_ms.map(Duration::from_millis),
            behind: log.behind,
            unsettled: log.unsettled,
            order: log.order.as_deref().map(value::order).transpose()?,
            failing: failing.map(|reason| known(reason).unwrap_or("other")),
        })
    };
    let logs = written.logs.into_iter().map(log);
    Ok(Some(SavedStanding {
        up: written.up,
        logs: logs.collect::<Result<_, Fault>>()?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventType;
    use crate::order::Order;

    #[test]
    fn a_standing_comes_back_as_it_was_written() {
        let log = |event_type, failing: Option<&'static str>, order| SavedLogStanding {
            event_type,
            read: Some(Duration::from_millis(1_700_000_000_123)),
            newest_line: failing.map(|_| Duration::from_secs(1_700_000_000)),
            behind: 7,
            unsettled: 9,
            order,
            failing,
        };
        let saved = SavedStanding {
            up: true,
            logs: vec![
                log(EventType::Device, None, Some(Order::OldestFirst)),
                log(EventType::Admin, Some("timeout"), None),
            ],
        };
        let text = column(&saved).expect("text");
        let back = standing(&text, &["timeout"]).expect("a standing");
        assert_eq!(back, Some(saved));
        assert_eq!(standing("", &[]).expect("nothing"), None);
        assert!(standing("{", &[]).is_err());
    }
}
