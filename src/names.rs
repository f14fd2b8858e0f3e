//! Where a host is: what `/etc/hosts` says of it, and the name servers of `/etc/resolv.conf`.
//!
//! The C library is not asked. It loads the libraries that `/etc/nsswitch.conf` names, and in a static
//! program those of another version of it end the process.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use hickory_resolver::{Hosts, TokioResolver};

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// A host has no address, as far as anybody knows who was asked.
#[derive(Debug, thiserror::Error)]
pub enum NoAddress {
    #[error("cannot read {RESOLV_CONF}")]
    Unreadable(#[source] io::Error),
    #[error("cannot use {RESOLV_CONF}: {0}")]
    Unusable(NetError),
    #[error("{0}")]
    NotFound(NetError),
    #[error("it has no address")]
    None,
}

/// The addresses of a host, those of IPv4 first. Both files are read anew each time, as they change
/// while the program runs, and nothing is kept: connections are, so that names are seldom asked for.
pub async fn look_up(host: &str) -> Result<Vec<IpAddr>, NoAddress> {
    let noted = noted(&Hosts::from_system().unwrap_or_default(), host);
    if !noted.is_empty() {
        return Ok(noted);
    }
    ask(&of_the_system(Path::new(RESOLV_CONF))?, host).await
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

async fn ask(
    servers: &(ResolverConfig, ResolverOpts),
    host: &str,
) -> Result<Vec<IpAddr>, NoAddress> {
    let found = resolver(servers)?.lookup_ip(host).await;
    let addresses: Vec<IpAddr> = found.map_err(NoAddress::NotFound)?.iter().collect();
    if addresses.is_empty() {
        return Err(NoAddress::None);
    }
    Ok(addresses)
}

/// What the system says of name servers; without that file there is one on this machine, as
/// resolv.conf(5) has it.
fn of_the_system(path: &Path) -> Result<(ResolverConfig, ResolverOpts), NoAddress> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(NoAddress::Unreadable(error)),
    };
    servers(text).map_err(NoAddress::Unusable)
}

fn servers(mut resolv_conf: String) -> Result<(ResolverConfig, ResolverOpts), NetError> {
    let names_one = |line: &str| line.trim_start().starts_with("nameserver");
    if !resolv_conf.lines().any(names_one) {
        resolv_conf.push_str("\nnameserver ");
        resolv_conf.push_str(&Ipv4Addr::LOCALHOST.to_string());
    }
    parse_resolv_conf(resolv_conf)
}

fn resolver(
    (config, options): &(ResolverConfig, ResolverOpts),
) -> Result<TokioResolver, NoAddress> {
    let mut options = options.clone();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = 1;
    TokioResolver::builder_with_config(config.clone(), TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .map_err(NoAddress::Unusable)
}

#[cfg(test)]
mod tests;
