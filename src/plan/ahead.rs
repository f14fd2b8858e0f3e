//! Reading ahead: full pages that do not overlap, taken for nothing until it is proven how they lie.
//!
//! Pages that overlap prove by themselves how the log moved between them, but show hardly forty new
//! lines each, since `limit` and `page` allow only some starts. Pages that abut show fifty, but leave
//! open whether lines moved by just so much that some are shown twice, or not at all. So a long read
//! asks for a run of them and then again for the page before the run: how far its lines have moved
//! since is how far all lines have. The pages are joined with as much overlap as they can have, which
//! counts fewest. If that is no more than the lines have moved in all, it is right for each of them;
//! if not, the run is thrown away. Nothing is counted before.
//!
//! What moves only lines below the page that was asked for again, it does not show. Late lines that
//! came among the pages are noticed by a line that then stands on two of them. Lines that were purged
//! among them are not noticed, and as many below are never seen: only pages that overlap show that.

use crate::sighting::{Fingerprints, LineId, Sighting};
use crate::stitch::{Response, as_i64, as_signed};
use crate::window::{PAGE, Query};

/// The most pages of a run.
const RUN: usize = 24;

/// A run ends early when lines seem to have moved as far as this: the longer it gets, the less likely
/// it is to be proven.
const MOVES_TOO_MUCH: i64 = 3;

/// The fewest lines that have to be seen again to tell how far they have moved, and how many of them
/// have to be unlike all others.
const RECOGNISED: usize = 20;
const UNLIKE_OTHERS: usize = 5;

/// How often it is tried to prove a run before it is thrown away.
const CHECKS: u8 = 3;

/// A run of pages that follow a stretch.
#[derive(Clone, Debug)]
pub(super) struct Ahead {
    /// The last answer of the stretch.
    before: Response,
    pages: Vec<Response>,
    /// The ways in which each page may follow the one before it.
    ways: Vec<Vec<Way>>,
    stage: Stage,
    checks: u8,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Asking for pages.
    Run,
    /// Asking again for the page before the run.
    Before,
    /// With that answer, asking for the last page of the run again: had it moved since, the page
    /// before the run may have too.
    Last(Response),
}

/// What an answer to a run means.
#[derive(Debug)]
pub(super) enum Verdict {
    NotYet,
    /// The pages, and how many first lines of each are the last ones of the page before it.
    Proven(Vec<(Response, usize)>),
    Unproven,
}

impl Ahead {
    /// A run after the last answer of a stretch.
    pub(super) fn new(before: &Response) -> Self {
        Self {
            before: before.clone(),
            pages: Vec::new(),
            ways: Vec::new(),
            stage: Stage::Run,
            checks: 0,
        }
    }

    /// The request to make next.
    pub(super) fn query(&self) -> Query {
        match &self.stage {
            Stage::Run => Query::full(self.last().end() / PAGE + 1),
            Stage::Before => self.before.query(),
            Stage::Last(_) => self.last().query(),
        }
    }

    /// How many lines the run holds so far.
    pub(super) fn lines(&self) -> usize {
        self.pages.iter().map(|page| page.sightings.len()).sum()
    }

    /// Takes the answer to [`Self::query`]. `is_enough` says whether a page holds what the read is to
    /// reach.
    pub(super) fn answer(
        &mut self,
        answer: Response,
        is_enough: impl FnOnce(&Response) -> bool,
        is_held: impl Fn(&LineId) -> bool,
    ) -> Verdict {
        let verdict = self.judge(answer, is_enough);
        match verdict {
            Verdict::Proven(pages) => without_doubles(pages, is_held),
            other => other,
        }
    }

    fn judge(&mut self, answer: Response, is_enough: impl FnOnce(&Response) -> bool) -> Verdict {
        match std::mem::replace(&mut self.stage, Stage::Run) {
            Stage::Run => self.run_on(answer, is_enough),
            Stage::Before => self.compare(answer),
            Stage::Last(before) => self.confirm(&before, &answer),
        }
    }

    fn run_on(&mut self, page: Response, is_enough: impl FnOnce(&Response) -> bool) -> Verdict {
        // That the log ends here, a page that overlaps has to show.
        let is_missing = page.sightings.is_empty();
        let is_last = is_missing || page.is_short() || is_enough(&page);
        if !is_missing {
            self.ways.push(ways(self.last(), &page));
            self.pages.push(page);
        }
        if self.pages.is_empty() {
            return Verdict::Unproven;
        }
        let moves_too_much = sum_of_furthest(&self.ways) >= MOVES_TOO_MUCH;
        if is_last || moves_too_much || self.pages.len() >= RUN {
            self.stage = Stage::Before;
        }
        Verdict::NotYet
    }

