//! What the shared state keeps, and what it refuses, on a real PostgreSQL.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::*;
use crate::births::ScraperId;
use crate::saved::SavedPlace;
use crate::store::tests::identity;

pub(in crate::store) use crate::store::real_postgres::shared_server;

/// The database of that URL, which asks for no password.
pub(in crate::store) fn database(url: &str) -> Database {
    let (host, name) = url
        .trim_start_matches("postgres://metaaccess@")
        .split_once('/')
        .unwrap();
    let (host, port) = host.split_once(':').unwrap();
    let name = name.split('?').next().unwrap();
    Database {
        hosts: vec![crate::config::DatabaseHost {
            place: crate::config::HostPlace::Name(host.to_owned()),
            port: port.parse().unwrap(),
        }],
        name: name.to_owned(),
        user: "metaaccess".to_owned(),
        password: None,
        tls: None,
        connect_timeout: Duration::from_secs(3),
        application_name: "test".to_owned(),
    }
}

/// A replica of that name, which has joined the state at that URL and done nothing yet.
pub(crate) async fn joined(url: &str, name: u64) -> Shared {
    let opened = Shared::open(database(url), &identity(1), name).await;
    opened.unwrap().0
}

/// Does this in its database.
pub(crate) async fn change(shared: &Shared, sql: &str) {
    let pool = shared.pool();
    let changed = pool.with(async |connection| connection.simple(sql).await);
    changed.await.unwrap();
}

/// One replica that holds the leases of some accounts.
pub(in crate::store) struct Replica {
    pub(in crate::store) shared: Shared,
    leases: BTreeMap<Account, Lease>,
    pub(super) terms: BTreeMap<Account, Term>,
}

impl Replica {
    /// A replica with another name each time, which has taken what was free.
    pub(in crate::store) async fn open(url: &str, accounts: &[Account]) -> Self {
        static NAMES: AtomicU64 = AtomicU64::new(1);
        let name = NAMES.fetch_add(1, Ordering::Relaxed);
        let mut replica = Self {
            shared: joined(url, name).await,
            leases: BTreeMap::new(),
            terms: BTreeMap::new(),
        };
        let leases: Vec<LeaseId> = accounts.iter().map(|one| replica.lease_of(one)).collect();
        replica.shared.register(accounts, &leases).await.unwrap();
        replica.take(accounts).await;
        replica
    }

    fn lease_of(&self, account: &Account) -> LeaseId {
        self.shared
            .lease(|write| write(account.as_str().as_bytes()))
    }

    async fn beat(&self) -> Beat {
        let mut watch = self.shared.watch().await.unwrap();
        self.shared.beat(&mut watch, 1).await.unwrap()
    }

    pub(super) async fn take(&mut self, accounts: &[Account]) {
        self.beat().await;
        let leases: Vec<LeaseId> = accounts.iter().map(|one| self.lease_of(one)).collect();
        let taken = self.shared.take(&leases).await.unwrap();
        for account in accounts {
            let id = self.lease_of(account);
            let Some(lease) = taken.iter().find(|lease| lease.id == id) else {
                continue;
            };
            self.leases.insert(account.clone(), *lease);
            let loaded = self.load(account).await;
            self.terms.insert(account.clone(), loaded.term);
        }
    }

    pub(in crate::store) async fn load(&self, account: &Account) -> Loaded {
        self.shared
            .load(account, self.leases[account], -1)
            .await
            .unwrap()
    }

    pub(in crate::store) async fn commit(&mut self, account: &Account, changes: &Changes) {
        let term = self.terms.get_mut(account).unwrap();
        let committed = self.shared.commit(term, changes, Occasion::default()).await;
        assert_eq!(committed.unwrap(), Committed::Saved);
    }

    pub(super) async fn try_commit(
        &mut self,
        account: &Account,
        changes: &Changes,
    ) -> Result<Committed, StoreError> {
        let term = self.terms.get_mut(account).unwrap();
        self.shared.commit(term, changes, Occasion::default()).await
    }
}

fn main_account() -> Account {
    Account::new("main")
}

/// A commit that sets the count of host `a`, and what belongs to it elsewhere.
pub(super) fn counted(count: u64) -> Changes {
    crate::store::tests::counted(count)
}

/// What the database holds: the count, and what belongs to it.
async fn held(replica: &Replica) -> (Option<u64>, Option<u32>) {
    let saved = replica
        .shared
        .news(&[(replica.shared.account(&main_account()), -1)], &[])
        .await
        .unwrap();
    let series = saved.into_values().next().unwrap().series;
    let bucket = replica.load_any(&main_account()).await.buckets;
    (
        series.first().map(|one| one.count),
        bucket.first().map(|one| one.total),
    )
}

