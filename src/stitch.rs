//! Pages that moved, joined to one stretch of the log.
//!
//! Between two requests lines arrive, and the next answer shows lines that were seen already; or
//! lines vanish, and it starts further on. So each answer is asked to overlap what was read before,
//! and is placed where its lines fit, by a line that stands there only once and that no new line can
//! look like: the anchor. Answers that are joined by anchors are a segment, and no line is twice in
//! it. Without an anchor (runs of equal lines, or all of it in the minute that lines still arrive in)
//! a new segment begins: of equal lines in two segments nobody knows whether they are the same ones,
//! so only as many count as one segment holds, and their minutes are reported as ambiguous. Where an
//! answer fits nowhere, the read has to start over.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::Minute;
use crate::ledger::Seen;
use crate::sighting::{Bucket, ByFingerprint, Fingerprints, LineId, Sighting};
use crate::window::Query;

/// The fewest lines that an answer should show again.
pub const LEAST_OVERLAP: u64 = 3;

/// The lines of one answer, in the direction of reading, and where they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The place of the first line in the log at that moment, counted from where pages count.
    pub start: u64,
    /// How many lines were asked for. Fewer came only if the log ends there.
    pub asked: u64,
    pub sightings: Vec<Sighting>,
}

/// Lines of the log without a gap, in the direction of reading.
#[derive(Clone, Debug)]
pub struct Stretch {
    base: u64,
    /// How many places the lines have moved since the first answer.
    shift: i64,
    /// By how many places the lines fell back at most between two answers, as the old end shrank.
    fell: u64,
    /// The place after the last line of the last answer.
    next_place: u64,
    /// Whether the log ended with the last answer.
    ended: bool,
    /// Whether lines are held that come after those of the last answer.
    goes_beyond: bool,
    /// Lines of this minute and newer ones still arrive, and where pages count from: no anchors.
    arriving_from: Option<Minute>,
    ids: Vec<LineId>,
    /// Where in `ids` the last segment begins.
    segment_from: usize,
    /// How often each line is in the last segment; none while that is the only one, of which `seen`
    /// says it.
    segment: Option<ByFingerprint<LineId, u32>>,
    /// The lines of the segments before it.
    earlier: Fingerprints<LineId>,
    /// Of each line, as many as the segment has that holds most of it.
    seen: BTreeMap<Bucket, Seen>,
    /// The first and the last place at which an answer showed a line of it.
    places: BTreeMap<Bucket, (u64, u64)>,
    touched: BTreeSet<Bucket>,
    ambiguous: BTreeSet<Bucket>,
}

/// How an answer went together with a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// It fits in one place, by an anchor.
    Joined,
    /// It fits in several, or has no anchor.
    Ambiguous,
    /// It fits nowhere; the stretch is as it was.
    Apart,
}

impl Stretch {
    /// The stretch that one answer shows. Where new lines push the others on to higher places, they
    /// do so in the minutes from `arriving_from` on.
    pub fn new(first: &Response, arriving_from: Option<Minute>) -> Self {
        let mut stretch = Self {
            base: first.start,
            shift: 0,
            fell: 0,
            next_place: first.end(),
            ended: first.is_short(),
            goes_beyond: false,
            arriving_from,
            ids: Vec::new(),
            segment_from: 0,
            segment: None,
            earlier: Fingerprints::default(),
            seen: BTreeMap::new(),
            places: BTreeMap::new(),
            touched: BTreeSet::new(),
            ambiguous: BTreeSet::new(),
        };
        stretch.note_places(first);
        stretch.extend(&first.sightings);
        stretch
    }

    /// The stretch of answers between whose requests nothing moved, which the caller knows; none if
    /// they contradict that.
    pub fn unmoved(answers: &[Response]) -> Option<Self> {
        let (first, rest) = answers.split_first()?;
        let mut stretch = Self::new(first, None);
        for answer in rest {
            let place = usize::try_from(answer.start.checked_sub(stretch.base)?).ok()?;
            if place > stretch.ids.len() || !stretch.fits(place, &answer.sightings) {
                return None;
            }
            stretch.place(place, answer);
        }
        stretch.touch_all();
        Some(stretch)
    }

