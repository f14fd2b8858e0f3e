//! A real PostgreSQL: Debian's, in a folder of its own, on a port of its own, with what is promised to
//! be on disk on disk. It ends with the process of the tests, however that ends.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

#[path = "postgres_programs.rs"]
mod programs;
#[path = "proxy.rs"]
mod proxy;

use programs::{Programs, base, done};
pub use proxy::Proxy;

/// Role and database of a test. The superuser is `postgres`.
const NAME: &str = "metaaccess";

/// How long a server has to start or to stop, in looks of [`LOOK_EVERY`].
const LOOKS: u32 = 3000;
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A server. Dropped, it ends at once and its folder goes.
#[derive(Debug)]
pub struct Postgres {
    programs: &'static Programs,
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
    /// What ends the server when this process ends; none while the server is stopped.
    keeper: Option<Child>,
}

/// How a server is to be. By default everybody on this machine may connect as anybody, without TLS.
#[derive(Debug, Default)]
pub struct Setup {
    settings: Vec<String>,
    certificate: Option<(PathBuf, String)>,
    password: Option<String>,
    wants_certificate: bool,
    is_standby: bool,
}

/// What a server held at one moment.
#[derive(Debug)]
pub struct Backup {
    folder: PathBuf,
}

impl Setup {
    /// A setting of postgresql.conf, such as `max_connections=7`.
    pub fn set(mut self, setting: &str) -> Self {
        self.settings.push(setting.to_owned());
        self
    }

    /// Takes TLS alone, with `name.crt` and `name.key` of this folder. `ca.crt` is whom it trusts.
    pub fn tls(mut self, folder: &Path, name: &str) -> Self {
        self.certificate = Some((folder.to_owned(), name.to_owned()));
        self
    }

    /// Lets in by this password alone, of SCRAM-SHA-256.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Lets in by a client certificate alone, whose common name is the role's.
    pub fn client_certificate(mut self) -> Self {
        self.wants_certificate = true;
        self
    }

    /// Is a standby, of a primary that is not there: it takes no writes.
    pub fn standby(mut self) -> Self {
        self.is_standby = true;
        self
    }

    /// Starts it; or none, and the test is skipped.
    pub fn start(self) -> Option<Postgres> {
        let programs = Programs::found()?;
        let folder = new_folder(programs);
        copy(programs, template(programs), &folder.join("data"));
        let mut server = Postgres {
            programs,
            folder,
            port: 0,
            settings: self.settings.clone(),
            keeper: None,
        };
        server.set_up(&self);
        // Another process may take the port before the server does.
        for _ in 0..10 {
            server.port = free_port();
            if server.try_start() {
                break;
            }
        }
        assert!(server.keeper.is_some(), "no start: {}", server.log());
        if let Some(password) = &self.password {
            server.sql(&format!("ALTER ROLE {NAME} PASSWORD '{password}'"));
        }
        Some(server)
    }

    /// Who may connect, as pg_hba.conf has it: the superuser always.
    fn access(&self) -> String {
        let kind = self.certificate.as_ref().map_or("host", |_| "hostssl");
        let method = match (self.wants_certificate, &self.password) {
            (true, _) => "cert",
            (false, Some(_)) => "scram-sha-256",
            (false, None) => "trust",
        };
        format!(
            "host all postgres 127.0.0.1/32 trust\n\
             host replication postgres 127.0.0.1/32 trust\n\
             local all {NAME} trust\n\
             {kind} all {NAME} 127.0.0.1/32 {method}\n"
        )
    }
}

impl Postgres {
    /// Starts one; or none, and the test is skipped.
    pub fn start() -> Option<Self> {
        Setup::default().start()
    }

