//! A URL as libpq takes it: postgres://user@host:port,host:port/name?parameter=value&…

use super::complaints::Complaints;
use super::parameters::Parameters;
use super::{Database, host, percent, tls};

/// What is said of a password wherever it stands.
pub const WITHOUT_PASSWORD: &str = "there is a password in it, which is not taken from there; write \
                                    it to a file and name that by --state.password-file, or set \
                                    METAACCESS_STATE_PASSWORD";

/// What the URL means, or nothing and everything that is wrong with it.
pub fn read(text: &str, say: &mut Complaints<'_>) -> Option<Database> {
    let parts = Parts::of(text.trim(), say)?;
    let parameters = parts.parameters.map(|text| Parameters::read(text, say));
    let parameters = parameters.unwrap_or_default();
    let user = user(parts.user, say);
    let hosts = host::read(parts.hosts, parameters.get("host"), say);
    let name = name(parts.name, say);
    let tls = tls::read(&parameters, hosts.as_deref(), say);
    parameters.check_session(say);
    let connect_timeout = parameters.connect_timeout(say);
    let application_name = parameters.application_name(say);
    let user = user?;
    Some(Database {
        hosts: hosts?,
        name: name?.unwrap_or_else(|| user.clone()),
        user,
        password: None,
        tls: tls?,
        connect_timeout: connect_timeout?,
        application_name: application_name?,
    })
}

/// A URL in its parts, each as it is written.
struct Parts<'a> {
    user: Option<&'a str>,
    hosts: &'a str,
    name: Option<&'a str>,
    parameters: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str, say: &mut Complaints<'_>) -> Option<Self> {
        let known = ["postgres://", "postgresql://"].into_iter();
        let Some(rest) = known.filter_map(|start| text.strip_prefix(start)).next() else {
            return say.add("it is no URL of PostgreSQL; write postgres://user@host:port/name");
        };
        if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return say.add("there is white space in it; write a space as %20");
        }
        let (credentials, rest) = credentials(rest);
        let user = match credentials {
            Credentials::None => None,
            Credentials::User(user) => Some(user),
            Credentials::Password(user) => {
                say.add::<()>(WITHOUT_PASSWORD);
                Some(user?)
            }
        };
        let (rest, parameters) = split(rest, '?');
        let (hosts, name) = split(rest, '/');
        Some(Self {
            user,
            hosts,
            name: name.filter(|name| !name.is_empty()),
            parameters: parameters.filter(|text| !text.is_empty()),
        })
    }
}

enum Credentials<'a> {
    None,
    User(&'a str),
    /// The user is known where what follows the password is.
    Password(Option<&'a str>),
}

/// Who is to be let in, and what follows that.
///
/// To libpq an at sign ends it if no slash stands before that. One that stands after is most likely one
/// behind a password with a slash.
fn credentials(text: &str) -> (Credentials<'_>, &str) {
    let end = text.find(['@', '/']).unwrap_or(text.len());
    let (before, rest) = text.split_at(end);
    let Some(after) = rest.strip_prefix('@') else {
        let has_password = before.contains(':') && split(rest, '?').0.contains('@');
        return match has_password {
            true => (Credentials::Password(None), ""),
            false => (Credentials::None, text),
        };
    };
    let (user, password) = split(before, ':');
    if password.is_none() {
        return (Credentials::User(user), after);
    }
    // An at sign may belong to the password too.
    let host = after.find(['/', '?']).unwrap_or(after.len());
    let host = after[..host].rfind('@').map_or(0, |place| place + 1);
    (Credentials::Password(Some(user)), &after[host..])
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at)
        .map_or((text, None), |(before, after)| (before, Some(after)))
}

fn user(written: Option<&str>, say: &mut Complaints<'_>) -> Option<String> {
    let Some(written) = written.filter(|user| !user.is_empty()) else {
        return say.add("it names no user; write postgres://user@host:port/name");
    };
    match percent::decoded(written) {
        Ok(user) if user.contains(':') => say.add(WITHOUT_PASSWORD),
        Ok(user) => Some(user),
        Err(wrong) => say.add(format_args!("its user {wrong}")),
    }
}

fn name(written: Option<&str>, say: &mut Complaints<'_>) -> Option<Option<String>> {
    match written.map(percent::decoded).transpose() {
        Ok(name) => Some(name),
        Err(wrong) => say.add(format_args!("its database's name {wrong}")),
    }
}
