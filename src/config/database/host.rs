//! The hosts of a URL.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use rustls::pki_types::DnsName;

use super::complaints::Complaints;
use super::percent;

/// The port of PostgreSQL.
const PORT: u16 = 5432;

/// The longest path of a socket that Linux takes.
const LONGEST_SOCKET: usize = 107;

/// One of the places where the database may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseHost {
    pub place: HostPlace,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPlace {
    /// A DNS name or an IP address.
    Name(String),
    /// The folder of its socket, whose name has the port.
    Socket(PathBuf),
}

impl HostPlace {
    /// What its certificate has to be for; a socket needs none.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Socket(_) => None,
        }
    }
}

impl DatabaseHost {
    /// Whether it is this machine.
    pub fn is_here(&self) -> bool {
        match &self.place {
            HostPlace::Name(name) => {
                let address = name.parse::<IpAddr>();
                address.map_or(name == "localhost", |address| address.is_loopback())
            }
            HostPlace::Socket(_) => true,
        }
    }

    /// How it is written in a URL.
    pub fn in_url(&self) -> String {
        match &self.place {
            HostPlace::Name(_) => self.to_string(),
            HostPlace::Socket(folder) => {
                let folder = percent::encoded(&folder.to_string_lossy());
                format!("{folder}:{}", self.port)
            }
        }
    }
}

/// For messages.
impl fmt::Display for DatabaseHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            HostPlace::Name(name) if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            HostPlace::Name(name) => write!(f, "{name}:{}", self.port),
            HostPlace::Socket(folder) => {
                write!(f, "{}", socket(&folder.to_string_lossy(), self.port))
            }
        }
    }
}

fn socket(folder: &str, port: u16) -> String {
    let folder = folder.trim_end_matches('/');
    format!("{folder}/.s.PGSQL.{port}")
}

/// The hosts that stand before the name of the database or, where there is none, in the parameter.
pub fn read(
    in_place: &str,
    parameter: Option<&str>,
    say: &mut Complaints<'_>,
) -> Option<Vec<DatabaseHost>> {
    const NONE: &str = "it names no host; write postgres://user@host:port/name, or \
                        ?host=/run/postgresql for the folder of a socket";
    const TWICE: &str = "its hosts stand before the name of the database and in the parameter host; write them once";
    let is_port = |text: &str| !text.contains([':', ',']);
    let is_without_name = in_place.is_empty() || in_place.strip_prefix(':').is_some_and(is_port);
    match (is_without_name, parameter) {
        (true, None) => say.add(NONE),
        (false, Some(_)) => say.add(TWICE),
        (false, None) => all_of(in_place, say, one_in_place),
        (true, Some(hosts)) => {
            let port = match in_place.strip_prefix(':') {
                Some(digits) => port(digits).or_else(|| say.add(WRONG_PORT))?,
                None => PORT,
            };
            all_of(hosts, say, |host| one(host, None, port))
        }
    }
}

const WRONG_PORT: &str =
    "its port is no number from 1 to 65535; write it after the host: host:5432";

fn all_of(
    hosts: &str,
    say: &mut Complaints<'_>,
    one: impl Fn(&str) -> Result<DatabaseHost, String>,
) -> Option<Vec<DatabaseHost>> {
    let mut found = Vec::new();
    let mut is_whole = true;
    for (nth, host) in (1..).zip(hosts.split(',')) {
        match one(host) {
            Ok(host) => found.push(host),
            Err(wrong) => {
                say.add::<()>(format_args!("host {nth} {wrong}"));
                is_whole = false;
            }
        }
    }
    is_whole.then_some(found)
}

/// A host with its port, as before the name of the database.
fn one_in_place(text: &str) -> Result<DatabaseHost, String> {
    let (host, address, rest) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((address, rest))) => {
            let address = address.parse::<Ipv6Addr>();
            (
                "",
                Some(address.map_err(|_| "is no IPv6 address within its []; write [::1]:5432")?),
                rest,
            )
        }
        Some(None) => return Err("lacks its ]; write [::1]:5432".to_owned()),
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let (host, rest) = text.split_at(end);
            (host, None, rest)
        }
    };
    let port = match rest.strip_prefix(':') {
        Some(digits) => port(digits).ok_or(
            "has a port that is no number from 1 to 65535; write host:5432, and an IPv6 address in []",
        )?,
        None if rest.is_empty() => PORT,
        None => return Err("goes on after its ]; write a port as [::1]:5432".to_owned()),
    };
    let host = percent::decoded(host).map_err(|error| error.to_string())?;
    one(&host, address, port)
}

/// A host as it is named, or by its address.
fn one(name: &str, address: Option<Ipv6Addr>, port: u16) -> Result<DatabaseHost, String> {
    let place = match address {
        Some(address) => HostPlace::Name(address.to_string()),
        None => place(name)?,
    };
    if name.starts_with('/') && socket(name, port).len() > LONGEST_SOCKET {
        return Err(format!(
            "is the folder of a socket whose path is longer than {LONGEST_SOCKET} bytes; link to it"
        ));
    }
    Ok(DatabaseHost { place, port })
}

fn place(name: &str) -> Result<HostPlace, &'static str> {
    if name.starts_with('/') {
        return Ok(HostPlace::Socket(name.into()));
    }
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(HostPlace::Name(address.to_string()));
    }
    match DnsName::try_from(name) {
        Ok(_) => Ok(HostPlace::Name(name.to_ascii_lowercase())),
        Err(_) if name.is_empty() => Err("is empty; name it"),
        Err(_) => Err("is neither a name, an IP address nor the absolute path of a folder"),
    }
}

/// Digits alone, without a sign.
fn port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| *port > 0);
    port.filter(|_| is_number)
}
