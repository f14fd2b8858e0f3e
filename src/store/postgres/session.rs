//! What a session has to be before anything is asked of it.

use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};
use tracing::debug;

use super::connect_error::{ConnectError, Whom};

/// That no statement, lock or transaction of a replica that was cut off holds up the others for long,
/// whatever is set for the server, the database or the role.
const SETTINGS: [&str; 5] = [
    "SET statement_timeout = '5s'",
    "SET lock_timeout = '3s'",
    "SET idle_in_transaction_session_timeout = '3s'",
    "SET default_transaction_isolation = 'read committed'",
    "SET client_min_messages = 'warning'",
];

const WHO: &str = "SELECT version(), current_setting('transaction_read_only')";

/// A commit that is answered before it is on disk may be lost after it was seen. `remote_apply` is more.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false) \
    WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";

/// Makes a session what it has to be, and gives what the server calls itself. A host that takes no
/// writes is refused.
pub(super) async fn begin(client: &Client, whom: &Whom) -> Result<String, ConnectError> {
    let failed = |error| whom.of_postgres(error, true);
    let answer = client.simple_query(WHO).await.map_err(failed)?;
    let row = first(&answer);
    let version = row.and_then(|row| row.get(0)).unwrap_or_default();
    if row.and_then(|row| row.get(1)) == Some("on") {
        return Err(whom.read_only());
    }
    let is_postgres = version.starts_with("PostgreSQL ");
    if let Err(error) = client.simple_query(DURABLE).await {
        pass_over(error, DURABLE, is_postgres, whom)?;
    }
    set(client, &SETTINGS, whom).await?;
    Ok(name(version))
}

/// Has the server do all at once or, where it does not know one of them, those that it knows.
async fn set(client: &Client, settings: &[&str], whom: &Whom) -> Result<(), ConnectError> {
    if client.batch_execute(&settings.join("; ")).await.is_ok() {
        return Ok(());
    }
    for setting in settings {
        if let Err(error) = client.batch_execute(setting).await {
            pass_over(error, setting, false, whom)?;
        }
    }
    Ok(())
}

/// What a server does not know, it does without, but for what it has to know.
fn pass_over(
    error: tokio_postgres::Error,
    statement: &str,
    is_needed: bool,
    whom: &Whom,
) -> Result<(), ConnectError> {
    if is_needed || error.as_db_error().is_none() {
        return Err(whom.of_postgres(error, true));
    }
    let error = &error as &dyn std::error::Error;
    debug!(error, statement, "the database does not know a setting");
    Ok(())
}

fn first(answer: &[SimpleQueryMessage]) -> Option<&SimpleQueryRow> {
    answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    })
}

/// The name of the server and its version, without what it was built by and for.
fn name(version: &str) -> String {
    let ends = [" (", " on ", ", "].map(|end| version.find(end));
    let end = ends.into_iter().flatten().min();
    version[..end.unwrap_or(version.len())].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::postgres::connect::connect;
    use crate::store::postgres::connect_tests::database;
    use crate::store::real_postgres::{Proxy, shared_server};

    #[tokio::test]
    async fn a_setting_that_a_server_does_not_know_keeps_none_from_being_set() {
        let Some(server) = shared_server() else {
            return;
        };
        let proxy = Proxy::to(server.port());
        let database = database(&[proxy.port()]);
        let client = connect(&database, None).await.unwrap().0.client;
        let whom = Whom::new(&database.hosts[0], &database);
        let settings = [
            "SET lock_timeout = '7s'",
            "SET unknown = 1",
            "SET work_mem = '1MB'",
        ];
        set(&client, &settings, &whom).await.unwrap();
        for (setting, value) in [("lock_timeout", "7s"), ("work_mem", "1MB")] {
            let row = client.query_one(&format!("SHOW {setting}"), &[]).await;
            assert_eq!(row.unwrap().get::<_, &str>(0), value);
        }
        proxy.cut();
        let error = set(&client, &settings, &whom).await.unwrap_err();
        assert_eq!(error.reason(), "lost");
    }

    #[test]
    fn a_server_has_a_name_and_a_version() {
        for (version, shown) in [
            (
                "PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc",
                "PostgreSQL 15.18",
            ),
            (
                "PostgreSQL 17.2 on aarch64-unknown-linux-gnu, compiled by gcc",
                "PostgreSQL 17.2",
            ),
            (
                "CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu, built 2024)",
                "CockroachDB CCL v24.1.0",
            ),
            (
                "PostgreSQL 11.2-YB-2.20.1.0-b0 on x86_64",
                "PostgreSQL 11.2-YB-2.20.1.0-b0",
            ),
            ("", ""),
        ] {
            assert_eq!(name(version), shown);
        }
    }
}
