//! The API's rate limit: a window that slides by the server's clock, and a record of every request.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::event::EventType;
use crate::moment::Moment;

/// Requests that the record keeps in full; older ones stay in the sums.
const KEPT: usize = 100_000;

/// How many requests are answered in any window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests in a window.
    pub requests: usize,
    pub window: Duration,
    /// Whether requests beyond the limit are refused, or only recorded.
    pub enforce: bool,
    /// Whether a refused request takes a place in the window too.
    pub count_refused: bool,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            requests: 10,
            window: Duration::from_secs(60),
            enforce: true,
            count_refused: true,
        }
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathKind {
    Logs,
    Token,
    Account,
    /// A path that the API does not have.
    Other,
}

impl PathKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Token => "token",
            Self::Account => "account",
            Self::Other => "other",
        }
    }
}

/// A request as the server received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    pub at: Moment,
    pub path: PathKind,
    /// The parameters of a request for a log, where they could be read.
    pub event_type: Option<EventType>,
    pub limit: Option<u64>,
    pub page: Option<u64>,
    /// The answer's status; none while it is being made, and where there was no answer.
    pub status: Option<u16>,
}

/// What the limit says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is to be answered.
    pub admitted: bool,
    /// Requests left in the window.
    pub remaining: usize,
    /// How long until a place becomes free that is taken now.
    pub reset_in: Duration,
    /// The request's number in the record, to note its status under.
    pub number: u64,
}

/// The window and the record. Every request counts in the record, refused ones and those for
/// tokens too.
#[derive(Clone, Debug)]
pub struct Limiter {
    limit: RateLimit,
    /// Places of every window that others of the same account have taken.
    others: usize,
    /// The places taken in the window before the present, oldest first.
    taken: VecDeque<Moment>,
    /// Every request in the window before the present, refused or not.
    window: VecDeque<Moment>,
    record: Record,
}

/// What the server saw of requests, as far as a limit is concerned.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub total: u64,
    /// Requests that came when their window was full.
    pub over_limit: u64,
    /// The most requests in any half-open window of the limit's length, wherever it starts.
    pub most_in_any_window: usize,
    pub by_path: BTreeMap<PathKind, u64>,
    pub by_status: BTreeMap<u16, u64>,
    pub first: Option<Moment>,
    pub last: Option<Moment>,
    /// The last requests, oldest first.
    pub requests: VecDeque<Received>,
}

impl Limiter {
    pub fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            others: 0,
            taken: VecDeque::new(),
            window: VecDeque::new(),
            record: Record::default(),
        }
    }

    /// Records a request and says whether the limit lets it through. Moments do not run backwards.
    pub fn arrive(&mut self, request: Received) -> Verdict {
        let now = request.at;
        leave(&mut self.taken, now, self.limit.window);
        leave(&mut self.window, now, self.limit.window);
        self.window.push_back(now);
        let full = self.taken.len() + self.others >= self.limit.requests;
        let admitted = !full || !self.limit.enforce;
        if admitted || self.limit.count_refused {
            self.taken.push_back(now);
        }
        let oldest = self.taken.front().copied().unwrap_or(now);
        self.record.note(request, self.window.len(), full);
        Verdict {
            admitted,
            remaining: self
                .limit
                .requests
                .saturating_sub(self.taken.len() + self.others),
            reset_in: oldest.plus(self.limit.window).since(now),
            number: self.record.total,
        }
    }

    /// Notes the status with which a request was answered.
    pub fn answered(&mut self, verdict: Verdict, status: u16) {
        *self.record.by_status.entry(status).or_default() += 1;
        let newer = (self.record.total - verdict.number) as usize;
        let index = self.record.requests.len().checked_sub(newer + 1);
        if let Some(request) = index.and_then(|index| self.record.requests.get_mut(index)) {
            request.status = Some(status);
        }
    }

    /// Lets others take so many places of every window from now on. The record does not show them.
    pub fn set_others(&mut self, places: usize) {
        self.others = places;
    }

    pub fn limit(&self) -> RateLimit {
        self.limit
    }

    pub fn record(&self) -> &Record {
        &self.record
    }
}

