//! The file of `--config.file`: many accounts, and all that is set for each.
//!
//! `written` is what stands in the file, over what the flags say; `account` of the configuration what
//! that means, as it does for flags; `labels`, `rules` and `sharing` are what only a file has.

pub mod beside;

mod labels;
mod rules;
mod sharing;
mod written;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

pub use sharing::warnings;

use super::account::{Draft, Settings};
use super::ca::CaFiles;
use super::credential::{Home, credential};
use super::files::{Contents, Files};
use super::flags::{ApiFlags, Cli};
use super::given::{Given, Origin};
use super::mistake::{Mistake, Mistakes};
use super::secret::Credential;
use super::settings::{AccountConfig, WatchedFile};
use super::value;
use super::yaml::{self, Node};
use crate::classify::EventRules;
use rules::Rulebook;
use written::Written;

/// The accounts of the file, for which the flags are the defaults; or everything that is wrong.
pub fn of_file(
    given: &Given,
    cli: &Cli,
    mistakes: &mut Mistakes,
) -> Option<(Vec<AccountConfig>, Option<WatchedFile>)> {
    let path = mistakes.read(given, value::path)?;
    let defaults = Defaults {
        api: cli.api.clone(),
        min_interval: cli.scrape.min_interval.clone(),
    };
    let file = ConfigFile::new(&path, defaults);
    match file.read() {
        Ok(Accounts { list, contents, .. }) => Some((list, Some(WatchedFile { file, contents }))),
        Err(error) => {
            for mistake in error.mistakes {
                mistakes.add(mistake);
            }
            None
        }
    }
}

/// What holds for every account that does not say otherwise: flags, variables and defaults.
#[derive(Clone, Debug)]
pub struct Defaults {
    pub api: ApiFlags,
    pub min_interval: Option<Given>,
}

/// The file, which can be read again while the exporter runs.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    path: Arc<Path>,
    defaults: Arc<Defaults>,
}

/// The accounts of the file as it was at one moment.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// At least one; their names differ. Those that share a budget have the same rate limit.
    pub list: Vec<AccountConfig>,
    /// What is allowed, but most likely not wanted; each a sentence.
    pub warnings: Vec<String>,
    /// Of the file and the authorities that it names. Secrets are read again by those who use them.
    pub contents: Contents,
}

/// Everything that is wrong with the file.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", listed(.mistakes))]
pub struct ConfigFileError {
    /// Each with the path of the file, and its place there.
    pub mistakes: Vec<Mistake>,
    /// Of what was read, as far as it could be, secrets that could not be read among it.
    pub contents: Contents,
}

fn listed(mistakes: &[Mistake]) -> String {
    let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    mistakes.join("; ")
}

impl ConfigFile {
    pub fn new(path: &Path, defaults: Defaults) -> Self {
        Self {
            path: path.into(),
            defaults: Arc::new(defaults),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file and all that it names, blocking.
    pub fn read(&self) -> Result<Accounts, ConfigFileError> {
        let mut files = Files::beside(&self.path);
        let tree = self.tree(&mut files);
        let mut reader = Reader {
            file: self,
            mistakes: Mistakes::default(),
            authorities: CaFiles::after(files),
            rulebook: Rulebook::default(),
            names: HashMap::new(),
        };
        let list = match tree {
            Ok(tree) => reader.accounts(tree),
            Err(mistake) => {
                reader.add([mistake]);
                Vec::new()
            }
        };
        let contents = reader.authorities.contents();
        let mistakes = reader.mistakes.all();
        if !mistakes.is_empty() {
            return Err(ConfigFileError { mistakes, contents });
        }
        Ok(Accounts {
            warnings: warnings(&list, true),
            list,
            contents,
        })
    }

    fn tree(&self, files: &mut Files) -> Result<Node, Mistake> {
        let bytes = files
            .read_path(&self.path)
            .map_err(|error| Mistake::about("the file cannot be read", error))?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Mistake::sentence("it is no text in UTF-8; write it anew"))?;
        yaml::read_large(text).map_err(|error| Mistake::sentence(error.to_string()))
    }
}

/// One reading of the file.
struct Reader<'a> {
    file: &'a ConfigFile,
    mistakes: Mistakes,
    authorities: CaFiles,
    rulebook: Rulebook,
    /// The name of the setting that gave each account its name.
    names: HashMap<String, String>,
}

