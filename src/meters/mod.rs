//! The exporter's own metrics, made from the catalogue and held by the prometheus crate.
//!
//! The event counters are not among them: `exposition` writes those itself. Most of the others change
//! with a refresh only, so that they are written once after each, not for every scrape; and those of
//! an account are held and written apart, so that a refresh of one costs nothing for a thousand others.

mod bucket;
mod openmetrics;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use prometheus::{Counter, Gauge};
use tracing::error;

use crate::catalogue::{self, Kind, Metric};
use crate::event::Account;
use crate::exposition::{Format, Piece, label_into};
use bucket::{Bucket, Family, Written, is_live};

/// More than the head of a family takes.
const ROOM_FOR_A_HEAD: usize = 512;

/// Every metric of the catalogue but the events.
#[derive(Debug)]
pub struct Meters {
    common: Bucket,
    accounts: RwLock<BTreeMap<String, Arc<Bucket>>>,
    /// How often those were changed that do not change with every scrape.
    changes: AtomicU64,
    /// What all of these were written as last, and after how many changes.
    written: Mutex<HashMap<Format, (u64, Piece)>>,
    created: OnceLock<Created>,
}

/// Since when counters count, since the Unix epoch: those of this process, and those of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    pub process: Duration,
    pub state: Duration,
}

impl Meters {
    /// All metrics, without any series yet. Fails only if the catalogue breaks a rule.
    pub fn new() -> Result<Self, prometheus::Error> {
        // What breaks a rule shall do so at once, not with the first account.
        Bucket::of(metrics().filter(|metric| is_of_an_account(metric)))?;
        Ok(Self {
            common: Bucket::of(metrics().filter(|metric| !is_of_an_account(metric)))?,
            accounts: RwLock::default(),
            changes: AtomicU64::new(0),
            written: Mutex::default(),
            created: OnceLock::new(),
        })
    }

    /// OpenMetrics says from now on since when counters count. Only the first call does anything.
    pub fn say_created(&self, created: Created) {
        let _ = self.created.set(created);
    }

    /// Drops all series of an account.
    pub fn forget_account(&self, account: &Account) {
        let accounts = self.accounts.write();
        let mut accounts = accounts.unwrap_or_else(PoisonError::into_inner);
        accounts.remove(account.as_str());
        drop(accounts);
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Changes the family of a metric. Only then is the change counted: a text that is written in
    /// between, of the values before, is written anew.
    fn change(
        &self,
        metric: &Metric,
        labels: &[&str],
        change: impl FnOnce(&Family) -> Result<(), Unchanged>,
    ) {
        let account = labels.first().filter(|_| is_of_an_account(metric));
        let own = account.map(|account| self.bucket(account));
        let bucket = match &own {
            None => Ok(&self.common),
            Some(Ok(bucket)) => Ok(&**bucket),
            Some(Err(error)) => Err(Unchanged(error.to_string())),
        };
        let changed = bucket.and_then(|bucket| {
            bucket
                .family(metric)
                .map_or(Err(Unchanged::unknown()), change)?;
            Ok(bucket)
        });
        match changed {
            Ok(_) if is_live(metric) => {}
            Ok(bucket) => {
                bucket.is_changed();
                self.changes.fetch_add(1, Ordering::Release);
            }
            Err(Unchanged(why)) => {
                error!(metric.name, why, "a metric could not be changed");
                debug_assert!(false, "{} could not be changed: {why}", metric.name);
            }
        }
    }

    fn known(&self, account: &str) -> Option<Arc<Bucket>> {
        let known = self.accounts.read();
        let known = known.unwrap_or_else(PoisonError::into_inner);
        known.get(account).cloned()
    }

    /// The metrics of an account, which are made with its first.
    fn bucket(&self, account: &str) -> Result<Arc<Bucket>, prometheus::Error> {
        if let Some(bucket) = self.known(account) {
            return Ok(bucket);
        }
        let new = Arc::new(Bucket::of(
            metrics().filter(|metric| is_of_an_account(metric)),
        )?);
        let accounts = self.accounts.write();
        let mut accounts = accounts.unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(
            accounts.entry(account.to_owned()).or_insert(new),
        ))
    }

