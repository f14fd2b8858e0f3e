//! The commands, and which settings each has a use for.

use super::flags::Chosen;
use super::{check, simulate};

/// A command of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Serve,
    Demo,
    Simulate,
    Check,
    Healthcheck,
}

/// What a command does with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Reads,
    /// `demo` brings its own: what points at a real account or a real state must not reach it.
    BringsItsOwn,
    /// The setting means nothing here.
    NoUse,
}

/// What `demo` brings itself.
const OF_THE_DEMO: [&str; 10] = [
    "api.base-url",
    "api.access-token-file",
    "api.client-id",
    "api.client-secret-file",
    "api.rate-limit",
    "api.ca-file",
    "config.file",
    "state.path",
    "state.url",
    "state.password-file",
];

impl Verb {
    pub fn of(chosen: Option<&Chosen>) -> Self {
        match chosen {
            None => Self::Serve,
            Some(Chosen::Demo) => Self::Demo,
            Some(Chosen::Simulate(_)) => Self::Simulate,
            Some(Chosen::Check(_)) => Self::Check,
            Some(Chosen::Healthcheck) => Self::Healthcheck,
        }
    }

    /// The command of this name; any other name serves.
    pub fn named(name: &str) -> Self {
        let all = [Self::Demo, Self::Simulate, Self::Check, Self::Healthcheck];
        let found = all.into_iter().find(|verb| verb.name() == name);
        found.unwrap_or(Self::Serve)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Demo => "demo",
            Self::Simulate => "simulate",
            Self::Check => "check",
            Self::Healthcheck => "healthcheck",
        }
    }

    /// What this command does with a flag, named without its dashes.
    pub fn role_of(self, flag: &str) -> Role {
        let reads = match self {
            _ if flag.starts_with("log.") => true,
            Self::Demo if OF_THE_DEMO.contains(&flag) => return Role::BringsItsOwn,
            Self::Check => !simulate::is_flag(flag),
            Self::Serve | Self::Demo => !simulate::is_flag(flag) && !check::is_flag(flag),
            Self::Simulate => simulate::is_flag(flag),
            Self::Healthcheck => ["web.listen-address", "web.config.file"].contains(&flag),
        };
        if reads { Role::Reads } else { Role::NoUse }
    }
}