impl Replica {
    /// It is taken for dead from now on, until it beats again.
    pub(super) async fn dies(&self) {
        self.sets("until_us = 0").await;
    }

    /// Changes its row.
    async fn sets(&self, what: &str) {
        let replica = self.shared.replica();
        let sql = format!("UPDATE metaaccess_replicas SET {what} WHERE id = '{replica}'");
        change(&self.shared, &sql).await;
    }

    pub(super) async fn load_any(&self, account: &Account) -> Saved {
        let nobodys = Lease {
            id: self.lease_of(account),
            fence: -1,
        };
        self.shared.load(account, nobodys, -1).await.unwrap().saved
    }
}

#[tokio::test]
async fn a_second_writer_takes_nothing_while_the_first_lives() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let all = [main_account()];
    let mut first = Replica::open(&url, &all).await;
    let second = Replica::open(&url, &all).await;
    assert!(second.terms.is_empty());
    first.commit(&all[0], &counted(3)).await;
    assert_eq!(held(&second).await, (Some(3), Some(3)));
    assert_eq!(first.beat().await.living.len(), 2);
}

#[tokio::test]
async fn who_lost_its_lease_writes_nothing_late() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let all = [main_account()];
    let mut first = Replica::open(&url, &all).await;
    first.commit(&all[0], &counted(3)).await;
    let mut second = Replica::open(&url, &all).await;
    first.dies().await;
    second.take(&all).await;
    let late = first.try_commit(&all[0], &counted(4)).await.unwrap_err();
    assert_eq!(late.reason(), "fenced");
    second.commit(&all[0], &counted(5)).await;
    let late = first.try_commit(&all[0], &counted(4)).await.unwrap_err();
    assert_eq!(late.reason(), "fenced");
    assert_eq!(held(&second).await, (Some(5), Some(5)));
}

#[tokio::test]
async fn a_commit_succeeds_after_one_whose_answer_was_lost_and_that_one_not_after_it() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let all = [main_account()];
    let mut first = Replica::open(&url, &all).await;
    first.commit(&all[0], &counted(3)).await;
    // As where the answer was lost: it is not known what became of it.
    let known = first.terms[&all[0]].known;
    first.commit(&all[0], &counted(4)).await;
    first.terms.get_mut(&all[0]).unwrap().known = known;
    first.commit(&all[0], &counted(5)).await;
    // As one that was long on its way.
    let term = first.terms.get_mut(&all[0]).unwrap();
    (term.known, term.tried) = (known, known);
    let late = first.try_commit(&all[0], &counted(4)).await.unwrap_err();
    assert_eq!(late.reason(), "fenced");
    assert_eq!(held(&first).await, (Some(5), Some(5)));
}

#[tokio::test]
async fn replicas_together_pay_for_no_more_requests_than_the_limit() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let all = [main_account()];
    let mut first = Replica::open(&url, &all).await;
    let held_for = |seconds: u64| {
        let now = clock::now();
        let place = |nth| SavedPlace {
            free_at: now.plus(Duration::from_secs(seconds) + Duration::from_millis(nth)),
            foreign: false,
        };
        let mut changes = Changes::default();
        changes.changed.requests = Some(SavedRequests {
            boot: String::new(),
            places: (0..3).map(place).collect(),
            paused_until: None,
        });
        changes
    };
    let pay = async |replica: &mut Replica, limit| {
        let term = replica.terms.get_mut(&main_account()).unwrap();
        let occasion = Occasion {
            limit: Some(limit),
            ..Occasion::default()
        };
        replica
            .shared
            .commit(term, &held_for(60), occasion)
            .await
            .unwrap()
    };
    assert_eq!(pay(&mut first, 3).await, Committed::Saved);
    let refused = pay(&mut first, 3).await;
    let Committed::NotBefore(wait) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        wait > Duration::from_secs(50) && wait <= Duration::from_secs(61),
        "{wait:?}"
    );
    assert_eq!(pay(&mut first, 4).await, Committed::Saved);
    // Whoever takes over knows of them, and is held to them whatever it thinks.
    let mut second = Replica::open(&url, &all).await;
    first.dies().await;
    second.take(&all).await;
    let lease = second.leases[&all[0]];
    let paid = second.shared.paid_by(&[lease]).await.unwrap();
    assert_eq!(paid[&all[0]].places.len(), 3);
    assert!(matches!(pay(&mut second, 3).await, Committed::NotBefore(_)));
}

