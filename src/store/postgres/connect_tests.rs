use std::error::Error;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::net::{self, AddressFamily, SocketType};
use tokio::time::timeout;
use tokio_postgres::Client;

use super::connect::{Connected, connect};
use super::connect_error::ConnectError;
use crate::clock;
use crate::config::{
    CaFile, ClientCertificate, Database, DatabaseHost, DatabaseTls, HostPlace, Secret, SecretSource,
};
use crate::store::certificates::Authority;
use crate::store::real_postgres::{Postgres, Proxy, Setup, shared_server};

const SOON: Duration = Duration::from_secs(20);

fn host(name: &str, port: u16) -> DatabaseHost {
    let place = HostPlace::Name(name.to_owned());
    DatabaseHost { place, port }
}

/// The first database at these ports of this machine, without TLS and password.
pub(super) fn database(ports: &[u16]) -> Database {
    Database {
        hosts: ports.iter().map(|port| host("127.0.0.1", *port)).collect(),
        name: "metaaccess".to_owned(),
        user: "metaaccess".to_owned(),
        password: None,
        tls: None,
        connect_timeout: SOON,
        application_name: "TEST-REPLICA".to_owned(),
    }
}

fn given(password: &str) -> Option<SecretSource> {
    Some(SecretSource::Given(Secret::new(password).unwrap()))
}

/// Trusts the `ca.crt` of this folder alone.
fn trusting(folder: &Path) -> Option<DatabaseTls> {
    let path = folder.join("ca.crt");
    let ca = Some(CaFile {
        path,
        certificates: [].into(),
    });
    Some(DatabaseTls { ca, client: None })
}

fn certificate(folder: &Path, name: &str) -> Option<ClientCertificate> {
    Some(ClientCertificate {
        chain: folder.join(format!("{name}.crt")),
        key: folder.join(format!("{name}.key")),
    })
}

/// A folder with the certificate of an authority, and these that it issued.
fn issued(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.write(folder.path());
    for name in names {
        authority.issue(folder.path(), name);
    }
    folder
}

/// A port that nobody listens on, as long as its socket is held.
fn closed_port() -> (OwnedFd, u16) {
    let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = net::getsockname(&socket).unwrap();
    let port = SocketAddrV4::try_from(address).unwrap().port();
    (socket, port)
}

async fn connected(database: &Database) -> Connected {
    let connected = connect(database, None).await;
    connected
        .unwrap_or_else(|error| panic!("{}", words(&error)))
        .0
}

/// Why there is no connection, which shows no secret.
async fn refusal(database: &Database) -> ConnectError {
    let error = connect(database, None).await.expect_err("no connection");
    let words = words(&error);
    assert!(!words.contains("hunter"), "{words}");
    assert!(ConnectError::REASONS.contains(&error.reason()));
    error
}

