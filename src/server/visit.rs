//! What a connection is at, as its stream, its answers and the door see it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What is awaited of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// The first byte of its first request, or its handshake.
    Arrived,
    /// The rest of a request's head.
    Asking,
    /// Another request, after the last answer left.
    Resting,
    /// Nothing: it is to get an answer.
    Answering,
}

#[derive(Clone, Copy, Debug)]
struct State {
    phase: Phase,
    /// Which change of any connection led to the phase: the lower, the longer ago.
    since: u64,
    /// The answer is in the buffers to its end.
    is_handed_over: bool,
    /// Bytes of the next request came while this one was answered.
    has_more: bool,
    /// A body comes that nobody will read.
    has_unread: bool,
}

/// One connection. Clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    shared: Arc<(Mutex<State>, Notify)>,
}

/// While it lives, the answer is not in the buffers to its end.
#[derive(Debug)]
pub(super) struct Answering(Visit);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.state().is_handed_over = true;
    }
}

impl Visit {
    pub(super) fn new() -> Self {
        let state = State {
            phase: Phase::Arrived,
            since: next(),
            is_handed_over: false,
            has_more: false,
            has_unread: false,
        };
        Self {
            shared: Arc::new((Mutex::new(state), Notify::new())),
        }
    }

    /// What it is at, and since which change.
    pub(super) fn phase(&self) -> (Phase, u64) {
        let state = self.state();
        (state.phase, state.since)
    }

    /// Bytes came from the peer.
    pub(super) fn reads(&self) {
        let mut state = self.state();
        match state.phase {
            Phase::Arrived | Phase::Resting => enter(&mut state, Phase::Asking),
            Phase::Answering => state.has_more = true,
            Phase::Asking => {}
        }
    }

    /// The head of a request is whole.
    pub(super) fn asked(&self) -> Answering {
        let mut state = self.state();
        enter(&mut state, Phase::Answering);
        (state.is_handed_over, state.has_more) = (false, false);
        Answering(self.clone())
    }

    /// All that was in the buffers has left.
    pub(super) fn flushed(&self) {
        let mut state = self.state();
        if state.phase == Phase::Answering && state.is_handed_over {
            let next = match state.has_more {
                true => Phase::Asking,
                false => Phase::Resting,
            };
            enter(&mut state, next);
        }
    }

    /// A body comes that nobody will read.
    pub(super) fn leaves_unread(&self) {
        self.state().has_unread = true;
    }

    pub(super) fn has_unread(&self) -> bool {
        self.state().has_unread
    }

    /// Tells it to give its place to another.
    pub(super) fn displace(&self) {
        self.shared.1.notify_one();
    }

    /// Ends when it has to give its place to another.
    pub(super) async fn displaced(&self) {
        self.shared.1.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.shared.0.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

fn enter(state: &mut State, phase: Phase) {
    state.phase = phase;
    state.since = next();
}

fn next() -> u64 {
    static CHANGES: AtomicU64 = AtomicU64::new(0);
    CHANGES.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_when_the_answer_has_left_and_not_before() {
        let visit = Visit::new();
        assert_eq!(visit.phase().0, Phase::Arrived);
        visit.reads();
        assert_eq!(visit.phase().0, Phase::Asking);
        let answering = visit.asked();
        visit.flushed();
        assert_eq!(visit.phase().0, Phase::Answering, "the head has left alone");
        drop(answering);
        assert_eq!(visit.phase().0, Phase::Answering, "it stands in a buffer");
        visit.flushed();
        assert_eq!(visit.phase().0, Phase::Resting);
        visit.reads();
        assert_eq!(visit.phase().0, Phase::Asking);
    }

    #[test]
    fn a_request_that_came_early_is_awaited_when_its_turn_comes() {
        let visit = Visit::new();
        visit.reads();
        let answering = visit.asked();
        visit.reads();
        assert_eq!(visit.phase().0, Phase::Answering);
        drop(answering);
        visit.flushed();
        assert_eq!(visit.phase().0, Phase::Asking);
    }
}
