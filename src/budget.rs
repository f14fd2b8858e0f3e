//! The request window: never more than so many requests in any window, as the server sees them.
//!
//! The server sees a request somewhere between its sending and its answer. So a request holds its
//! place from before it is sent until one window after its answer (or the end of its time-out): two
//! requests that used the same place are then at least one window apart at the server, whatever the
//! latency. A token bucket lets nearly twice the limit through, and stamping at sending one too many.
//!
//! Accounts that share a credential share its window. Each saves the places that it paid for, and all
//! of these together are the window of the next process. Where it is used up, they queue.

mod queue;

use std::time::Duration;

use crate::event::Account;
use crate::moment::Moment;
use crate::saved::{SavedPlace, SavedRequests};
use queue::Queue;

/// So many requests in any window of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub requests: u32,
    pub window: Duration,
}

impl RateLimit {
    /// How long `requests` take on average when the limit is used up.
    pub fn time_for(self, requests: u32) -> Duration {
        self.window * requests / self.requests.max(1)
    }

    /// The interval at which refreshes of one request for each of so many logs use up the limit.
    pub fn interval(self, logs: usize) -> Duration {
        self.time_for(u32::try_from(logs).unwrap_or(u32::MAX))
    }

    /// The interval at which they leave a fifth of it to spare.
    pub fn sparing_interval(self, logs: usize) -> Duration {
        self.interval(logs) * 5 / 4
    }
}

/// The places of the window, and until when each is held.
#[derive(Clone, Debug)]
pub struct Budget {
    limit: RateLimit,
    places: Vec<Place>,
    paused_until: Option<Moment>,
    next_slot: u64,
    queue: Queue,
}

#[derive(Clone, Debug)]
struct Place {
    slot: u64,
    payer: Account,
    free_at: Moment,
    /// Held for a request that others sent.
    foreign: bool,
}

/// The place of one request that may be sent. Give it back with [`Budget::answered`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a place that is not given back is held for its time-out and a window"]
pub struct Slot(u64);

/// No request may be sent before this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotBefore(pub Moment);

