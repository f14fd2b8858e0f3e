//! How many connections there may be, and who has to go when another comes.
//!
//! A limit alone would let those who say nothing keep out those who ask. So a connection that is
//! not being answered gives its place to a new one, and a few places more are kept for the
//! questions whether the exporter is well.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::visit::{Phase, Visit};
use crate::catalogue::{CONNECTIONS, CONNECTIONS_REFUSED};
use crate::meters::Meters;

/// Beyond the limit, for a word each: health checks are answered, all others told to come again.
const SPARE: usize = 16;

/// Why a connection was refused or closed, as the metric's label has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Every place is of one that is being answered.
    Full,
    /// It was not being answered, and another one came.
    Displaced,
    /// TLS found no agreement, or none in time.
    Handshake,
}

impl Refusal {
    const ALL: [Self; 3] = [Self::Full, Self::Displaced, Self::Handshake];

    fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Displaced => "displaced",
            Self::Handshake => "handshake",
        }
    }
}

/// The connections that are open.
#[derive(Debug)]
pub(super) struct Places {
    limit: usize,
    open: Mutex<Open>,
    meters: Arc<Meters>,
}

#[derive(Debug, Default)]
struct Open {
    seated: HashMap<u64, Visit>,
    spare: usize,
    entered: u64,
}

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    /// None for one of the few beyond the limit.
    seat: Option<u64>,
}

impl Places {
    pub(super) fn new(limit: usize, meters: Arc<Meters>) -> Arc<Self> {
        meters.set(CONNECTIONS, &[], 0.0);
        for refusal in Refusal::ALL {
            meters.add(CONNECTIONS_REFUSED, &[refusal.as_str()], 0);
        }
        Arc::new(Self {
            limit,
            open: Mutex::default(),
            meters,
        })
    }

    /// A place for a new connection, if need be that of one which is not being answered; none where
    /// there is no room for a word.
    pub(super) fn enter(self: &Arc<Self>, visit: &Visit) -> Option<Place> {
        let mut open = self.open();
        if open.seated.len() >= self.limit
            && let Some(idle) = open.idle()
            && let Some(visit) = open.seated.remove(&idle)
        {
            visit.displace();
            self.refused(Refusal::Displaced);
        }
        let seat = if open.seated.len() < self.limit {
            open.entered += 1;
            let seat = open.entered;
            open.seated.insert(seat, visit.clone());
            Some(seat)
        } else {
            self.refused(Refusal::Full);
            if open.spare >= SPARE {
                return None;
            }
            open.spare += 1;
            None
        };
        self.show(&open);
        Some(Place {
            places: Arc::clone(self),
            seat,
        })
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        self.meters.add(CONNECTIONS_REFUSED, &[refusal.as_str()], 1);
    }

    fn show(&self, open: &Open) {
        let all = open.seated.len() + open.spare;
        self.meters.set(CONNECTIONS, &[], all as f64);
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        let open = self.open.lock();
        open.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Of those that are not being answered, one that never asked, else the one that rests longest.
    fn idle(&self) -> Option<u64> {
        let idle = self.seated.iter().filter_map(|(seat, visit)| {
            let (phase, since) = visit.phase();
            let had_an_answer = phase == Phase::Resting;
            (phase != Phase::Answering).then_some((had_an_answer, since, *seat))
        });
        idle.min().map(|(_, _, seat)| seat)
    }
}

impl Place {
    /// Whether it is one of the few beyond the limit.
    pub(super) fn is_spare(&self) -> bool {
        self.seat.is_none()
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        self.places.refused(refusal);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.open();
        match self.seat {
            // It may have been given away.
            Some(seat) => drop(open.seated.remove(&seat)),
            None => open.spare -= 1,
        }
        self.places.show(&open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(limit: usize) -> Arc<Places> {
        Places::new(limit, Arc::new(Meters::new().expect("a sound catalogue")))
    }

    fn is_displaced(visit: &Visit) -> bool {
        let mut leaving = std::pin::pin!(visit.displaced());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        leaving.as_mut().poll(&mut cx).is_ready()
    }

    #[test]
    fn who_never_asked_goes_first_and_then_who_rests_longest() {
        let places = places(3);
        let visits: Vec<Visit> = (0..3).map(|_| Visit::new()).collect();
        let _seats: Vec<_> = visits.iter().map(|visit| places.enter(visit)).collect();
        for visit in [&visits[1], &visits[0]] {
            drop(visit.asked());
            visit.flushed();
        }
        let newcomers: Vec<Visit> = (0..3).map(|_| Visit::new()).collect();
        let mut kept = Vec::new();
        for (newcomer, displaced) in newcomers.iter().zip([2, 1, 0]) {
            kept.push(places.enter(newcomer).expect("a place"));
            // Who came just now and is being answered is nobody to displace.
            std::mem::forget(newcomer.asked());
            assert!(is_displaced(&visits[displaced]), "{displaced}");
        }
        assert!(kept.iter().all(|place| !place.is_spare()));
    }

    #[test]
    fn who_is_being_answered_stays_and_a_few_more_may_ask_whether_all_is_well() {
        let places = places(1);
        let first = Visit::new();
        let seat = places.enter(&first);
        let answering = first.asked();
        let spare: Vec<_> = (0..SPARE).map(|_| places.enter(&Visit::new())).collect();
        let is_spare = |place: &Option<Place>| place.as_ref().is_some_and(Place::is_spare);
        assert!(spare.iter().all(is_spare));
        assert!(places.enter(&Visit::new()).is_none(), "no room for a word");
        assert!(!is_displaced(&first));
        drop((spare, seat, answering));
        let place = places.enter(&Visit::new()).expect("a place");
        assert!(!place.is_spare());
    }
}
