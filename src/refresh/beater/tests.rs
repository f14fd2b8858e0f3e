//! What a beat does with leases and with what was told, on a real PostgreSQL.

use super::*;
use crate::births::{Generation, SavedScraper, ScraperId};
use crate::catalogue::UP;
use crate::event::EventType;
use crate::exposition::Format;
use crate::refresh::NEVER;
use crate::refresh::following::tests::follower;
use crate::store::{change, joined, shared_server};

/// The replicas of these tests refresh the same accounts.
const CONFIG: i64 = 1;

/// The heart of this replica, which has one account and wants that lease.
fn beater(shared: &Shared, lease: LeaseId) -> (Beater, Refresher) {
    let bell = Arc::new(Bell::default());
    let roster = Arc::new(Roster::of_replicas(Arc::clone(&bell)));
    let (account, following) = follower(&EventType::ALL);
    account.follow(following);
    roster.replace(vec![account.clone()]);
    let offices = Arc::new(Offices::default());
    offices.want(BTreeSet::from([lease]), CONFIG);
    let meters = Arc::new(Meters::new().unwrap());
    let beater = Beater::new(shared.clone(), offices, roster, bell, meters);
    (beater, account)
}

const A_SCRAPER: SavedScraper = SavedScraper {
    id: ScraperId(1),
    period: Duration::from_secs(15),
    served: Generation(0),
};

fn is_granted(beater: &Beater, lease: LeaseId) -> bool {
    beater.offices.granted.borrow().contains_key(&lease)
}

/// A lease that belongs to `other` rather than to `me`.
fn lease_of(other: &Shared, me: &Shared) -> LeaseId {
    let prefers =
        |lease: &LeaseId| lease.preference(other.replica()) > lease.preference(me.replica());
    (0..).map(LeaseId::test).find(prefers).unwrap()
}

#[tokio::test]
async fn what_one_that_lives_leaves_is_taken_in_a_while_and_not_given_back_at_once() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let (me, other) = (joined(&url, 1).await, joined(&url, 2).await);
    let lease = lease_of(&other, &me);
    me.register(&[], &[lease]).await.unwrap();
    let mut watch = other.watch().await.unwrap();
    other.beat(&mut watch, CONFIG).await.unwrap();
    // It has lived for long.
    change(&other, "UPDATE metaaccess_replicas SET since_us = 0").await;
    let (mut beater, _) = beater(&me, lease);
    let mut held = Vec::new();
    for _ in 0..10 {
        other.beat(&mut watch, CONFIG).await.unwrap();
        beater.beat().await;
        held.push(is_granted(&beater, lease));
    }
    let mut expected = [true; 10];
    expected[..3].fill(false);
    assert_eq!(held, expected);
}

#[tokio::test]
async fn a_lease_is_given_to_whom_it_belongs_after_nobody_uses_it() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let (me, other) = (joined(&url, 1).await, joined(&url, 2).await);
    let lease = lease_of(&other, &me);
    me.register(&[], &[lease]).await.unwrap();
    let (mut beater, _) = beater(&me, lease);
    beater.beat().await;
    assert!(is_granted(&beater, lease));
    let office = beater.offices.enter(lease);
    let mut watch = other.watch().await.unwrap();
    other.beat(&mut watch, CONFIG).await.unwrap();
    change(&other, "UPDATE metaaccess_replicas SET since_us = 0").await;
    beater.beat().await;
    assert!(!is_granted(&beater, lease));
    assert_eq!(other.beat(&mut watch, CONFIG).await.unwrap().free, []);
    drop(office);
    beater.beat().await;
    let free = other.beat(&mut watch, CONFIG).await.unwrap().free;
    assert_eq!(free, [(lease, false)]);
}

#[tokio::test]
async fn nothing_is_led_over_the_tables_of_a_newer_program_or_of_another_state() {
    let Some(server) = shared_server() else {
        return;
    };
    for what in [
        "UPDATE metaaccess_format SET version = version + 1",
        "UPDATE metaaccess_meta SET key = '\\x00000000000000000000000000000000'",
    ] {
        let me = joined(&server.new_database(), 1).await;
        let lease = LeaseId::test(1);
        me.register(&[], &[lease]).await.unwrap();
        let (mut beater, _) = beater(&me, lease);
        beater.beat().await;
        assert!(is_granted(&beater, lease), "{what}");
        beater.meters.set(UP, &["main"], 1.0);
        change(&me, what).await;
        beater.beat().await;
        assert!(!is_granted(&beater, lease), "{what}");
        let metrics = beater.meters.settled(Format::Text, None);
        let metrics = String::from_utf8_lossy(metrics.text());
        let is_down = metrics.contains("metaaccess_up{account=\"main\"} 0\n");
        assert!(is_down, "{what}: {metrics}");
    }
}

#[tokio::test]
async fn who_scrapes_is_told_again_after_this_replica_was_dead_and_to_another_epoch() {
    let Some(server) = shared_server() else {
        return;
    };
    let me = joined(&server.new_database(), 1).await;
    let (mut beater, account) = beater(&me, LeaseId::test(1));
    let told = [A_SCRAPER];
    let is_told = || {
        let joint = account.joint().unwrap();
        Refresher::locked(&joint.told).as_deref() == Some(&told[..])
    };
    // Before the first beat it does not live.
    account.told(&told);
    beater.beat().await;
    assert!(!is_told());
    account.told(&told);
    beater.beat().await;
    assert!(is_told());
    me.begins_another_epoch().await.unwrap();
    beater.beat().await;
    assert!(!is_told());
}

#[tokio::test]
async fn over_another_connection_all_is_read_again_and_what_is_lost_made_known_again() {
    let Some(server) = shared_server() else {
        return;
    };
    let me = joined(&server.new_database(), 1).await;
    let lease = LeaseId::test(1);
    let (mut beater, account) = beater(&me, lease);
    let id = me.account(account.account());
    let accounts = [account.account().clone()];
    me.register(&accounts, &[lease]).await.unwrap();
    beater.beat().await;
    assert!(is_granted(&beater, lease));
    let known = |version: Option<i64>| {
        let joint = account.joint().unwrap();
        let mut following = Refresher::locked(&joint.following);
        let known = &mut following.as_mut().unwrap().known;
        std::mem::replace(known, version.unwrap_or(*known))
    };
    known(Some(7));
    beater.beat().await;
    assert_eq!(known(None), 7);
    change(&me, "DELETE FROM metaaccess_accounts").await;
    change(&me, "DELETE FROM metaaccess_leases").await;
    assert!(me.look(&[id]).await.unwrap().is_empty());
    account.told(&[]);
    let served_no_more = AccountId::test(7);
    let told = [(served_no_more, vec![A_SCRAPER])];
    me.scraped_by(&told).await.unwrap();
    let left = async || me.scrapers_left(&[served_no_more]).await.unwrap().len();
    assert_eq!(left().await, 1);
    // As by a restore or a failover.
    beater.watch = None;
    beater.beat().await;
    assert!(Refresher::locked(&account.joint().unwrap().told).is_none());
    assert_eq!(left().await, 0);
    assert_eq!(known(None), NEVER);
    assert!(!is_granted(&beater, lease));
    assert_eq!(me.look(&[id]).await.unwrap().len(), 1);
    beater.beat().await;
    assert!(is_granted(&beater, lease));
}