    fn gauge(&self, metric: Metric, labels: &[&str], change: impl FnOnce(&Gauge)) {
        self.change(&metric, labels, |family| {
            let Family::Gauge(gauge) = family else {
                return Err(Unchanged::unknown());
            };
            change(&gauge.get_metric_with_label_values(labels)?);
            Ok(())
        });
    }

    fn counter(&self, metric: Metric, labels: &[&str], change: impl FnOnce(&Counter)) {
        self.change(&metric, labels, |family| {
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

    /// Sets a gauge that changes with every scrape, of an account that is known: one that is forgotten
    /// does not come back by a scrape that began before.
    pub fn measure(&self, metric: Metric, account: &Account, value: f64) {
        let known = self.known(account.as_str());
        let family = known.as_deref().and_then(|bucket| bucket.family(&metric));
        let gauge = match family {
            Some(Family::Gauge(gauge)) => gauge.get_metric_with_label_values(&[account.as_str()]),
            _ => return,
        };
        if let Ok(gauge) = gauge {
            gauge.set(value);
        }
    }

    /// Sets a gauge that only ever rises.
    pub fn raise(&self, metric: Metric, labels: &[&str], value: f64) {
        self.gauge(metric, labels, |gauge| gauge.set(gauge.get().max(value)));
    }

    /// Drops a series of a gauge, if it is there.
    pub fn forget(&self, metric: Metric, labels: &[&str]) {
        self.change(&metric, labels, |family| {
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
        self.change(&metric, labels, |family| {
            let Family::Histogram(histogram) = family else {
                return Err(Unchanged::unknown());
            };
            let histogram = histogram.get_metric_with_label_values(labels)?;
            (0..times).for_each(|_| histogram.observe(value));
            Ok(())
        });
    }

    /// The series that change with every scrape, of these accounts or of all, without the end of the
    /// format.
    pub fn live(&self, format: Format, only: Option<&[Account]>) -> String {
        let written = self.buckets(only, |bucket| {
            bucket.live(format, |name| self.created(name))
        });
        joined(format, written.iter().flatten())
    }

    /// All other series of these accounts, or of all. Those of all are joined only if one of them has
    /// changed.
    pub fn settled(&self, format: Format, only: Option<&[Account]>) -> Piece {
        let join = || {
            let created = |name: &str| self.created(name);
            let written = self.buckets(only, |bucket| bucket.settled(format, created));
            Piece::new(joined(
                format,
                written.iter().flat_map(|written| written.iter()),
            ))
        };
        if only.is_some() {
            return join();
        }
        // Read before the values are, so that a change in between is written the next time.
        let changes = self.changes.load(Ordering::Acquire);
        let written = self.written.lock();
        let mut written = written.unwrap_or_else(PoisonError::into_inner);
        if let Some((at, piece)) = written.get(&format)
            && *at == changes
        {
            return piece.clone();
        }
        let piece = join();
        written.insert(format, (changes, piece.clone()));
        piece
    }

    /// What is asked of the metrics that are of no account, and of those of these accounts or of all.
    fn buckets<T>(&self, only: Option<&[Account]>, ask: impl Fn(&Bucket) -> T) -> Vec<T> {
        let accounts = self.accounts.read();
        let accounts = accounts.unwrap_or_else(PoisonError::into_inner);
        let named = |only: &[Account]| -> Vec<Arc<Bucket>> {
            let named = only
                .iter()
                .filter_map(|account| accounts.get(account.as_str()));
            named.cloned().collect()
        };
        let wanted = only.map_or_else(|| accounts.values().cloned().collect(), named);
        drop(accounts);
        let common = std::iter::once(&self.common);
        let all = common.chain(wanted.iter().map(|bucket| &**bucket));
        all.map(ask).collect()
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

fn metrics() -> impl Iterator<Item = &'static Metric> {
    let events = catalogue::EVENTS.name;
    catalogue::ALL
        .iter()
        .filter(move |metric| metric.name != events)
}

fn is_of_an_account(metric: &Metric) -> bool {
    metric.labels.first() == Some(&"account")
}

/// The text of all families, in the order of their names, each with the samples of all who have it.
fn joined<'a>(format: Format, written: impl Iterator<Item = &'a Written>) -> String {
    let mut families: BTreeMap<&str, (&Metric, Vec<&str>)> = BTreeMap::new();
    let mut length = 0;
    for Written { metric, samples } in written {
        let of_all = families.entry(metric.name);
        of_all.or_insert((metric, Vec::new())).1.push(samples);
        length += samples.len();
    }
    // A text that grows into its place takes twice of it meanwhile.
    let mut text = String::with_capacity(length + families.len() * ROOM_FOR_A_HEAD);
    for (metric, samples) in families.values() {
        head_into(&mut text, format, metric);
        text.extend(samples.iter().copied());
    }
    text
}

/// The lines that stand before the samples of a family.
fn head_into(text: &mut String, format: Format, metric: &Metric) {
    let Metric {
        name, help, kind, ..
    } = metric;
    let name = format.family(name, *kind == Kind::Counter);
    *text += "# HELP ";
    *text += name;
    text.push(' ');
    match format {
        // A quotation mark is one of others there.
        Format::Text => *text += &help.replace('\\', r"\\").replace('\n', r"\n"),
        Format::OpenMetrics => label_into(text, help),
    }
    *text += "\n# TYPE ";
    *text += name;
    text.push(' ');
    *text += kind.as_str();
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is shown, as text.
    fn whole(meters: &Meters) -> String {
        let settled = meters.settled(Format::Text, None);
        let settled = String::from_utf8(settled.text().to_vec()).expect("UTF-8");
        settled + &meters.live(Format::Text, None)
    }

    #[test]
    fn what_changes_is_written_anew_and_nothing_else() {
        let meters = Meters::new().expect("a sound catalogue");
        let settled = || meters.settled(Format::Text, None).text().clone();
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
            let text = String::from_utf8_lossy(meters.settled(format, None).text()).into_owned();
            assert!(text.contains(&up(1)) && !text.contains(&up(0)), "{text}");
        }
        meters.forget(catalogue::UP, &["default"]);
        assert!(settled().is_empty());
    }

    #[test]
    fn the_series_of_several_accounts_share_one_head_and_may_be_had_apart() {
        let meters = Meters::new().expect("a sound catalogue");
        for account in ["b", "a"] {
            meters.set(catalogue::UP, &[account], 1.0);
            meters.set(catalogue::BUDGET_LEFT, &[account], 7.0);
        }
        meters.set(catalogue::BUILD, &["1.2.3"], 1.0);
        let text = |only: Option<&[Account]>| {
            let settled = meters.settled(Format::Text, only);
            let settled = String::from_utf8_lossy(settled.text()).into_owned();
            settled + &meters.live(Format::Text, only)
        };
        let up = |account| format!("metaaccess_up{{account=\"{account}\"}} 1\n");
        let all = text(None);
        assert_eq!(all.matches("# TYPE metaaccess_up gauge\n").count(), 1);
        assert!(all.contains(&(up("a") + &up("b"))), "{all}");
        let (a, nobody) = (Account::new("a"), Account::new("nobody"));
        let one = text(Some(&[a.clone(), nobody]));
        assert!(one.contains(&up("a")) && !one.contains("\"b\""), "{one}");
        assert!(
            one.contains("1.2.3"),
            "what is of no account is there: {one}"
        );
        meters.forget_account(&a);
        let all = text(None);
        assert!(all.contains(&up("b")) && !all.contains("\"a\""), "{all}");
    }

    #[test]
    fn openmetrics_says_since_when_is_counted_if_asked_to() {
        let meters = Meters::new().expect("a sound catalogue");
        meters.add(catalogue::SCRAPES, &[], 1);
        meters.add(catalogue::GAPS, &["a", "device"], 1);
        let text = || {
            let settled = meters.settled(Format::OpenMetrics, None);
            meters.live(Format::OpenMetrics, None) + &String::from_utf8_lossy(settled.text())
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
