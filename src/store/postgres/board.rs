//! What replicas tell each other by the tables: how far each account is, who wishes for a refresh, and
//! who scrapes whom.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Shared;
use super::ids::AccountId;
use super::pool::Connection;
use super::read;
use super::standing;
use super::statements as sql;
use super::write::Scrapers;
use crate::births::SavedScraper;
use crate::event::EventType;
use crate::saved::{SavedSeries, SavedStanding, SavedTally};
use crate::store::error::{Fault, StoreError};
use crate::store::value;

/// How far an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub account: AccountId,
    /// The version at which what scrapes see changed last.
    pub shown: i64,
    /// Another number is another refresh.
    pub refreshed: i64,
    /// How long ago the last refresh began; none before the first.
    pub age: Option<Duration>,
}

/// What changed of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// In the order of their logs and places.
    pub series: Vec<SavedSeries>,
    /// The logs that were read once as far back as the lookback.
    pub complete: Vec<EventType>,
    pub tallies: Vec<SavedTally>,
    pub standing: Option<SavedStanding>,
}

impl Shared {
    /// How far these accounts are now.
    pub async fn look(&self, accounts: &[AccountId]) -> Result<Vec<Seen>, StoreError> {
        let ids = numbers(accounts.iter().copied());
        let rows = self
            .pool()
            .at_once(async |connection| connection.query(sql::VERSIONS, &[&ids]).await)
            .await?;
        let seen = |row: &tokio_postgres::Row| -> Result<Seen, Fault> {
            let (refreshed, age): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
            // Not of one to come: the clock of the database was set back since.
            let age = u64::try_from(age).ok().map(Duration::from_micros);
            Ok(Seen {
                account: AccountId(row.try_get(0)?),
                shown: row.try_get(1)?,
                refreshed,
                age: age.filter(|_| refreshed != 0),
            })
        };
        let all = rows.iter().map(seen).collect::<Result<_, _>>();
        all.map_err(|fault| self.pool().error(fault))
    }