/// An error with its causes, in both forms.
fn words(error: &ConnectError) -> String {
    let causes = std::iter::successors(error.source(), |error| (**error).source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    format!("{error}: {causes:?} {error:?}")
}

async fn shown(client: &Client, setting: &str) -> String {
    let row = client.query_one(&format!("SHOW {setting}"), &[]).await;
    row.unwrap().get(0)
}

#[tokio::test]
async fn a_session_has_its_settings_and_hears_notices_until_the_connection_ends() {
    let Some(mut server) = Postgres::start() else {
        return;
    };
    let mut one = connected(&database(&[server.port()])).await;
    assert!(one.server.starts_with("PostgreSQL 1"), "{}", one.server);
    assert!(!one.server.contains('('), "{}", one.server);
    for (setting, value) in [
        ("statement_timeout", "5s"),
        ("lock_timeout", "3s"),
        ("idle_in_transaction_session_timeout", "3s"),
        ("default_transaction_isolation", "read committed"),
        ("client_min_messages", "warning"),
        ("synchronous_commit", "on"),
        ("application_name", "TEST-REPLICA"),
    ] {
        assert_eq!(shown(&one.client, setting).await, value, "{setting}");
    }
    one.client.batch_execute("LISTEN test").await.unwrap();
    server.sql("NOTIFY test; NOTIFY other");
    server.sql("NOTIFY test");
    for _ in 0..2 {
        let heard = timeout(SOON, one.notices.recv()).await;
        assert_eq!(heard.unwrap(), Some(()));
    }
    assert!(one.notices.is_empty());
    server.kill();
    assert_eq!(timeout(SOON, one.notices.recv()).await.unwrap(), None);
    assert!(one.client.is_closed());
    let error = refusal(&database(&[server.port()])).await;
    assert_eq!(
        (error.reason(), error.is_permanent()),
        ("unreachable", false)
    );
}

#[tokio::test]
async fn what_is_committed_is_durable_whatever_the_server_does_by_default() {
    let Some(server) = Setup::default().set("synchronous_commit=off").start() else {
        return;
    };
    let database = database(&[server.port()]);
    for (by_default, wanted) in [
        ("off", "on"),
        ("local", "on"),
        ("remote_write", "on"),
        ("on", "on"),
        ("remote_apply", "remote_apply"),
    ] {
        server.sql(&format!(
            "ALTER ROLE metaaccess SET synchronous_commit = {by_default}"
        ));
        let one = connected(&database).await;
        let now = shown(&one.client, "synchronous_commit").await;
        assert_eq!(now, wanted, "{by_default}");
    }
}

#[tokio::test]
async fn a_server_has_to_be_whom_its_certificate_names() {
    let (folder, other) = (issued(&["server"]), issued(&[]));
    let setup = Setup::default().tls(folder.path(), "server");
    let Some(server) = setup.start() else {
        return;
    };
    let mut database = database(&[server.port()]);
    database.tls = trusting(folder.path());
    let one = connected(&database).await;
    let ssl = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let row = one.client.query_one(ssl, &[]).await.unwrap();
    assert!(row.get::<_, bool>(0));
    database.hosts = vec![host("localhost", server.port())];
    let error = refusal(&database).await;
    assert!(matches!(error, ConnectError::OtherName { .. }), "{error:?}");
    assert!(error.is_permanent());
    database.hosts = vec![host("127.0.0.1", server.port())];
    for tls in [
        trusting(other.path()),
        Some(DatabaseTls {
            ca: None,
            client: None,
        }),
    ] {
        database.tls = tls;
        let error = refusal(&database).await;
        assert!(matches!(error, ConnectError::Untrusted { .. }), "{error:?}");
        assert!(error.is_permanent());
    }
    database.tls = None;
    let error = refusal(&database).await;
    assert_eq!((error.reason(), error.is_permanent()), ("refused", true));
}

#[tokio::test]
async fn a_server_without_tls_is_not_talked_to_in_the_clear() {
    let Some(server) = shared_server() else {
        return;
    };
    let folder = issued(&[]);
    let mut database = database(&[server.port()]);
    database.tls = trusting(folder.path());
    database.password = given("hunter2");
    let error = refusal(&database).await;
    assert_eq!((error.reason(), error.is_permanent()), ("no_tls", true));
    std::fs::write(folder.path().join("ca.crt"), "none").unwrap();
    let error = refusal(&database).await;
    assert_eq!((error.reason(), error.is_permanent()), ("files", true));
    assert!(error.to_string().contains("sslrootcert"), "{error}");
}

#[tokio::test]
async fn a_client_can_show_a_certificate_which_is_read_anew_for_each_connection() {
    let (folder, other) = (issued(&["server", "metaaccess"]), issued(&["metaaccess"]));
    let setup = Setup::default().tls(folder.path(), "server");
    let Some(server) = setup.client_certificate().start() else {
        return;
    };
    let mut database = database(&[server.port()]);
    let with = |client| {
        let tls = trusting(folder.path());
        tls.map(|tls| DatabaseTls { client, ..tls })
    };
    database.tls = with(None);
    let error = refusal(&database).await;
    assert_eq!((error.reason(), error.is_permanent()), ("refused", true));
    database.tls = with(certificate(folder.path(), "server"));
    let error = refusal(&database).await;
    assert_eq!(error.reason(), "refused", "of another name: {error:?}");
    database.tls = with(certificate(other.path(), "metaaccess"));
    let error = refusal(&database).await;
    assert_eq!(error.reason(), "client_certificate", "{error:?}");
    assert!(error.is_permanent());
    for file in ["metaaccess.crt", "metaaccess.key"] {
        std::fs::copy(folder.path().join(file), other.path().join(file)).unwrap();
    }
    connected(&database).await;
    let key = folder.path().join("server.key");
    std::fs::copy(key, other.path().join("metaaccess.key")).unwrap();
    let error = refusal(&database).await;
    assert_eq!((error.reason(), error.is_permanent()), ("files", true));
    assert!(error.to_string().contains("sslkey"), "{error}");
}

#[tokio::test]
async fn a_password_is_read_anew_for_each_connection() {
    let Some(server) = Setup::default().password("hunter2").start() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let mut database = database(&[server.port()]);
    let error = refusal(&database).await;
    assert!(
        matches!(error, ConnectError::NoPassword { .. }),
        "{error:?}"
    );
    assert!(error.is_permanent());
    database.password = given("hunter2");
    connected(&database).await;
    database.password = Some(SecretSource::PasswordFile(file.clone()));
    let error = refusal(&database).await;
    assert_eq!((error.reason(), error.is_permanent()), ("files", true));
    std::fs::write(&file, "hunter2\n").unwrap();
    connected(&database).await;
    server.sql("ALTER ROLE metaaccess PASSWORD 'hunter 3'");
    let error = refusal(&database).await;
    assert!(matches!(error, ConnectError::Password { .. }), "{error:?}");
    assert!(error.is_permanent());
    std::fs::write(&file, "hunter 3\n").unwrap();
    connected(&database).await;
}

#[tokio::test]
async fn hosts_are_tried_in_turn_until_one_takes_writes() {
    let Some(server) = shared_server() else {
        return;
    };
    let standby = Setup::default().standby().start().unwrap();
    let (_socket, down) = closed_port();
    let all = database(&[down, standby.port(), server.port()]);
    for _ in 0..10 {
        let one = connected(&all).await;
        let port = shown(&one.client, "port").await;
        assert_eq!(port, server.port().to_string());
    }
    let error = refusal(&database(&[down, standby.port()])).await;
    assert_eq!(
        (error.reason(), error.is_permanent()),
        ("unreachable", false)
    );
    let error = refusal(&database(&[standby.port()])).await;
    assert_eq!((error.reason(), error.is_permanent()), ("read_only", false));
    assert!(
        error
            .to_string()
            .starts_with("no host takes writes: 127.0.0.1:"),
        "{error}"
    );
}

#[tokio::test]
async fn the_first_host_to_be_tried_is_a_random_one_and_then_the_one_that_took_writes() {
    let Some(server) = shared_server() else {
        return;
    };
    let name = server.new_database().rsplit('/').next().unwrap().to_owned();
    let both = [Proxy::to(server.port()), Proxy::to(server.port())];
    let mut database = database(&[both[0].port(), both[1].port()]);
    database.name = name;
    // Whoever is cut off with the first way had taken it.
    let over_first = async |one: Connected| {
        both[0].refuse(true);
        both[0].cut();
        both[0].refuse(false);
        usize::from(one.client.batch_execute("SELECT 1").await.is_err())
    };
    let mut of_all = 0;
    for _ in 0..40 {
        of_all += over_first(connected(&database).await).await;
    }
    assert!((1..40).contains(&of_all), "{of_all} of 40");
    let (mut last, mut of_one) = (None, 0);
    for _ in 0..10 {
        let (one, host) = connect(&database, last).await.unwrap();
        last = Some(host);
        of_one += over_first(one).await;
    }
    assert!(of_one == 0 || of_one == 10, "{of_one} of 10 after the same");
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_told_from_one_that_is_starting_up() {
    let read_only = Setup::default().set("default_transaction_read_only=on");
    let Some(server) = read_only.start() else {
        return;
    };
    let error = refusal(&database(&[server.port()])).await;
    assert_eq!((error.reason(), error.is_permanent()), ("read_only", false));
    let starting = Setup::default().standby().set("hot_standby=off").start();
    let error = refusal(&database(&[starting.unwrap().port()])).await;
    assert_eq!(
        (error.reason(), error.is_permanent()),
        ("unavailable", false)
    );
}

#[tokio::test]
async fn a_full_server_is_one_to_come_back_to() {
    let setup = Setup::default()
        .set("max_connections=2")
        .set("max_wal_senders=0");
    let Some(server) = setup.set("superuser_reserved_connections=0").start() else {
        return;
    };
    let database = database(&[server.port()]);
    let both = [connected(&database).await, connected(&database).await];
    let error = refusal(&database).await;
    assert_eq!((error.reason(), error.is_permanent()), ("crowded", false));
    drop(both);
}

#[tokio::test]
async fn what_the_server_does_not_have_is_for_somebody_to_mend() {
    let Some(server) = shared_server() else {
        return;
    };
    let (_socket, down) = closed_port();
    let mut database = database(&[server.port(), down]);
    database.name = "nowhere".to_owned();
    let error = refusal(&database).await;
    assert_eq!(
        (error.reason(), error.is_permanent()),
        ("no_database", true)
    );
    assert!(error.to_string().contains("no database nowhere"), "{error}");
    database.user = "nobody".to_owned();
    let error = refusal(&database).await;
    assert_eq!((error.reason(), error.is_permanent()), ("refused", true));
}

#[tokio::test]
async fn a_host_that_says_nothing_has_its_time_and_then_the_next_is_tried() {
    let Some(server) = shared_server() else {
        return;
    };
    let held = Proxy::to(server.port());
    held.hold(true);
    let mut database = database(&[held.port()]);
    database.connect_timeout = Duration::from_millis(200);
    let begin = clock::now();
    let error = refusal(&database).await;
    let took = clock::now().since(begin);
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!((error.reason(), error.is_permanent()), ("timeout", false));
    assert!(error.to_string().contains("within 200ms"), "{error}");
    // One that is busy may need longer.
    database.connect_timeout = Duration::from_secs(2);
    database.hosts.push(host("127.0.0.1", server.port()));
    for _ in 0..3 {
        connected(&database).await;
    }
}

#[tokio::test]
async fn a_connection_that_is_cut_is_noticed_and_one_that_is_refused_is_tried_again() {
    let Some(server) = shared_server() else {
        return;
    };
    let proxy = Proxy::to(server.port());
    let database = database(&[proxy.port()]);
    let mut one = connected(&database).await;
    proxy.refuse(true);
    proxy.cut();
    assert_eq!(timeout(SOON, one.notices.recv()).await.unwrap(), None);
    assert!(one.client.batch_execute("SELECT 1").await.is_err());
    let error = refusal(&database).await;
    // It is reset just before or after it is there.
    assert!(
        ["lost", "unreachable"].contains(&error.reason()),
        "{error:?}"
    );
    assert!(!error.is_permanent());
    proxy.refuse(false);
    connected(&database).await;
}

#[tokio::test]
async fn a_server_is_reached_by_its_socket_and_by_a_name() {
    let Some(server) = shared_server() else {
        return;
    };
    let mut database = database(&[]);
    for place in [
        HostPlace::Socket(server.folder().to_owned()),
        HostPlace::Name("localhost".to_owned()),
    ] {
        let port = server.port();
        database.hosts = vec![DatabaseHost { place, port }];
        connected(&database).await;
    }
}
