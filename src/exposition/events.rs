//! The event counters of an account as text, of which only what changed is written anew.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::format::label_into;
use super::piece::{Piece, Row};
use crate::catalogue::EVENTS;
use crate::event::{Account, EventType};
use crate::series::{One, Place, Series};

/// How many series are written and compressed together. With fewer a change of one costs less, with
/// more they compress better and are sent in fewer parts.
const SERIES_A_PIECE: usize = 512;

/// How OpenMetrics calls the moment from which the event counters count.
const EVENTS_CREATED: &str = "metaaccess_events_created";

/// The pieces of each log.
type Pieces = BTreeMap<EventType, Vec<Piece>>;

/// The text of an account's event counters, in pieces of so many series.
#[derive(Debug)]
pub struct EventsText {
    /// The account's name as a label's value.
    account: String,
    /// The labels that all series of the account have beside their own, each after a comma.
    constant: String,
    text: Pieces,
    /// With `_created`, where that is asked for: else OpenMetrics has the same samples.
    with_created: Option<Pieces>,
}

impl EventsText {
    /// No series yet. With `created`, OpenMetrics says since when each is counted.
    pub fn new(account: &Account, created: bool) -> Self {
        let mut escaped = String::new();
        label_into(&mut escaped, account.as_str());
        Self {
            account: escaped,
            constant: String::new(),
            text: Pieces::new(),
            with_created: created.then(Pieces::new),
        }
    }

    /// The same with labels that every series has beside its own, in this order. Nothing may have
    /// been written yet.
    #[must_use]
    pub fn with_labels(mut self, labels: &[(String, String)]) -> Self {
        for (name, value) in labels {
            label_to(&mut self.constant, name, value);
        }
        self
    }

    /// Forgets what was written, so that other series may stand at the same places.
    pub fn clear(&mut self) {
        self.text.clear();
        if let Some(pieces) = &mut self.with_created {
            pieces.clear();
        }
    }

    /// Writes the series at these places of a log anew, with those that share their pieces. A series
    /// that was not written yet is among them, and they are in order.
    pub fn update(&mut self, log: EventType, series: &Series, changed: &[Place]) {
        let mut touched: Vec<usize> = changed.iter().map(|place| place / SERIES_A_PIECE).collect();
        touched.dedup();
        for nth in touched {
            let first = nth * SERIES_A_PIECE;
            let row = || series.range(log, first..first + SERIES_A_PIECE);
            let around = (&*self.account, &*self.constant);
            let mut text = String::new();
            for one in row() {
                sample_into(&mut text, around, log, &one);
            }
            replace(&mut self.text, log, nth, text);
            if let Some(pieces) = &mut self.with_created {
                let mut text = String::new();
                for one in row() {
                    sample_into(&mut text, around, log, &one);
                    created_into(&mut text, around, log, &one);
                }
                replace(pieces, log, nth, text);
            }
        }
    }

    /// The text of other series of the same account, all of it written anew.
    pub fn of_others(&self, series: &Series) -> [Row; 2] {
        let mut text = Self {
            account: self.account.clone(),
            constant: self.constant.clone(),
            text: Pieces::new(),
            with_created: self.with_created.as_ref().map(|_| Pieces::new()),
        };
        for log in EventType::ALL {
            let all: Vec<Place> = (0..series.of_log(log).count()).collect();
            text.update(log, series, &all);
        }
        text.rows()
    }

    /// All of it in the text format and in OpenMetrics, in which it is the same unless that says
    /// since when. The text is not copied.
    pub fn rows(&self) -> [Row; 2] {
        let row = |pieces: &Pieces| Row::new(pieces.values().flatten().cloned());
        let text = row(&self.text);
        let openmetrics = self.with_created.as_ref().map(row);
        let openmetrics = openmetrics.unwrap_or_else(|| text.clone());
        [text, openmetrics]
    }
}

fn replace(pieces: &mut Pieces, log: EventType, nth: usize, mut text: String) {
    text.shrink_to_fit();
    let piece = Piece::new(text);
    let pieces = pieces.entry(log).or_default();
    match pieces.get_mut(nth) {
        Some(old) => *old = piece,
        None => pieces.push(piece),
    }
}

/// What an account writes into each of its series: its name, and its constant labels.
type Around<'a> = (&'a str, &'a str);

/// The value as it is shown, which both formats write alike.
fn sample_into(text: &mut String, around: Around<'_>, log: EventType, one: &One<'_>) {
    series_into(text, EVENTS.name, around, log, one);
    // Writing to a String cannot fail.
    let _ = writeln!(text, " {}", one.shown());
}

/// Since when it is counted, if that is known.
fn created_into(text: &mut String, around: Around<'_>, log: EventType, one: &One<'_>) {
    if let Some(created) = one.birth.created {
        series_into(text, EVENTS_CREATED, around, log, one);
        let _ = writeln!(text, " {created}");
    }
}

fn series_into(
    text: &mut String,
    name: &str,
    (account, constant): Around<'_>,
    log: EventType,
    one: &One<'_>,
) {
    let _ = write!(text, "{name}{{account=\"{account}\",event_type=\"{log}\"");
    for (name, value) in [
        ("category", one.labels.category),
        ("version", one.labels.version),
        ("hostname", one.labels.hostname),
        ("event", one.labels.event),
    ] {
        label_to(text, name, value);
    }
    text.push_str(constant);
    text.push('}');
}