    /// Joins the answer to the next request, which was asked to overlap this stretch.
    pub fn join(&mut self, answer: &Response) -> Join {
        self.touched.clear();
        let lines = &answer.sightings;
        let fits = |place: &usize| self.fits(*place, lines);
        let places: Vec<usize> = (self.segment_from..self.ids.len()).filter(fits).collect();
        if places.is_empty() {
            return Join::Apart;
        }
        let several = places.len() > 1;
        // An anchor that stands only once allows only one place; but a line of the last minute held
        // may stand there once more among those that are not read yet. It may be that one which is
        // shown where there are several places, or where the lines fell back, perhaps past the end
        // of what is held.
        let is_proof = |place: &&usize| {
            let needs_proof = several || self.falls_back_at(**place, answer);
            self.is_anchored(**place, lines) && (!needs_proof || self.is_proven(**place, lines))
        };
        let Some(place) = places.iter().find(is_proof).copied() else {
            self.begin_segment(answer);
            return Join::Ambiguous;
        };
        if several {
            self.ambiguous.extend(lines.first().map(|s| s.id.bucket));
        }
        self.place(place, answer);
        if several {
            Join::Ambiguous
        } else {
            Join::Joined
        }
    }

    /// Whether a line like this is held.
    pub fn holds(&self, id: &LineId) -> bool {
        self.most_of(id) > 0
    }

    /// How often the line is in the segment that holds most of it.
    fn most_of(&self, id: &LineId) -> u32 {
        let seen = self.seen.get(&id.bucket);
        seen.map_or(0, |seen| seen.count(id.fingerprint))
    }

    /// Adds an answer whose first lines are known to be the last ones held.
    pub fn append(&mut self, answer: &Response, shown_again: usize) {
        self.place(self.ids.len().saturating_sub(shown_again), answer);
    }

    /// Forgets which buckets were touched.
    pub fn touch_none(&mut self) {
        self.touched.clear();
    }

    /// Whether lines fell back between two answers, as the old end shrank.
    pub fn fell_back(&self) -> bool {
        self.fell > 0
    }

    /// Whether every line is in its place for certain, and the last answer shows the last of them.
    pub fn is_certain(&self) -> bool {
        self.segment_from == 0 && self.ambiguous.is_empty() && !self.goes_beyond
    }

    /// The place of the first line of the first answer, as of then.
    pub fn first_place(&self) -> u64 {
        self.base
    }

    /// The place in the log from which to read on, as of the last answer.
    pub fn next_place(&self) -> u64 {
        self.next_place
    }

    /// How many lines have arrived before the first line read, as far as is known: with the newest
    /// line first, those are still unread.
    pub fn moved(&self) -> i64 {
        self.shift
    }

    /// Takes all buckets for touched.
    pub fn touch_all(&mut self) {
        self.touched = self.seen.keys().copied().collect();
    }

    /// The buckets that the last join (or the first answer) showed lines of, with all lines of the
    /// stretch in them, and whether those are all lines of the log in them.
    pub fn touched(&self) -> impl Iterator<Item = (Bucket, &Seen, bool)> {
        let seen = |bucket| self.seen.get(bucket).map(|seen| (*bucket, seen));
        let with_whole = |(bucket, seen)| (bucket, seen, self.is_whole(bucket));
        self.touched.iter().filter_map(seen).map(with_whole)
    }

    /// Whether the stretch begins within this minute, so that only more lines before it would show
    /// it whole.
    pub fn begins_within(&self, minute: Minute) -> bool {
        self.base > 0 && self.minutes().next() == Some(minute)
    }

    /// The minutes in which lines could not be told apart.
    pub fn ambiguous_minutes(&self) -> BTreeSet<Minute> {
        self.ambiguous.iter().filter_map(|b| b.minute()).collect()
    }

    /// The lines, in the direction of reading; where segments meet, some are there twice.
    pub fn ids(&self) -> &[LineId] {
        &self.ids
    }

    /// The minutes of the lines that have one, in the direction of reading.
    pub fn minutes(&self) -> impl DoubleEndedIterator<Item = Minute> {
        self.ids.iter().filter_map(|id| id.bucket.minute())
    }

    /// How many of the last lines to ask for again, so that one of them is an anchor, although the
    /// lines may fall back as they did before.
    pub fn overlap_to_ask(&self) -> u64 {
        const MOST: usize = 25;
        let segment = self.ids.get(self.segment_from..).unwrap_or_default();
        let from_the_end = segment.iter().rev().take(MOST);
        let anchor = from_the_end.map(|id| self.may_anchor(id)).position(|it| it);
        let overlap = anchor.map_or(LEAST_OVERLAP, |place| as_u64(place + 1));
        overlap.max(LEAST_OVERLAP) + self.fell
    }