    fn compare(&mut self, before: Response) -> Verdict {
        self.checks += 1;
        let Some(moved) = distance(&self.before, &before) else {
            return Verdict::Unproven;
        };
        let in_one_way = self.ways.iter().all(|ways| ways.len() == 1);
        if in_one_way && sum_of_furthest(&self.ways) == moved {
            return self.proven(self.ways.len());
        }
        self.stage = Stage::Last(before);
        Verdict::NotYet
    }

    fn confirm(&mut self, before: &Response, again: &Response) -> Verdict {
        let moved = distance(&self.before, before);
        let since = distance(self.last(), again);
        let (Some(moved), Some(since)) = (moved, since) else {
            return Verdict::Unproven;
        };
        // No more than had moved before the last answer was asked for: right for each.
        if sum_of_furthest(&self.ways) + since == moved {
            return self.proven(self.ways.len());
        }
        if moved == 0 && since == 0 {
            return self.proven_in_part();
        }
        if self.checks >= CHECKS || since >= MOVES_TOO_MUCH {
            return Verdict::Unproven;
        }
        self.stage = Stage::Before;
        Verdict::NotYet
    }

    /// Nothing has moved, so that the pages before the first one that fits in several ways are right.
    /// That one has to be read so that it overlaps.
    fn proven_in_part(&mut self) -> Verdict {
        let in_one_way = self.ways.iter().take_while(|ways| ways.len() == 1);
        let sure = in_one_way.count();
        if sure == 0 || sum_of_furthest(self.ways.get(..sure).unwrap_or_default()) != 0 {
            return Verdict::Unproven;
        }
        self.proven(sure)
    }

    /// The first pages of the run, with as much overlap as they can have.
    fn proven(&mut self, pages: usize) -> Verdict {
        let ways = std::mem::take(&mut self.ways).into_iter();
        let shown_again = ways.map(|ways| ways.last().map_or(0, |way| way.shown_again));
        let proven = std::mem::take(&mut self.pages).into_iter().zip(shown_again);
        Verdict::Proven(proven.take(pages).collect())
    }

    fn last(&self) -> &Response {
        self.pages.last().unwrap_or(&self.before)
    }
}

/// The pages before the first that shows a line like one that is held, or that stands on a page
/// before it. It may be that line, pushed on by late ones that came just before it: then all that has
/// moved is below the page that was asked for again.
fn without_doubles(pages: Vec<(Response, usize)>, is_held: impl Fn(&LineId) -> bool) -> Verdict {
    let lines = pages.iter().map(|(page, _)| page.sightings.len()).sum();
    let mut seen: Fingerprints<LineId> =
        Fingerprints::with_capacity_and_hasher(lines, Default::default());
    let mut sure = Vec::new();
    for (page, shown_again) in pages {
        let new = page.sightings.get(shown_again..).unwrap_or_default();
        if ids(new).any(|id| is_held(&id) || seen.contains(&id)) {
            break;
        }
        seen.extend(ids(new));
        sure.push((page, shown_again));
    }
    match sure.is_empty() {
        true => Verdict::Unproven,
        false => Verdict::Proven(sure),
    }
}

/// One way in which a page may follow the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    /// How many of its first lines are the last ones of the page before it.
    shown_again: usize,
    /// How far the lines then have moved in between.
    moved: i64,
}

/// The ways in which a page may follow another, the least overlap first. That lines between them are
/// missing is none of them: then they have moved less than any says.
fn ways(before: &Response, page: &Response) -> Vec<Way> {
    let asked_again = as_signed(before.end()) - as_signed(page.start);
    let most = before.sightings.len().min(page.sightings.len());
    let fits = |lines: &usize| is_shown_again(before, page, *lines);
    let way = |lines| Way {
        shown_again: lines,
        moved: as_i64(lines) - asked_again,
    };
    let ways = (0..=most).filter(fits).map(way);
    let (on, back): (Vec<Way>, Vec<Way>) = ways.partition(|way| way.moved >= 0);
    // Where lines are asked for again and seen again, they are those.
    if on.is_empty() { back } else { on }
}

fn furthest(ways: &[Way]) -> i64 {
    ways.last().map_or(0, |way| way.moved)
}

fn sum_of_furthest(ways: &[Vec<Way>]) -> i64 {
    ways.iter().map(|ways| furthest(ways)).sum()
}

fn is_shown_again(before: &Response, page: &Response, lines: usize) -> bool {
    let from = before.sightings.len().saturating_sub(lines);
    let end = before.sightings.get(from..).unwrap_or_default();
    let begin = page.sightings.get(..lines).unwrap_or_default();
    ids(end).eq(ids(begin))
}

