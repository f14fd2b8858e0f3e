//! The rooms of the house and the one direction between them, read from the source.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The floors, the highest first, and their rooms. A room may use those of lower floors and of its
/// own; what stands above it does not exist for it.
const FLOORS: [(&str, &[&str]); 9] = [
    ("main", &["main"]),
    ("run", &["run"]),
    ("server", &["server"]),
    ("refresh", &["refresh"]),
    ("check", &["check"]),
    (
        "edges",
        &[
            "api::client",
            "clock",
            "config",
            "logging",
            "simulator",
            "process",
            "meters",
            "names",
            "store",
        ],
    ),
    (
        "translators",
        &[
            "api",
            "api::token",
            "api::v2",
            "api::failure",
            "sight",
            "catalogue",
            "causes",
            "exposition",
            "hostnames",
            "classify",
        ],
    ),
    ("plan", &["plan"]),
    ("core", &CORE),
];

/// No async, no clock, no I/O, no serde, no prometheus.
const CORE: [&str; 13] = [
    "births", "event", "moment", "budget", "ledger", "stitch", "series", "sighting", "order",
    "window", "saved", "tally", "token",
];

/// What the core and the plan know nothing of.
const FOREIGN: [&str; 14] = [
    "std::time::Instant",
    "std::time::SystemTime",
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::process",
    "tokio",
    "reqwest",
    "hyper",
    "serde",
    "prometheus",
    "tracing",
    "url",
];

/// A source file: the room it is in, and its code without comments, strings and tests.
struct Source {
    path: PathBuf,
    room: &'static str,
    code: String,
}

fn floor_of(room: &str) -> usize {
    let on = |(_, rooms): &(&str, &[&str])| rooms.contains(&room);
    FLOORS
        .iter()
        .position(on)
        .unwrap_or_else(|| panic!("{room} has no floor"))
}

/// The room of a path such as `api::v2::page`: the longest that has a floor.
fn room_of(path: &str) -> Option<&'static str> {
    let rooms = FLOORS.iter().flat_map(|(_, rooms)| rooms.iter().copied());
    let within = |room: &&str| {
        let rest = path.strip_prefix(room);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    rooms.filter(within).max_by_key(|room| room.len())
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    files_below(&root, &mut files);
    let source = |path: PathBuf| {
        let inside = path.strip_prefix(&root).expect("below src");
        let module = inside.with_extension("").display().to_string();
        let module = module.trim_end_matches("/mod").replace('/', "::");
        let text = std::fs::read_to_string(&path).expect("a source");
        let room = room_of(&module).unwrap_or_else(|| panic!("{module} has no floor: give it one"));
        let code = code_of(&text);
        Source { path, room, code }
    };
    files.into_iter().map(source).collect()
}

/// The Rust files below a folder, but for tests and the list of rooms.
fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().map(|name| name.to_string_lossy());
        let name = name.expect("a name");
        let is_test = name == "tests.rs" || name.ends_with("_tests.rs") || name == "lib.rs";
        if path.is_dir() {
            files_below(&path, found);
        } else if name.ends_with(".rs") && !is_test {
            found.push(path);
        }
    }
}

/// The code before the tests, which stand at the end of a file, without comments and strings.
fn code_of(text: &str) -> String {
    let text = text
        .split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let lines = text.lines().map(|line| {
        let line = line.split("//").next().unwrap_or_default();
        line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Every path below `crate` that the code names, with the braces of `use` written out.
fn paths_in_crate(code: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let named = code.replace("metaaccess_exporter::", "crate::");
    for rest in named.split("crate::").skip(1) {
        let rest: String = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        let head = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
            .map_or(rest.as_str(), |end| &rest[..end]);
        match rest[head.len()..].strip_prefix('{') {
            Some(inner) => {
                let end = inner.find(';').unwrap_or(inner.len());
                let names = inner[..end].split([',', '{', '}']).map(str::trim);
                let names = names.filter(|name| !name.is_empty());
                paths.extend(names.map(|name| format!("{head}{name}")));
            }
            None => drop(paths.insert(head.trim_end_matches(':').to_owned())),
        }
    }
    paths
}

#[test]
fn every_room_uses_only_rooms_below_it() {
    let sources = sources();
    let mut breaches = Vec::new();
    let mut uses = 0;
    for source in &sources {
        for path in paths_in_crate(&source.code) {
            let Some(used) = room_of(&path) else {
                continue;
            };
            uses += 1;
            if floor_of(used) < floor_of(source.room) {
                let file = source.path.display();
                breaches.push(format!("{file}: {} uses {path}", source.room));
            }
        }
    }
    assert!(uses > 100, "only {uses} uses were found");
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn the_core_and_the_plan_know_nothing_of_the_world() {
    let mut breaches = Vec::new();
    let pure: Vec<_> = sources()
        .into_iter()
        .filter(|source| floor_of(source.room) >= floor_of("plan"))
        .collect();
    assert!(pure.len() >= CORE.len(), "only {} files", pure.len());
    for source in pure {
        for foreign in FOREIGN {
            let path = format!("{foreign}::");
            let named =
                source.code.contains(&path) || source.code.contains(&format!("use {foreign};"));
            if named || source.code.contains("async ") || source.code.contains(".await") {
                breaches.push(format!("{}: {foreign}", source.path.display()));
            }
        }
        for clock in ["Instant", "SystemTime"] {
            let mut words = source.code.split(|c: char| !c.is_alphanumeric());
            if words.any(|word| word == clock) {
                breaches.push(format!("{}: {clock}", source.path.display()));
            }
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn each_outside_library_has_its_rooms() {
    let allowed: [(&str, &[&str]); 9] = [
        ("tokio_postgres", &["store"]),
        ("reqwest", &["api::client"]),
        ("hyper", &["server", "simulator"]),
        ("prometheus", &["meters"]),
        ("clap", &["config"]),
        ("regex", &["classify"]),
        ("rusqlite", &["store"]),
        ("bcrypt", &["config"]),
        ("hickory_resolver", &["names"]),
    ];
    for source in sources() {
        for (library, rooms) in allowed {
            let named = source.code.contains(&format!(" {library}::"));
            let allowed = rooms.contains(&source.room);
            assert!(!named || allowed, "{}: {library}", source.path.display());
        }
    }
}

#[test]
fn a_breach_would_be_found() {
    let code = "use crate::{plan::Step, event};\nuse crate::api::{client::Client, v2};\nlet x = crate::run::serve(1);";
    let found: Vec<_> = paths_in_crate(code).into_iter().collect();
    assert_eq!(
        found,
        [
            "api::client::Client",
            "api::v2",
            "event",
            "plan::Step",
            "run::serve"
        ]
    );
    assert_eq!(room_of("api::client::Client"), Some("api::client"));
    assert_eq!(room_of("api::v2::page"), Some("api::v2"));
    assert!(floor_of("run") < floor_of("event"));
    let commented = "// crate::run\n/// [`crate::run`]\nlet x = \"crate::run\";\n";
    assert!(paths_in_crate(&code_of(commented)).is_empty());
}