#[tokio::test]
async fn scrapers_of_living_replicas_are_told_and_no_others() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let all = [main_account()];
    let first = Replica::open(&url, &all).await;
    let second = Replica::open(&url, &all).await;
    let scraper = |id, served| SavedScraper {
        id: ScraperId(id),
        period: Duration::from_secs(15),
        served: Generation(served),
    };
    let account = first.shared.account(&all[0]);
    let told = vec![scraper(u64::MAX, 7), scraper(1, 0)];
    second
        .shared
        .scraped_by(&[(account, told.clone())])
        .await
        .unwrap();
    let mut others = first.shared.scrapers_of_others(account).await.unwrap();
    others.sort_by_key(|one| std::cmp::Reverse(one.id));
    assert_eq!(others, told);
    assert_eq!(first.load(&all[0]).await.generation, Generation(7));
    assert!(
        second
            .shared
            .scrapers_of_others(account)
            .await
            .unwrap()
            .is_empty()
    );
    second.dies().await;
    assert!(
        first
            .shared
            .scrapers_of_others(account)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn replicas_that_start_at_once_make_one_state() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let starts = (1..=6_u8).map(|nth| {
        let url = url.clone();
        tokio::spawn(async move {
            let fresh = identity(nth);
            Shared::open(database(&url), &fresh, 1000 + u64::from(nth)).await
        })
    });
    let starts: Vec<_> = starts.collect();
    let mut fresh = 0;
    let mut epochs = std::collections::BTreeSet::new();
    for start in starts {
        let (shared, is_fresh) = start.await.unwrap().unwrap();
        fresh += u32::from(is_fresh);
        epochs.insert(shared.identity().epoch.clone());
    }
    assert_eq!((fresh, epochs.len()), (1, 1));
}

#[tokio::test]
async fn tables_of_a_newer_version_are_refused_and_left_as_they_are() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let all = [main_account()];
    Replica::open(&url, &all)
        .await
        .commit(&all[0], &counted(3))
        .await;
    server.sql_at(&url, "UPDATE metaaccess_format SET version = 99");
    let opened = Shared::open(database(&url), &identity(1), 7).await;
    let error = opened.unwrap_err();
    assert_eq!(error.reason(), "newer");
    assert!(
        error.to_string().contains("run the newer version"),
        "{error}"
    );
    let look = Eyes::on(database(&url)).look().await;
    assert_eq!(look.unwrap_err().reason(), "newer");
    let count = server.sql_at(&url, "SELECT count FROM metaaccess_series");
    assert_eq!(count.trim(), "3");
}

#[tokio::test]
async fn an_older_format_is_taken_to_the_newest_with_all_that_it_holds() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let all = [main_account()];
    Replica::open(&url, &all)
        .await
        .commit(&all[0], &counted(3))
        .await;
    let wrong = [
        schema::STEPS[0],
        "CREATE TABLE metaaccess_more (id BIGINT); SELECT 1/0",
    ];
    let open =
        async |steps: &[&str]| Shared::open_with(database(&url), &identity(2), 7, steps).await;
    open(&wrong).await.unwrap_err();
    let right = [schema::STEPS[0], "CREATE TABLE metaaccess_more (id BIGINT)"];
    let (shared, is_fresh) = open(&right).await.unwrap();
    assert_eq!(
        (&*shared.identity().epoch, is_fresh),
        (&*identity(1).epoch, false)
    );
    let kept = server.sql_at(
        &url,
        "SELECT version, (SELECT sum(count) FROM metaaccess_series), \
         (SELECT count(*) FROM metaaccess_more) FROM metaaccess_format",
    );
    assert_eq!(kept.trim(), "2|3|0");
}

#[tokio::test]
async fn a_look_makes_nothing_and_sees_who_lives_and_what_is_kept() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let eyes = Eyes::on(database(&url));
    let look = eyes.look().await.unwrap();
    assert!(look.server.starts_with("PostgreSQL"), "{}", look.server);
    assert_eq!(look.state, None);
    assert_eq!(
        server
            .sql_at(
                &url,
                "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'meta%'"
            )
            .trim(),
        "0"
    );
    let all = [main_account()];
    let mut first = Replica::open(&url, &all).await;
    first.commit(&all[0], &counted(3)).await;
    let state = eyes.look().await.unwrap().state.unwrap();
    assert_eq!((state.replicas, state.free_leases), (1, 0));
    assert_eq!(state.accounts[&all[0]].series, 1);
    assert!(eyes.windows().await.unwrap().is_in_use);
    first.dies().await;
    let state = eyes.look().await.unwrap().state.unwrap();
    assert_eq!((state.replicas, state.free_leases), (0, 1));
}