    fn is_whole(&self, bucket: Bucket) -> bool {
        let Some(minute) = bucket.minute() else {
            return false;
        };
        let ends_within = !self.ended && self.minutes().next_back() == Some(minute);
        !ends_within && !self.begins_within(minute) && !self.ambiguous.contains(&bucket)
    }

    fn fits(&self, place: usize, sightings: &[Sighting]) -> bool {
        let held = self.ids.get(place..).unwrap_or_default();
        held.iter()
            .zip(sightings)
            .all(|(id, sighting)| *id == sighting.id)
    }

    /// Whether an answer at this place shows less of what is held than was asked for.
    fn falls_back_at(&self, place: usize, answer: &Response) -> bool {
        let shown_again = as_u64(self.ids.len() - place);
        !self.goes_beyond && shown_again < self.next_place.saturating_sub(answer.start)
    }

    /// Whether an answer at this place shares an anchor with the last segment: then nothing came in
    /// between unseen.
    fn is_anchored(&self, place: usize, sightings: &[Sighting]) -> bool {
        let shared = sightings.get(..self.ids.len() - place).unwrap_or(sightings);
        let once_there = |id: &LineId| sightings.iter().filter(|s| s.id == *id).count() == 1;
        shared
            .iter()
            .any(|s| self.may_anchor(&s.id) && once_there(&s.id))
    }

    /// The same by an anchor of a minute that is held to its end.
    fn is_proven(&self, place: usize, sightings: &[Sighting]) -> bool {
        let last = self.ids.last().map(|id| id.bucket);
        let shared = sightings.get(..self.ids.len() - place).unwrap_or(sightings);
        let once_there = |id: &LineId| sightings.iter().filter(|s| s.id == *id).count() == 1;
        shared
            .iter()
            .any(|s| Some(s.id.bucket) != last && self.may_anchor(&s.id) && once_there(&s.id))
    }

    /// Whether the line is only once in the last segment, and no new line can look like it.
    fn may_anchor(&self, id: &LineId) -> bool {
        let settled = match (id.bucket.minute(), self.arriving_from) {
            (Some(minute), Some(arriving_from)) => minute < arriving_from,
            (_, None) => true,
            (None, Some(_)) => false,
        };
        settled && self.most_of(id) == 1 && !self.earlier.contains(id)
    }

    fn place(&mut self, place: usize, answer: &Response) {
        if self.segment_from == 0 {
            let before = self.shift;
            let asked_at = as_signed(answer.start) - as_signed(self.base);
            self.shift = asked_at - as_i64(place);
            let fell = u64::try_from(before - self.shift).unwrap_or(0);
            self.fell = self.fell.max(fell);
        }
        self.end_with(answer);
        let known = self.ids.len().saturating_sub(place);
        self.goes_beyond = known > answer.sightings.len();
        self.extend(answer.sightings.get(known..).unwrap_or_default());
    }

    fn begin_segment(&mut self, answer: &Response) {
        let shown = answer.sightings.iter().map(|s| s.id.bucket);
        let in_both = shown.filter(|bucket| self.seen.contains_key(bucket));
        let in_both: Vec<Bucket> = in_both.collect();
        for bucket in &in_both {
            if let Some(seen) = self.seen.get_mut(bucket) {
                seen.places = self.places.get(bucket).copied();
            }
        }
        self.ambiguous.extend(in_both);
        let before = std::mem::replace(&mut self.segment_from, self.ids.len());
        self.goes_beyond = false;
        let segment = self.ids.get(before..).unwrap_or_default();
        self.earlier.extend(segment);
        self.segment = Some(ByFingerprint::default());
        self.end_with(answer);
        self.extend(&answer.sightings);
    }

    fn end_with(&mut self, answer: &Response) {
        self.next_place = answer.end();
        self.ended = answer.is_short();
        let buckets = of_each_bucket(&answer.sightings).map(|(bucket, _)| bucket);
        self.touched.extend(buckets);
        self.note_places(answer);
    }

    fn note_places(&mut self, answer: &Response) {
        let mut first = answer.start;
        for (bucket, lines) in of_each_bucket(&answer.sightings) {
            let next = first + as_u64(lines.len());
            let places = self.places.entry(bucket).or_insert((first, first));
            *places = (places.0.min(first), places.1.max(next - 1));
            if let Some(held) = self
                .seen
                .get_mut(&bucket)
                .filter(|seen| seen.places.is_some())
            {
                held.places = Some(*places);
            }
            first = next;
        }
    }

