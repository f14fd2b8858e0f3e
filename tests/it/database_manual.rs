//! What the page about the database says makes one that the program can use, and no more than that.

use crate::api::{self, Api};
use crate::documents::fenced_in;
use crate::exporter::Exporter;
use crate::postgres::Postgres;

const MANUAL: &str = "deploy/postgresql/README.md";

/// A server on which nothing was made before but what the page has.
#[track_caller]
fn made_as_it_says() -> Option<Postgres> {
    let server = Postgres::start()?;
    let maintenance = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port());
    for statement in ["DROP DATABASE metaaccess", "DROP ROLE metaaccess"] {
        server.sql_at(&maintenance, statement);
    }
    let [statements] = &fenced_in(MANUAL, "sql")[..] else {
        panic!("one block of statements");
    };
    assert!(statements.lines().count() > 1, "{statements}");
    for statement in statements.lines() {
        server.sql_at(&maintenance, statement);
    }
    Some(server)
}

#[test]
fn what_the_page_has_made_is_enough_for_the_program_and_no_more() {
    let Some(server) = made_as_it_says() else {
        return;
    };
    let rights = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication FROM pg_roles \
        WHERE rolname = 'metaaccess'";
    assert_eq!(server.sql(rights), "f");
    server.sql("CREATE ROLE other LOGIN");
    let others = "SELECT has_database_privilege('other', 'metaaccess', 'CONNECT')";
    assert_eq!(server.sql(others), "f", "others get in");
    let api = Api::start(api::at_rest());
    let exporter = Exporter::of(&api, &[&format!("--state.url={}", server.url())]);
    exporter.settle(&api);
    assert_eq!(exporter.log_at("warn"), [""; 0]);
    let tables = "SELECT count(*) FROM pg_tables WHERE tableowner = 'metaaccess' \
        AND tablename LIKE 'metaaccess\\_%'";
    let tables = server.sql(tables);
    assert!(tables.parse::<u32>().is_ok_and(|it| it > 10), "{tables}");
    assert_eq!(exporter.stop().code, Some(0));
}