/// Writes one label more.
fn label_to(text: &mut String, name: &str, value: &str) {
    let _ = write!(text, ",{name}=\"");
    label_into(text, value);
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::births::{Birth, Generation};
    use crate::event::Labels;
    use crate::series::SeriesLimits;

    fn none() -> Series {
        let limits = SeriesLimits {
            series: 10_000,
            events: 10,
        };
        Series::new(limits, [7; 16])
    }

    fn installed(hostname: &str) -> Labels<'_> {
        Labels {
            category: "MetaAccess",
            version: "1.1.1.1",
            hostname,
            event: "Installed",
        }
    }

    fn count(series: &mut Series, log: EventType, host: &str) {
        series.add(log, installed(host), 2, Birth::default());
    }

    fn update(text: &mut EventsText, log: EventType, series: &mut Series) -> usize {
        let changed = series.take_unwritten(log);
        text.update(log, series, &changed);
        changed.len()
    }

    fn whole(text: &EventsText) -> String {
        let [row, _] = text.rows();
        let texts = row.pieces().iter().map(|piece| piece.text().to_vec());
        String::from_utf8(texts.flatten().collect()).expect("UTF-8")
    }

    fn of_one(host: &str) -> String {
        let (mut text, mut series) = (EventsText::new(&Account::new("de\"fault"), true), none());
        count(&mut series, EventType::Device, host);
        update(&mut text, EventType::Device, &mut series);
        whole(&text)
    }

    #[test]
    fn a_series_is_a_line_with_its_labels_and_its_count() {
        assert_eq!(
            of_one("TEST-A"),
            "metaaccess_events_total{account=\"de\\\"fault\",event_type=\"device\",category=\"MetaAccess\",\
             version=\"1.1.1.1\",hostname=\"TEST-A\",event=\"Installed\"} 2\n"
        );
    }

    #[test]
    fn openmetrics_says_since_when_a_series_is_counted_where_that_is_known() {
        let (mut text, mut series) = (EventsText::new(&Account::new("a"), true), none());
        count(&mut series, EventType::Device, "TEST-A");
        let born = Birth {
            created: Some(1_767_225_600),
            zero: Some(Generation(1)),
        };
        let labels = Labels {
            version: "",
            ..installed("TEST-B")
        };
        series.add(EventType::Device, labels, 1, born);
        update(&mut text, EventType::Device, &mut series);
        let [_, row] = text.rows();
        let text: String = row
            .pieces()
            .iter()
            .map(|piece| String::from_utf8_lossy(piece.text()))
            .collect();
        let labels = r#"{account="a",event_type="device",category="MetaAccess",version="",hostname="TEST-B",event="Installed"}"#;
        let expected = format!(
            "metaaccess_events_total{labels} 0\nmetaaccess_events_created{labels} 1767225600\n"
        );
        assert_eq!(text.lines().count(), 3);
        assert!(text.ends_with(&expected), "{text}");
    }

    #[test]
    fn constant_labels_stand_behind_those_of_the_series_in_both_formats() {
        let labels = [("region", "eu\"\\rope"), ("team", "Zürich")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text = EventsText::new(&Account::new("a"), true).with_labels(&labels);
        let (mut text, mut series) = (text, none());
        let born = Birth {
            created: Some(1_767_225_600),
            zero: None,
        };
        series.add(EventType::Admin, installed("TEST-A"), 3, born);
        update(&mut text, EventType::Admin, &mut series);
        let own = r#"account="a",event_type="admin",category="MetaAccess",version="1.1.1.1",hostname="TEST-A",event="Installed""#;
        let all = format!(r#"{{{own},region="eu\"\\rope",team="Zürich"}}"#);
        let [plain, openmetrics] = text.rows().map(|row| {
            let text = row.pieces().iter().map(|piece| piece.text().to_vec());
            String::from_utf8(text.flatten().collect()).expect("UTF-8")
        });
        assert_eq!(plain, format!("metaaccess_events_total{all} 3\n"));
        let created = format!("metaaccess_events_created{all} 1767225600\n");
        assert_eq!(openmetrics, plain + &created);
    }

    #[test]
    fn nothing_in_a_hostname_breaks_out_of_its_label() {
        let text = of_one("x\"} 1\n# \\");
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains(r#"hostname="x\"} 1\n# \\",event="#), "{text}");
    }

    #[test]
    fn only_the_pieces_that_hold_a_change_are_written_anew() {
        let (mut text, mut series) = (EventsText::new(&Account::new("default"), false), none());
        let host = |n| format!("TEST-{n:04}");
        for n in 0..3 * SERIES_A_PIECE + 1 {
            count(&mut series, EventType::Device, &host(n));
        }
        count(&mut series, EventType::Admin, &host(0));
        update(&mut text, EventType::Device, &mut series);
        update(&mut text, EventType::Admin, &mut series);
        let [before, _] = text.rows();
        // A change in the second piece, and a new series in the fourth.
        count(&mut series, EventType::Device, &host(SERIES_A_PIECE));
        count(&mut series, EventType::Device, "TEST-NEW");
        assert_eq!(update(&mut text, EventType::Device, &mut series), 2);
        let [after, _] = text.rows();
        let same: Vec<bool> = std::iter::zip(before.pieces(), after.pieces())
            .map(|(before, after)| before.text().as_ptr() == after.text().as_ptr())
            .collect();
        assert_eq!(same, [true, false, true, false, true]);
        let mut anew = EventsText::new(&Account::new("default"), false);
        for log in EventType::ALL {
            let all: Vec<usize> = (0..series.of_log(log).count()).collect();
            anew.update(log, &series, &all);
        }
        assert_eq!(whole(&text), whole(&anew));
    }
}
