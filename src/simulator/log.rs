//! One event log: entries ordered by minute, shown a page at a time in the vendor's order.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::line::{Line, written};
use crate::event::Minute;

/// The order in which a log shows its entries. Within a minute, orders that differ in their times
/// are exact reverses of each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    NewestFirst,
    OldestFirst,
    /// The newest day first, and in each day the oldest time first.
    NewestDayOldestTime,
    /// The oldest day first, and in each day the newest time first.
    OldestDayNewestTime,
    /// The newest entries on page 1, the newest day first, and in what a page holds of a day the
    /// oldest time first.
    NewestPageOldestTime,
}

/// What a log keeps at an entry's place.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Line {
        category: Arc<str>,
        version: Arc<str>,
        hostname: Arc<str>,
        description: Arc<str>,
    },
    /// A malformed entry: any JSON, under its day's date or one that is no date.
    Raw(Box<Raw>),
}

/// A malformed entry as the answer shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Raw {
    /// What stands in the `eventlog` array.
    pub value: Value,
    /// What stands in place of the date, if not the date.
    pub date: Option<Value>,
}

/// One entry and its place in time.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What the log is ordered by.
    pub minute: Minute,
    /// The wall clock's reading that the log writes.
    pub written: DateTime,
    pub content: Content,
}

impl Entry {
    /// The entry of a line in a log whose wall clock is in this zone.
    pub fn of_line(line: &Line, zone: &TimeZone) -> Self {
        Self {
            minute: line.minute,
            written: written(line.minute, zone),
            content: Content::Line {
                category: Arc::clone(&line.category),
                version: Arc::clone(&line.version),
                hostname: Arc::clone(&line.hostname),
                description: Arc::clone(&line.description),
            },
        }
    }

    /// A malformed entry at this minute.
    pub fn malformed(minute: Minute, raw: Raw, zone: &TimeZone) -> Self {
        Self {
            minute,
            written: written(minute, zone),
            content: Content::Raw(Box::new(raw)),
        }
    }

    fn is_of(&self, host: &str) -> bool {
        matches!(&self.content, Content::Line { hostname, .. } if **hostname == *host)
    }
}

/// What to remove from a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purge {
    Oldest(usize),
    Newest(usize),
    /// Every line of a host.
    Hostname(String),
}

/// The page asked for lies beyond the last entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastTheEnd;

/// One event log, oldest entry at the front.
#[derive(Clone, Debug, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
}

impl Log {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Logs an entry as the newest of its minute; a late one goes below those of later minutes.
    pub fn insert(&mut self, entry: Entry) {
        if self
            .entries
            .back()
            .is_none_or(|newest| newest.minute <= entry.minute)
        {
            self.entries.push_back(entry);
        } else {
            let place = self
                .entries
                .partition_point(|other| other.minute <= entry.minute);
            self.entries.insert(place, entry);
        }
    }

    /// Removes all but the newest `lines` entries.
    pub fn keep_newest(&mut self, lines: usize) {
        let surplus = self.len().saturating_sub(lines);
        self.entries.drain(..surplus);
    }

    /// Removes the entries dated before this minute.
    pub fn keep_since(&mut self, minute: Minute) {
        let first_kept = self.entries.partition_point(|entry| entry.minute < minute);
        self.entries.drain(..first_kept);
    }

    /// Removes entries, and gives how many there were.
    pub fn purge(&mut self, what: &Purge) -> usize {
        let before = self.len();
        match what {
            Purge::Oldest(lines) => drop(self.entries.drain(..before.min(*lines))),
            Purge::Newest(lines) => self.entries.truncate(before.saturating_sub(*lines)),
            Purge::Hostname(host) => self.entries.retain(|entry| !entry.is_of(host)),
        }
        before - self.len()
    }

    /// Rewrites a host's name in the lines that are already logged, and gives how many there were.
    pub fn rename_host(&mut self, from: &str, to: &str) -> usize {
        let to: Arc<str> = to.into();
        let mut renamed = 0;
        for entry in self.entries.iter_mut().filter(|entry| entry.is_of(from)) {
            if let Content::Line { hostname, .. } = &mut entry.content {
                *hostname = Arc::clone(&to);
                renamed += 1;
            }
        }
        renamed
    }

