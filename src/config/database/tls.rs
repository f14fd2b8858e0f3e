//! Whether the server has to say who it is, and by which files.

use std::path::{Path, PathBuf};

use super::complaints::Complaints;
use super::parameters::Parameters;
use super::{ClientCertificate, DatabaseHost, DatabaseTls, HostPlace};
use crate::config::ca::{CaFile, CaFiles};
use crate::config::key_pair;
use crate::config::mistake::Wrong;

/// The parameters that name files.
const FILES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];

/// The authorities of the system, as libpq calls them.
const OF_THE_SYSTEM: &str = "system";

/// How TLS is spoken to these hosts, if they are known; none where it is not.
pub fn read(
    parameters: &Parameters,
    hosts: Option<&[DatabaseHost]>,
    say: &mut Complaints<'_>,
) -> Option<Option<DatabaseTls>> {
    if !is_wanted(parameters, hosts.unwrap_or_default(), say)? {
        let unused = FILES.iter().find(|name| parameters.get(name).is_some());
        return match unused {
            Some(name) => say.add(format_args!(
                "{name} is of no use without TLS; write sslmode=verify-full, or leave it out"
            )),
            None => Some(None),
        };
    }
    let mut files = CaFiles::default();
    let ca = match parameters.get("sslrootcert") {
        None | Some(OF_THE_SYSTEM) => Some(None),
        Some(path) => certificates("sslrootcert", path, &mut files, say).map(Some),
    };
    let client = client(parameters, &mut files, say);
    Some(Some(DatabaseTls {
        ca: ca?,
        client: client?,
    }))
}

fn is_wanted(
    parameters: &Parameters,
    hosts: &[DatabaseHost],
    say: &mut Complaints<'_>,
) -> Option<bool> {
    let is_socket = |host: &DatabaseHost| matches!(host.place, HostPlace::Socket(_));
    let are_all = |is: fn(&DatabaseHost) -> bool| !hosts.is_empty() && hosts.iter().all(is);
    match parameters.get("sslmode") {
        Some("disable") => Some(false),
        Some("verify-full") if are_all(is_socket) => {
            say.add("sslmode=verify-full is of no use for a socket, which has no TLS; leave it out")
        }
        Some("verify-full") => Some(true),
        Some(_) => say.add(
            "sslmode is neither verify-full nor disable; write verify-full: it alone says who \
             answers, by the authorities of sslrootcert or the system's",
        ),
        None => Some(!are_all(DatabaseHost::is_here)),
    }
}

fn client(
    parameters: &Parameters,
    files: &mut CaFiles,
    say: &mut Complaints<'_>,
) -> Option<Option<ClientCertificate>> {
    let (chain, key) = match (parameters.get("sslcert"), parameters.get("sslkey")) {
        (None, None) => return Some(None),
        (Some(chain), Some(key)) => (chain, key),
        _ => return say.add("sslcert and sslkey belong together; give both, or none"),
    };
    let certificates = certificates("sslcert", chain, files, say);
    let private = match key_pair::private_key_of(Path::new(key)) {
        Ok(private) => Some(private),
        Err(wrong) => of_file("sslkey", &wrong, say),
    };
    let certificates = certificates?.certificates.to_vec();
    let provider = rustls::crypto::ring::default_provider();
    if let Err(wrong) = key_pair::certified(certificates, private?, &provider) {
        return say.add(format_args!("sslcert and sslkey: {wrong}"));
    }
    Some(Some(ClientCertificate {
        chain: PathBuf::from(chain),
        key: PathBuf::from(key),
    }))
}

fn certificates(
    name: &str,
    path: &str,
    files: &mut CaFiles,
    say: &mut Complaints<'_>,
) -> Option<CaFile> {
    match files.read(Path::new(path)) {
        Ok(file) => Some(file),
        Err(wrong) => of_file(name, &wrong, say),
    }
}

fn of_file<T>(name: &str, wrong: &Wrong, say: &mut Complaints<'_>) -> Option<T> {
    say.add(format_args!("{name}: {wrong}"))
}
