//! Two writers of one account that pause, lose their lease, crash, and send what arrives late or never
//! has an answer, in every order: what is saved never falls, is never more than the truth, and is the
//! truth in the end.

use proptest::collection::vec;
use proptest::prelude::*;

use super::commit::{Conditions, Ended, commit};
use super::tests::{Replica, counted, shared_server};
use super::write::Columns;
use super::*;
use crate::clock;

/// What one of the writers does, or what happens to it.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A line is logged.
    Line,
    /// It saves what it read of the log until now.
    Commit(usize),
    /// The same, but its answer is lost on the way.
    AnswerLost(usize),
    /// The same, but it is on its way for long, and its sender has given up waiting.
    Sent(usize),
    /// What was sent longest ago arrives.
    Arrives,
    /// It is taken for dead, as one that is paused.
    IsPaused(usize),
    /// It renews its row, and takes what nobody living holds.
    Takes(usize),
    /// It ends, and another one begins in its place.
    Crashes(usize),
}

fn a_step() -> impl Strategy<Value = Step> {
    let writer = || 0_usize..2;
    prop_oneof![
        4 => Just(Step::Line),
        4 => writer().prop_map(Step::Commit),
        2 => writer().prop_map(Step::AnswerLost),
        3 => writer().prop_map(Step::Sent),
        3 => Just(Step::Arrives),
        2 => writer().prop_map(Step::IsPaused),
        4 => writer().prop_map(Step::Takes),
        1 => writer().prop_map(Step::Crashes),
    ]
}

/// A commit that is on its way.
struct Letter {
    replica: String,
    writer: i64,
    account: AccountId,
    lease: Lease,
    known: i64,
    next: i64,
    columns: Columns,
}

impl Letter {
    /// What the writer sends now; nothing if it never had the lease.
    fn of(writer: &mut Replica, account: &Account, lines: u64) -> Option<Self> {
        let columns = Columns::of(&counted(lines), clock::now()).unwrap();
        let (replica, number) = (
            writer.shared.replica().to_owned(),
            writer.terms.get(account)?.writer,
        );
        let term = writer.terms.get_mut(account)?;
        term.tried += 1;
        Some(Self {
            replica,
            writer: number,
            account: term.id,
            lease: term.lease,
            known: term.known,
            next: term.tried,
            columns,
        })
    }

    async fn arrives(self, by: &Shared) -> Ended {
        let conditions = Conditions {
            account: self.account,
            lease: self.lease.id,
            fence: self.lease.fence,
            replica: &self.replica,
            writer: self.writer,
            known: self.known,
            next: self.next,
            refreshed: None,
            standing: None,
            limit: None,
        };
        let columns = &self.columns;
        let work = by
            .pool()
            .with(async |connection| commit(connection, &conditions, columns).await);
        work.await.unwrap()
    }
}

/// What the database has: the count, and what belongs to it.
async fn saved(by: &Replica, account: &Account) -> u64 {
    let saved = by.load_any(account).await;
    let count = saved.series.first().map_or(0, |series| series.count);
    let total = saved.buckets.first().map_or(0, |bucket| bucket.total);
    assert_eq!(count, u64::from(total), "half a commit");
    count
}

async fn run(url: &str, steps: Vec<Step>) {
    let all = [Account::new("main")];
    let account = &all[0];
    let mut writers = [
        Replica::open(url, &all).await,
        Replica::open(url, &all).await,
    ];
    let (mut truth, mut before) = (0, 0);
    let mut letters = std::collections::VecDeque::new();
    for step in steps {
        match step {
            Step::Line => truth += 1,
            Step::Commit(nth) => {
                if writers[nth].terms.contains_key(account) {
                    let ended = writers[nth].try_commit(account, &counted(truth)).await;
                    let is_saved = ended.is_ok();
                    let now = saved(&writers[nth], account).await;
                    assert!(!is_saved || now == truth, "it was said to be saved");
                }
            }
            Step::AnswerLost(nth) => {
                if let Some(letter) = Letter::of(&mut writers[nth], account, truth) {
                    letter.arrives(&writers[nth].shared).await;
                }
            }
            Step::Sent(nth) => letters.extend(Letter::of(&mut writers[nth], account, truth)),
            Step::Arrives => {
                if let Some(letter) = letters.pop_front() {
                    letter.arrives(&writers[0].shared).await;
                }
            }
            Step::IsPaused(nth) => writers[nth].dies().await,
            Step::Takes(nth) => writers[nth].take(&all).await,
            Step::Crashes(nth) => {
                writers[nth].dies().await;
                writers[nth] = Replica::open(url, &all).await;
            }
        }
        let now = saved(&writers[0], account).await;
        assert!(before <= now, "{step:?}: {before} fell to {now}");
        assert!(now <= truth, "{step:?}: {now} of {truth}");
        before = now;
    }
    // At rest: who holds the lease reads what is saved and saves the truth; what is still on its way
    // comes after it.
    writers[0].dies().await;
    writers[1].take(&all).await;
    if !writers[1].terms.contains_key(account)
        || writers[1]
            .try_commit(account, &counted(truth))
            .await
            .is_err()
    {
        writers[1].dies().await;
        writers[1].take(&all).await;
        writers[1].commit(account, &counted(truth)).await;
    }
    for letter in letters {
        letter.arrives(&writers[0].shared).await;
        assert_eq!(saved(&writers[0], account).await, truth, "what came late");
    }
    assert_eq!(saved(&writers[0], account).await, truth);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn whatever_two_writers_do_no_count_falls_or_is_above_the_truth(steps in vec(a_step(), 0..40)) {
        let Some(server) = shared_server() else { return Ok(()) };
        let url = server.new_database();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&url, steps));
    }
}
