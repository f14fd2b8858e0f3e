//! A value of a YAML file, with its name and its place.

use std::fmt;

use super::given::{looks_like_token, shortened};
use super::mistake::{Mistake, Wrong};
use super::yaml::Spot;

/// A text that stands in the file. Debug leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    /// Such as `tls_server_config.cert_file`.
    pub name: String,
    pub text: String,
    pub spot: Spot,
    /// Whether no message may show the text.
    pub is_secret: bool,
}

impl Setting {
    /// What is wrong with the value.
    pub fn wrong(&self, wrong: &Wrong) -> Mistake {
        let Self {
            name, text, spot, ..
        } = self;
        let is_hidden = self.is_secret || text.contains('\n') || looks_like_token(text);
        let shown = match is_hidden {
            true => "(value not shown)".to_owned(),
            false => format!("{:?}", shortened(text)),
        };
        Mistake::sentence(format!("{spot}: {name} {shown}: {wrong}"))
    }

    /// The meaning of the value, or nothing and a mistake.
    pub fn read<T>(
        &self,
        meaning: impl FnOnce(&str) -> Result<T, Wrong>,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<T> {
        meaning(&self.text)
            .map_err(|wrong| mistakes.push(self.wrong(&wrong)))
            .ok()
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting")
            .field("name", &self.name)
            .field("spot", &self.spot)
            .finish_non_exhaustive()
    }
}
