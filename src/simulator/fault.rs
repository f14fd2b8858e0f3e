//! Faults to inject: which requests they strike, and what they do to them.

use std::time::Duration;

use super::limit::{PathKind, Received};
use super::rng::Rng;
use crate::event::EventType;

/// What a fault does to a request that it strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Answers with this status, and with `Retry-After` in seconds where given.
    Status {
        status: u16,
        retry_after: Option<u64>,
    },
    /// A page of HTML with status 200, as a proxy's log-in page.
    Html,
    /// The first half of the body, and a Content-Length that says so.
    Truncated,
    /// The first half of the body, and then the connection's end before its Content-Length.
    CutOff,
    /// A body that goes on until the client leaves, a GiB has been sent or two minutes are over.
    Endless,
    /// 302 to this place.
    Redirect { location: String },
    /// No answer until the client leaves; after two minutes the connection ends.
    Hang,
    /// The answer is made at once and sent later.
    Delay(Wait),
    /// The request is received later, as if the way to the server were long.
    LateArrival(Wait),
    /// A body that is not JSON, with status 200 and the media type of JSON.
    Garbage,
    /// So many lines more than the page's limit.
    ExtraLines { lines: usize },
    /// A page whose lines come the other way round.
    Reversed,
    /// The connection is reset without an answer.
    Reset,
}

/// A wait that differs from request to request by up to `spread_ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    pub ms: u64,
    pub spread_ms: u64,
}

impl Wait {
    fn draw(self, rng: &mut Rng) -> Duration {
        let spread = rng.below(self.spread_ms.saturating_add(1));
        Duration::from_millis(self.ms.saturating_add(spread))
    }
}

/// Which requests a fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    Logs,
    Token,
    Account,
    #[default]
    All,
}

/// A fault and the requests that it strikes. Requests refused for the rate limit are not struck
/// and use up nothing, except by [`Kind::LateArrival`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: Kind,
    pub target: Target,
    /// Only requests for this log.
    pub event_type: Option<EventType>,
    /// Only requests for this page.
    pub page: Option<u64>,
    /// Matching requests to let pass first.
    pub skip: u64,
    /// Of the matching requests from then on the first is struck and each so-many-th after it; 0 is
    /// read as 1.
    pub every: u64,
    /// Matching requests to strike then; none for all until the faults are cleared.
    pub times: Option<u64>,
}

impl Fault {
    /// A fault of every request until the faults are cleared.
    pub fn always(kind: Kind) -> Self {
        Self {
            kind,
            target: Target::All,
            event_type: None,
            page: None,
            skip: 0,
            every: 1,
            times: None,
        }
    }

    /// A fault of the next `times` requests.
    pub fn next(kind: Kind, times: u64) -> Self {
        Self {
            times: Some(times),
            ..Self::always(kind)
        }
    }

    /// The same fault, of requests for the logs alone.
    pub fn on_logs(self) -> Self {
        Self {
            target: Target::Logs,
            ..self
        }
    }

    fn concerns(&self, request: &Received) -> bool {
        let path = match self.target {
            Target::Logs => request.path == PathKind::Logs,
            Target::Token => request.path == PathKind::Token,
            Target::Account => request.path == PathKind::Account,
            Target::All => true,
        };
        path && (self.event_type.is_none() || self.event_type == request.event_type)
            && (self.page.is_none() || self.page == request.page)
    }

    /// Whether it strikes this matching request, which it counts.
    fn spend(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.skip = self.every.saturating_sub(1);
        match &mut self.times {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// What the faults do to one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stroke {
    /// How long its answer waits, over all delays.
    pub delay: Duration,
    /// What becomes of the answer: the fault injected first among those that match.
    pub kind: Option<Kind>,
}

/// The faults that are in force, in the order of their injection.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    armed: Vec<Fault>,
}

impl Faults {
    pub fn inject(&mut self, fault: Fault) {
        self.armed.push(fault);
    }

    pub fn clear(&mut self) {
        self.armed.clear();
    }

    /// Faults that are not spent.
    pub fn in_force(&self) -> usize {
        self.armed.len()
    }