    /// What changed of each account after the version that is known of it. `reasons` are those that are
    /// known of why a log fails.
    pub async fn news(
        &self,
        known: &[(AccountId, i64)],
        reasons: &[&'static str],
    ) -> Result<BTreeMap<AccountId, News>, StoreError> {
        self.pool()
            .at_once(async |connection| news(connection, known, reasons).await)
            .await
    }

    /// Wishes that all accounts be refreshed, or these.
    pub async fn wish(&self, accounts: Option<&[AccountId]>) -> Result<(), StoreError> {
        let replica = self.replica();
        self.pool()
            .at_once(async |connection| {
                let Some(accounts) = accounts else {
                    return connection.execute(sql::WISH_ALL, &[&replica]).await;
                };
                let ids = numbers(accounts.iter().copied());
                connection.execute(sql::WISH, &[&ids]).await?;
                connection.execute(sql::WISH_SOME, &[&replica]).await
            })
            .await?;
        self.notify().await;
        Ok(())
    }

    /// A number of each of these accounts that is another one after somebody wished for its refresh.
    pub async fn wishes(
        &self,
        accounts: &[AccountId],
    ) -> Result<Vec<(AccountId, i64)>, StoreError> {
        let ids = numbers(accounts.iter().copied());
        let rows = self
            .pool()
            .at_once(async |connection| connection.query(sql::WISHES, &[&ids]).await)
            .await?;
        let wish = |row: &tokio_postgres::Row| -> Result<_, Fault> {
            Ok((AccountId(row.try_get(0)?), row.try_get(1)?))
        };
        let all = rows.iter().map(wish).collect::<Result<_, _>>();
        all.map_err(|fault| self.pool().error(fault))
    }

    /// Says who scrapes this replica regularly, of each of these accounts.
    pub async fn scraped_by(
        &self,
        scrapers: &[(AccountId, Vec<SavedScraper>)],
    ) -> Result<(), StoreError> {
        let mut columns = (Vec::new(), Scrapers::default());
        for (account, scrapers) in scrapers {
            let of = Scrapers::of(scrapers).map_err(|fault| self.pool().error(fault))?;
            columns
                .0
                .extend(std::iter::repeat_n(account.0, of.ids.len()));
            columns.1.ids.extend(of.ids);
            columns.1.periods.extend(of.periods);
            columns.1.served.extend(of.served);
        }
        let (
            accounts,
            Scrapers {
                ids,
                periods,
                served,
            },
        ) = columns;
        let all = numbers(scrapers.iter().map(|(account, _)| *account));
        let replica = self.replica();
        self.pool()
            .at_once(async |connection| {
                connection.simple("BEGIN").await?;
                connection
                    .execute(sql::CLEAR_SCRAPERS, &[&replica, &all])
                    .await?;
                connection
                    .execute(
                        sql::ADD_SCRAPERS,
                        &[&replica, &accounts, &ids, &periods, &served],
                    )
                    .await?;
                connection.simple("COMMIT").await
            })
            .await
    }

    /// Forgets who scraped this replica for other accounts than these.
    pub async fn is_scraped_for_no_others(&self, accounts: &[AccountId]) -> Result<(), StoreError> {
        let (ids, replica) = (numbers(accounts.iter().copied()), self.replica());
        self.pool()
            .at_once(async |connection| {
                connection
                    .execute(sql::CLEAR_SCRAPERS_BUT, &[&replica, &ids])
                    .await
            })
            .await?;
        Ok(())
    }

    /// Who scraped replicas regularly that are gone, or this one as it said before, of each of these
    /// accounts.
    pub async fn scrapers_left(
        &self,
        accounts: &[AccountId],
    ) -> Result<BTreeMap<AccountId, Vec<SavedScraper>>, StoreError> {
        let (ids, replica) = (numbers(accounts.iter().copied()), self.replica());
        let rows = self
            .pool()
            .with(async |connection| {
                connection
                    .query(sql::SCRAPERS_LEFT, &[&ids, &replica])
                    .await
            })
            .await?;
        let mut all: BTreeMap<AccountId, Vec<SavedScraper>> = BTreeMap::new();
        for row in &rows {
            let scraper =
                || -> Result<_, Fault> { Ok((AccountId(row.try_get(0)?), read::scraper(row)?)) };
            let (account, scraper) = scraper().map_err(|fault| self.pool().error(fault))?;
            all.entry(account).or_default().push(scraper);
        }
        Ok(all)
    }

    /// Who scrapes the other replicas regularly, those too that died so lately that they may be back
    /// before their scrapers are overdue.
    pub async fn scrapers_of_others(
        &self,
        account: AccountId,
    ) -> Result<Vec<SavedScraper>, StoreError> {
        let rows = self
            .pool()
            .with(async |connection| connection.query(sql::SCRAPERS, &[&account.0]).await)
            .await?;
        let all: Result<Vec<_>, Fault> = rows.iter().map(read::scraped).collect();
        let all = all.map_err(|fault| self.pool().error(fault))?.into_iter();
        let others = all.filter(|one| one.is_to_be_waited_for_by(self.replica()));
        Ok(others.map(|one| one.scraper).collect())
    }
}

async fn news(
    connection: &mut Connection,
    known: &[(AccountId, i64)],
    reasons: &[&'static str],
) -> Result<BTreeMap<AccountId, News>, Fault> {
    let ids = numbers(known.iter().map(|(account, _)| *account));
    let versions: Vec<i64> = known.iter().map(|(_, version)| *version).collect();
    let mut all: BTreeMap<AccountId, News> = BTreeMap::new();
    for (account, _) in known {
        all.insert(*account, News::default());
    }
    let of =
        |row: &tokio_postgres::Row| -> Result<AccountId, Fault> { Ok(AccountId(row.try_get(0)?)) };
    // The series last, so that what is shown is as new as what was seen, or newer.
    let [standings, logs, tallies, series] = connection
        .query_all([
            (sql::STANDINGS, &[&ids]),
            (sql::COMPLETE_LOGS, &[&ids]),
            (sql::TALLIES_OF, &[&ids]),
            (sql::SERIES_SINCE, &[&ids, &versions]),
        ])
        .await?;
    for row in standings {
        let standing = standing::standing(row.try_get(1)?, reasons)?;
        all.entry(of(&row)?).or_default().standing = standing;
    }
    for row in logs {
        let log = read::log_of(&row, 1)?;
        all.entry(of(&row)?).or_default().complete.push(log);
    }
    for row in tallies {
        let tally = SavedTally {
            event_type: read::log_of(&row, 1)?,
            name: super::text::text(row.try_get(2)?).into_owned(),
            lines: value::unsigned("a number of lines", row.try_get(3)?)?,
        };
        all.entry(of(&row)?).or_default().tallies.push(tally);
    }
    for row in series {
        let series = read::series(&row, 1)?;
        all.entry(of(&row)?).or_default().series.push(series);
    }
    Ok(all)
}

fn numbers(accounts: impl Iterator<Item = AccountId>) -> Vec<i64> {
    accounts.map(|account| account.0).collect()
}