    /// Rewrites the hostname of every line that is already logged, and gives how many changed.
    pub fn rename_all(&mut self, to: &str) -> usize {
        let to: Arc<str> = to.into();
        let mut renamed = 0;
        for entry in &mut self.entries {
            if let Content::Line { hostname, .. } = &mut entry.content
                && **hostname != *to
            {
                *hostname = Arc::clone(&to);
                renamed += 1;
            }
        }
        renamed
    }

    /// The entries of a page, counted from 1, in the order shown. Costs what the page holds, however
    /// long the log; page 1 of an empty log is an empty page.
    pub fn page(&self, limit: usize, page: usize, order: Order) -> Result<Vec<&Entry>, PastTheEnd> {
        let first = page.saturating_sub(1).saturating_mul(limit);
        if first >= self.len() && page > 1 {
            return Err(PastTheEnd);
        }
        Ok(self.run(first, limit, order))
    }

    /// Up to `lines` entries from the position `first` of the order shown.
    pub fn run(&self, first: usize, lines: usize, order: Order) -> Vec<&Entry> {
        let len = self.len();
        let shown = first.min(len)..first.saturating_add(lines).min(len);
        match order {
            Order::OldestFirst => self.entries.range(shown).collect(),
            Order::NewestFirst => self.newest_first(shown),
            Order::NewestPageOldestTime => {
                let mut found = self.newest_first(shown);
                let same_day = |a: &&Entry, b: &&Entry| a.written.date() == b.written.date();
                found.chunk_by_mut(same_day).for_each(<[&Entry]>::reverse);
                found
            }
            Order::NewestDayOldestTime => self.by_days(shown, true),
            Order::OldestDayNewestTime => self.by_days(shown, false),
        }
    }

    fn newest_first(&self, shown: Range<usize>) -> Vec<&Entry> {
        let mirrored = self.len() - shown.end..self.len() - shown.start;
        self.entries.range(mirrored).rev().collect()
    }

    /// The positions `shown` of an order whose days run one way and times the other.
    fn by_days(&self, shown: Range<usize>, newest_day_first: bool) -> Vec<&Entry> {
        let mut found = Vec::with_capacity(shown.len());
        let mut position = 0;
        let mut rest = 0..self.len();
        while position < shown.end && !rest.is_empty() {
            let day = self.outer_day(&rest, newest_day_first);
            let wanted = shown.start.max(position)..shown.end.min(position + day.len());
            if wanted.start < wanted.end {
                let inside = wanted.start - position..wanted.end - position;
                if newest_day_first {
                    let forward = day.start + inside.start..day.start + inside.end;
                    found.extend(self.entries.range(forward));
                } else {
                    let backward = day.end - inside.end..day.end - inside.start;
                    found.extend(self.entries.range(backward).rev());
                }
            }
            position += day.len();
            rest = if newest_day_first {
                rest.start..day.start
            } else {
                day.end..rest.end
            };
        }
        found
    }

