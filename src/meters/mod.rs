//! The exporter's own metrics, made from the catalogue and held by the prometheus crate.
//!
//! The event counters are not among them: `exposition` writes those itself. And most of the others
//! change with a refresh only, so that they are written once after each, not for every scrape.

mod openmetrics;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{
    Counter, CounterVec, Encoder, Gauge, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry,
    TextEncoder,
};
use tracing::error;

use crate::catalogue::{self, Kind, Metric};
use crate::exposition::{Format, Piece};

/// Seconds; a request is given up after a few.
const REQUEST_BUCKETS: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Seconds; a line is due within one scrape interval, and late after a few minutes.
const DELAY_BUCKETS: [f64; 10] = [
    5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0,
];

/// Seconds; a commit takes about a millisecond on a local disk.
const SAVE_BUCKETS: [f64; 10] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0,
];

/// Every metric of the catalogue but the events, by its name.
#[derive(Debug)]
pub struct Meters {
    families: HashMap<&'static str, Family>,
    /// Those that change with every scrape.
    live: Registry,
    /// All others.
    settled: Registry,
    /// How often those were changed.
    changes: AtomicU64,
    /// What they were written as last, and after how many changes.
    written: Mutex<HashMap<Format, (u64, Piece)>>,
    created: OnceLock<Created>,
}

/// Since when counters count, since the Unix epoch: those of this process, and those of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    pub process: Duration,
    pub state: Duration,
}

#[derive(Debug)]
enum Family {
    Counter(CounterVec),
    Gauge(GaugeVec),
    Histogram(HistogramVec),
}

impl Meters {
    /// All metrics, without any series yet. Fails only if the catalogue breaks a rule.
    pub fn new() -> Result<Self, prometheus::Error> {
        let (live, settled) = (Registry::new(), Registry::new());
        let mut families = HashMap::new();
        for metric in catalogue::ALL
            .iter()
            .filter(|m| m.name != catalogue::EVENTS.name)
        {
            let registry = if is_live(metric) { &live } else { &settled };
            families.insert(metric.name, Family::register(metric, registry)?);
        }
        Ok(Self {
            families,
            live,
            settled,
            changes: AtomicU64::new(0),
            written: Mutex::default(),
            created: OnceLock::new(),
        })
    }

    /// OpenMetrics says from now on since when counters count. Only the first call does anything.
    pub fn say_created(&self, created: Created) {
        let _ = self.created.set(created);
    }

    /// Changes the family of a metric. Only then is the change counted: a text that is written in
    /// between, of the values before, is written anew.
    fn change(&self, metric: &Metric, change: impl FnOnce(&Family) -> Result<(), Unchanged>) {
        let family = self.families.get(metric.name);
        if let Err(Unchanged(why)) = family.map_or(Err(Unchanged::unknown()), change) {
            error!(metric.name, why, "a metric could not be changed");
            debug_assert!(false, "{} could not be changed: {why}", metric.name);
        }
        if !is_live(metric) {
            self.changes.fetch_add(1, Ordering::Release);
        }
    }

    fn gauge(&self, metric: Metric, labels: &[&str], change: impl FnOnce(&Gauge)) {
        self.change(&metric, |family| {
            let Family::Gauge(gauge) = family else {
                return Err(Unchanged::unknown());
            };
            change(&gauge.get_metric_with_label_values(labels)?);
            Ok(())
        });
    }

    fn counter(&self, metric: Metric, labels: &[&str], change: impl FnOnce(&Counter)) {
        self.change(&metric, |family| {
            let Family::Counter(counter) = family else {
                return Err(Unchanged::unknown());
            };
            change(&counter.get_metric_with_label_values(labels)?);
            Ok(())
        });
    }

    /// Sets a gauge.
    pub fn set(&self, metric: Metric, labels: &[&str], value: f64) {
        self.gauge(metric, labels, |gauge| gauge.set(value));
    }

    /// Sets a gauge that only ever rises.
    pub fn raise(&self, metric: Metric, labels: &[&str], value: f64) {
        self.gauge(metric, labels, |gauge| gauge.set(gauge.get().max(value)));
    }