    fn extend(&mut self, sightings: &[Sighting]) {
        self.ids.extend(sightings.iter().map(|line| line.id));
        for (bucket, lines) in of_each_bucket(sightings) {
            self.touched.insert(bucket);
            let seen = self.seen.entry(bucket).or_default();
            seen.lines.reserve(lines.len());
            for Sighting { id, what, .. } in lines {
                let Some(segment) = &mut self.segment else {
                    seen.one_more(id.fingerprint, what);
                    continue;
                };
                let count = segment.entry(*id).or_default();
                *count += 1;
                seen.at_least(id.fingerprint, *count, what);
            }
        }
    }
}

/// Neighbours of the same bucket together, in the order of the lines.
fn of_each_bucket(lines: &[Sighting]) -> impl Iterator<Item = (Bucket, &[Sighting])> {
    let runs = lines.chunk_by(|line, next| line.id.bucket == next.id.bucket);
    runs.filter_map(|run| Some((run.first()?.id.bucket, run)))
}

impl Response {
    /// The place after the last line shown.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(as_u64(self.sightings.len()))
    }

    /// The request that this answered.
    pub fn query(&self) -> Query {
        Query {
            limit: self.asked,
            page: self.start / self.asked.max(1) + 1,
        }
    }

    /// Whether the log ended with this answer.
    pub fn is_short(&self) -> bool {
        as_u64(self.sightings.len()) < self.asked
    }

    /// Whether the same answer to the same request, earlier, shows that nothing moved in between:
    /// a line more or less before it would have shown, since no shift of these lines looks the same.
    /// Where the log ends here, it would have shown too, if its other end `is_known` to be as before:
    /// a log that holds so many lines and no more loses one here for each that comes there.
    pub fn shows_stillness_since(&self, earlier: &Self, is_known: bool) -> bool {
        let ids = |r: &Self| r.sightings.iter().map(|s| s.id).collect::<Vec<_>>();
        let lines = ids(self);
        let same = self.start == earlier.start && self.asked == earlier.asked;
        same && lines == ids(earlier)
            && ((self.is_short() && is_known) || !looks_the_same_shifted(&lines))
    }
}

fn looks_the_same_shifted(lines: &[LineId]) -> bool {
    (1..lines.len().max(2)).any(|shift| {
        let moved = lines.get(shift..).unwrap_or_default();
        lines.iter().zip(moved).all(|(a, b)| a == b)
    })
}

pub(crate) fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn as_signed(place: u64) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

