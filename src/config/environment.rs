//! The environment variables that are meant for this program: `METAACCESS_…`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;

const OURS: &str = "METAACCESS_";

/// Kubernetes sets these in every container beside a Service called `metaaccess-exporter`.
const OF_A_SERVICE: &str = "METAACCESS_EXPORTER_";

/// The variables called `METAACCESS_…` that are not empty. Its Debug shows names alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// This process's environment.
    #[expect(clippy::disallowed_methods, reason = "this is the room for it")]
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    pub fn get(&self, variable: &str) -> Option<&OsStr> {
        self.0.get(variable).map(OsString::as_os_str)
    }

    /// The names that are not `known`, in order: most likely misspelt.
    pub fn unknown(&self, known: &BTreeSet<String>) -> Vec<&str> {
        let names = self.0.keys().map(String::as_str);
        names.filter(|name| !known.contains(*name)).collect()
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        let ours = variables.into_iter().filter_map(|(name, value)| {
            // A name that is not UTF-8 is none of ours.
            let name = name.into().into_string().ok()?;
            let value = value.into();
            let meant =
                name.starts_with(OURS) && !name.starts_with(OF_A_SERVICE) && !value.is_empty();
            meant.then_some((name, value))
        });
        Self(ours.collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_variables_are_kept_and_an_empty_one_is_unset() {
        let environment = Environment::from_iter([
            ("METAACCESS_ACCESS_TOKEN", "hunter2"),
            ("METAACCESS_API_LOGS", ""),
            ("METAACCESS_EXPORTER_SERVICE_HOST", "192.0.2.1"),
            ("HOME", "/root"),
        ]);
        assert_eq!(format!("{environment:?}"), r#"{"METAACCESS_ACCESS_TOKEN"}"#);
    }

    #[test]
    fn a_misspelt_variable_is_unknown() {
        let environment = Environment::from_iter([
            ("METAACCESS_API_LOGS", "device"),
            ("METAACCESS_API_LOG", "device"),
        ]);
        let known = BTreeSet::from(["METAACCESS_API_LOGS".to_owned()]);
        assert_eq!(environment.unknown(&known), ["METAACCESS_API_LOG"]);
    }
}