    /// How long the request is on its way before it counts as received.
    pub fn on_the_way(&mut self, request: &Received, rng: &mut Rng) -> Duration {
        let mut wait = Duration::ZERO;
        for fault in &mut self.armed {
            if let Kind::LateArrival(late) = fault.kind
                && fault.concerns(request)
                && fault.spend()
            {
                wait += late.draw(rng);
            }
        }
        self.drop_spent();
        wait
    }

    /// What becomes of a request that was received and let through.
    pub fn strike(&mut self, request: &Received, rng: &mut Rng) -> Stroke {
        let mut stroke = Stroke::default();
        for fault in &mut self.armed {
            if matches!(fault.kind, Kind::LateArrival(_)) || !fault.concerns(request) {
                continue;
            }
            if let Kind::Delay(wait) = fault.kind {
                if fault.spend() {
                    stroke.delay += wait.draw(rng);
                }
            } else if stroke.kind.is_none() && fault.spend() {
                stroke.kind = Some(fault.kind.clone());
            }
        }
        self.drop_spent();
        stroke
    }

    fn drop_spent(&mut self) {
        self.armed.retain(|fault| fault.times != Some(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Moment;

    fn page(event_type: EventType, page: u64) -> Received {
        Received {
            at: Moment(Duration::ZERO),
            path: PathKind::Logs,
            event_type: Some(event_type),
            limit: Some(50),
            page: Some(page),
            status: None,
        }
    }

    fn unavailable() -> Kind {
        Kind::Status {
            status: 503,
            retry_after: None,
        }
    }

    fn struck(faults: &mut Faults, request: &Received) -> bool {
        faults.strike(request, &mut Rng::new(1)).kind.is_some()
    }

    #[test]
    fn a_fault_lets_some_pass_then_strikes_so_often_and_is_spent() {
        let mut faults = Faults::default();
        faults.inject(Fault {
            skip: 1,
            ..Fault::next(unavailable(), 2)
        });
        let request = page(EventType::Device, 1);
        let seen: Vec<bool> = (0..5).map(|_| struck(&mut faults, &request)).collect();
        assert_eq!(seen, [false, true, true, false, false]);
    }

    #[test]
    fn a_fault_of_every_third_lets_two_pass_in_between() {
        let mut faults = Faults::default();
        faults.inject(Fault {
            skip: 1,
            every: 3,
            ..Fault::next(unavailable(), 2)
        });
        let request = page(EventType::Device, 1);
        let seen: Vec<bool> = (0..8).map(|_| struck(&mut faults, &request)).collect();
        let expected = [false, true, false, false, true, false, false, false];
        assert_eq!(seen, expected);
    }

    #[test]
    fn filters_of_log_page_and_path_all_have_to_match() {
        let mut faults = Faults::default();
        faults.inject(Fault {
            event_type: Some(EventType::Admin),
            page: Some(2),
            ..Fault::always(unavailable()).on_logs()
        });
        assert!(struck(&mut faults, &page(EventType::Admin, 2)));
        assert!(!struck(&mut faults, &page(EventType::Admin, 1)));
        assert!(!struck(&mut faults, &page(EventType::Device, 2)));
        let token = Received {
            path: PathKind::Token,
            ..page(EventType::Admin, 2)
        };
        assert!(!struck(&mut faults, &token));
        faults.clear();
        assert!(!struck(&mut faults, &page(EventType::Admin, 2)));
    }

    #[test]
    fn a_delay_goes_together_with_another_fault() {
        let mut faults = Faults::default();
        faults.inject(Fault::always(Kind::Delay(Wait {
            ms: 30,
            spread_ms: 0,
        })));
        faults.inject(Fault::always(Kind::LateArrival(Wait {
            ms: 50,
            spread_ms: 10,
        })));
        faults.inject(Fault::next(unavailable(), 1));
        let request = page(EventType::Device, 1);
        let way = faults.on_the_way(&request, &mut Rng::new(1));
        assert!((50..=60).contains(&way.as_millis()));
        let stroke = faults.strike(&request, &mut Rng::new(1));
        assert_eq!(stroke.delay, Duration::from_millis(30));
        assert_eq!(stroke.kind, Some(unavailable()));
    }
}
