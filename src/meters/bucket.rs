//! The metrics of one account, or those that are of none: their families and their text.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::proto::MetricFamily;
use prometheus::{
    CounterVec, Encoder, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry, TextEncoder,
};
use tracing::error;

use super::openmetrics;
use crate::catalogue::{self, Kind, Metric};
use crate::exposition::Format;

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

/// Some metrics of the catalogue, by name.
#[derive(Debug)]
pub(super) struct Bucket {
    families: HashMap<&'static str, (&'static Metric, Family)>,
    /// Those that change with every scrape.
    live: Registry,
    /// All others.
    settled: Registry,
    /// How often those were changed.
    changes: AtomicU64,
    /// What they were written as last, and after how many changes.
    written: Mutex<HashMap<Format, After>>,
}

/// What was written after so many changes.
type After = (u64, Arc<[Written]>);

#[derive(Debug)]
pub(super) enum Family {
    Counter(CounterVec),
    Gauge(GaugeVec),
    Histogram(HistogramVec),
}

/// The samples of a family as text. Its head is not among them: accounts share it.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) metric: &'static Metric,
    pub(super) samples: String,
}

impl Bucket {
    /// These metrics, without any series yet. Fails only if the catalogue breaks a rule.
    pub(super) fn of(
        metrics: impl Iterator<Item = &'static Metric>,
    ) -> Result<Self, prometheus::Error> {
        let (live, settled) = (Registry::new(), Registry::new());
        let mut families = HashMap::new();
        for metric in metrics {
            let registry = if is_live(metric) { &live } else { &settled };
            let family = Family::register(metric, registry)?;
            families.insert(metric.name, (metric, family));
        }
        Ok(Self {
            families,
            live,
            settled,
            changes: AtomicU64::new(0),
            written: Mutex::default(),
        })
    }

    pub(super) fn family(&self, metric: &Metric) -> Option<&Family> {
        self.families.get(metric.name).map(|(_, family)| family)
    }

    /// Notes that one of the settled families was changed.
    pub(super) fn is_changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// The families that change with every scrape.
    pub(super) fn live(
        &self,
        format: Format,
        created: impl Fn(&str) -> Option<f64>,
    ) -> Vec<Written> {
        self.written(&self.live, format, created)
    }

    /// All others, which are written only if one of them has changed.
    pub(super) fn settled(
        &self,
        format: Format,
        created: impl Fn(&str) -> Option<f64>,
    ) -> Arc<[Written]> {
        // Read before the values are, so that a change in between is written the next time.
        let changes = self.changes.load(Ordering::Acquire);
        let lock = self.written.lock();
        let mut lock = lock.unwrap_or_else(PoisonError::into_inner);
        if let Some((at, text)) = lock.get(&format)
            && *at == changes
        {
            return Arc::clone(text);
        }
        let text: Arc<[Written]> = self.written(&self.settled, format, created).into();
        lock.insert(format, (changes, Arc::clone(&text)));
        text
    }

    /// The samples of all families of a registry that have any.
    fn written(
        &self,
        registry: &Registry,
        format: Format,
        created: impl Fn(&str) -> Option<f64>,
    ) -> Vec<Written> {
        let write = |family: &MetricFamily| {
            let (metric, _) = self.families.get(family.name())?;
            let samples = match format {
                Format::Text => plain_samples(family),
                Format::OpenMetrics => openmetrics::samples(family, created(metric.name))
                    .map_err(|error| error.to_string()),
            };
            let samples = samples.unwrap_or_else(|error| {
                error!(%error, "the exporter's own metrics could not be written");
                String::new()
            });
            Some(Written { metric, samples })
        };
        registry.gather().iter().filter_map(write).collect()
    }
}

pub(super) fn is_live(metric: &Metric) -> bool {
    let mut live = catalogue::LIVE.iter();
    live.any(|live| live.name == metric.name)
}

fn plain_samples(family: &MetricFamily) -> Result<String, String> {
    let mut text = Vec::new();
    let encoded = TextEncoder::new().encode(std::slice::from_ref(family), &mut text);
    encoded.map_err(|error| error.to_string())?;
    let text = String::from_utf8(text).map_err(|error| error.to_string())?;
    let is_sample = |line: &&str| !line.starts_with('#');
    Ok(text.split_inclusive('\n').filter(is_sample).collect())
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
