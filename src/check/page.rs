//! What a page of a log shows: its lines, their order, and the series that they would be.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::finding::{Finding, Name};
use super::spans::written;
use crate::api::failure::Failure;
use crate::catalogue::UNPARSABLE;
use crate::event::{EventType, Labels, Minute};
use crate::hostnames::Hostnames;
use crate::order::{self, Order};
use crate::plan::OrderSetting;
use crate::sighting::{Sighting, What};
use crate::window::PAGE;

/// The first page of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Entries of the page, whether they could be read or not.
    pub entries: usize,
    /// Of the lines, in their order, with their days.
    pub(super) dated: Vec<(i32, Minute)>,
    /// Entries that could not be read, by reason.
    pub(super) bad: BTreeMap<&'static str, usize>,
    /// Different label sets, and different events.
    pub series: usize,
    pub events: usize,
}

impl Page {
    /// What is to be seen on a page, whose hostnames are shown in this way.
    pub fn of(sightings: &[Sighting], hostnames: &Hostnames) -> Self {
        let (mut page, mut series, mut events) =
            (Self::default(), BTreeSet::new(), BTreeSet::new());
        page.entries = sightings.len();
        for sighting in sightings {
            match &sighting.what {
                What::Event(event) => {
                    let Labels {
                        category,
                        version,
                        hostname,
                        event,
                    } = event.labels();
                    events.insert(event);
                    series.insert((category, version, hostnames.shown(hostname), event));
                }
                What::Bad(reason) => *page.bad.entry(reason.reason()).or_default() += 1,
            }
            let minute = sighting.id.bucket.minute();
            page.dated.extend(sighting.day.zip(minute));
        }
        (page.series, page.events) = (series.len(), events.len());
        page
    }

    pub fn minutes(&self) -> impl Iterator<Item = Minute> + Clone {
        self.dated.iter().map(|(_, minute)| *minute)
    }

    fn order(&self) -> Option<Order> {
        Order::of(self.minutes())
    }

    /// Whether the log's newest line must be on this page.
    pub fn has_the_newest(&self) -> bool {
        self.is_all() || self.order() == Some(Order::NewestFirst)
    }

    fn is_all(&self) -> bool {
        u64::try_from(self.entries).is_ok_and(|entries| entries < PAGE)
    }

    /// The lines that were read.
    pub fn lines(&self, log: EventType, zone: &TimeZone) -> Finding {
        let name = Name::Page(log);
        if self.entries == 0 {
            return empty(log);
        }
        let range = self.minutes().min().zip(self.minutes().max());
        let range = range.map_or_else(String::new, |(oldest, newest)| {
            let zone_name = zone.iana_name().unwrap_or("the zone that is set");
            let (oldest, newest) = (written(oldest, zone), written(newest, zone));
            format!(", from {oldest} to {newest} if the log is in {zone_name}")
        });
        let all = if self.is_all() {
            ", which is all of the log"
        } else {
            ""
        };
        let entries = self.entries;
        if self.bad.is_empty() {
            return Finding::ok(name, format!("{entries} lines{all}{range}"));
        }
        let number: usize = self.bad.values().sum();
        let reasons = self
            .bad
            .iter()
            .map(|(reason, number)| format!("{number} {reason}"));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        Finding::warning(
            name,
            format!("{entries} entries{all}{range}; {number} of them cannot be read: {reasons}"),
            format!(
                "those are counted in {} alone; if there are many, please report their form",
                UNPARSABLE.name
            ),
        )
    }

    /// Which lines come first, against what was set.
    pub fn order_found(&self, log: EventType, setting: OrderSetting) -> Finding {
        let name = Name::Order(log);
        if order::is_mixed(self.dated.iter().copied()) {
            let message = "the days run one way, and the times of a day the other";
            return Finding::failed(name, message, Failure::MixedOrder.advice());
        }
        let Some(found) = self.order() else {
            return Finding::ok(
                name,
                "not known yet: that takes lines of more than one minute",
            );
        };
        let found = found.as_str();
        match setting {
            OrderSetting::Fixed(order) if order.is_contradicted_by(self.minutes()) => {
                let set = order.as_str();
                Finding::failed(
                    name,
                    format!("{found}, but --api.order is {set}"),
                    format!("set --api.order to auto or to {found}"),
                )
            }
            OrderSetting::Fixed(_) => Finding::ok(name, format!("{found}, as --api.order says")),
            OrderSetting::Auto => Finding::ok(name, found),
        }
    }
}