/// What is known of an account before it is known who shares its budget.
struct Known {
    draft: Draft,
    /// Where its rate limit was set.
    rate: String,
    labels: Vec<(String, String)>,
    rules: EventRules,
}

impl Reader<'_> {
    /// Takes mistakes that name their place in the file.
    fn add(&mut self, mistakes: impl IntoIterator<Item = Mistake>) {
        let path = self.file.path.display();
        for mistake in mistakes {
            self.mistakes.add(Mistake::about(path.to_string(), mistake));
        }
    }

    fn accounts(&mut self, tree: Node) -> Vec<AccountConfig> {
        let mut wrong = Vec::new();
        let entries = written::entries(tree, &mut wrong);
        self.add(wrong);
        let mut known = Vec::new();
        for section in entries {
            let mut wrong = Vec::new();
            let file = self.file;
            let written = written::account(section, &file.path, &file.defaults, &mut wrong);
            self.add(wrong);
            known.extend(self.account(written));
        }
        self.finish(known)
    }

    fn account(&mut self, written: Written) -> Option<Known> {
        let credential = match written.credential_is_wrong {
            true => None,
            false => self.credential(&written.entry, &written.api),
        };
        let mut wrong = Vec::new();
        let labels = written
            .labels
            .map(|section| labels::read(section, &mut wrong));
        let rules = written
            .rules
            .map(|(name, list)| self.rulebook.read(&name, list, &mut wrong));
        self.add(wrong);
        written.name.iter().for_each(|name| self.name_once(name));
        let settings = Settings {
            name: written.name.as_ref(),
            api: &written.api,
            min_interval: written.min_interval.as_ref(),
        };
        let draft = Draft::of(
            settings,
            credential,
            &mut self.authorities,
            &mut self.mistakes,
        );
        Some(Known {
            draft: draft?,
            rate: written.api.rate_limit.name(),
            labels: labels.unwrap_or_default(),
            rules: rules.unwrap_or_else(|| Some(EventRules::default()))?,
        })
    }

    fn credential(&mut self, entry: &str, api: &ApiFlags) -> Option<Credential> {
        let read = credential(api, Home::File(entry), &mut self.mistakes);
        if read.is_none() {
            // Once the secret is there, the file is worth another look.
            let secrets = [&api.access_token_file, &api.client_secret_file];
            for given in secrets.into_iter().flatten() {
                let path = given.text().map(|text| given.resolved(text));
                path.iter().for_each(|path| self.authorities.look_at(path));
            }
        }
        read
    }

    fn name_once(&mut self, given: &Given) {
        let Some(name) = given.text() else { return };
        if let Some(first) = self.names.get(name) {
            let mend = format!("{first} is the same; give each account a name of its own");
            self.mistakes.add(Mistake::about(given.name(), mend));
            return;
        }
        let place = match given.origin() {
            Origin::File(place) => format!("{} ({})", given.short_name(), place.spot),
            _ => given.name(),
        };
        self.names.insert(name.to_owned(), place);
    }

    /// The accounts with what those that share a budget make of each other.
    fn finish(&mut self, known: Vec<Known>) -> Vec<AccountConfig> {
        let groups = sharing::groups(known.iter().map(|known| known.draft.endpoint()));
        let mut logs = vec![0; known.len()];
        for group in groups {
            let sharers: Vec<&Known> = group.iter().filter_map(|nth| known.get(*nth)).collect();
            let sum = sharers.iter().map(|known| known.draft.logs()).sum();
            for nth in &group {
                if let Some(logs) = logs.get_mut(*nth) {
                    *logs = sum;
                }
            }
            let wrong = sharers
                .iter()
                .filter_map(|known| differing_rates(sharers.first()?, known));
            wrong.for_each(|mistake| self.mistakes.add(mistake));
        }
        let account = |(known, logs): (Known, usize)| AccountConfig {
            labels: known.labels,
            rules: known.rules,
            ..known.draft.sharing(logs)
        };
        known.into_iter().zip(logs).map(account).collect()
    }
}

/// What is wrong with the rate limits of two accounts that share a budget.
fn differing_rates(one: &Known, other: &Known) -> Option<Mistake> {
    let (rate, shared) = (other.draft.rate(), one.draft.rate());
    let mend = format!(
        "it is {rate}, but {shared} by {}, which has the same credential, and so the same requests: \
         give both one rate_limit",
        one.rate
    );
    (rate != shared).then(|| Mistake::about(&other.rate, mend))
}

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod tests;
