//! What was typed -> what it means.
//!
//! `flags` is the command line as it was typed, `settings` what it means. Between the two,
//! `commandline` reads with clap and lays the environment beneath the flags, `place` checks that
//! each setting may stand where it stands, and `meaning` gives values to the settings. All mistakes
//! are listed at once. No message, no Debug and no Display shows a secret.
//!
//! The environment is an argument here too, as everywhere; `Environment::of_process` reads it.

pub mod flags;
pub mod given;
pub mod table;

mod account;
mod accounts;
mod address;
mod ca;
mod check;
mod commandline;
mod credential;
mod database;
mod duration;
mod environment;
mod file;
mod files;
mod help;
mod hostnames;
mod key_pair;
mod meaning;
mod mistake;
mod near;
mod place;
mod secret;
mod section;
mod setting;
mod settings;
mod simulate;
mod sources;
mod state;
mod value;
mod verb;
mod web;
mod yaml;

use std::ffi::OsString;

pub use accounts::{Accounts, ConfigFile, ConfigFileError};
pub use ca::CaFile;
pub use commandline::command;
pub use database::{ClientCertificate, Database, DatabaseHost, DatabaseTls, HostPlace};
pub use duration::spell;
pub use environment::Environment;
pub use files::Contents;
pub use mistake::{Mistake, Problem};
pub use secret::{Credential, Secret, SecretError, SecretSource};
pub use settings::{
    AccountConfig, Check, CheckFormat, Command, Config, Demo, Endpoint, Exporter, Healthcheck,
    Limits, Log, LogFormat, LogLevel, Metrics, Reading, State, WatchedFile, Web,
};
pub use simulate::{Fault, FaultName, SimulateConfig};
pub use table::flags_markdown;
pub use web::{DerElements, PasswordHash, Tls, WebConfig, WebConfigError, WebFile};

/// Reads the command line, the program's name first, over the environment. Touches no file but
/// those that hold secrets, certificate authorities and the web configuration.
pub fn parse(
    args: impl Iterator<Item = OsString>,
    environment: &Environment,
) -> Result<Config, Problem> {
    let typed = commandline::read(args, environment)?;
    meaning::of(&typed, environment)
}

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod typing;