#[tokio::test]
async fn a_start_does_not_wait_for_a_schema_that_is_not_there() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let (_, name) = url.rsplit_once('/').unwrap();
    let nowhere = format!("ALTER DATABASE {name} SET search_path = nowhere");
    server.sql_at(&url, &nowhere);
    let start = Shared::open(database(&url), &identity(1), 1).await;
    let error = start.unwrap_err();
    assert!(!error.may_pass(), "{error:?}");
    let words = error.to_string();
    assert!(words.contains("search_path"), "{words}");
}

#[tokio::test]
async fn a_lease_that_was_taken_by_one_who_left_at_that_moment_is_free_again() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let all = [main_account()];
    let first = Replica::open(&url, &all).await;
    let second = Replica::open(&url, &[]).await;
    // What took the lease came to the database after what gave all back.
    first.shared.leave().await.unwrap();
    let lease = first.lease_of(&all[0]);
    first.shared.take(&[lease]).await.unwrap();
    assert_eq!(second.beat().await.free, [(lease, true)]);
    // Even after its row is gone.
    change(&first.shared, "DELETE FROM metaaccess_replicas").await;
    second.shared.forget_the_dead().await.unwrap();
    assert_eq!(second.beat().await.free, [(lease, false)]);
}

#[tokio::test]
async fn no_refresh_is_fresh_that_is_to_come_by_a_clock_that_was_set_back() {
    let Some(server) = shared_server() else {
        return;
    };
    let all = [main_account()];
    let replica = Replica::open(&server.new_database(), &all).await;
    for (began, age) in [("0", None), ("1", Some(true)), ("9000000000000000", None)] {
        let refreshed = format!("UPDATE metaaccess_accounts SET refreshed_us = {began}");
        change(&replica.shared, &refreshed).await;
        let account = replica.shared.account(&all[0]);
        let seen = replica.shared.look(&[account]).await.unwrap();
        let is_old = |age: Duration| age > Duration::from_hours(1);
        assert_eq!(seen[0].age.map(is_old), age, "{began}");
    }
}

#[tokio::test]
async fn who_scraped_a_replica_that_is_gone_is_expected_until_it_is_overdue_and_left_to_the_next() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let all = [main_account()];
    let first = Replica::open(&url, &all).await;
    let second = Replica::open(&url, &[]).await;
    let scraper = SavedScraper {
        id: ScraperId(1),
        period: Duration::from_secs(15),
        served: Generation(7),
    };
    let account = first.shared.account(&all[0]);
    let told = [(account, vec![scraper])];
    second.shared.scraped_by(&told).await.unwrap();
    let of_others = async || {
        let others = first.shared.scrapers_of_others(account).await.unwrap();
        let loaded = first.load(&all[0]).await;
        assert_eq!(loaded.others, others);
        let left = first.shared.scrapers_left(&[account]).await.unwrap();
        let to_who_starts = left.get(&account).map_or(0, Vec::len);
        (others.len(), loaded.left.len(), to_who_starts)
    };
    assert_eq!(of_others().await, (1, 0, 0), "it lives");
    second.shared.leave().await.unwrap();
    assert_eq!(of_others().await, (1, 1, 1), "it left just now");
    for (ago, expected) in [(30, 1), (45, 0)] {
        let clock = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
        second
            .sets(&format!("until_us = {clock} - {ago}000000"))
            .await;
        first.shared.forget_the_dead().await.unwrap();
        assert_eq!(of_others().await, (expected, expected, 1), "{ago} s ago");
    }
    let itself = second.shared.scrapers_left(&[account]).await.unwrap();
    assert_eq!(itself[&account], [scraper]);
    let another = first.shared.account(&Account::new("another"));
    second
        .shared
        .is_scraped_for_no_others(&[another])
        .await
        .unwrap();
    assert_eq!(of_others().await, (0, 0, 0));
}

