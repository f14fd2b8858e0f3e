//! Where a host is: what `/etc/hosts` says of it, and the name servers of `/etc/resolv.conf`.
//!
//! The C library is not asked. It loads the libraries that `/etc/nsswitch.conf` names, and in a static
//! program those of another version of it end the process.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use hickory_resolver::{Hosts, TokioResolver};

const HOSTS: &str = "/etc/hosts";
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// How long a server has for an answer, whatever the file says. It is asked twice, since a datagram may
/// be lost, and the next has its turn within the time-out of a request.
const ANSWER_AT_MOST: Duration = Duration::from_secs(1);

/// How often a server is asked again that says nothing.
const AGAIN: usize = 1;

/// A host has no address, as far as anybody knows who was asked.
#[derive(Debug, thiserror::Error)]
pub enum NoAddress {
    #[error("cannot read {RESOLV_CONF}: {0}")]
    Unreadable(io::Error),
    #[error("cannot use {RESOLV_CONF}: {0}")]
    Unusable(NetError),
    #[error("no name server knows an address of {0}")]
    Unknown(String),
    #[error("{0}")]
    NotFound(NetError),
}

/// The addresses of a host, those of IPv4 first. Both files are read anew each time, as they change
/// while the program runs, and nothing is kept: connections are, so that names are seldom asked for.
pub async fn look_up(host: &str) -> Result<Vec<IpAddr>, NoAddress> {
    let noted = noted(&hosts(Path::new(HOSTS)), host);
    if !noted.is_empty() {
        return Ok(noted);
    }
    ask(&of_the_system(Path::new(RESOLV_CONF))?, host).await
}

/// The file of hosts, of which some lines may be no text; none where it cannot be read.
fn hosts(path: &Path) -> Hosts {
    let mut hosts = Hosts::default();
    if let Ok(bytes) = std::fs::read(path) {
        // What is written in memory can be read from there.
        let _ = hosts.read_hosts_conf(String::from_utf8_lossy(&bytes).as_bytes());
    }
    hosts
}

/// The addresses that the file of hosts has. Where it has one, no server is asked for others.
fn noted(hosts: &Hosts, host: &str) -> Vec<IpAddr> {
    let Ok(name) = Name::from_str_relaxed(host) else {
        return Vec::new();
    };
    let kinds = [RecordType::A, RecordType::AAAA].into_iter();
    let found =
        kinds.filter_map(|kind| hosts.lookup_static_host(&Query::query(name.clone(), kind)));
    let records = found.flat_map(|found| found.answers().to_vec());
    records.filter_map(|record| record.data.ip_addr()).collect()
}

/// Asks one server after the other, as the C library does: what the first that answers says is not, is
/// not, whatever another says.
async fn ask(
    (config, options): &(ResolverConfig, ResolverOpts),
    host: &str,
) -> Result<Vec<IpAddr>, NoAddress> {
    let (domain, search, servers) = config.clone().into_parts();
    let mut why = NoAddress::Unknown(host.to_owned());
    for server in servers {
        let one = ResolverConfig::from_parts(domain.clone(), search.clone(), vec![server]);
        match resolver(&(one, options.clone()))?.lookup_ip(host).await {
            Ok(found) => return Ok(found.iter().collect()),
            Err(error) if error.is_no_records_found() => {
                return Err(NoAddress::Unknown(host.to_owned()));
            }
            Err(error) => why = NoAddress::NotFound(error),
        }
    }
    Err(why)
}

/// What the system says of name servers; without that file there is one on this machine, as
/// resolv.conf(5) has it.
fn of_the_system(path: &Path) -> Result<(ResolverConfig, ResolverOpts), NoAddress> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(NoAddress::Unreadable(error)),
    };
    servers(&String::from_utf8_lossy(&bytes)).map_err(NoAddress::Unusable)
}

fn servers(resolv_conf: &str) -> Result<(ResolverConfig, ResolverOpts), NetError> {
    let mut kept: String = resolv_conf.lines().filter_map(understood).collect();
    if !kept.lines().any(|line| line.starts_with("nameserver ")) {
        kept.push_str(&format!("nameserver {}\n", Ipv4Addr::LOCALHOST));
    }
    parse_resolv_conf(kept)
}

/// What can be used of a line; what cannot is left out, as the C library does.
fn understood(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let first = words.next()?;
    match first {
        "nameserver" => {
            let address = words.next()?;
            let ip = address.split('%').next()?;
            ip.parse::<IpAddr>().ok()?;
            Some(format!("nameserver {address}\n"))
        }
        "search" | "domain" => {
            let names = words.filter(|word| Name::from_str_relaxed(word).is_ok());
            let names = names.collect::<Vec<_>>().join(" ");
            (!names.is_empty()).then(|| format!("{first} {names}\n"))
        }
        "options" => {
            let known = words.filter(|word| word.starts_with("ndots:") || *word == "edns0");
            let known = known.collect::<Vec<_>>().join(" ");
            (!known.is_empty()).then(|| format!("options {known}\n"))
        }
        _ => None,
    }
}

fn resolver(
    (config, options): &(ResolverConfig, ResolverOpts),
) -> Result<TokioResolver, NoAddress> {
    let mut options = options.clone();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = 1;
    options.timeout = ANSWER_AT_MOST;
    options.attempts = AGAIN;
    TokioResolver::builder_with_config(config.clone(), TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .map_err(NoAddress::Unusable)
}

#[cfg(test)]
mod tests;
