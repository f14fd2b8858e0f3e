//! Settings that are documented but not built yet. A row goes when its step comes.

use super::given::Given;
use super::mistake::Mistake;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A flag, the one value of it that asks for what the program does already, and what
/// holds until it is built.
type Row = (&'static str, Option<&'static str>, &'static str);

#[rustfmt::skip]
const ROWS: [Row; 1] = [
    ("state.url", None,
        "counts are not shared; leave it out, run one replica, and keep its counts by --state.path"),
];

/// Why a value is refused in this version, if it is. Never shows it: some of them hold passwords.
pub fn refusal_of(given: &Given) -> Option<Mistake> {
    let (_, accepts, until_then) = ROWS.iter().find(|(name, _, _)| *name == given.flag())?;
    let accepted = accepts.is_some() && *accepts == given.text();
    (!accepted).then(|| not_yet(&given.name(), until_then))
}

fn not_yet(setting: &str, until_then: &str) -> Mistake {
    Mistake::sentence(format!(
        "{setting} is not available yet in version {VERSION}: {until_then}"
    ))
}

/// Whether no value of this flag can be used yet.
pub fn is_pending(flag: &str) -> bool {
    ROWS.iter()
        .any(|(name, accepts, _)| *name == flag && accepts.is_none())
}

/// What the help says after a flag that is not built yet.
pub fn mark(flag: &str) -> &'static str {
    match ROWS.iter().find(|(name, _, _)| *name == flag) {
        Some((_, None, _)) => " (not available yet)",
        Some((_, Some(_), _)) => " (not available yet, but for its default)",
        None => "",
    }
}
