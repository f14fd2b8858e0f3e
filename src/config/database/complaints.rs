//! What is wrong with a URL.

use std::fmt;

use crate::config::mistake::{Mistake, Mistakes};

/// Where the mistakes about one setting go.
pub struct Complaints<'a> {
    setting: &'a str,
    mistakes: &'a mut Mistakes,
}

impl<'a> Complaints<'a> {
    pub fn new(setting: &'a str, mistakes: &'a mut Mistakes) -> Self {
        Self { setting, mistakes }
    }

    /// Leaves a mistake, and nothing in the place of a value.
    pub fn add<T>(&mut self, what: impl fmt::Display) -> Option<T> {
        self.mistakes.add(Mistake::about(self.setting, what));
        None
    }
}
