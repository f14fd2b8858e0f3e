use std::net::SocketAddr;

use hickory_resolver::config::NameServerConfig;
use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA};
use hickory_resolver::proto::rr::{RData, Record};
use tokio::net::UdpSocket;

use super::*;

const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
const V6: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

/// A name server that knows `gears.example.com` alone, and asks nobody.
async fn server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut bytes = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
            let asked = Message::from_vec(&bytes[..length]).unwrap();
            let answer = answer(&asked).to_vec().unwrap();
            let _ = socket.send_to(&answer, from).await;
        }
    });
    address
}

fn answer(asked: &Message) -> Message {
    let query = asked.queries[0].clone();
    let name = query.name().clone();
    let mut answer = asked.clone();
    answer.metadata.message_type = MessageType::Response;
    if name.to_string() != "gears.example.com." {
        answer.metadata.response_code = ResponseCode::NXDomain;
        return answer;
    }
    let data = match query.query_type() {
        RecordType::A => RData::A(A(V4)),
        _ => RData::AAAA(AAAA(V6)),
    };
    answer.add_answer(Record::from_rdata(name, 60, data));
    answer
}

/// What a file says, with the server at this address instead of those that it names.
fn at(address: SocketAddr, resolv_conf: &str) -> (ResolverConfig, ResolverOpts) {
    let (config, options) = servers(resolv_conf).unwrap();
    let (domain, search, _) = config.into_parts();
    let mut server = NameServerConfig::udp(address.ip());
    server.connections[0].port = address.port();
    let config = ResolverConfig::from_parts(domain, search, vec![server]);
    (config, options)
}

#[tokio::test]
async fn a_name_server_is_asked_for_both_kinds_of_addresses_and_those_of_ipv4_come_first() {
    let servers = at(server().await, "");
    let found = ask(&servers, "gears.example.com").await.unwrap();
    assert_eq!(found, [IpAddr::from(V4), IpAddr::from(V6)]);
}

#[tokio::test]
async fn a_short_name_is_looked_for_in_the_domains_of_the_file() {
    let address = server().await;
    let file = "search other.example.com example.com\noptions ndots:5 trust-ad\n";
    let found = ask(&at(address, file), "gears").await.unwrap();
    assert_eq!(found.len(), 2);
    // As it is, where none of the domains has it.
    let found = ask(&at(address, file), "gears.example.com").await.unwrap();
    assert_eq!(found.len(), 2);
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_an_error_that_names_it() {
    let servers = at(server().await, "");
    let error = ask(&servers, "geers.example.com").await.unwrap_err();
    assert!(matches!(error, NoAddress::Unknown(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("geers.example.com"), "{text}");
}

#[tokio::test]
async fn servers_are_asked_one_after_the_other_and_the_first_answer_holds() {
    let (good, bad) = (server().await, silent().await);
    let both = |first: SocketAddr, second: SocketAddr| {
        let (config, options) = at(first, "");
        let (_, _, mut all) = config.into_parts();
        all.extend(at(second, "").0.into_parts().2);
        (ResolverConfig::from_parts(None, Vec::new(), all), options)
    };
    // One that says nothing has its two seconds, and then the next is asked.
    let begin = crate::clock::now();
    let found = ask(&both(bad, good), "gears.example.com").await.unwrap();
    assert_eq!(found.len(), 2);
    let took = crate::clock::now().since(begin);
    assert!(took < 4 * ANSWER_AT_MOST, "{took:?}");
    let found = ask(&both(good, bad), "gears.example.com").await.unwrap();
    assert_eq!(found.len(), 2);
    let error = ask(&both(good, bad), "geers.example.com")
        .await
        .unwrap_err();
    assert!(matches!(error, NoAddress::Unknown(_)), "{error:?}");
}

/// A name server that never answers.
async fn silent() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut bytes = [0; 4096];
        while socket.recv_from(&mut bytes).await.is_ok() {}
    });
    address
}

#[test]
fn what_cannot_be_understood_of_the_files_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let text = b"# \xfc\nblah x\noptions foo ndots:3 timeout:0\nsearch a..b lan\nnameserver dns.example.com\nnameserver 192.0.2.1\n";
    std::fs::write(&file, text).unwrap();
    let (config, options) = of_the_system(&file).unwrap();
    assert_eq!(config.name_servers()[0].ip.to_string(), "192.0.2.1");
    assert_eq!(config.name_servers().len(), 1);
    assert_eq!(config.search().len(), 1);
    assert_eq!(options.ndots, 3);
    std::fs::write(&file, b"192.0.2.7 gears\n# \xfc\n").unwrap();
    assert_eq!(noted(&hosts(&file), "gears"), [IpAddr::from(V4)]);
}

#[test]
fn without_a_name_server_there_is_one_on_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("resolv.conf");
    let ips = |path: &Path| {
        let (config, _) = of_the_system(path).unwrap();
        let servers = config.name_servers().iter();
        servers
            .map(|server| server.ip.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(ips(&file), ["127.0.0.1"]);
    std::fs::write(&file, "search example.com\n# nameserver 192.0.2.1").unwrap();
    assert_eq!(ips(&file), ["127.0.0.1"]);
    std::fs::write(&file, "nameserver 192.0.2.1\nnameserver 2001:db8::1\n").unwrap();
    assert_eq!(ips(&file), ["192.0.2.1", "2001:db8::1"]);
    let error = of_the_system(folder.path()).unwrap_err();
    assert!(matches!(error, NoAddress::Unreadable(_)), "{error:?}");
}

#[test]
fn what_the_file_of_hosts_has_is_taken_whatever_the_case() {
    let mut hosts = Hosts::default();
    let file =
        "127.0.0.1 localhost\n192.0.2.7\tgears.example.com gears # the API\n2001:db8::7 gears\n";
    hosts.read_hosts_conf(file.as_bytes()).unwrap();
    assert_eq!(noted(&hosts, "Gears.example.com"), [IpAddr::from(V4)]);
    assert_eq!(noted(&hosts, "gears"), [IpAddr::from(V4), IpAddr::from(V6)]);
    assert!(noted(&hosts, "other.example.com").is_empty());
    assert!(noted(&hosts, "a name that is none").is_empty());
}
