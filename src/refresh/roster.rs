//! The accounts that are served now.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Refresher;

/// The accounts, in the order of the configuration. A scrape that has taken them goes on with those
/// when others take their place.
#[derive(Debug, Default)]
pub struct Roster(ArcSwap<Vec<Refresher>>);

impl Roster {
    /// Puts these in the place of those before.
    pub fn replace(&self, refreshers: Vec<Refresher>) {
        self.0.store(Arc::new(refreshers));
    }

    pub fn all(&self) -> Arc<Vec<Refresher>> {
        self.0.load_full()
    }

    /// The accounts of these names, or all where none is named; or the first name that there is not.
    pub fn named(&self, names: &[String]) -> Result<Arc<Vec<Refresher>>, String> {
        let all = self.all();
        if names.is_empty() {
            return Ok(all);
        }
        let is_there = |name: &&String| all.iter().any(|one| one.account().as_str() == *name);
        if let Some(unknown) = names.iter().find(|name| !is_there(name)) {
            return Err(unknown.clone());
        }
        let named = |one: &&Refresher| names.iter().any(|name| one.account().as_str() == name);
        Ok(Arc::new(all.iter().filter(named).cloned().collect()))
    }
}