    /// Where the newest or the oldest day of `rest`, which is not empty, lies in the log.
    fn outer_day(&self, rest: &Range<usize>, newest: bool) -> Range<usize> {
        if newest {
            let date = self.entries[rest.end - 1].written.date();
            self.entries
                .partition_point(|entry| entry.written.date() < date)..rest.end
        } else {
            let date = self.entries[rest.start].written.date();
            rest.start
                ..self
                    .entries
                    .partition_point(|entry| entry.written.date() <= date)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(minute: i64, host: &str) -> Entry {
        let line = Line::device(Minute(minute), "MetaAccess", "1.1.1.1", host, "Installed");
        Entry::of_line(&line, &TimeZone::UTC)
    }

    fn log_of(minutes: impl IntoIterator<Item = i64>) -> Log {
        let mut log = Log::default();
        for (number, minute) in minutes.into_iter().enumerate() {
            log.insert(line(minute, &format!("TEST-{number:05}")));
        }
        log
    }

    fn host(entry: &Entry) -> &str {
        match &entry.content {
            Content::Line { hostname, .. } => hostname,
            Content::Raw(_) => "raw",
        }
    }

    fn all_pages(log: &Log, limit: usize, order: Order) -> Vec<String> {
        (1..)
            .map_while(|page| log.page(limit, page, order).ok())
            .flatten()
            .map(|entry| host(entry).to_owned())
            .collect()
    }

    #[test]
    fn the_pages_of_each_order_partition_the_log() {
        // Two days and a half, three entries to a minute.
        let log = log_of((0..3600).map(|n| n / 3 * 3));
        for limit in [1, 7, 50] {
            let oldest_first = all_pages(&log, limit, Order::OldestFirst);
            let mut newest_first = all_pages(&log, limit, Order::NewestFirst);
            newest_first.reverse();
            assert_eq!(oldest_first.len(), 3600);
            assert_eq!(oldest_first, newest_first);

            let day_first = all_pages(&log, limit, Order::NewestDayOldestTime);
            assert_eq!(day_first.first().unwrap(), "TEST-02880");
            let mut mirrored = all_pages(&log, limit, Order::OldestDayNewestTime);
            mirrored.reverse();
            assert_eq!(day_first, mirrored);
            let mut sorted = day_first;
            sorted.sort();
            assert_eq!(sorted, oldest_first);
        }
    }

    #[test]
    fn a_page_of_the_newest_may_show_each_day_s_oldest_time_first() {
        // A day of 1440 minutes ends between the third and the fourth.
        let log = log_of([1437, 1438, 1439, 1440, 1441, 1442]);
        let shown = |limit| all_pages(&log, limit, Order::NewestPageOldestTime).join(" ");
        let hosts = |numbers: [u8; 6]| numbers.map(|n| format!("TEST-{n:05}")).join(" ");
        assert_eq!(shown(50), hosts([3, 4, 5, 0, 1, 2]));
        assert_eq!(shown(2), hosts([4, 5, 3, 2, 0, 1]));
    }

    #[test]
    fn a_late_line_is_sorted_in_by_its_date_below_newer_ones() {
        let mut log = log_of([10, 10, 12, 13]);
        log.insert(line(10, "TEST-LATE1"));
        let hosts = all_pages(&log, 50, Order::NewestFirst);
        assert_eq!(
            hosts,
            [
                "TEST-00003",
                "TEST-00002",
                "TEST-LATE1",
                "TEST-00001",
                "TEST-00000"
            ]
        );
    }

    #[test]
    fn only_pages_beyond_the_last_entry_are_past_the_end() {
        let log = log_of(0..10);
        assert_eq!(log.page(5, 2, Order::NewestFirst).unwrap().len(), 5);
        assert_eq!(log.page(5, 3, Order::NewestFirst), Err(PastTheEnd));
        assert_eq!(log.page(7, 2, Order::OldestFirst).unwrap().len(), 3);
        assert_eq!(
            log.page(50, usize::MAX, Order::OldestFirst),
            Err(PastTheEnd)
        );
        assert_eq!(
            Log::default().page(5, 1, Order::NewestFirst),
            Ok(Vec::new())
        );
        assert_eq!(
            Log::default().page(5, 2, Order::NewestFirst),
            Err(PastTheEnd)
        );
    }

    #[test]
    fn retention_takes_from_the_old_end_and_a_purge_from_where_it_is_told() {
        let mut log = log_of(0..10);
        log.keep_newest(8);
        log.keep_since(Minute(3));
        assert_eq!(log.len(), 7);
        assert_eq!(log.purge(&Purge::Newest(2)), 2);
        assert_eq!(log.purge(&Purge::Oldest(1)), 1);
        assert_eq!(log.purge(&Purge::Hostname("TEST-00005".to_owned())), 1);
        assert_eq!(
            all_pages(&log, 50, Order::OldestFirst),
            ["TEST-00004", "TEST-00006", "TEST-00007"]
        );
        assert_eq!(log.purge(&Purge::Newest(100)), 3);
    }

    #[test]
    fn a_renamed_host_keeps_its_lines_in_place() {
        let mut log = log_of(0..3);
        assert_eq!(log.rename_host("TEST-00001", "<private>"), 1);
        assert_eq!(
            all_pages(&log, 50, Order::OldestFirst),
            ["TEST-00000", "<private>", "TEST-00002"]
        );
        assert_eq!(log.rename_all("<private>"), 2);
        assert_eq!(all_pages(&log, 50, Order::OldestFirst), ["<private>"; 3]);
    }
}
