//! The Debian package: what is in it, who may read it, and what its scripts are.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::documents::{assert_accepts, path, read};
use crate::manual_source;
use crate::tools::tool;

const TARGET: &str = "x86_64-unknown-linux-gnu";
const EPOCH: &str = "1764028800";

/// A package of a stand-in for the program: how well that compresses is no matter of these tests.
struct Package {
    _folder: TempDir,
    file: PathBuf,
}

/// Made once for all tests; none where its tools are not here.
static PACKAGE: LazyLock<Option<Package>> = LazyLock::new(|| {
    tool("cargo-deb")?;
    tool("dpkg-deb")?;
    Some(build())
});

fn build() -> Package {
    let folder = tempfile::tempdir().expect("a folder");
    let (built, manual) = (
        folder.path().join(TARGET).join("debug"),
        folder.path().join("manual"),
    );
    fs::create_dir_all(&built).expect("made");
    fs::create_dir_all(&manual).expect("made");
    let program = built.join("metaaccess-exporter");
    fs::write(&program, "#!/bin/sh\n").expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("set");
    for file in manual_source::files("2025-11-25").expect("they can be written") {
        fs::write(manual.join(file.name), file.text).expect("written");
    }
    let output = folder.path().join("packages");
    let mut command = Command::new(path("deploy/debian/build"));
    command.arg(TARGET).arg(&output).arg("debug");
    command.env("CARGO_TARGET_DIR", folder.path());
    command
        .env("MANUAL_DIR", &manual)
        .env("SOURCE_DATE_EPOCH", EPOCH);
    assert_accepts(&mut command);
    let name = concat!(
        "metaaccess-exporter_",
        env!("CARGO_PKG_VERSION"),
        "-1_amd64.deb"
    );
    Package {
        file: output.join(name),
        _folder: folder,
    }
}

impl Package {
    /// What `dpkg-deb` says of the package.
    fn told(&self, args: &[&str], more: &[&str]) -> String {
        let mut command = Command::new("dpkg-deb");
        let output = command.args(args).arg(&self.file).args(more).output();
        let output = output.expect("it runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// A file among those that say what the package is.
    fn control(&self, name: &str) -> String {
        self.told(&["--info"], &[name])
    }

    /// Path, mode and owner of every file in the package, and the day it is said to be of.
    fn files(&self) -> BTreeMap<String, (String, String, String)> {
        let list = self.told(&["--contents"], &[]);
        let lines = list.lines().map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [mode, owner, _, day, _, path, ..] = words[..] else {
                panic!("{line}");
            };
            let path = path.trim_start_matches('.').to_owned();
            (path, (mode.to_owned(), owner.to_owned(), day.to_owned()))
        });
        lines.filter(|(path, _)| !path.ends_with('/')).collect()
    }

    fn unpacked(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("dpkg-deb");
        assert_accepts(command.arg("--extract").arg(&self.file).arg(folder.path()));
        folder
    }
}

