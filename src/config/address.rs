//! Addresses: where the exporter listens, and where the vendor's API is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::{Host, Url};

use super::mistake::Wrong;

/// Reads one or several addresses to listen on, separated by commas.
pub fn listen(text: &str) -> Result<Vec<SocketAddr>, Wrong> {
    text.split(',').map(|one| socket(one.trim())).collect()
}

/// Reads an address to listen on that only this machine can reach.
pub fn loopback(text: &str) -> Result<SocketAddr, Wrong> {
    let address = socket(text)?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(Wrong::new(
        "an address on loopback, since the simulator is not made for a network",
        format!("write 127.0.0.1:{}", address.port()),
    ))
}

fn socket(text: &str) -> Result<SocketAddr, Wrong> {
    let wrong = |mend: &str| {
        Wrong::new(
            "an address and port such as :19720, 127.0.0.1:19720 or [::1]:19720",
            mend,
        )
    };
    let (host, port) = text
        .rsplit_once(':')
        .ok_or_else(|| wrong("put a colon before the port"))?;
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let port: Option<u16> = port.parse().ok().filter(|_| digits);
    let port = port.ok_or_else(|| wrong("write a port from 0 to 65535 after the last colon"))?;
    let ip: IpAddr = match host {
        "" => Ipv6Addr::UNSPECIFIED.into(),
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        _ => match host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            Some(inner) => inner.parse::<Ipv6Addr>().map(IpAddr::from).ok(),
            None => host.parse::<Ipv4Addr>().map(IpAddr::from).ok(),
        }
        .ok_or_else(|| {
            wrong("write an IP address: names but localhost are not looked up, and IPv6 goes in []")
        })?,
    };
    Ok(SocketAddr::new(ip, port))
}

/// The address at which this machine reaches what listens on `listen`.
pub fn reached_at(listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        // Both families answer on 127.0.0.1, and it is there where a machine has no IPv6.
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), listen.port())
    } else {
        listen
    }
}

/// Reads where the API is. What comes out ends with a slash.
pub fn base_url(text: &str) -> Result<Url, Wrong> {
    let wrong = |mend: &str| Wrong::new("a URL such as https://gears.opswat.com", mend);
    let mut url =
        Url::parse(text.trim()).map_err(|_| wrong("write https:// and the API's host"))?;
    match url.scheme() {
        "https" => {}
        "http" if on_loopback(&url) => {}
        "http" => {
            return Err(wrong(
                "write https://, since over http the token would travel in clear text (only \
                 loopback may be http)",
            ));
        }
        _ => return Err(wrong("write https:// and the API's host")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "leave out user and password: the API knows tokens only",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(
            "leave out what follows ? or #: the exporter adds its own",
        ));
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

fn on_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &str) -> Vec<String> {
        let read = listen(text).unwrap();
        read.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn addresses_are_read_as_prometheus_exporters_write_them() {
        assert_eq!(addresses(":19720"), ["[::]:19720"]);
        assert_eq!(addresses("0.0.0.0:0"), ["0.0.0.0:0"]);
        assert_eq!(addresses("[::1]:80"), ["[::1]:80"]);
        assert_eq!(
            addresses("localhost:80, 192.0.2.1:81"),
            ["127.0.0.1:80", "192.0.2.1:81"]
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ":",
            "19720",
            "127.0.0.1",
            ":65536",
            ":-1",
            ":+1",
            ":http",
            "example.com:80",
            "::1:80",
            "[::1]",
            "[127.0.0.1]:80",
            "[fe80::1%eth0]:80",
            "*:80",
            ":80,",
            "256.0.0.1:80",
        ] {
            assert!(listen(text).is_err(), "{text:?} was read as an address");
        }
    }

    #[test]
    fn all_interfaces_are_reached_on_loopback() {
        let reached = |text: &str| reached_at(text.parse().unwrap()).to_string();
        assert_eq!(reached("[::]:19720"), "127.0.0.1:19720");
        assert_eq!(reached("0.0.0.0:19720"), "127.0.0.1:19720");
        assert_eq!(reached("192.0.2.1:19720"), "192.0.2.1:19720");
    }

    #[test]
    fn the_simulator_listens_on_loopback_only() {
        assert!(loopback("127.0.0.2:1").is_ok());
        assert!(loopback("[::1]:1").is_ok());
        let wrong = loopback("0.0.0.0:19721").unwrap_err();
        assert!(wrong.to_string().ends_with("write 127.0.0.1:19721"));
        assert!(loopback(":19721").is_err());
    }

    #[test]
    fn a_base_url_ends_with_one_slash_and_keeps_its_prefix() {
        let read = |text| base_url(text).unwrap().to_string();
        assert_eq!(
            read("https://gears.opswat.com"),
            "https://gears.opswat.com/"
        );
        assert_eq!(
            read("https://example.com/proxy"),
            "https://example.com/proxy/"
        );
        assert_eq!(
            read("https://example.com:8443/proxy//"),
            "https://example.com:8443/proxy/"
        );
        let joined = base_url("https://example.com/proxy")
            .unwrap()
            .join("o/api/v2/logs");
        assert_eq!(
            joined.unwrap().as_str(),
            "https://example.com/proxy/o/api/v2/logs"
        );
    }

    #[test]
    fn plain_http_is_for_loopback_alone() {
        for text in [
            "http://127.0.0.1:1",
            "http://127.9.9.9",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(base_url(text).is_ok(), "{text:?} was refused");
        }
        for text in [
            "http://example.com",
            "http://192.0.2.1",
            "http://localhost.example.com",
            "http://[::2]",
            "http://127.0.0.1.example.com",
            "http://0.0.0.0",
        ] {
            let wrong = base_url(text).unwrap_err().to_string();
            assert!(wrong.contains("clear text"), "{text:?}: {wrong}");
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for text in [
            "",
            "gears.opswat.com",
            "ftp://example.com",
            "https://",
            "https://me:pw@example.com",
            "https://example.com?access_token=x",
            "https://example.com/#x",
            "unix:/run/x",
        ] {
            assert!(base_url(text).is_err(), "{text:?} was read as a base URL");
        }
    }
}