/// A log without a line.
fn empty(log: EventType) -> Finding {
    Finding::warning(
        Name::Page(log),
        "the log is empty",
        "nothing to do if the console shows none either; else the credential is one of another \
         account",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::v2;
    use crate::check::Verdict;
    use crate::sight::{FingerprintKey, sightings};

    fn page(days: &[(&str, &[&str])]) -> Page {
        let day =
            |(date, lines): &(&str, &[&str])| serde_json::json!({"date": date, "eventlog": lines});
        let days: Vec<_> = days.iter().map(day).collect();
        let body = serde_json::json!({ "logs": days }).to_string();
        let read = v2::parse(body.as_bytes()).unwrap();
        let seen = sightings(&read, &TimeZone::UTC, &FingerprintKey::new(&[0; 16]));
        Page::of(&seen, &Hostnames::Keep)
    }

    fn of_times(times: &[&str]) -> Page {
        let lines: Vec<String> = times
            .iter()
            .map(|time| format!("{time}|PM|MetaAccess (Version 1.1.1.1)|TEST-R1W3Y|Installed"))
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        page(&[("Dec 6, 2013 ", &lines)])
    }

    #[test]
    fn the_lines_are_told_with_their_range() {
        let page = of_times(&["05:30", "05:29", "05:28"]);
        let finding = page.lines(EventType::Device, &TimeZone::UTC);
        assert_eq!(finding.verdict, Verdict::Ok);
        assert_eq!(
            finding.message,
            "3 lines, which is all of the log, from 2013-12-06 17:28 to 2013-12-06 17:30 if the log is in UTC"
        );
        assert_eq!((page.series, page.events), (1, 1));
        let none = Page::default().lines(EventType::Admin, &TimeZone::UTC);
        assert_eq!(
            (none.verdict, none.message.as_str()),
            (Verdict::Warning, "the log is empty")
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_by_reason_and_not_shown() {
        let lines = ["TEST-SECRET", "25:99|PM|MetaAccess|TEST-SECRET|Installed"];
        let finding = page(&[("Dec 6, 2013", &lines)]).lines(EventType::Device, &TimeZone::UTC);
        assert_eq!(finding.verdict, Verdict::Warning);
        assert!(
            finding
                .message
                .contains("2 of them cannot be read: 1 bad_time, 1 missing_fields")
        );
        assert!(!format!("{finding:?}").contains("SECRET"), "{finding:?}");
    }

    #[test]
    fn the_order_is_found_and_held_against_the_setting() {
        use Order::{NewestFirst, OldestFirst};
        let newest = of_times(&["05:30", "05:29", "05:28", "05:27"]);
        let found = |setting| newest.order_found(EventType::Device, setting);
        assert_eq!(found(OrderSetting::Auto).message, "newest-first");
        assert_eq!(found(OrderSetting::Fixed(NewestFirst)).verdict, Verdict::Ok);
        let contradicted = found(OrderSetting::Fixed(OldestFirst));
        assert_eq!(contradicted.verdict, Verdict::Failed);
        assert_eq!(
            contradicted.message,
            "newest-first, but --api.order is oldest-first"
        );
        let one = of_times(&["05:30", "05:30"]).order_found(EventType::Device, OrderSetting::Auto);
        assert_eq!(one.verdict, Verdict::Ok);
        assert!(one.message.starts_with("not known yet"), "{one:?}");
    }

    #[test]
    fn days_one_way_and_times_the_other_fail() {
        let up = ["01:00", "01:01", "01:02", "01:03"]
            .map(|time| format!("{time}|PM|MetaAccess|TEST-R1W3Y|Installed"));
        let up = up.each_ref().map(String::as_str);
        let mixed = page(&[("Dec 7, 2013", &up), ("Dec 6, 2013", &up)]);
        let finding = mixed.order_found(EventType::Device, OrderSetting::Auto);
        assert_eq!(finding.verdict, Verdict::Failed);
    }

    #[test]
    fn the_newest_line_is_on_the_page_if_that_is_the_whole_log_or_the_newest_come_first() {
        assert!(of_times(&["05:28", "05:29"]).has_the_newest());
        let full: Vec<String> = (0..50).map(|minute| format!("05:{minute:02}")).collect();
        let mut full: Vec<&str> = full.iter().map(String::as_str).collect();
        assert!(!of_times(&full).has_the_newest());
        full.reverse();
        assert!(of_times(&full).has_the_newest());
    }

    #[test]
    fn series_are_those_that_would_be_shown() {
        let lines = [
            "05:28|PM|MetaAccess (Version 1.1.1.1)|TEST-A|Installed",
            "05:28|PM|MetaAccess (Version 1.1.1.1)|TEST-B|Installed",
            "05:28|PM|MetaAccess (Version 1.1.1.1)|TEST-A|Uninstalled by a user",
        ];
        let body =
            serde_json::json!({"logs": [{"date": "Dec 6, 2013", "eventlog": lines}]}).to_string();
        let read = v2::parse(body.as_bytes()).unwrap();
        let seen = sightings(&read, &TimeZone::UTC, &FingerprintKey::new(&[0; 16]));
        let kept = Page::of(&seen, &Hostnames::Keep);
        let dropped = Page::of(&seen, &Hostnames::Drop);
        assert_eq!((kept.series, kept.events, dropped.series), (3, 2, 2));
    }
}