/// How far the lines of a page have moved since it was asked for before; none where that cannot be
/// told.
fn distance(earlier: &Response, later: &Response) -> Option<i64> {
    let (before, now) = (earlier.sightings.as_slice(), later.sightings.as_slice());
    let on = (0..now.len()).filter(|lines| is_recognised(before, now.get(*lines..)));
    let back = (1..before.len()).filter(|lines| is_recognised(now, before.get(*lines..)));
    let mut ways = on.map(as_i64).chain(back.map(|lines| -as_i64(lines)));
    let only = ways.next()?;
    ways.next().is_none().then_some(only)
}

/// Whether the lines begin alike, as far as both go, and enough of them are unlike all others.
fn is_recognised(lines: &[Sighting], others: Option<&[Sighting]>) -> bool {
    let others = others.unwrap_or_default();
    let common = lines.len().min(others.len());
    let once = |id: &LineId| lines.iter().filter(|s| s.id == *id).count() == 1;
    let begin = lines.get(..common).unwrap_or_default();
    common >= RECOGNISED
        && ids(begin).eq(ids(others).take(common))
        && ids(begin).filter(once).count() >= UNLIKE_OTHERS
}

fn ids(sightings: &[Sighting]) -> impl Iterator<Item = LineId> {
    sightings.iter().map(|sighting| sighting.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{BadLine, Minute};
    use crate::sighting::{Bucket, Fingerprint, What};

    /// So many lines from this place on, of a log whose lines have these texts.
    fn page(log: &[u64], query: Query) -> Response {
        let line = |text: &u64| Sighting {
            id: LineId {
                bucket: Bucket::At(Minute(9)),
                fingerprint: Fingerprint(*text),
            },
            again: None,
            day: None,
            what: What::Bad(BadLine::Date),
        };
        let start = usize::try_from(query.start()).expect("small");
        let limit = usize::try_from(query.limit).expect("small");
        let shown = log.iter().skip(start).take(limit);
        Response {
            start: query.start(),
            asked: query.limit,
            sightings: shown.map(line).collect(),
        }
    }

    /// How many first lines of each page are shown again, if the run is proven. `log` gives the log
    /// as of each request.
    fn run(pages: usize, log: impl Fn(usize) -> Vec<u64>) -> Option<Vec<usize>> {
        let first = page(&log(0), Query::FIRST);
        let mut ahead = Ahead::new(&first);
        for request in 1..100 {
            let answer = page(&log(request), ahead.query());
            let is_last = |page: &Response| page.start >= 50 * pages as u64;
            let held: Fingerprints<LineId> = ids(&first.sightings).collect();
            match ahead.answer(answer, is_last, |id| held.contains(id)) {
                Verdict::NotYet => {}
                Verdict::Proven(pages) => return Some(pages.iter().map(|(_, n)| *n).collect()),
                Verdict::Unproven => return None,
            }
        }
        panic!("the run does not end");
    }

    fn texts(from: u64) -> Vec<u64> {
        (from..2_000).collect()
    }

    #[test]
    fn pages_of_a_log_that_stands_still_abut() {
        assert_eq!(run(4, |_| texts(1_000)), Some(vec![0; 4]));
    }

    #[test]
    fn a_line_that_came_in_between_is_seen_in_what_is_shown_again() {
        let one_came = |request| texts(if request < 3 { 1_000 } else { 999 });
        assert_eq!(run(4, one_came), Some(vec![0, 0, 1, 0]));
    }

    #[test]
    fn lines_that_came_after_the_run_change_nothing_in_it() {
        let one_came = |request| texts(if request < 6 { 1_000 } else { 999 });
        assert_eq!(run(4, one_came), Some(vec![0; 4]));
    }

    #[test]
    fn a_gap_between_two_pages_is_not_proven() {
        // Two lines vanished before all that is shown: the next page begins two lines too far down.
        let two_gone = |request| texts(if request < 3 { 1_000 } else { 1_002 });
        assert_eq!(run(4, two_gone), None);
    }

    #[test]
    fn a_page_is_sure_only_before_the_first_line_that_stands_on_two() {
        let mut log = texts(1_000);
        log[170] = log[120];
        assert_eq!(run(5, |_| log.clone()), Some(vec![0, 0]));
    }

    #[test]
    fn late_lines_that_push_a_line_on_to_the_next_page_do_not_make_it_two() {
        // Two come just before the last line of the second page, after that was shown.
        let late = |request| {
            let mut log = texts(1_000);
            if request > 2 {
                log.splice(149..149, [1, 2]);
            }
            log
        };
        let sure = run(5, late).expect("what came before them is sure");
        assert_eq!(sure, [0, 0]);
    }
}
