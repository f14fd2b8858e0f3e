//! What is shown of hostnames, and that nothing is counted twice for another way to show them.

use tempfile::TempDir;

use crate::api::{self, Api};
use crate::exporter::Exporter;
use crate::http;
use crate::samples::Samples;

/// The installs by hostname.
fn hosts(samples: &Samples) -> Vec<(String, u64)> {
    let counts = samples.counts().into_iter();
    let installs = counts.filter(|((_, event), _)| event.labels().event == "Installed");
    installs
        .map(|((_, event), count)| (event.labels().hostname.to_owned(), count))
        .collect()
}

fn key(folder: &TempDir, key: &str) -> String {
    let path = folder.path().join("key");
    std::fs::write(&path, key).expect("written");
    format!("--metrics.hostname-key-file={}", path.display())
}

#[test]
fn another_mode_or_key_changes_what_new_lines_are_shown_as_and_counts_nothing_twice() {
    let api = Api::start(api::empty());
    api.install_on(&["TEST-B3WMO", "TEST-R1W3Y"]);
    let folder = tempfile::tempdir().expect("a folder");
    let state = format!("--state.path={}", folder.path().join("state.db").display());
    let hash = ["--metrics.hostname=hash", &key(&folder, "0123456789abcdef")];
    let modes: [&[&str]; 4] = [&[], &hash, &hash, &["--metrics.hostname=drop"]];
    let hashed = "863aa909e305ea20";
    let mut expected = vec![("TEST-B3WMO", 1), ("TEST-R1W3Y", 1)];
    for (start, mode) in modes.into_iter().enumerate() {
        let exporter = Exporter::of(&api, &[mode, &[&state]].concat());
        if start > 0 {
            api.install_on(&["TEST-B3WMO"]);
        }
        match start {
            1 => expected.push((hashed, 1)),
            2 => expected.retain_mut(|(host, count)| {
                *count += u64::from(*host == hashed);
                true
            }),
            3 => expected.push(("", 1)),
            _ => {}
        }
        expected.sort_unstable();
        let samples = exporter.scrape();
        let hosts = hosts(&samples);
        let hosts: Vec<(&str, u64)> = hosts.iter().map(|(host, n)| (host.as_str(), *n)).collect();
        assert_eq!(hosts, expected, "start {start}");
        let log = exporter.log().concat();
        assert!(!log.contains("0123456789"));
        let warned = log.contains("show hostnames as they were counted before");
        assert_eq!(warned, start > 0, "start {start}: {log}");
        assert_eq!(exporter.stop().code, Some(0));
    }
}

#[test]
fn no_hostname_is_in_what_is_served_when_it_is_not_to_be() {
    let api = Api::start(api::at_rest());
    api.install_on(&["TEST-B3WMO"]);
    for mode in ["drop", "hash"] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut flags = vec![format!("--metrics.hostname={mode}")];
        if mode == "hash" {
            flags.push(key(&folder, "0123456789abcdef"));
        }
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let exporter = Exporter::of(&api, &flags);
        let text = http::get(exporter.address(), "/metrics").body;
        assert!(text.contains("event=\"Installed\""), "{text}");
        assert!(!text.contains("TEST-"), "{text}");
        let total: u64 = Samples::parse(&text).counts().values().sum();
        assert_eq!(total, api.counts().values().sum::<u64>());
    }
}