pub(crate) fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::BadLine;
    use crate::sighting::{Fingerprint, What};

    /// Lines of minutes that no line comes to any more, newest first; the letter is the text.
    fn response(start: u64, asked: u64, lines: &str) -> Response {
        let sighting = |text: char| Sighting {
            id: LineId {
                bucket: Bucket::At(Minute(if text < 'n' { 9 } else { 8 })),
                fingerprint: Fingerprint(u64::from(u32::from(text))),
            },
            again: None,
            day: Some(0),
            what: What::Bad(BadLine::Date),
        };
        Response {
            start,
            asked,
            sightings: lines.chars().map(sighting).collect(),
        }
    }

    fn counts(stretch: &Stretch) -> String {
        let mut all: Vec<(char, u32)> = Vec::new();
        for seen in stretch.seen.values() {
            for (fingerprint, (count, _)) in &seen.lines {
                let text = u32::try_from(fingerprint.0).ok().and_then(char::from_u32);
                all.push((text.expect("a letter"), *count));
            }
        }
        all.sort_unstable();
        all.iter()
            .map(|(text, count)| format!("{text}{count}"))
            .collect()
    }

    const NOTHING_ARRIVES: Option<Minute> = Some(Minute(10));

    #[test]
    fn lines_that_came_between_two_requests_are_not_counted_twice() {
        let mut stretch = Stretch::new(&response(0, 5, "abcde"), NOTHING_ARRIVES);
        // Asked from place 3 on; two lines came at the top meanwhile.
        assert_eq!(stretch.join(&response(3, 5, "bcdef")), Join::Joined);
        assert_eq!(counts(&stretch), "a1b1c1d1e1f1");
        assert_eq!((stretch.moved(), stretch.next_place()), (2, 8));
    }

    #[test]
    fn lines_that_vanished_between_two_requests_leave_no_gap_unseen() {
        let mut stretch = Stretch::new(&response(0, 5, "abcdn"), NOTHING_ARRIVES);
        assert_eq!(stretch.join(&response(2, 5, "dnopq")), Join::Joined);
        assert_eq!(stretch.moved(), -1);
        assert_eq!(stretch.join(&response(5, 5, "st")), Join::Apart);
        assert_eq!(counts(&stretch), "a1b1c1d1n1o1p1q1");
    }

    #[test]
    fn an_equal_line_past_the_end_of_what_is_held_is_not_taken_for_the_last_line_held() {
        let mut stretch = Stretch::new(&response(0, 5, "abcde"), None);
        // The log holds abcdefgehij. Asked from place 3 on, but four lines fell away at its old end,
        // so that f and g were never shown.
        assert_eq!(stretch.join(&response(3, 4, "ehij")), Join::Ambiguous);
        assert_eq!(stretch.ambiguous_minutes(), BTreeSet::from([Minute(9)]));
        // A line of a minute that is held to its end stands nowhere else.
        let mut stretch = Stretch::new(&response(0, 5, "abcdn"), None);
        assert_eq!(stretch.join(&response(2, 5, "dnopq")), Join::Joined);
        assert_eq!(stretch.moved(), -1);
    }

    #[test]
    fn equal_lines_on_two_pages_count_once_each_where_an_anchor_joins_them() {
        let mut stretch = Stretch::new(&response(0, 5, "abxff"), NOTHING_ARRIVES);
        assert_eq!(stretch.join(&response(2, 5, "xffff")), Join::Joined);
        assert_eq!(counts(&stretch), "a1b1f4x1");
    }

    #[test]
    fn a_run_of_equal_lines_over_two_pages_counts_as_much_as_one_page_shows() {
        let mut stretch = Stretch::new(&response(0, 5, "fffff"), NOTHING_ARRIVES);
        assert_eq!(stretch.join(&response(3, 5, "ffffx")), Join::Ambiguous);
        assert_eq!(counts(&stretch), "f5x1");
        assert_eq!(stretch.ambiguous_minutes(), BTreeSet::from([Minute(9)]));
        // Beyond the run, lines that stand once join again.
        assert_eq!(stretch.join(&response(7, 5, "xyz")), Join::Joined);
        assert_eq!(counts(&stretch), "f5x1y1z1");
    }

    #[test]
    fn a_line_that_new_ones_may_look_like_is_no_anchor() {
        let still_arriving = Some(Minute(9));
        let mut stretch = Stretch::new(&response(0, 5, "aabcd"), still_arriving);
        assert_eq!(stretch.join(&response(2, 5, "bcdaa")), Join::Ambiguous);
        assert_eq!(counts(&stretch), "a2b1c1d1");
    }

    #[test]
    fn places_tell_equal_lines_apart_if_nothing_moved() {
        let answers = [response(0, 5, "fffff"), response(3, 5, "ffffx")];
        let stretch = Stretch::unmoved(&answers).expect("no contradiction");
        assert_eq!(counts(&stretch), "f7x1");
        let contradiction = [response(0, 5, "fffff"), response(3, 5, "xffff")];
        assert!(Stretch::unmoved(&contradiction).is_none());
    }

    #[test]
    fn only_an_answer_that_no_shift_looks_like_shows_stillness() {
        let still = |lines, asked| {
            let answer = response(3, asked, lines);
            answer.shows_stillness_since(&answer.clone(), true)
        };
        assert!(still("ffffx", 5));
        assert!(!still("fffff", 5), "one more would look the same");
        assert!(
            still("fffff", 6),
            "the log ends here, so one more would show"
        );
        assert!(!still("xyxyx", 5));
        assert!(!response(3, 5, "abcde").shows_stillness_since(&response(2, 5, "abcde"), true));
        let end = response(3, 6, "fffff");
        assert!(!end.shows_stillness_since(&end.clone(), false));
    }

    #[test]
    fn an_answer_overlaps_far_enough_to_share_an_anchor() {
        let run = Stretch::new(&response(0, 9, "abcffffff"), NOTHING_ARRIVES);
        assert_eq!(run.overlap_to_ask(), 7);
        let plain = Stretch::new(&response(0, 5, "abcde"), NOTHING_ARRIVES);
        assert_eq!(plain.overlap_to_ask(), LEAST_OVERLAP);
    }
}
