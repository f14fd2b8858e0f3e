//! The counts of an account that another replica refreshes, as that one saved them.

use super::report::Report;
use super::{NEVER, Refresher, Shown};
use crate::births::Generation;
use crate::event::EventType;
use crate::exposition::EventsText;
use crate::series::{Series, SeriesLimits};
use crate::store::News;
use crate::tally::Tallies;

/// What is known of them.
#[derive(Debug)]
pub struct Following {
    pub(super) series: Series,
    pub(super) events: EventsText,
    pub(super) report: Report,
    empty: EmptySeries,
    /// The version of the series; what changed after it is news.
    pub(super) known: i64,
    /// Which refresh was the last.
    pub(super) refreshed: i64,
    /// The newest generation that was shown.
    generation: Generation,
}

/// What new series begin with.
#[derive(Clone, Copy, Debug)]
struct EmptySeries {
    limits: SeriesLimits,
    key: [u8; 16],
}

impl Following {
    /// Nothing is known yet.
    pub fn new(limits: SeriesLimits, key: [u8; 16], events: EventsText, report: Report) -> Self {
        let empty = EmptySeries { limits, key };
        report.leads(false);
        Self {
            series: empty.series(),
            events,
            report,
            empty,
            known: NEVER,
            refreshed: 0,
            generation: Generation::default(),
        }
    }

    /// What was counted by who refreshes no more: it may never have been saved, so that all is to be read
    /// again.
    pub(super) fn after(
        (series, events, report): (Series, EventsText, Report),
        key: [u8; 16],
        generation: Generation,
    ) -> Self {
        let limits = series.limits();
        Self {
            series,
            events,
            report,
            empty: EmptySeries { limits, key },
            known: NEVER,
            refreshed: 0,
            generation,
        }
    }

    /// The newest generation that was shown.
    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    pub(super) fn into_parts(self) -> (Series, EventsText, Report) {
        (self.series, self.events, self.report)
    }

    /// Takes up what changed after the version `since` up to `version`; where all was read again, instead
    /// of what was known. Says whether that fits together: if not, all is to be read again.
    pub(super) fn take_up(
        &mut self,
        news: &News,
        (since, version): (i64, i64),
        refresher: &Refresher,
    ) -> bool {
        // What is known may have been forgotten while this was read, or the database have lost some of it.
        let is_gap = since > self.known || version < self.known;
        if self.known == NEVER && !is_gap {
            self.begin_anew(news, refresher);
        } else if is_gap || !news.series.iter().all(|one| self.series.follow(one)) {
            self.known = NEVER;
            return false;
        }
        self.series.are_saved();
        self.known = version;
        let newest = self.series.at_zero().max().unwrap_or_default();
        self.generation = self.generation.max(newest);
        true
    }

    /// The series are written anew, since they may stand at other places.
    fn begin_anew(&mut self, news: &News, refresher: &Refresher) {
        let mut series = self.empty.series();
        for one in &news.series {
            series.take_up(one);
        }
        refresher.never_less_than(series.takes_the_place_of(&self.series));
        self.series = series;
        self.events.clear();
    }

    /// Shows what is known.
    pub(super) fn publish(&mut self, news: &News, version: i64, refresher: &Refresher) {
        if let Some(standing) = &news.standing {
            self.report.follow(standing, &news.complete);
        }
        self.report
            .counted(&self.series, &Tallies::restore(&news.tallies));
        // The database may have logs that are read no more, or by other settings.
        let complete = news.complete.iter().copied();
        let logs: Vec<EventType> = complete.filter(|log| self.report.reads(*log)).collect();
        let shown = Seen {
            logs: &logs,
            generation: self.generation,
            version,
        };
        refresher.publish(&mut self.series, &mut self.events, &shown);
        self.report.regressed(refresher.short_of_floor());
    }

    /// That this replica refreshes the account no more.
    pub(super) fn leads_no_more(&self) {
        self.report.leads_no_more();
    }
}

impl EmptySeries {
    fn series(self) -> Series {
        Series::new(self.limits, self.key)
    }
}

/// What is to be shown of the series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    /// Of these logs, all.
    pub(super) logs: &'a [EventType],
    pub(super) generation: Generation,
    /// What it is called where replicas share it.
    pub(super) version: i64,
}

impl Refresher {
    /// Shows these series, and what the database has lost as it was shown before.
    pub(super) fn publish(&self, series: &mut Series, events: &mut EventsText, seen: &Seen<'_>) {
        let logs = self.logs_to_show(seen.logs);
        for log in &logs {
            let changed = series.take_unwritten(*log);
            events.update(*log, series, &changed);
        }
        let raised = self.raised(series, &logs);
        let rows = raised.map(|raised| events.of_others(&raised));
        let [text, openmetrics] = rows.unwrap_or_else(|| events.rows());
        self.show(Shown {
            text,
            openmetrics,
            generation: seen.generation,
        });
        self.is_shown(seen.version);
    }

