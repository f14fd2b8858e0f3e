//! The parameters of a URL: what stands after its question mark.

use std::collections::BTreeMap;
use std::time::Duration;

use super::complaints::Complaints;
use super::percent;
use super::url::WITHOUT_PASSWORD;
use crate::config::{near, value};

/// The parameters that there are. They mean what libpq means by them.
const NAMES: [&str; 8] = [
    "host",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "target_session_attrs",
    "connect_timeout",
    "application_name",
];

/// The longest name of an application that PostgreSQL keeps.
const LONGEST_NAME: usize = 63;

/// What was given, each once and not empty.
#[derive(Default)]
pub struct Parameters(BTreeMap<&'static str, String>);

impl Parameters {
    /// Reads what stands after the question mark.
    pub fn read(text: &str, say: &mut Complaints<'_>) -> Self {
        let mut parameters = Self::default();
        for (nth, written) in (1..).zip(text.split('&')) {
            if let Err(wrong) = parameters.take(written) {
                let what = match wrong {
                    Wrong::Named(name, wrong) => format!("{name} {wrong}"),
                    Wrong::Unnamed(wrong) => format!("parameter {nth} {wrong}"),
                    Wrong::Password => WITHOUT_PASSWORD.to_owned(),
                };
                say.add::<()>(what);
            }
        }
        parameters
    }

    fn take(&mut self, written: &str) -> Result<(), Wrong> {
        let (name, value) = written.split_once('=').ok_or_else(|| {
            Wrong::Unnamed("lacks its =; write name=value, and & between two".to_owned())
        })?;
        let name = percent::decoded(name).map_err(|error| Wrong::Unnamed(error.to_string()))?;
        let known = NAMES.iter().find(|known| **known == name);
        let known = known.ok_or_else(|| of_no_use(&name))?;
        let wrong = |wrong: &str| Wrong::Named(known, wrong.to_owned());
        if value.contains('=') {
            return Err(wrong("has a second =; write that as %3D"));
        }
        let value = percent::decoded(value).map_err(|error| wrong(&error.to_string()))?;
        if value.is_empty() {
            return Err(wrong("is empty; leave it out"));
        }
        match self.0.insert(known, value) {
            Some(_) => Err(wrong("is there twice; write it once")),
            None => Ok(()),
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// How long a connection to one address may take to be made.
    pub fn connect_timeout(&self, say: &mut Complaints<'_>) -> Option<Duration> {
        let Some(text) = self.get("connect_timeout") else {
            return Some(Duration::from_secs(3));
        };
        let seconds = value::number(1..=60_u64)(text).ok();
        let seconds = seconds.map(Duration::from_secs);
        seconds.or_else(|| {
            say.add("connect_timeout is no number of seconds from 1 to 60; write 3, for example")
        })
    }

    /// By which name the server lists the connection.
    pub fn application_name(&self, say: &mut Complaints<'_>) -> Option<String> {
        let name = self.get("application_name");
        let name = name.unwrap_or("metaaccess-exporter").to_owned();
        let is_plain = name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if is_plain && name.len() <= LONGEST_NAME {
            return Some(name);
        }
        say.add(format_args!(
            "application_name has characters that are not ASCII, or more than {LONGEST_NAME}; \
             write a short one"
        ))
    }

    /// Refuses what does not lead to a server that takes writes.
    pub fn check_session(&self, say: &mut Complaints<'_>) {
        let wanted = self.get("target_session_attrs");
        if !wanted.is_none_or(|wanted| ["read-write", "primary"].contains(&wanted)) {
            say.add::<()>(
                "target_session_attrs is neither read-write nor primary; leave it out: the state \
                 needs a server that takes writes",
            );
        }
    }
}

enum Wrong {
    Named(&'static str, String),
    Unnamed(String),
    Password,
}

/// What is said of a name that is none.
fn of_no_use(name: &str) -> Wrong {
    let mend = match name {
        "password" => return Wrong::Password,
        "user" | "dbname" | "port" | "hostaddr" => {
            "stands elsewhere; write it before the question mark: postgres://user@host:port/name"
                .to_owned()
        }
        "passfile" => "is a file of passwords of another form; name one that holds the password \
                       alone by --state.password-file"
            .to_owned(),
        "sslpassword" => {
            "is the password of a key; name a key by sslkey that is not encrypted".to_owned()
        }
        _ => {
            let near = near::nearest(name, &NAMES);
            let near = near.map(|near| format!(" ({near} is near)"));
            let near = near.unwrap_or_default();
            format!(
                "has a name that is not known{near}; there are {}",
                NAMES.join(", ")
            )
        }
    };
    Wrong::Unnamed(mend)
}
