//! Gathered families to OpenMetrics 1.0, which the prometheus crate does not write.

use std::fmt::{self, Write};

use prometheus::proto::{Histogram, LabelPair, Metric, MetricFamily, MetricType};

use crate::exposition::{Format, label_into};

/// The samples of a family, with the moment from which its counts are, in seconds since the Unix
/// epoch, where that is to be said.
pub(super) fn samples(family: &MetricFamily, created: Option<f64>) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let kind = family.get_field_type();
    let name = Format::OpenMetrics.family(family.name(), kind == MetricType::COUNTER);
    for metric in family.get_metric() {
        metric_into(&mut text, name, kind, metric, created)?;
    }
    Ok(text)
}

fn metric_into(
    text: &mut String,
    name: &str,
    kind: MetricType,
    metric: &Metric,
    created: Option<f64>,
) -> fmt::Result {
    let labels = metric.get_label();
    match kind {
        MetricType::COUNTER => {
            let value = metric.get_counter().get_value();
            sample_into(text, &[name, "_total"], labels, None, value)?;
        }
        MetricType::HISTOGRAM => histogram_into(text, name, labels, metric.get_histogram())?,
        // There are no others.
        _ => return sample_into(text, &[name], labels, None, metric.get_gauge().get_value()),
    }
    match created {
        Some(created) => sample_into(text, &[name, "_created"], labels, None, created),
        None => Ok(()),
    }
}

fn histogram_into(
    text: &mut String,
    name: &str,
    labels: &[LabelPair],
    histogram: &Histogram,
) -> fmt::Result {
    // The counts are whole and far below 2^53.
    let count = histogram.get_sample_count() as f64;
    for bucket in histogram.get_bucket() {
        // OpenMetrics wants the bound of a bucket as a float: `1.0`.
        let bound = format!("{:?}", bucket.upper_bound());
        let below = bucket.cumulative_count() as f64;
        sample_into(text, &[name, "_bucket"], labels, Some(&bound), below)?;
    }
    sample_into(text, &[name, "_bucket"], labels, Some("+Inf"), count)?;
    sample_into(text, &[name, "_count"], labels, None, count)?;
    sample_into(
        text,
        &[name, "_sum"],
        labels,
        None,
        histogram.get_sample_sum(),
    )
}

fn sample_into(
    text: &mut String,
    name: &[&str],
    labels: &[LabelPair],
    bound: Option<&str>,
    value: f64,
) -> fmt::Result {
    text.extend(name.iter().copied());
    let labels = labels.iter().map(|label| (label.name(), label.value()));
    let mut before = '{';
    for (name, value) in labels.chain(bound.map(|bound| ("le", bound))) {
        write!(text, "{before}{name}=\"")?;
        label_into(text, value);
        text.push('"');
        before = ',';
    }
    if before == ',' {
        text.push('}');
    }
    writeln!(text, " {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    use prometheus::{CounterVec, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry};

    fn families() -> Vec<MetricFamily> {
        let registry = Registry::new();
        let counter = CounterVec::new(
            Opts::new("x_spent_seconds_total", "Said \"so\"\\."),
            &["code"],
        );
        let gauge = GaugeVec::new(Opts::new("x_info", "One.\nTwo."), &[]);
        let opts = HistogramOpts::new("x_seconds", "Took.").buckets(vec![0.25, 1.0, 1e6]);
        let histogram = HistogramVec::new(opts, &["log"]);
        let (counter, gauge, histogram) = (
            counter.expect("a counter"),
            gauge.expect("a gauge"),
            histogram.expect("a histogram"),
        );
        counter.with_label_values(&["a\"b\\c\nd"]).inc_by(2.5);
        gauge.with_label_values(&[] as &[&str]).set(1.0);
        histogram.with_label_values(&["device"]).observe(0.5);
        histogram.with_label_values(&["device"]).observe(4.0);
        for family in [
            registry.register(Box::new(counter)),
            registry.register(Box::new(gauge)),
            registry.register(Box::new(histogram)),
        ] {
            family.expect("a new name");
        }
        registry.gather()
    }

    fn written(created: impl Fn(&str) -> Option<f64>) -> String {
        let families = families();
        let written = families
            .iter()
            .map(|family| samples(family, created(family.name())));
        written.map(|samples| samples.expect("text")).collect()
    }

    #[test]
    fn counters_gauges_and_histograms_are_written_as_openmetrics_wants_them() {
        let expected = r##"x_info 1
x_seconds_bucket{log="device",le="0.25"} 0
x_seconds_bucket{log="device",le="1.0"} 1
x_seconds_bucket{log="device",le="1000000.0"} 2
x_seconds_bucket{log="device",le="+Inf"} 2
x_seconds_count{log="device"} 2
x_seconds_sum{log="device"} 4.5
x_spent_seconds_total{code="a\"b\\c\nd"} 2.5
"##;
        assert_eq!(written(|_| None), expected);
    }

    #[test]
    fn what_is_counted_says_since_when_if_it_is_known() {
        let created = |name: &str| (name == "x_spent_seconds_total").then_some(1_767_225_600.5);
        let text = written(created);
        assert!(text.ends_with(
            "x_spent_seconds_total{code=\"a\\\"b\\\\c\\nd\"} 2.5\nx_spent_seconds_created{code=\"a\\\"b\\\\c\\nd\"} 1767225600.5\n"
        ));
        assert_eq!(text.matches("_created").count(), 1);
    }
}
