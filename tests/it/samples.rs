//! A scrape as Prometheus would read it.

use std::collections::BTreeMap;

use metaaccess_exporter::event::{self, Event};

/// Event counts by the log and the event.
pub type Counts = BTreeMap<(String, Event), u64>;

type Labels = BTreeMap<String, String>;

/// All samples of a scrape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples(BTreeMap<(String, Labels), f64>);

impl Samples {
    /// Reads the text format. A series that comes twice is a mistake that Prometheus would refuse.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line does not end");
        let mut samples = BTreeMap::new();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        for line in lines {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let value: f64 = value.parse().expect("a number");
            let before = samples.insert(series_of(series), value);
            assert!(before.is_none(), "{series} comes twice");
        }
        Self(samples)
    }

    /// Those of one account.
    pub fn of(&self, account: &str) -> Self {
        let is_its = |labels: &Labels| labels.get("account").is_some_and(|its| its == account);
        let series = self.0.iter().filter(|((_, labels), _)| is_its(labels));
        Self(series.map(|(key, value)| (key.clone(), *value)).collect())
    }

    /// The sum of the series that carry these labels among others, and how many there are.
    fn matching(&self, name: &str, labels: &[(&str, &str)]) -> (f64, usize) {
        let has = |held: &Labels| {
            let mut wanted = labels.iter();
            wanted.all(|(key, value)| held.get(*key).is_some_and(|held| held == value))
        };
        let series = self.0.iter();
        let series = series.filter(|((its_name, held), _)| its_name == name && has(held));
        series.fold((0.0, 0), |(sum, count), (_, value)| {
            (sum + value, count + 1)
        })
    }

    /// The sum of the series that carry these labels among others; 0 where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).0
    }

    /// The value of the one series that carries these labels among others.
    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let (sum, count) = self.matching(name, labels);
        assert_eq!(count, 1, "series of {name} with {labels:?}");
        sum
    }

    /// The values of these metrics, by their series.
    pub fn values_of(&self, names: &[&str]) -> BTreeMap<String, f64> {
        let series = self.0.iter();
        let wanted = series.filter(|((name, _), _)| names.contains(&name.as_str()));
        wanted
            .map(|((name, labels), value)| (format!("{name} {labels:?}"), *value))
            .collect()
    }

    /// Whether the account's last refresh worked.
    #[track_caller]
    pub fn is_up(&self) -> bool {
        self.value("metaaccess_up", &[]) == 1.0
    }

    /// The reasons for which a log is failing.
    pub fn failing(&self, log: &str) -> Vec<&str> {
        let failing = self.0.iter().filter(|((name, labels), value)| {
            name == "metaaccess_log_failing" && labels["event_type"] == log && **value == 1.0
        });
        failing
            .map(|((_, labels), _)| labels["reason"].as_str())
            .collect()
    }

    /// What the exporter says of its logs, but for what is 0: for the message of a failed test.
    pub fn own_words(&self) -> String {
        let told = |((name, labels), value): (&(String, Labels), &f64)| {
            let of_a_log = name.starts_with("metaaccess_log_") && !name.contains("_delay_");
            let log = labels
                .get("event_type")
                .filter(|_| of_a_log && *value != 0.0)?;
            let reason = labels.get("reason").map_or("", String::as_str);
            Some(format!("{name} {log} {reason} {value}"))
        };
        self.0
            .iter()
            .filter_map(told)
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// The event counts.
    pub fn counts(&self) -> Counts {
        let series = self.0.iter();
        let events = series.filter(|((name, _), _)| name == "metaaccess_events_total");
        let count = |((_, labels), value): (&(String, Labels), &f64)| {
            let label = |name: &str| labels[name].as_str();
            let event = Event::new(event::Labels {
                category: label("category"),
                version: label("version"),
                hostname: label("hostname"),
                event: label("event"),
            });
            assert_eq!(labels.len(), 6, "{labels:?}");
            assert_eq!(value.fract(), 0.0, "{event:?} {value}");
            ((label("event_type").to_owned(), event), *value as u64)
        };
        events.map(count).collect()
    }
}

/// A series' name and labels.
fn series_of(text: &str) -> (String, Labels) {
    let Some((name, labels)) = text.split_once('{') else {
        return (text.to_owned(), Labels::new());
    };
    let mut rest = labels.strip_suffix('}').expect("the end of the labels");
    let mut read = Labels::new();
    while let Some((key, after)) = rest.split_once("=\"") {
        let (value, end) = quoted(after);
        let before = read.insert(key.to_owned(), value);
        assert!(before.is_none(), "{key} comes twice in {text}");
        rest = &after[end..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    assert!(rest.is_empty(), "what is {rest:?} in {text}");
    (name.to_owned(), read)
}

/// A quoted value, and where what follows its closing quote begins.
fn quoted(text: &str) -> (String, usize) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, at + 1),
            '\\' => match characters.next().map(|(_, escaped)| escaped) {
                Some('n') => value.push('\n'),
                Some(escaped @ ('\\' | '"')) => value.push(escaped),
                other => panic!("{other:?} is escaped in {text}"),
            },
            plain => value.push(plain),
        }
    }
    panic!("no end of {text}");
}

#[test]
fn labels_are_read_with_whatever_they_hold() {
    let samples = Samples::parse("# HELP a b\na{x=\"1,y=\\\"\\\\\",z=\"\"} 2\na 3\n");
    assert_eq!(samples.value("a", &[("x", "1,y=\"\\"), ("z", "")]), 2.0);
    assert_eq!(samples.sum("a", &[]), 5.0);
}
