//! Whole files, good and bad.

mod again;
mod forms;
mod series;
mod sharing;
mod values;

use std::path::Path;

use tempfile::TempDir;

use crate::config::settings::{AccountConfig, Command, Config};
use crate::config::typing::typed;
use crate::config::{ConfigFile, Exporter, Problem};

/// A folder with the secrets that the files of these tests name.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.path().join("secrets")).unwrap();
        for (name, secret) in [("token", "hunter2"), ("one", "hunter3"), ("two", "hunter4")] {
            folder.write(&format!("secrets/{name}"), secret);
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), content).unwrap();
    }

    /// What these flags and variables mean with this file.
    fn typed(
        &self,
        text: impl AsRef<[u8]>,
        line: &str,
        environment: &[(&str, &str)],
    ) -> Result<Config, Problem> {
        self.write("accounts.yml", text);
        let path = self.path().join("accounts.yml");
        let line = format!("--config.file={} {line}", path.display());
        typed(&line, environment)
    }

    fn exporter(&self, text: &str, line: &str) -> Exporter {
        match self.typed(text, line, &[]).map(|config| config.command) {
            Ok(Command::Serve(exporter)) => exporter,
            Ok(other) => panic!("{other:?}"),
            Err(problem) => panic!("{problem}"),
        }
    }

    fn file(&self, text: &str) -> ConfigFile {
        self.exporter(text, "").config_file.unwrap().file
    }

    /// All mistakes, each without the folder's path.
    fn mistakes(
        &self,
        text: impl AsRef<[u8]>,
        line: &str,
        environment: &[(&str, &str)],
    ) -> Vec<String> {
        let folder = format!("{}/", self.path().display());
        let Err(Problem::Mistakes(mistakes)) = self.typed(text, line, environment) else {
            panic!("no mistakes");
        };
        let all: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        assert!(!all.concat().contains("hunter"), "{all:#?}");
        all.iter().map(|it| it.replace(&folder, "")).collect()
    }
}

fn accounts(text: &str) -> Vec<AccountConfig> {
    Folder::new().exporter(text, "").accounts
}

fn mistakes(text: impl AsRef<[u8]>) -> Vec<String> {
    Folder::new().mistakes(text, "", &[])
}

#[track_caller]
fn only_mistake(text: &str) -> String {
    let all = mistakes(text);
    assert_eq!(all.len(), 1, "{text}: {all:#?}");
    all.concat()
}

/// One account, with more of it.
fn one(more: &str) -> String {
    format!("accounts:\n  - name: europe\n    access_token_file: secrets/token\n{more}")
}

fn labels(account: &AccountConfig) -> Vec<(&str, &str)> {
    let labels = account.labels.iter();
    labels.map(|(name, value)| (&**name, &**value)).collect()
}

fn authority() -> String {
    rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
        .unwrap()
        .cert
        .pem()
}