    /// Its database as a URL.
    pub fn url(&self) -> String {
        self.url_of(NAME)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes a database beside the first and gives its URL.
    pub fn new_database(&self) -> String {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", MADE.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name} OWNER {NAME}"));
        self.url_of(&name)
    }

    /// What the superuser gets for a statement in the first database.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        self.sql_at(&self.url(), sql)
    }

    /// What the superuser gets for a statement in the database of this URL.
    #[track_caller]
    pub fn sql_at(&self, url: &str, sql: &str) -> String {
        let url = url.replace(&format!("{NAME}@"), "postgres@");
        let mut psql = self.programs.command("psql");
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, &url]);
        done(&mut psql)
    }

    /// Ends all its processes as a loss of power would, and gives up nothing that is on disk.
    pub fn kill(&mut self) {
        let Some(keeper) = self.keeper.take() else {
            return;
        };
        let postmaster = self.postmaster();
        // One that is stopped starts no others.
        let _ = kill_process(pid(postmaster), Signal::STOP);
        let mut all = children(postmaster);
        all.push(postmaster);
        for process in &all {
            let _ = kill_process(pid(*process), Signal::KILL);
        }
        eventually("the server is dead", || all.iter().all(|it| is_dead(*it)));
        release(keeper);
    }

    /// Ends it in order: connections end, and all is written.
    pub fn stop(&mut self) {
        let Some(keeper) = self.keeper.take() else {
            return;
        };
        let postmaster = self.postmaster();
        let _ = kill_process(pid(postmaster), Signal::INT);
        eventually("the server has stopped", || is_dead(postmaster));
        release(keeper);
    }

    /// Starts it on the same port, after it was stopped or killed.
    pub fn start_again(&mut self) {
        assert!(self.keeper.is_none(), "it runs");
        let started = (0..50).any(|_| self.try_start());
        assert!(started, "no start: {}", self.log());
    }

    /// What it holds now.
    pub fn back_up(&self) -> Backup {
        let folder = new_folder(self.programs);
        let mut backup = self.programs.command("pg_basebackup");
        backup.args([
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "--no-sync",
            "-c",
            "fast",
        ]);
        backup.arg("-p").arg(self.port.to_string());
        done(backup.arg("-D").arg(folder.join("data")));
        Backup { folder }
    }

    /// Puts it back to what it held then. It runs when this returns.
    pub fn restore(&mut self, backup: &Backup) {
        self.stop();
        let data = self.data();
        std::fs::remove_dir_all(&data).expect("its data are removed");
        copy(self.programs, &backup.folder.join("data"), &data);
        self.start_again();
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.folder.join("log"));
        String::from_utf8_lossy(&log.unwrap_or_default()).into_owned()
    }

    fn url_of(&self, name: &str) -> String {
        format!("postgres://{NAME}@127.0.0.1:{}/{name}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn set_up(&mut self, setup: &Setup) {
        let data = self.data();
        std::fs::write(data.join("pg_hba.conf"), setup.access()).expect("written");
        if setup.is_standby {
            let signal = data.join("standby.signal");
            std::fs::write(&signal, "").expect("written");
            self.programs.give(&signal);
        }
        let Some((folder, name)) = &setup.certificate else {
            return;
        };
        for (from, to) in [
            ("ca.crt", "ca.crt"),
            (&format!("{name}.crt"), "server.crt"),
            (&format!("{name}.key"), "server.key"),
        ] {
            let to = data.join(to);
            std::fs::copy(folder.join(from), &to).expect("copied");
            self.programs.give(&to);
        }
        self.settings
            .extend(["ssl=on", "ssl_ca_file=ca.crt"].map(str::to_owned));
    }

    /// Whether it runs and takes connections.
    fn try_start(&mut self) -> bool {
        let state = self.data().join("postmaster.pid");
        let _ = std::fs::remove_file(&state);
        let mut keeper = self.keeper_command().spawn().expect("a shell");
        let mut runs = None;
        eventually("the server has started", || {
            if keeper.try_wait().expect("a child").is_some() {
                runs = Some(false);
            } else if std::fs::read_to_string(&state).is_ok_and(|it| is_up(&it)) {
                runs = Some(true);
            }
            runs.is_some()
        });
        let runs = runs == Some(true);
        self.keeper = runs.then_some(keeper);
        runs
    }

    /// A shell that runs the server, and ends it when its own standard input ends with this process.
    fn keeper_command(&self) -> Command {
        let script = "log=$1; shift
            \"$@\" >>\"$log\" 2>&1 </dev/null 3<&- & server=$!
            { read -r word || kill -QUIT $server; } <&3 &
            wait $server; kill $! 2>/dev/null; exit 0";
        let postgres = self.programs.command("postgres");
        let mut shell = self.programs.as_user(Path::new("/bin/sh"));
        shell.args(["-c", &format!("exec 3<&0 2>/dev/null; {script}"), "sh"]);
        shell
            .arg(self.folder.join("log"))
            .arg(postgres.get_program());
        for (name, value) in postgres.get_envs() {
            shell.env(name, value.unwrap_or_default());
        }
        shell.arg("-D").arg(self.data());
        let own = [
            format!("port={}", self.port),
            format!("unix_socket_directories={}", self.folder.display()),
            "listen_addresses=127.0.0.1".to_owned(),
            "fsync=on".to_owned(),
            "shared_buffers=16MB".to_owned(),
            "recovery_init_sync_method=syncfs".to_owned(),
        ];
        for setting in own.iter().chain(&self.settings) {
            shell.args(["-c", setting]);
        }
        // A group of its own: what ends the tests at a terminal leaves it to the shell.
        shell.stdin(Stdio::piped()).process_group(0);
        shell
    }

    fn postmaster(&self) -> i32 {
        let state = std::fs::read_to_string(self.data().join("postmaster.pid"));
        let state = state.expect("a running server's file");
        let first = state.lines().next().and_then(|line| line.parse().ok());
        first.expect("the number of its process")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Drop for Backup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// One server for the whole process of the tests, for databases of their own; or none, and the test is
/// skipped.
pub fn shared_server() -> Option<&'static Postgres> {
    static SERVER: OnceLock<Option<Postgres>> = OnceLock::new();
    Programs::found()?;
    let start = || Setup::default().set("max_connections=300").start();
    SERVER.get_or_init(start).as_ref()
}

/// A cluster that no server runs on, with role and database, to be copied.
fn template(programs: &Programs) -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let data = new_folder(programs).join("data");
        let mut initdb = programs.command("initdb");
        initdb.args([
            "--no-sync",
            "--no-instructions",
            "--auth=trust",
            "--username=postgres",
        ]);
        initdb.args(["--encoding=UTF8", "--locale=C", "--wal-segsize=1"]);
        done(initdb.arg("-D").arg(&data));
        let mut single = programs.command("postgres");
        single
            .args(["--single", "-c", "fsync=off", "-D"])
            .arg(&data);
        single.arg("postgres").stdin(Stdio::piped());
        single.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut single = single.spawn().expect("the server starts");
        let sql = format!("CREATE ROLE {NAME} LOGIN;\nCREATE DATABASE {NAME} OWNER {NAME};\n");
        let mut input = single.stdin.take().expect("a pipe");
        input.write_all(sql.as_bytes()).expect("it reads");
        drop(input);
        let output = single.wait_with_output().expect("it ends");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && !errors.contains("ERROR"),
            "{errors}"
        );
        data
    })
}

