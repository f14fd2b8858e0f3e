//! The PostgreSQL of the tests: it keeps what it said it kept, and ends when it is to.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::certificates::Authority;
use crate::postgres::{Postgres, Proxy, Setup, shared_server};
use crate::wait::{timed, until};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn what_was_committed_is_there_after_a_kill_and_after_a_stop() {
    let Some(mut server) = Postgres::start() else {
        return;
    };
    assert_eq!(server.sql("SHOW fsync"), "on");
    assert_eq!(server.sql("SHOW synchronous_commit"), "on");
    server.sql("CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (1)");
    server.kill();
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());
    server.start_again();
    server.sql("INSERT INTO t VALUES (2)");
    server.stop();
    assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());
    server.start_again();
    assert_eq!(server.sql("SELECT sum(n) FROM t"), "3", "{}", server.log());
}

#[test]
fn a_server_goes_back_to_its_backup() {
    let Some(mut server) = Postgres::start() else {
        return;
    };
    server.sql("CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (1)");
    let backup = server.back_up();
    for n in 2..4 {
        server.sql(&format!("INSERT INTO t VALUES ({n})"));
        server.restore(&backup);
        assert_eq!(server.sql("SELECT sum(n) FROM t"), "1");
    }
}

#[test]
fn a_standby_takes_no_writes() {
    let Some(server) = Setup::default().standby().start() else {
        return;
    };
    assert_eq!(server.sql("SHOW transaction_read_only"), "on");
    assert_eq!(server.sql("SELECT pg_is_in_recovery()"), "t");
}

#[test]
fn databases_of_one_server_are_apart() {
    let Some(server) = shared_server() else {
        return;
    };
    let [one, other] = [server.new_database(), server.new_database()];
    server.sql_at(&one, "CREATE TABLE t (n BIGINT)");
    server.sql_at(&other, "CREATE TABLE t (n BIGINT)");
    assert_eq!(
        server.sql("SELECT count(*) FROM pg_class WHERE relname = 't'"),
        "0"
    );
}

/// Set for the process that is to be killed.
const TO_BE_KILLED: &str = "METAACCESS_TESTS_TO_BE_KILLED";

/// Whether this is the process that is to be killed. Then it starts a server, says where, and waits.
fn waited_to_be_killed() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is for the tests, and no setting"
    )]
    if std::env::var_os(TO_BE_KILLED).is_none() {
        return false;
    }
    let server = Postgres::start().expect("a server");
    println!("{}", server.folder().display());
    std::thread::sleep(Duration::from_secs(600));
    true
}

#[test]
fn a_server_ends_with_the_process_of_the_tests_however_that_ends() {
    if shared_server().is_none() || waited_to_be_killed() {
        return;
    }
    let tests = std::env::current_exe().expect("a program");
    let mut tests = Command::new(tests);
    let own = "real_postgres::a_server_ends_with_the_process_of_the_tests_however_that_ends";
    tests.args(["--exact", "--nocapture", own]);
    tests.env(TO_BE_KILLED, "1");
    let mut tests = tests.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut out = tests.stdout.take().expect("a pipe");
    let mut text = String::new();
    let folder = until(SOON, "a server", || {
        let mut bytes = [0; 4096];
        let read = out.read(&mut bytes).expect("a pipe");
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
        let line = text.lines().find(|line| line.contains("metaaccess-pg"))?;
        Some(line[line.find('/')?..].to_owned())
    });
    let state = Path::new(&folder).join("data/postmaster.pid");
    let state = std::fs::read_to_string(state).expect("a running server");
    let process = Path::new("/proc").join(state.lines().next().expect("a number"));
    assert!(process.exists());
    tests.kill().expect("a child");
    tests.wait().expect("a child");
    let base = Path::new(&folder).parent().expect("a folder around it");
    until(SOON / 2, "server and folder are gone", || {
        (!process.exists() && !base.exists()).then_some(())
    });
}

#[test]
fn a_server_can_ask_for_tls_a_password_and_a_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    authority.write(folder.path());
    authority.issue(folder.path(), "server");
    let tls = || Setup::default().tls(folder.path(), "server");
    let Some(server) = tls().password("hunter2").start() else {
        return;
    };
    assert_eq!(server.sql("SHOW ssl"), "on");
    let rules = "SELECT type, auth_method FROM pg_hba_file_rules WHERE user_name = '{metaaccess}'";
    assert_eq!(server.sql(rules), "local|trust\nhostssl|scram-sha-256");
    let server = tls().client_certificate().start().expect("another");
    assert_eq!(server.sql(rules), "local|trust\nhostssl|cert");
}

/// A server that says back what it hears, behind a proxy.
fn echo() -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("a connection");
            std::thread::spawn(move || {
                let mut other = connection.try_clone().expect("a socket");
                std::io::copy(&mut connection, &mut other)
            });
        }
    });
    Proxy::to(port)
}

fn connect(proxy: &Proxy) -> TcpStream {
    let socket = TcpStream::connect(("127.0.0.1", proxy.port())).expect("it takes connections");
    socket.set_read_timeout(Some(SOON)).expect("a time-out");
    socket
}

/// What is said back.
fn say(socket: &mut TcpStream) -> std::io::Result<[u8; 4]> {
    socket.write_all(b"ping")?;
    let mut back = [0; 4];
    socket.read_exact(&mut back)?;
    Ok(back)
}

#[test]
fn a_proxy_passes_on_what_it_gets_until_it_resets_it() {
    let proxy = echo();
    let mut sockets = [connect(&proxy), connect(&proxy)];
    for socket in &mut sockets {
        assert_eq!(&say(socket).expect("an answer"), b"ping");
    }
    proxy.cut();
    for socket in &mut sockets {
        let error = socket.read(&mut [0]).expect_err("it is reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    assert_eq!(&say(&mut connect(&proxy)).expect("an answer"), b"ping");
    proxy.refuse(true);
    assert!(say(&mut connect(&proxy)).is_err());
    proxy.refuse(false);
    let mut socket = connect(&proxy);
    assert_eq!(&say(&mut socket).expect("an answer"), b"ping");
    socket
        .shutdown(std::net::Shutdown::Write)
        .expect("a socket");
    assert_eq!(socket.read(&mut [0]).expect("an end"), 0);
}

#[test]
fn a_proxy_holds_and_delays() {
    let proxy = echo();
    let mut socket = connect(&proxy);
    assert_eq!(&say(&mut socket).expect("an answer"), b"ping");
    proxy.hold(true);
    let short = Duration::from_millis(100);
    socket.set_read_timeout(Some(short)).expect("a time-out");
    assert!(say(&mut socket).is_err(), "nothing comes");
    socket.set_read_timeout(Some(SOON)).expect("a time-out");
    proxy.hold(false);
    socket.read_exact(&mut [0; 4]).expect("what was held");
    proxy.delay(short);
    let (said, took) = timed(|| say(&mut socket));
    said.expect("an answer");
    assert!(took >= 2 * short, "{took:?}");
    proxy.hold(true);
    proxy.cut();
    assert!(socket.read(&mut [0]).is_err(), "what is held can be cut");
}