    /// Drops a series of a gauge, if it is there.
    pub fn forget(&self, metric: Metric, labels: &[&str]) {
        self.change(&metric, |family| {
            if let Family::Gauge(gauge) = family {
                // It says so where there is none, which is as well.
                let _ = gauge.remove_label_values(labels);
            }
            Ok(())
        });
    }

    /// Adds to a counter; adding 0 makes the series known.
    pub fn add(&self, metric: Metric, labels: &[&str], more: u64) {
        // A counter is a float in Prometheus too.
        self.counter(metric, labels, |counter| counter.inc_by(more as f64));
    }

    /// Sets a counter that is kept elsewhere, which never falls. Only one at a time may do so.
    pub fn raise_to(&self, metric: Metric, labels: &[&str], total: f64) {
        self.counter(metric, labels, |counter| {
            counter.inc_by((total - counter.get()).max(0.0));
        });
    }

    /// Observes so many equal values of a histogram; none makes the series known.
    pub fn observe(&self, metric: Metric, labels: &[&str], value: f64, times: u32) {
        self.change(&metric, |family| {
            let Family::Histogram(histogram) = family else {
                return Err(Unchanged::unknown());
            };
            let histogram = histogram.get_metric_with_label_values(labels)?;
            (0..times).for_each(|_| histogram.observe(value));
            Ok(())
        });
    }

    /// All series that change with every scrape, without the end of the format.
    pub fn live(&self, format: Format) -> String {
        self.text(&self.live, format)
    }

    /// All other series, which are written only if one of them has changed.
    pub fn settled(&self, format: Format) -> Piece {
        // Read before the values are, so that a change in between is written the next time.
        let changes = self.changes.load(Ordering::Acquire);
        let written = self.written.lock();
        let mut written = written.unwrap_or_else(PoisonError::into_inner);
        if let Some((at, piece)) = written.get(&format)
            && *at == changes
        {
            return piece.clone();
        }
        let piece = Piece::new(self.text(&self.settled, format));
        written.insert(format, (changes, piece.clone()));
        piece
    }

    fn text(&self, registry: &Registry, format: Format) -> String {
        let families = registry.gather();
        let text = match format {
            Format::Text => plain_text(&families),
            Format::OpenMetrics => {
                let text = openmetrics::encode(&families, |name| self.created(name));
                text.map_err(|error| error.to_string())
            }
        };
        text.unwrap_or_else(|error| {
            error!(%error, "the exporter's own metrics could not be written");
            String::new()
        })
    }

    /// Since when a counter counts, in seconds since the Unix epoch, if that is to be said.
    fn created(&self, name: &str) -> Option<f64> {
        let created = self.created.get()?;
        let is_kept = catalogue::KEPT.iter().any(|kept| kept.name == name);
        let since = if is_kept {
            created.state
        } else {
            created.process
        };
        Some(since.as_secs_f64())
    }
}

/// Why a metric could not be changed: a mistake in this program.
struct Unchanged(String);

impl Unchanged {
    fn unknown() -> Self {
        Self("there is no such metric of this kind".to_owned())
    }
}

impl From<prometheus::Error> for Unchanged {
    fn from(error: prometheus::Error) -> Self {
        Self(error.to_string())
    }
}

fn is_live(metric: &Metric) -> bool {
    let mut live = catalogue::LIVE.iter();
    live.any(|live| live.name == metric.name)
}

fn plain_text(families: &[MetricFamily]) -> Result<String, String> {
    let mut text = Vec::new();
    let encoded = TextEncoder::new().encode(families, &mut text);
    encoded.map_err(|error| error.to_string())?;
    String::from_utf8(text).map_err(|error| error.to_string())
}

impl Family {
    fn register(metric: &Metric, registry: &Registry) -> Result<Self, prometheus::Error> {
        let opts = Opts::new(metric.name, metric.help);
        match metric.kind {
            Kind::Counter => {
                let counter = CounterVec::new(opts, metric.labels)?;
                registry.register(Box::new(counter.clone()))?;
                Ok(Self::Counter(counter))
            }
            Kind::Gauge => {
                let gauge = GaugeVec::new(opts, metric.labels)?;
                registry.register(Box::new(gauge.clone()))?;
                Ok(Self::Gauge(gauge))
            }
            Kind::Histogram => {
                let opts = HistogramOpts::from(opts).buckets(buckets_of(metric));
                let histogram = HistogramVec::new(opts, metric.labels)?;
                registry.register(Box::new(histogram.clone()))?;
                Ok(Self::Histogram(histogram))
            }
        }
    }
}