impl Budget {
    /// A window in which nothing was sent yet.
    pub fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            places: Vec::new(),
            paused_until: None,
            next_slot: 0,
            queue: Queue::default(),
        }
    }

    /// Holds what an account had paid for when it was saved, and no less than what it is known to have paid
    /// for: a store may have lost some. Moments of another boot tell nothing: then every place is held as
    /// if its request were sent now.
    pub fn take_up(
        &mut self,
        payer: &Account,
        saved: &SavedRequests,
        boot: &str,
        now: Moment,
        timeout: Duration,
    ) {
        let latest = self.free_after(now.plus(timeout));
        let same_boot = !boot.is_empty() && saved.boot == boot;
        for foreign in [false, true] {
            let of_saved = saved.places.iter().filter(|place| place.foreign == foreign);
            let mut saved: Vec<Moment> = of_saved
                .map(|place| match same_boot {
                    true => place.free_at.min(latest),
                    false => latest,
                })
                .collect();
            saved.sort_unstable_by(|one, other| other.cmp(one));
            let is_meant = |place: &&mut Place| place.payer == *payer && place.foreign == foreign;
            let mut known: Vec<&mut Place> = self.places.iter_mut().filter(is_meant).collect();
            known.sort_unstable_by_key(|place| std::cmp::Reverse(place.free_at));
            let more = saved.split_off(known.len().min(saved.len()));
            for (place, free_at) in known.into_iter().zip(saved) {
                place.free_at = place.free_at.max(free_at);
            }
            for free_at in more {
                let _held_on = self.hold(payer, free_at, foreign);
            }
        }
        // A server may ask for a longer pause than a window.
        let paused_until = saved.paused_until.map(|until| match same_boot {
            true => until,
            false => latest,
        });
        self.paused_until = self.paused_until.max(paused_until);
    }

    /// What a later process has to hold of this account's places: those that are not free at `now`.
    pub fn saved(&self, payer: &Account, boot: &str, now: Moment) -> SavedRequests {
        let held = |place: &&Place| place.payer == *payer && place.free_at > now;
        let held = self.places.iter().filter(held);
        let places = held.map(|place| SavedPlace {
            free_at: place.free_at,
            foreign: place.foreign,
        });
        SavedRequests {
            boot: boot.to_owned(),
            places: places.collect(),
            paused_until: self.paused_until.filter(|until| *until > now),
        }
    }

    /// Takes the place of a request that will have its answer, or be given up, within `timeout`;
    /// or says before when it may not be sent. Who has to wait keeps its turn for a window: others
    /// find no place until those before them have theirs.
    pub fn take(
        &mut self,
        payer: &Account,
        now: Moment,
        timeout: Duration,
    ) -> Result<Slot, NotBefore> {
        self.take_one_of(1, payer, now, timeout)
    }

    /// As [`Self::take`], if there is a place for a second request as well: a token that is fetched with
    /// the last place may have ended before there is another one to use it.
    pub fn take_one_of_two(
        &mut self,
        payer: &Account,
        now: Moment,
        timeout: Duration,
    ) -> Result<Slot, NotBefore> {
        self.take_one_of(self.limit.requests.min(2), payer, now, timeout)
    }

    fn take_one_of(
        &mut self,
        places: u32,
        payer: &Account,
        now: Moment,
        timeout: Duration,
    ) -> Result<Slot, NotBefore> {
        let before = self.queue.before(payer, now);
        let wanted = before.saturating_add(places).min(self.limit.requests);
        if let Some(not_before) = self.not_before_for(wanted, now) {
            self.queue.wait(payer, now.plus(self.limit.window));
            return Err(not_before);
        }
        self.queue.leave(payer);
        self.places.retain(|place| place.free_at > now);
        Ok(self.hold(payer, self.free_after(now.plus(timeout)), false))
    }

    /// Gives up an account's turn.
    pub fn leave(&mut self, payer: &Account) {
        self.queue.leave(payer);
    }

    /// Whether somebody waits for a place.
    pub fn is_waited_for(&self, now: Moment) -> bool {
        self.queue.is_waited_for(now)
    }

    fn hold(&mut self, payer: &Account, free_at: Moment, foreign: bool) -> Slot {
        let slot = self.next_slot;
        self.next_slot += 1;
        self.places.push(Place {
            slot,
            payer: payer.clone(),
            free_at,
            foreign,
        });
        Slot(slot)
    }

    /// Gives back the place of a request that was never sent.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a slot is given back, and cannot be used again"
    )]
    pub fn never_sent(&mut self, slot: Slot) {
        self.places.retain(|place| place.slot != slot.0);
    }

    /// Notes that the request's answer came, or that it was given up, at `now`.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a slot is given back, and cannot be used again"
    )]
    pub fn answered(&mut self, slot: Slot, now: Moment) {
        let free_at = self.free_after(now);
        if let Some(place) = self.places.iter_mut().find(|place| place.slot == slot.0) {
            place.free_at = free_at;
        }
    }

    /// Obeys the server's own count: where it says that fewer requests remain than we think, others
    /// use the account, and their places are held for `reset` (a window, where it is not said).
    /// Where it says that none remains until `reset`, although we did not use all ourselves, nothing
    /// is sent before, even if a place becomes free: its window may be another one than ours.
    /// `payer` is whom it told, who saves these places.
    pub fn server_says(
        &mut self,
        payer: &Account,
        remaining: u32,
        reset: Option<Duration>,
        now: Moment,
    ) {
        if remaining == 0 && reset.is_some() && self.held(now, false) < self.limit.requests {
            self.refused(reset, now);
        }
        let free_at = self.free_after_wait(reset, now);
        for _ in remaining..self.left(now) {
            let _held_for_others = self.hold(payer, free_at, true);
        }
    }

    /// The server refused a request for its rate limit: sends nothing for `wait` (a window, where
    /// it is not said).
    pub fn refused(&mut self, wait: Option<Duration>, now: Moment) {
        let until = self.free_after_wait(wait, now);
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// How many requests may be sent at `now`.
    pub fn left(&self, now: Moment) -> u32 {
        if self.paused_until.is_some_and(|until| until > now) {
            return 0;
        }
        let held = self.held(now, false).saturating_add(self.held(now, true));
        self.limit.requests.saturating_sub(held)
    }

    /// How many places are held at `now` for requests of ours.
    pub fn used(&self, now: Moment) -> u32 {
        self.held(now, false)
    }

    fn held(&self, now: Moment, foreign: bool) -> u32 {
        let held = |place: &&Place| place.free_at > now && place.foreign == foreign;
        let held = self.places.iter().filter(held).count();
        u32::try_from(held).unwrap_or(u32::MAX)
    }

    /// The moment before which no request may be sent; none if one may be sent at `now`.
    pub fn not_before(&self, now: Moment) -> Option<NotBefore> {
        self.not_before_for(1, now)
    }

    /// The moment before which there are not so many places, which the limit has.
    fn not_before_for(&self, places: u32, now: Moment) -> Option<NotBefore> {
        let mut held: Vec<Moment> = self.places.iter().map(|p| p.free_at).collect();
        held.retain(|free_at| *free_at > now);
        held.sort_unstable();
        let others = self.limit.requests.saturating_sub(places);
        let others = usize::try_from(others).unwrap_or(usize::MAX);
        let place_free = held
            .len()
            .checked_sub(others.saturating_add(1))
            .and_then(|surplus| held.get(surplus));
        let paused = self.paused_until.filter(|until| *until > now);
        place_free.copied().max(paused).map(NotBefore)
    }

    /// Keeps another limit from now on. What is held already is held for as long as it was.
    pub fn limit_to(&mut self, limit: RateLimit) {
        self.limit = limit;
    }

    /// The limit that this budget keeps.
    pub fn limit(&self) -> RateLimit {
        self.limit
    }

    fn free_after(&self, end: Moment) -> Moment {
        self.free_after_wait(None, end)
    }

    fn free_after_wait(&self, wait: Option<Duration>, from: Moment) -> Moment {
        let wait = wait.unwrap_or(self.limit.window);
        from.plus(wait + slack(wait))
    }
}

/// What two clocks may differ over a wait: ours against the server's, and the rounding of both.
fn slack(wait: Duration) -> Duration {
    wait / 1000 + Duration::from_millis(2)
}

#[cfg(test)]
mod tests;