#[test]
fn the_package_has_its_files_and_root_owns_them_all() {
    let Some(package) = &*PACKAGE else { return };
    let mut files = package.files();
    for (path, mode) in [
        ("/usr/bin/metaaccess-exporter", "-rwxr-xr-x"),
        (
            "/usr/lib/systemd/system/metaaccess-exporter.service",
            "-rw-r--r--",
        ),
        ("/etc/default/metaaccess-exporter", "-rw-r--r--"),
        ("/usr/share/man/man1/metaaccess-exporter.1.gz", "-rw-r--r--"),
        (
            "/usr/share/bash-completion/completions/metaaccess-exporter",
            "-rw-r--r--",
        ),
        (
            "/usr/share/zsh/vendor-completions/_metaaccess-exporter",
            "-rw-r--r--",
        ),
        (
            "/usr/share/fish/vendor_completions.d/metaaccess-exporter.fish",
            "-rw-r--r--",
        ),
        (
            "/usr/share/metaaccess-exporter/rules/metaaccess.rules.yml",
            "-rw-r--r--",
        ),
        ("/usr/share/metaaccess-exporter/runbook.md", "-rw-r--r--"),
        (
            "/usr/share/metaaccess-exporter/dashboards/metaaccess-overview.json",
            "-rw-r--r--",
        ),
        (
            "/usr/share/metaaccess-exporter/dashboards/metaaccess-device.json",
            "-rw-r--r--",
        ),
        (
            "/usr/share/metaaccess-exporter/dashboards/metaaccess-exporter.json",
            "-rw-r--r--",
        ),
        (
            "/usr/share/doc/metaaccess-exporter/examples/prometheus.yml",
            "-rw-r--r--",
        ),
        (
            "/usr/share/doc/metaaccess-exporter/THIRD-PARTY-LICENSES.txt.gz",
            "-rw-r--r--",
        ),
        (
            "/usr/share/doc/metaaccess-exporter/examples/accounts.yml",
            "-rw-r--r--",
        ),
        (
            "/usr/share/doc/metaaccess-exporter/examples/accounts.schema.json",
            "-rw-r--r--",
        ),
        ("/usr/share/doc/metaaccess-exporter/copyright", "-rw-r--r--"),
        (
            "/usr/share/doc/metaaccess-exporter/changelog.gz",
            "-rw-r--r--",
        ),
        (
            "/usr/share/doc/metaaccess-exporter/changelog.Debian.gz",
            "-rw-r--r--",
        ),
        (
            "/usr/share/doc/metaaccess-exporter/README.md.gz",
            "-rw-r--r--",
        ),
        (
            "/usr/share/doc/metaaccess-exporter/README.Debian",
            "-rw-r--r--",
        ),
        (
            "/usr/share/lintian/overrides/metaaccess-exporter",
            "-rw-r--r--",
        ),
    ] {
        let found = files.remove(path).unwrap_or_else(|| panic!("no {path}"));
        let expected = (mode.to_owned(), "0/0".to_owned(), "2025-11-25".to_owned());
        assert_eq!(found, expected, "{path}");
    }
    assert!(files.is_empty(), "not expected: {files:#?}");
}

#[test]
fn what_the_package_installs_is_what_the_repository_has() {
    let Some(package) = &*PACKAGE else { return };
    let folder = package.unpacked();
    for (installed, source) in [
        (
            "usr/lib/systemd/system/metaaccess-exporter.service",
            "deploy/systemd/metaaccess-exporter.service",
        ),
        ("etc/default/metaaccess-exporter", "deploy/debian/default"),
        (
            "usr/share/metaaccess-exporter/rules/metaaccess.rules.yml",
            "dashboards/rules/metaaccess.rules.yml",
        ),
        (
            "usr/share/doc/metaaccess-exporter/examples/prometheus.yml",
            "deploy/prometheus/prometheus.yml",
        ),
        (
            "usr/share/doc/metaaccess-exporter/README.Debian",
            "deploy/systemd/README.md",
        ),
    ] {
        let installed = fs::read_to_string(folder.path().join(installed)).expect("it is there");
        assert!(installed == read(source), "{source}");
    }
}

#[test]
fn the_package_says_what_it_is_and_needs_no_library() {
    let Some(package) = &*PACKAGE else { return };
    let fields = [
        "Package",
        "Version",
        "Architecture",
        "Section",
        "Depends",
        "Recommends",
    ];
    let said = package.told(&["--field"], &fields);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        said,
        format!(
            "Package: metaaccess-exporter\nVersion: {version}-1\nArchitecture: amd64\nSection: net\n\
             Depends: adduser\nRecommends: ca-certificates\n"
        )
    );
    assert_eq!(
        package.control("conffiles"),
        "/etc/default/metaaccess-exporter\n"
    );
    let maintainer = package.told(&["--field"], &["Maintainer"]);
    assert!(
        maintainer.trim_end().ends_with("@example.com>"),
        "{maintainer}"
    );
}

#[test]
fn the_scripts_of_the_package_are_those_of_the_repository_and_are_sound() {
    let Some(package) = &*PACKAGE else { return };
    for script in ["postinst", "prerm", "postrm"] {
        let source = format!("deploy/debian/{script}");
        assert_eq!(package.control(script), read(&source), "{script}");
        assert_accepts(Command::new("sh").arg("-n").arg(path(&source)));
    }
}

#[test]
fn the_same_program_gives_the_same_package_to_the_byte() {
    let Some(package) = &*PACKAGE else { return };
    let again = build();
    let bytes = |file: &Path| fs::read(file).expect("it is there");
    assert!(bytes(&package.file) == bytes(&again.file));
}
