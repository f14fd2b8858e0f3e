//! The exporter's own metrics, made from the catalogue and held by the prometheus crate.
//!
//! The event counters are not among them: `exposition` writes those itself.

use std::collections::HashMap;

use prometheus::{
    CounterVec, Encoder, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry, TextEncoder,
};
use tracing::error;

use crate::catalogue::{self, Kind, Metric};

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
    registry: Registry,
    families: HashMap<&'static str, Family>,
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
        let registry = Registry::new();
        let mut families = HashMap::new();
        for metric in catalogue::ALL
            .iter()
            .filter(|m| m.name != catalogue::EVENTS.name)
        {
            families.insert(metric.name, Family::register(metric, &registry)?);
        }
        Ok(Self { registry, families })
    }

    /// Sets a gauge.
    pub fn set(&self, metric: Metric, labels: &[&str], value: f64) {
        if let Some(Family::Gauge(gauge)) = self.families.get(metric.name) {
            match gauge.get_metric_with_label_values(labels) {
                Ok(gauge) => return gauge.set(value),
                Err(error) => error!(metric.name, %error, "a metric was not set"),
            }
        }
        debug_assert!(false, "{} is no gauge with these labels", metric.name);
    }

    /// Sets a gauge that only ever rises.
    pub fn raise(&self, metric: Metric, labels: &[&str], value: f64) {
        if let Some(Family::Gauge(gauge)) = self.families.get(metric.name)
            && let Ok(gauge) = gauge.get_metric_with_label_values(labels)
        {
            return gauge.set(gauge.get().max(value));
        }
        debug_assert!(false, "{} is no gauge with these labels", metric.name);
    }

    /// Drops a series of a gauge, if it is there.
    pub fn forget(&self, metric: Metric, labels: &[&str]) {
        if let Some(Family::Gauge(gauge)) = self.families.get(metric.name) {
            // It says so where there is none, which is as well.
            let _ = gauge.remove_label_values(labels);
        }
    }

    /// Adds to a counter; adding 0 makes the series known.
    pub fn add(&self, metric: Metric, labels: &[&str], more: u64) {
        if let Some(Family::Counter(counter)) = self.families.get(metric.name) {
            match counter.get_metric_with_label_values(labels) {
                // A counter is a float in Prometheus too.
                Ok(counter) => return counter.inc_by(more as f64),
                Err(error) => error!(metric.name, %error, "a metric was not counted"),
            }
        }
        debug_assert!(false, "{} is no counter with these labels", metric.name);
    }

    /// Sets a counter that is kept elsewhere, which never falls.
    pub fn raise_to(&self, metric: Metric, labels: &[&str], total: f64) {
        if let Some(Family::Counter(counter)) = self.families.get(metric.name)
            && let Ok(counter) = counter.get_metric_with_label_values(labels)
        {
            return counter.inc_by((total - counter.get()).max(0.0));
        }
        debug_assert!(false, "{} is no counter with these labels", metric.name);
    }

    /// Observes so many equal values of a histogram; none makes the series known.
    pub fn observe(&self, metric: Metric, labels: &[&str], value: f64, times: u32) {
        if let Some(Family::Histogram(histogram)) = self.families.get(metric.name) {
            match histogram.get_metric_with_label_values(labels) {
                Ok(histogram) => return (0..times).for_each(|_| histogram.observe(value)),
                Err(error) => error!(metric.name, %error, "a metric was not observed"),
            }
        }
        debug_assert!(false, "{} is no histogram with these labels", metric.name);
    }

    /// All series in the text format.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            error!(%error, "the exporter's own metrics could not be written");
        }
        String::from_utf8(text).unwrap_or_default()
    }
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
        let text = meters.text();
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
        assert!(meters.text().contains("process_cpu_seconds_total 4\n"));
    }
}
