//! What came of one check.

use crate::event::EventType;

/// What was looked at. Scripts know it by its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    Configuration,
    Secret,
    Dns,
    Connection,
    Token,
    Page(EventType),
    Order(EventType),
    Timezone,
    RateLimit,
    Clock,
    Series,
    State,
    StateFolder,
    StateSpace,
}

impl Name {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Secret => "secret",
            Self::Dns => "dns",
            Self::Connection => "connection",
            Self::Token => "token",
            Self::Page(EventType::Device) => "page_device",
            Self::Page(EventType::Admin) => "page_admin",
            Self::Order(EventType::Device) => "order_device",
            Self::Order(EventType::Admin) => "order_admin",
            Self::Timezone => "timezone",
            Self::RateLimit => "rate_limit",
            Self::Clock => "clock",
            Self::Series => "series",
            Self::State => "state",
            Self::StateFolder => "state_folder",
            Self::StateSpace => "state_space",
        }
    }
}

/// How it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    /// It works, but a person should know.
    Warning,
    Failed,
    /// It could not be looked at.
    Skipped,
}

/// What was seen, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub name: Name,
    pub verdict: Verdict,
    pub message: String,
    /// Of warnings and failures.
    pub advice: Option<String>,
}

impl Finding {
    pub fn ok(name: Name, message: impl Into<String>) -> Self {
        Self::new(name, Verdict::Ok, message.into(), None)
    }

    pub fn warning(name: Name, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(name, Verdict::Warning, message.into(), Some(advice.into()))
    }

    pub fn failed(name: Name, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(name, Verdict::Failed, message.into(), Some(advice.into()))
    }

    pub fn skipped(name: Name, message: impl Into<String>) -> Self {
        Self::new(name, Verdict::Skipped, message.into(), None)
    }

    /// Not looked at, since that needs what another check did not find.
    pub fn needs(name: Name, other: Name) -> Self {
        Self::skipped(name, format!("needs {}", other.as_str()))
    }

    fn new(name: Name, verdict: Verdict, message: String, advice: Option<String>) -> Self {
        Self {
            name,
            verdict,
            message,
            advice,
        }
    }
}