fn buckets_of(metric: &Metric) -> Vec<f64> {
    match metric.name {
        name if name == catalogue::DELAY.name => DELAY_BUCKETS.to_vec(),
        name if name == catalogue::STATE_SAVE_DURATION.name => SAVE_BUCKETS.to_vec(),
        _ => REQUEST_BUCKETS.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is shown, as text.
    fn whole(meters: &Meters) -> String {
        let settled = meters.settled(Format::Text);
        let settled = String::from_utf8(settled.text().to_vec()).expect("UTF-8");
        settled + &meters.live(Format::Text)
    }

    #[test]
    fn what_changes_is_written_anew_and_nothing_else() {
        let meters = Meters::new().expect("a sound catalogue");
        let settled = || meters.settled(Format::Text).text().clone();
        meters.set(catalogue::UP, &["default"], 0.0);
        let before = settled();
        meters.add(catalogue::SCRAPES, &[], 1);
        assert_eq!(
            settled().as_ptr(),
            before.as_ptr(),
            "a scrape changes nothing of it"
        );
        let up = |value| format!("metaaccess_up{{account=\"default\"}} {value}\n");
        meters.set(catalogue::UP, &["default"], 1.0);
        for format in [Format::Text, Format::OpenMetrics] {
            let text = String::from_utf8_lossy(meters.settled(format).text()).into_owned();
            assert!(text.contains(&up(1)) && !text.contains(&up(0)), "{text}");
        }
        meters.forget(catalogue::UP, &["default"]);
        assert!(settled().is_empty());
    }

    #[test]
    fn openmetrics_says_since_when_is_counted_if_asked_to() {
        let meters = Meters::new().expect("a sound catalogue");
        meters.add(catalogue::SCRAPES, &[], 1);
        meters.add(catalogue::GAPS, &["a", "device"], 1);
        let text = || {
            let settled = meters.settled(Format::OpenMetrics);
            meters.live(Format::OpenMetrics) + &String::from_utf8_lossy(settled.text())
        };
        assert!(!text().contains("_created"));
        meters.say_created(Created {
            process: Duration::from_secs(1_767_225_600),
            state: Duration::from_secs(1_735_689_600),
        });
        meters.add(catalogue::GAPS, &["a", "device"], 1);
        let text = text();
        for sample in [
            "metaaccess_exporter_scrapes_created 1767225600\n",
            "metaaccess_log_gaps_created{account=\"a\",event_type=\"device\"} 1735689600\n",
        ] {
            assert!(text.contains(sample), "{sample}: {text}");
        }
    }

    #[test]
    fn every_metric_of_the_catalogue_can_be_shown() {
        let meters = Meters::new().expect("a sound catalogue");
        for metric in catalogue::ALL.iter().skip(1) {
            let labels = vec!["x"; metric.labels.len()];
            match metric.kind {
                Kind::Counter => meters.add(*metric, &labels, 1),
                Kind::Gauge => meters.set(*metric, &labels, 1.0),
                Kind::Histogram => meters.observe(*metric, &labels, 1.0, 1),
            }
        }
        let text = whole(&meters);
        for metric in catalogue::ALL.iter().skip(1) {
            let head = format!("# TYPE {} {}\n", metric.name, metric.kind.as_str());
            assert!(text.contains(&head), "{head}");
        }
    }

    #[test]
    fn a_counter_kept_elsewhere_is_shown_at_its_value() {
        let meters = Meters::new().expect("a sound catalogue");
        for total in [1.5, 4.0, 4.0] {
            meters.raise_to(catalogue::PROCESS_CPU, &[], total);
        }
        assert!(whole(&meters).contains("process_cpu_seconds_total 4\n"));
    }
}