fn new_folder(programs: &Programs) -> PathBuf {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let folder = base().join(MADE.fetch_add(1, Ordering::Relaxed).to_string());
    std::fs::create_dir(&folder).expect("a folder");
    programs.give(&folder);
    folder
}

fn copy(programs: &Programs, from: &Path, to: &Path) {
    let mut copy = programs.as_user(Path::new("/bin/cp"));
    done(copy.arg("-a").arg(from).arg(to));
}

/// A port below those that the system gives to connections and to who asks for any, so that it is still
/// free when a server comes back to it.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 1000).expect("below 1000") * 12;
    loop {
        let port = 20_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Whether a server says that it has started; a standby may take no connections.
fn is_up(state: &str) -> bool {
    state.contains("ready") || state.contains("standby")
}

/// Lets the shell of a server that has ended go.
fn release(mut keeper: Child) {
    keeper.wait().expect("it ends");
}

fn pid(number: i32) -> Pid {
    Pid::from_raw(number).expect("a process")
}

fn children(parent: i32) -> Vec<i32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = std::fs::read_to_string(path).unwrap_or_default();
    children
        .split_whitespace()
        .filter_map(|it| it.parse().ok())
        .collect()
}

/// Whether a process has ended, though nobody may have asked how.
fn is_dead(process: i32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{process}/stat"));
    let state = state.unwrap_or_default();
    let state = state.rsplit(')').next().unwrap_or_default().trim_start();
    state.is_empty() || state.starts_with(['Z', 'X'])
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if holds() {
            return;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    panic!("after {:?} still not: {what}", LOOK_EVERY * LOOKS);
}