    /// What is shown is that of this version.
    pub(super) fn is_shown(&self, version: i64) {
        if let Some(joint) = self.joint() {
            joint.version.send_replace(version);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::births::{Birth, ZeroFor};
    use crate::budget::RateLimit;
    use crate::config::{Credential, Secret, SecretSource};
    use crate::event::{Account, Event, Labels};
    use crate::exposition::Format;
    use crate::meters::Meters;
    use crate::refresh::{Access, Bell};
    use crate::saved::SavedSeries;
    use crate::store::AccountId;

    /// An account that follows, and that it was never told anything.
    pub(in crate::refresh) fn follower(logs: &[EventType]) -> (Refresher, Following) {
        let account = Account::new("main");
        let secret = SecretSource::Given(Secret::new("TEST-TOKEN").unwrap());
        let limit = RateLimit {
            requests: 10,
            window: Duration::from_mins(1),
        };
        let refresher = Refresher::of_replicas(
            account.clone(),
            Access::new(Credential::Token(secret), limit),
            (Duration::from_secs(15), ZeroFor::Auto),
            AccountId::test(1),
            Arc::new(Bell::default()),
        );
        let meters = Arc::new(Meters::new().unwrap());
        let report = Report::new(&refresher, logs, meters);
        let limits = SeriesLimits {
            series: 100,
            events: 100,
        };
        let events = EventsText::new(&account, false);
        (refresher, Following::new(limits, [7; 16], events, report))
    }

    fn news(series: &[(EventType, usize, u64)]) -> News {
        let one = |(event_type, place, count): &(EventType, usize, u64)| SavedSeries {
            event_type: *event_type,
            event: Event::new(Labels {
                category: "MetaAccess",
                version: "1",
                hostname: &format!("TEST-{place}"),
                event: "Installed",
            }),
            place: *place,
            count: *count,
            birth: Birth::default(),
        };
        News {
            series: series.iter().map(one).collect(),
            complete: EventType::ALL.to_vec(),
            ..News::default()
        }
    }

    fn counts(following: &Following) -> Vec<u64> {
        let series = following.series.of_log(EventType::Device);
        series.map(|one| one.count).collect()
    }

    #[test]
    fn what_the_database_has_lost_is_not_gone_on_from() {
        let (refresher, mut following) = follower(&EventType::ALL);
        let all = news(&[(EventType::Device, 0, 5)]);
        assert!(following.take_up(&all, (NEVER, 5), &refresher));
        // As who takes the lease reads it after a failover: nothing changed after version 5.
        assert!(!following.take_up(&news(&[]), (5, 3), &refresher));
        let all = news(&[(EventType::Device, 0, 3)]);
        assert!(following.take_up(&all, (NEVER, 3), &refresher));
        assert_eq!(counts(&following), [3]);
    }

    #[test]
    fn changes_alone_do_not_take_the_place_of_what_was_forgotten_meanwhile() {
        let (refresher, mut following) = follower(&EventType::ALL);
        let all = news(&[(EventType::Device, 0, 5), (EventType::Device, 1, 7)]);
        assert!(following.take_up(&all, (NEVER, 5), &refresher));
        // This replica led in the time in which the changes were read.
        following.known = NEVER;
        let some = news(&[(EventType::Device, 1, 8)]);
        assert!(!following.take_up(&some, (5, 6), &refresher));
        assert_eq!(counts(&following), [5, 7]);
    }

    fn text(refresher: &Refresher) -> Vec<String> {
        let shown = refresher.shown();
        let pieces = shown.events(Format::Text).pieces().iter();
        let text: Vec<u8> = pieces.flat_map(|piece| piece.text().to_vec()).collect();
        let text = String::from_utf8(text).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The hosts that are shown, each with its count.
    fn shown(refresher: &Refresher) -> Vec<String> {
        let value = |line: String| {
            let host = line.split("hostname=\"").nth(1).unwrap().to_owned();
            let (host, rest) = host.split_once('"').unwrap();
            format!("{host} {}", rest.rsplit(' ').next().unwrap())
        };
        text(refresher).into_iter().map(value).collect()
    }

    fn all_anew(refresher: &Refresher, following: &mut Following, of: &News, version: i64) {
        following.known = NEVER;
        assert!(following.take_up(of, (NEVER, version), refresher));
        following.publish(of, version, refresher);
    }

    #[test]
    fn what_the_database_has_lost_is_shown_as_it_was_and_all_else_goes_on() {
        const LOG: EventType = EventType::Device;
        let (refresher, mut following) = follower(&EventType::ALL);
        let before = news(&[
            (LOG, 0, 5),
            (LOG, 1, 7),
            (LOG, 2, 1),
            (EventType::Admin, 9, 2),
        ]);
        all_anew(&refresher, &mut following, &before, 9);
        let all = ["TEST-0 5", "TEST-1 7", "TEST-2 1", "TEST-9 2"];
        assert_eq!(shown(&refresher), all);
        // A backup, from before the third was counted, and from before the other log was.
        let backup = news(&[(LOG, 0, 3), (LOG, 1, 7)]);
        let backup = News {
            complete: vec![LOG],
            ..backup
        };
        all_anew(&refresher, &mut following, &backup, 4);
        assert_eq!(shown(&refresher), all);
        assert_eq!(refresher.short_of_floor(), 3);
        // Another one is counted before that, and takes its place; that one is at zero first.
        let mut some = news(&[(LOG, 1, 8), (LOG, 3, 1), (LOG, 2, 1)]);
        (some.series[1].place, some.series[2].place) = (2, 3);
        some.series[2].birth.zero = Some(Generation(1));
        assert!(following.take_up(&some, (4, 5), &refresher));
        following.publish(&some, 5, &refresher);
        let on = ["TEST-0 5", "TEST-1 8", "TEST-3 1", "TEST-2 1", "TEST-9 2"];
        assert_eq!(shown(&refresher), on);
        assert_eq!(refresher.short_of_floor(), 3);
        // It is lost once more, from before that: what was shown meanwhile stays, too.
        all_anew(&refresher, &mut following, &backup, 4);
        assert_eq!(
            shown(&refresher),
            ["TEST-0 5", "TEST-1 8", "TEST-3 1", "TEST-2 1", "TEST-9 2"]
        );
        let mut caught_up = news(&[
            (LOG, 0, 6),
            (LOG, 1, 8),
            (LOG, 2, 1),
            (LOG, 3, 1),
            (EventType::Admin, 9, 2),
        ]);
        caught_up.series[4].place = 0;
        assert!(following.take_up(&caught_up, (4, 6), &refresher));
        following.publish(&caught_up, 6, &refresher);
        let counted = ["TEST-0 6", "TEST-1 8", "TEST-2 1", "TEST-3 1", "TEST-9 2"];
        assert_eq!(shown(&refresher), counted);
        assert_eq!(refresher.short_of_floor(), 0);
    }

    #[test]
    fn what_was_never_shown_does_not_come_up_by_a_loss() {
        const LOG: EventType = EventType::Device;
        // Of a log that is not read, and of one that was not read to its end.
        for (logs, complete) in [
            (vec![LOG], EventType::ALL.to_vec()),
            (EventType::ALL.to_vec(), vec![LOG]),
        ] {
            let (refresher, mut following) = follower(&logs);
            let of = |device, admin| News {
                complete: complete.clone(),
                ..news(&[(LOG, 0, device), (EventType::Admin, 0, admin)])
            };
            all_anew(&refresher, &mut following, &of(5, 7), 9);
            assert_eq!(shown(&refresher), ["TEST-0 5"]);
            all_anew(&refresher, &mut following, &of(3, 6), 4);
            assert_eq!(shown(&refresher), ["TEST-0 5"]);
            all_anew(&refresher, &mut following, &of(6, 6), 7);
            assert_eq!(shown(&refresher), ["TEST-0 6"]);
            assert_eq!(refresher.short_of_floor(), 0);
        }
    }

    #[test]
    fn who_led_when_the_database_lost_something_shows_neither_less_nor_what_it_never_saved() {
        const LOG: EventType = EventType::Device;
        let (refresher, mut following) = follower(&EventType::ALL);
        let all = news(&[(LOG, 0, 5), (LOG, 1, 7)]);
        all_anew(&refresher, &mut following, &all, 9);
        let backups = [(8, [3, 7]), (7, [2, 6]), (6, [2, 6])];
        for (version, counts) in backups {
            // It leads, counts, cannot save that, and is fenced.
            let (mut series, events, report) = following.into_parts();
            for host in ["TEST-0", "TEST-NEVER-SAVED"] {
                let labels = Labels {
                    category: "MetaAccess",
                    version: "1",
                    hostname: host,
                    event: "Installed",
                };
                series.add(LOG, labels, 10, Birth::default());
            }
            let counted = (series, events, report);
            following = Following::after(counted, [7; 16], Generation::default());
            let backup = news(&[(LOG, 0, counts[0]), (LOG, 1, counts[1])]);
            all_anew(&refresher, &mut following, &backup, version);
            assert_eq!(shown(&refresher), ["TEST-0 5", "TEST-1 7"]);
        }
    }

    #[test]
    fn a_log_that_was_shown_stays_though_the_database_does_not_know_that_it_was_read() {
        let (refresher, mut following) = follower(&EventType::ALL);
        let all = news(&[(EventType::Device, 0, 5), (EventType::Admin, 1, 7)]);
        all_anew(&refresher, &mut following, &all, 9);
        let less = News {
            complete: vec![EventType::Device],
            ..all
        };
        all_anew(&refresher, &mut following, &less, 8);
        assert_eq!(shown(&refresher), ["TEST-0 5", "TEST-1 7"]);
    }

    #[test]
    fn a_log_that_is_not_read_is_not_shown_though_the_database_has_it() {
        let (refresher, mut following) = follower(&[EventType::Device]);
        let all = news(&[(EventType::Device, 0, 5), (EventType::Admin, 0, 7)]);
        assert!(following.take_up(&all, (NEVER, 5), &refresher));
        following.publish(&all, 5, &refresher);
        assert_eq!(shown(&refresher), ["TEST-0 5"]);
    }
}
