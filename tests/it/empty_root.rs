//! The static program as an image has it: in a root that holds nothing else, against the API over TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use metaaccess_exporter::simulator::{ACCESS_TOKEN, CLIENT_ID, CLIENT_SECRET};
use tempfile::TempDir;

use crate::api::{self, Api};
use crate::certificates::Authority;
use crate::exporter::{Exporter, PATIENCE};
use crate::peer::Peer;
use crate::program::Program;
use crate::tools::{file_on_path, tool};

/// What `tests/run` builds by `deploy/release/build`, under this name.
const STATIC: &str = "metaaccess-exporter-static";

/// A root with the program, a name of the API and its authority; or none where one is not to be had.
struct Root(TempDir);

impl Root {
    fn new() -> Option<Self> {
        let program = file_on_path(STATIC)?;
        tool("unshare")?;
        let root = Self(tempfile::tempdir().expect("a folder"));
        // A link of its own, for there may be no room for a copy.
        let inside = root.path("metaaccess-exporter");
        if std::fs::hard_link(&program, &inside).is_err() {
            std::fs::copy(&program, &inside).expect("copied");
        }
        let authority = Authority::new();
        authority.write(root.0.path());
        authority.issue(root.0.path(), "gears");
        // What every container is given by who runs it.
        root.write("etc/hosts", "127.0.0.1 gears.example.com\n");
        // The C library would look for the library of this name, and not into that file.
        root.write("etc/nsswitch.conf", "hosts: resolve\n");
        root.write("secrets/client-secret", CLIENT_SECRET);
        std::fs::create_dir(root.path("state")).expect("made");
        Some(root)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    /// The program in this root, with no environment at all.
    fn program(&self, flags: &[String]) -> Program {
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        let mut command = Command::new("unshare");
        if !is_root {
            command.arg("--map-root-user");
        }
        command.arg(format!("--root={}", self.0.path().display()));
        command.args(["--wd=/", "/metaaccess-exporter"]).args(flags);
        command.env_clear();
        // Where unshare itself is found.
        command.env("PATH", "/usr/bin:/bin");
        Program::start(command)
    }

    /// Every file and folder below it, but for those that it was begun with.
    fn new_files(&self) -> Vec<String> {
        let known = ["metaaccess-exporter", "ca.crt", "gears.crt", "gears.key"];
        let known = known.iter().chain(&["etc", "secrets"]);
        let known: Vec<PathBuf> = known.map(|name| self.path(name)).collect();
        let mut left = vec![self.0.path().to_owned()];
        let mut files = Vec::new();
        while let Some(folder) = left.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if known.contains(&path) {
                    continue;
                }
                if path.is_dir() {
                    left.push(path);
                } else {
                    let name = path.strip_prefix(self.0.path()).expect("below it");
                    files.push(name.display().to_string());
                }
            }
        }
        files.sort();
        files
    }
}

/// The API behind TLS: what comes is asked of the simulator, and answered as that does.
fn behind_tls(api: SocketAddr, root: &Root) -> Peer {
    let pass_on = move |request: &str, to: &mut dyn Write| -> io::Result<()> {
        let mut stream = TcpStream::connect(api)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (first, rest) = request.split_once("\r\n").ok_or(io::ErrorKind::Other)?;
        stream.write_all(format!("{first}\r\nConnection: close\r\n{rest}").as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        to.write_all(&answer)
    };
    Peer::start(Some((root.0.path(), "gears")), pass_on)
}

fn flags(api: &Api, peer: &Peer) -> Vec<String> {
    let mut flags = api.flags();
    flags.remove(0);
    let port = peer.address().port();
    flags.push(format!("--api.base-url=https://gears.example.com:{port}"));
    let constant = [
        "--api.ca-file=/ca.crt",
        "--api.client-secret-file=/secrets/client-secret",
        "--api.timezone=Europe/Berlin",
        "--state.path=/state/state.db",
        "--web.listen-address=127.0.0.1:0",
    ];
    flags.extend(constant.map(str::to_owned));
    flags.push(format!("--api.client-id={CLIENT_ID}"));
    flags
}

#[test]
fn the_static_program_counts_in_an_empty_root_over_tls_and_goes_on_after_a_restart() {
    let Some(root) = Root::new() else {
        return;
    };
    let mut settings = api::at_rest();
    settings.timezone = jiff::tz::TimeZone::get("Europe/Berlin").expect("a zone");
    let api = Api::start(settings);
    let peer = behind_tls(api.address(), &root);
    let flags = flags(&api, &peer);
    let exporter = Exporter::listening(root.program(&flags), 1);
    let counted = exporter.settle(&api);
    assert!(!counted.counts().is_empty());
    // The requests were all made in TLS, and by a token that was granted there.
    let asked = peer.heads();
    assert!(
        asked
            .iter()
            .any(|head| head.starts_with("POST /o/oauth/token"))
    );
    assert!(
        asked
            .iter()
            .all(|head| !head.contains(ACCESS_TOKEN) || head.starts_with("GET "))
    );
    let address = exporter.address().to_string();
    let health = [
        "healthcheck".to_owned(),
        format!("--web.listen-address={address}"),
    ];
    assert_eq!(root.program(&health).end(PATIENCE).code, Some(0));
    assert_eq!(exporter.stop().code, Some(0));
    api.install_on(&["TEST-R1W3Y"]);
    let exporter = Exporter::listening(root.program(&flags), 1);
    exporter.settle(&api);
    assert_eq!(exporter.stop().code, Some(0));
    let state = ["state/state.db", "state/state.db.lock"];
    assert_eq!(root.new_files(), state);
}

#[test]
fn the_static_program_says_in_an_empty_root_what_is_wrong_and_how_to_mend_it() {
    let Some(root) = Root::new() else {
        return;
    };
    let ended = root.program(&["--api.timezone=Mars/Base".to_owned()]);
    let ended = ended.end(PATIENCE);
    assert_eq!(ended.code, Some(64), "{}", ended.err);
    assert!(ended.err.contains("--api.timezone"), "{}", ended.err);
    let ended = root.program(&["--help".to_owned()]).end(PATIENCE);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains("--state.path"), "{}", ended.out);
}
