//! The programs of Debian's PostgreSQL, and the user that they run as.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What every program is started with.
#[derive(Debug)]
pub struct Programs {
    /// The folder of `postgres`, `initdb`, `psql` and `pg_basebackup`.
    folder: PathBuf,
    /// Folders of libraries that were unpacked beside the build.
    libraries: Vec<PathBuf>,
    /// None: this process's own. A server refuses to run as root.
    user: Option<User>,
}

#[derive(Clone, Copy, Debug)]
struct User {
    id: u32,
    group: u32,
}

impl Programs {
    /// Those that `tests/run` unpacked into a folder of `PATH`, or else those of the system, the newest
    /// first; or none, and the test is skipped.
    pub fn found() -> Option<&'static Self> {
        static FOUND: OnceLock<Option<Programs>> = OnceLock::new();
        let found = FOUND.get_or_init(Self::look).as_ref();
        if found.is_none() {
            skip();
        }
        found
    }

    fn look() -> Option<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "it is for the tests, and no setting"
        )]
        let path = std::env::var_os("PATH").unwrap_or_default();
        let unpacked = std::env::split_paths(&path).map(|folder| folder.join("postgresql"));
        let mut roots = unpacked.chain([PathBuf::from("/")]);
        let user = unprivileged();
        let folder = reachable(roots.find_map(|root| newest_below(&root))?, user);
        let libraries = folder
            .strip_prefix("/usr")
            .is_err()
            .then(|| libraries(&folder));
        Some(Self {
            folder,
            libraries: libraries.unwrap_or_default(),
            user,
        })
    }

    /// A command that runs one of them, in an environment of its own.
    pub fn command(&self, name: &str) -> Command {
        let mut command = self.as_user(&self.folder.join(name));
        command.env("LC_ALL", "C").env("TZ", "GMT");
        if let Ok(libraries) = std::env::join_paths(&self.libraries) {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    /// A command that runs any program as the user of the server.
    pub fn as_user(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin");
        command.current_dir("/").stdin(Stdio::null());
        if let Some(user) = self.user {
            command.uid(user.id).gid(user.group);
        }
        command
    }

    /// Gives a file or folder to the user of the server, who alone may use it.
    pub fn give(&self, path: &Path) {
        let is_folder = path.is_dir();
        let mode = if is_folder { 0o700 } else { 0o600 };
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, permissions).expect("the permissions are set");
        if let Some(user) = self.user {
            let given = std::os::unix::fs::chown(path, Some(user.id), Some(user.group));
            given.expect("the owner is set");
        }
    }
}

/// The folder of this process's servers, which is removed when the process ends, however it does.
pub fn base() -> &'static Path {
    static BASE: OnceLock<PathBuf> = OnceLock::new();
    BASE.get_or_init(|| {
        let folder = tempfile::Builder::new().prefix("metaaccess-pg").tempdir();
        let path = folder.expect("a folder").keep();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, open).expect("the permissions are set");
        // Its standard input ends with this process. The servers may just be writing their last.
        let remove = "cat >/dev/null; n=0
            until rm -rf \"$1\" 2>/dev/null || [ $n = 100 ]; do sleep 0.1; n=$((n + 1)); done";
        let mut keeper = Command::new("/bin/sh");
        keeper.args(["-c", remove, "sh"]).arg(&path);
        keeper.stdin(Stdio::piped()).process_group(0);
        #[expect(clippy::zombie_processes, reason = "it ends after this process")]
        let mut keeper = keeper.spawn().expect("a shell");
        std::mem::forget(keeper.stdin.take());
        path
    })
}

/// Runs a command to its end; what it wrote, without white space around it.
#[track_caller]
pub fn done(command: &mut Command) -> String {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The folder of the newest server below a root, as Debian lays them out.
fn newest_below(root: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(root.join("usr/lib/postgresql")).ok()?;
    let version = |name: &str| name.parse::<u32>().ok();
    let versions = versions.filter_map(|entry| version(entry.ok()?.file_name().to_str()?));
    let mut versions: Vec<_> = versions.collect();
    versions.sort_unstable();
    let folders = versions.into_iter().rev().map(|version| {
        let folder = format!("usr/lib/postgresql/{version}/bin");
        root.join(folder)
    });
    let has_all = |folder: &PathBuf| {
        let programs = ["postgres", "initdb", "psql", "pg_basebackup"];
        programs.iter().all(|name| folder.join(name).is_file())
    };
    folders.into_iter().find(has_all)
}

/// The folders of libraries that were unpacked with these programs.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let lib = folder.ancestors().nth(3).expect("usr/lib/postgresql/N/bin");
    let entries = std::fs::read_dir(lib).into_iter().flatten();
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let of_machine = |path: &PathBuf| path.to_string_lossy().ends_with("-linux-gnu");
    folders.filter(of_machine).collect()
}

/// Whom to run servers as where this process is root.
fn unprivileged() -> Option<User> {
    let own = std::fs::metadata("/proc/self").expect("a process").uid();
    let users = std::fs::read_to_string("/etc/passwd").expect("users");
    let user = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(|it| it.parse().ok());
        let (id, group) = (numbers.next()??, numbers.next()??);
        Some(User { id, group })
    };
    (own == 0).then(|| user("nobody").expect("Debian has a user nobody"))
}

/// The folder of the programs, or a copy of all that is around it where the user of the server cannot
/// go, as in the home of root. The programs look for their files from where they are.
fn reachable(folder: PathBuf, user: Option<User>) -> PathBuf {
    let Some(user) = user else {
        return folder;
    };
    let mut version = Command::new(folder.join("postgres"));
    version.arg("-V").current_dir("/").stdin(Stdio::null());
    version.stdout(Stdio::null()).stderr(Stdio::null());
    let runs = version.uid(user.id).gid(user.group).spawn();
    if runs.is_ok_and(|mut child| child.wait().is_ok()) {
        return folder;
    }
    let usr = folder.ancestors().nth(4).expect("usr/lib/postgresql/N/bin");
    let copy = base().join("programs");
    std::fs::create_dir(&copy).expect("a folder");
    done(Command::new("cp").arg("-r").arg(usr).arg(&copy));
    let below = folder.strip_prefix(usr).expect("below it");
    copy.join("usr").join(below)
}

/// Says that a test is skipped, or fails it where all have to run.
fn skip() {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is for the tests, and no setting"
    )]
    let required = std::env::var_os("METAACCESS_TESTS_REQUIRE_TOOLS").is_some();
    assert!(
        !required,
        "postgresql is not installed: run the tests by ./tests/run"
    );
    // Written to the stream itself, since the test harness keeps what passing tests print.
    let _ = writeln!(std::io::stderr(), "skipped: postgresql is not installed");
}