impl Record {
    fn note(&mut self, request: Received, in_window: usize, full: bool) {
        self.total += 1;
        self.over_limit += u64::from(full);
        self.most_in_any_window = self.most_in_any_window.max(in_window);
        *self.by_path.entry(request.path).or_default() += 1;
        self.first.get_or_insert(request.at);
        self.last = Some(request.at);
        self.requests.push_back(request);
        if self.requests.len() > KEPT {
            self.requests.pop_front();
        }
    }
}

/// Lets go of those that came a whole window ago: two requests exactly one window apart are in no
/// common one.
fn leave(times: &mut VecDeque<Moment>, now: Moment, window: Duration) {
    while times
        .front()
        .is_some_and(|oldest| oldest.plus(window) <= now)
    {
        times.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(millis: u64) -> Received {
        Received {
            at: Moment(Duration::from_millis(millis)),
            path: PathKind::Logs,
            event_type: None,
            limit: None,
            page: None,
            status: None,
        }
    }

    fn limiter(count_refused: bool, enforce: bool) -> Limiter {
        Limiter::new(RateLimit {
            requests: 3,
            window: Duration::from_secs(1),
            enforce,
            count_refused,
        })
    }

    fn admitted(limiter: &mut Limiter, times: &[u64]) -> Vec<bool> {
        times
            .iter()
            .map(|&at| limiter.arrive(request(at)).admitted)
            .collect()
    }

    #[test]
    fn requests_exactly_one_window_apart_share_no_window() {
        let mut limiter = limiter(true, true);
        let times = [0, 0, 0, 1000, 1000, 1000];
        assert_eq!(admitted(&mut limiter, &times), [true; 6]);
        assert_eq!(limiter.record().most_in_any_window, 3);
        assert_eq!(limiter.record().over_limit, 0);
    }

    #[test]
    fn the_worst_window_is_found_wherever_it_starts() {
        let mut limiter = limiter(true, false);
        admitted(&mut limiter, &[0, 900, 950, 1000, 1050, 1899, 1900, 5000]);
        // 900 up to 1899, since 1900 is a whole window after 900.
        assert_eq!(limiter.record().most_in_any_window, 5);
        assert_eq!(limiter.record().over_limit, 3);
    }

    #[test]
    fn a_refused_request_takes_a_place_only_where_it_counts() {
        let times = [0, 0, 0, 500, 1000, 1000, 1000];
        let strict = admitted(&mut limiter(true, true), &times);
        assert_eq!(strict, [true, true, true, false, true, true, false]);
        let lenient = admitted(&mut limiter(false, true), &times);
        assert_eq!(lenient, [true, true, true, false, true, true, true]);
    }

    #[test]
    fn places_of_others_are_left_to_nobody_else() {
        let mut limiter = limiter(true, true);
        limiter.set_others(2);
        assert_eq!(limiter.arrive(request(0)).remaining, 0);
        assert_eq!(admitted(&mut limiter, &[500, 1500]), [false, true]);
        assert_eq!(limiter.record().over_limit, 1);
    }

    #[test]
    fn the_reset_is_when_the_oldest_place_becomes_free() {
        let mut limiter = limiter(true, true);
        limiter.arrive(request(0));
        let verdict = limiter.arrive(request(400));
        assert_eq!(verdict.remaining, 1);
        assert_eq!(verdict.reset_in, Duration::from_millis(600));
    }

    #[test]
    fn a_status_is_noted_with_its_request() {
        let mut limiter = limiter(true, true);
        let first = limiter.arrive(request(0));
        let second = limiter.arrive(request(1));
        limiter.answered(second, 413);
        limiter.answered(first, 200);
        let noted: Vec<_> = limiter
            .record()
            .requests
            .iter()
            .map(|one| one.status)
            .collect();
        assert_eq!(noted, [Some(200), Some(413)]);
        assert_eq!(limiter.record().by_status[&413], 1);
    }
}
