//! Which leases a replica takes and which it gives away, so that they spread evenly over those that live,
//! and few move when one comes or goes.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::moment::Moment;
use crate::store::{LeaseId, Peer};

/// Who came just now may be gone at once.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// A lease that is free for so many beats is taken though it belongs to another one, which seems not
/// to want it.
const LEFT_FOR: u32 = 3;

/// So long what another one left is kept.
const KEPT_FOR: Duration = Duration::from_mins(1);

/// The replicas as this one sees them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circle<'a> {
    pub(super) me: &'a str,
    /// Those of other accounts are passed over.
    pub(super) config: i64,
    pub(super) living: &'a [Peer],
}

impl Circle<'_> {
    /// Whose the lease is to be, if it is not this replica's.
    fn other(&self, lease: LeaseId) -> Option<&Peer> {
        let alike = self.living.iter().filter(|peer| {
            peer.id == self.me || (peer.config == self.config && peer.age >= SETTLED_AFTER)
        });
        let preferred = alike.max_by_key(|peer| (lease.preference(&peer.id), &peer.id));
        preferred.filter(|peer| peer.id != self.me)
    }

    /// Of the leases that nobody holds, those to take. `left` is how many beats each was seen free.
    pub(super) fn takes(&self, left: &BTreeMap<LeaseId, u32>) -> Vec<LeaseId> {
        let mine = left
            .iter()
            .filter(|(lease, beats)| self.other(**lease).is_none() || **beats >= LEFT_FOR);
        mine.map(|(lease, _)| *lease).collect()
    }

    /// Of the leases that are held, those that belong to another one.
    pub(super) fn gives(&self, held: impl Iterator<Item = LeaseId>) -> Vec<LeaseId> {
        held.filter(|lease| self.other(*lease).is_some()).collect()
    }
}

/// Leases that were taken since another one, to which they belong, had left them: that one may live and
/// yet not be able to take them, so that they are not given back at once.
#[derive(Debug, Default)]
pub(super) struct Kept(BTreeMap<LeaseId, Moment>);

impl Kept {
    /// Notes what was just taken.
    pub(super) fn takes(&mut self, lease: LeaseId, now: Moment) {
        self.0.insert(lease, now);
    }

    pub(super) fn keeps(&self, lease: LeaseId, now: Moment) -> bool {
        let taken = self.0.get(&lease);
        taken.is_some_and(|taken| now.since(*taken) < KEPT_FOR)
    }

    /// Forgets those that are not held any more.
    pub(super) fn are_held(&mut self, held: impl Fn(LeaseId) -> bool) {
        self.0.retain(|lease, _| held(*lease));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::LeaseId;

    fn peer(id: usize, age: u64, config: i64) -> Peer {
        Peer {
            id: format!("replica {id}"),
            config,
            age: Duration::from_secs(age),
            wishes: 0,
            some: 0,
        }
    }

    fn leases() -> impl Iterator<Item = LeaseId> {
        (0..1000).map(LeaseId::test)
    }

    /// What each of them holds after all have taken what is theirs.
    fn spread(living: &[Peer]) -> Vec<BTreeSet<LeaseId>> {
        let of = |peer: &Peer| {
            let circle = Circle {
                me: &peer.id,
                config: 1,
                living,
            };
            let free = leases().map(|lease| (lease, 0)).collect();
            circle.takes(&free).into_iter().collect()
        };
        living.iter().map(of).collect()
    }

    #[test]
    fn leases_spread_evenly_and_each_is_taken_by_one() {
        let living: Vec<Peer> = (0..4).map(|id| peer(id, 60, 1)).collect();
        let held = spread(&living);
        let all: BTreeSet<LeaseId> = held.iter().flatten().copied().collect();
        assert_eq!(all.len(), 1000);
        assert_eq!(held.iter().map(BTreeSet::len).sum::<usize>(), 1000);
        assert!(
            held.iter().all(|held| (200..300).contains(&held.len())),
            "{held:?}"
        );
    }

    #[test]
    fn one_that_comes_or_goes_moves_only_its_share() {
        let four: Vec<Peer> = (0..4).map(|id| peer(id, 60, 1)).collect();
        let (before, after) = (spread(&four), spread(&four[..3]));
        for (before, after) in before.iter().zip(&after) {
            assert!(before.is_subset(after));
        }
        let circle = Circle {
            me: &four[0].id,
            config: 1,
            living: &four,
        };
        let given: BTreeSet<LeaseId> = circle.gives(after[0].iter().copied()).into_iter().collect();
        assert_eq!(given, &after[0] - &before[0]);
    }

    #[test]
    fn nothing_is_given_to_one_that_came_just_now_or_has_other_accounts() {
        for other in [peer(1, 1, 1), peer(1, 60, 2)] {
            let living = [peer(0, 60, 1), other];
            let circle = Circle {
                me: &living[0].id,
                config: 1,
                living: &living,
            };
            assert!(circle.gives(leases()).is_empty());
        }
    }

    #[test]
    fn what_the_one_it_belongs_to_leaves_is_taken_by_another() {
        let living = [peer(0, 60, 1), peer(1, 60, 1)];
        let circle = Circle {
            me: &living[0].id,
            config: 1,
            living: &living,
        };
        let left = |beats| leases().map(|lease| (lease, beats)).collect();
        assert!(circle.takes(&left(LEFT_FOR - 1)).len() < 1000);
        assert_eq!(circle.takes(&left(LEFT_FOR)).len(), 1000);
    }

    #[test]
    fn what_another_one_left_is_kept_for_a_while_as_long_as_it_is_held() {
        let (begin, lease) = (Moment::default(), LeaseId::test(1));
        let mut kept = Kept::default();
        kept.takes(lease, begin);
        let just_before = begin.plus(KEPT_FOR - Duration::from_millis(1));
        assert!(kept.keeps(lease, just_before));
        assert!(!kept.keeps(LeaseId::test(2), just_before));
        assert!(!kept.keeps(lease, begin.plus(KEPT_FOR)));
        kept.are_held(|_| false);
        assert!(!kept.keeps(lease, just_before));
    }
}