#[tokio::test]
async fn a_replica_lives_and_looks_however_many_wait_to_save() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let first = Replica::open(&url, &[main_account()]).await;
    let pool = first.shared.pool();
    let busy = (0..50).map(|_| pool.with(async |one| one.simple("SELECT pg_sleep(3)").await));
    let account = first.shared.account(&main_account());
    let living = async {
        first.shared.register(&[main_account()], &[]).await?;
        first.shared.take(&[]).await?;
        first.shared.release(&[]).await?;
        first.shared.forget_the_dead().await?;
        first.shared.scraped_by(&[(account, Vec::new())]).await?;
        first.shared.wishes(&[account]).await?;
        first.shared.look(&[account]).await
    };
    tokio::select! {
        biased;
        _ = futures_util::future::select_all(busy.map(Box::pin)) => panic!("it waited"),
        seen = living => assert_eq!(seen.unwrap().len(), 1),
    }
}

#[tokio::test]
async fn who_died_before_the_clock_of_the_database_was_set_back_does_not_live() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let all = [main_account()];
    let mut first = Replica::open(&url, &all).await;
    let mut second = Replica::open(&url, &all).await;
    // As its last beat looks after the clock went back by an hour.
    first
        .sets("until_us = until_us + 3600 * CAST(1000000 AS BIGINT)")
        .await;
    let beat = second.beat().await;
    assert_eq!(beat.living.len(), 1, "{beat:?}");
    assert_eq!(beat.free, [(second.lease_of(&all[0]), true)]);
    second.take(&all).await;
    second.commit(&all[0], &counted(3)).await;
    // One that lives is back with its next beat.
    assert_eq!(first.beat().await.living.len(), 2);
    let late = first.try_commit(&all[0], &counted(4)).await.unwrap_err();
    assert_eq!(late.reason(), "fenced");
}

#[tokio::test]
async fn who_runs_while_a_newer_program_changes_the_tables_beats_no_more() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let all = [main_account()];
    let mut first = Replica::open(&url, &all).await;
    let newer = Replica::open(&url, &[]).await;
    first.commit(&all[0], &counted(3)).await;
    let steps = [schema::STEPS[0], "CREATE TABLE of_the_newer (id BIGINT)"];
    let migrated = newer
        .shared
        .pool()
        .with(async |connection| schema::prepare(connection, &identity(1), &steps).await);
    migrated.await.unwrap();
    let late = first.try_commit(&all[0], &counted(4)).await.unwrap_err();
    assert_eq!(late.reason(), "fenced");
    let taken = first.shared.take(&[first.lease_of(&all[0])]).await;
    assert_eq!(taken.unwrap(), []);
    first.dies().await;
    let mut watch = first.shared.watch().await.unwrap();
    let refused = first.shared.beat(&mut watch, 1).await.unwrap_err();
    assert_eq!(refused.reason(), "newer");
    let living = first.shared.living(&mut watch).await.unwrap();
    assert!(living.iter().all(|one| one.id != first.shared.replica()));
}

#[tokio::test]
async fn who_does_the_same_at_that_moment_is_in_the_way_until_the_next_beat_and_no_error() {
    let Some(server) = shared_server() else {
        return;
    };
    let url = server.new_database();
    let all = [main_account()];
    let replica = Replica::open(&url, &all).await;
    let leases = [replica.lease_of(&all[0])];
    // As PostgreSQL answers the victim of a deadlock, and then as it answers who may not.
    for (code, is_an_error) in [("40P01", false), ("42501", true)] {
        let refuses = format!(
            "CREATE OR REPLACE FUNCTION refuses() RETURNS TRIGGER LANGUAGE plpgsql AS \
             $$BEGIN RAISE EXCEPTION 'of the test' USING ERRCODE = '{code}'; END$$"
        );
        change(&replica.shared, &refuses).await;
        for (table, of) in [("leases", "UPDATE"), ("replicas", "DELETE")] {
            let trigger = format!(
                "DROP TRIGGER IF EXISTS refuses ON metaaccess_{table}; \
                 CREATE TRIGGER refuses BEFORE {of} ON metaaccess_{table} \
                 EXECUTE FUNCTION refuses()"
            );
            change(&replica.shared, &trigger).await;
        }
        let shared = &replica.shared;
        let taken = shared.take(&leases).await.map(|taken| taken.len());
        assert_eq!(taken.is_err(), is_an_error, "{taken:?}");
        let released = shared.release(&leases).await;
        assert_eq!(released.is_err(), is_an_error, "{released:?}");
        let forgotten = shared.forget_the_dead().await;
        assert_eq!(forgotten.is_err(), is_an_error, "{forgotten:?}");
    }
    assert_eq!(replica.beat().await.held.len(), 1);
}
