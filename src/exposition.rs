//! Counts to the text format of Prometheus, version 0.0.4.

use std::fmt::Write;

use crate::catalogue::{EVENTS, Metric};
use crate::event::{Account, EventType};
use crate::series::Series;

/// The `Content-Type` of the text format. Prometheus 3 fails a scrape whose type it does not know.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The `# HELP` and `# TYPE` lines of the event counters, which stand before those of any account.
pub fn events_head() -> String {
    let Metric {
        name, kind, help, ..
    } = EVENTS;
    format!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.as_str())
}

/// The event counters of an account: those of the logs in `shown`, a line each.
pub fn events(account: &Account, series: &Series, shown: &[EventType]) -> String {
    let mut text = String::new();
    let account = escaped(account.as_str());
    for log in shown {
        for (event, count) in series.of_log(*log) {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{}{{account=\"{account}\",event_type=\"{log}\",category=\"{}\",version=\"{}\",hostname=\"{}\",event=\"{}\"}} {count}",
                EVENTS.name,
                escaped(&event.category),
                escaped(&event.version),
                escaped(&event.hostname),
                escaped(&event.event),
            );
        }
    }
    text
}

/// A label's value as the format wants it.
fn escaped(value: &str) -> String {
    value
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::event::Event;
    use crate::series::SeriesLimits;

    fn one(host: &str) -> Series {
        let mut series = Series::new(SeriesLimits {
            series: 10,
            events: 10,
        });
        let event = Event {
            category: "MetaAccess".into(),
            version: "1.1.1.1".into(),
            hostname: host.into(),
            event: "Installed".into(),
        };
        series.add(EventType::Device, &Arc::new(event), 2);
        series
    }

    #[test]
    fn a_series_is_a_line_with_its_labels_and_its_count() {
        let text = events(&Account::new("default"), &one("TEST-A"), &EventType::ALL);
        assert_eq!(
            text,
            "metaaccess_events_total{account=\"default\",event_type=\"device\",category=\"MetaAccess\",\
             version=\"1.1.1.1\",hostname=\"TEST-A\",event=\"Installed\"} 2\n"
        );
    }

    #[test]
    fn a_log_that_is_not_shown_yet_has_no_series() {
        let text = events(
            &Account::new("default"),
            &one("TEST-A"),
            &[EventType::Admin],
        );
        assert_eq!(text, "");
    }

    #[test]
    fn nothing_in_a_hostname_breaks_out_of_its_label() {
        let text = events(
            &Account::new("a"),
            &one("x\"} 1\n# \\"),
            &[EventType::Device],
        );
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains(r#"hostname="x\"} 1\n# \\",event="#), "{text}");
    }
}
