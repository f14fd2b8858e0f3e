//! How an account stands is the same at all replicas, whoever refreshes it.

use metaaccess_exporter::simulator::Kind;

use crate::exporter::{Exporter, PATIENCE};
use crate::prometheus::free_address;
use crate::wait::until;
use crate::watched_replicas::Company;

fn is_failing(exporter: &Exporter) -> bool {
    let samples = exporter.scrape();
    samples.sum("metaaccess_log_failing", &[("account", "one")]) > 0.0
}

fn leads(exporter: &Exporter) -> bool {
    let samples = exporter.scrape();
    samples.sum("metaaccess_replica_leads", &[("account", "one")]) > 0.0
}

#[test]
fn a_failure_is_over_also_where_another_replica_has_met_it() {
    let Some(company) = Company::new() else {
        return;
    };
    let replicas = ["127.0.0.8", "127.0.0.9"].map(|it| company.replica(free_address(it)));
    let leader = until(PATIENCE, "one leads and both are up", || {
        let are_up = replicas.iter().all(|it| it.scrape().of("one").is_up());
        let leader = replicas.iter().position(leads);
        leader.filter(|_| are_up)
    });
    let [first, second] = replicas;
    let (leader, other) = match leader {
        0 => (first, second),
        _ => (second, first),
    };
    company.apis[0].fail_device_log(Kind::Status {
        status: 500,
        retry_after: None,
    });
    until(PATIENCE, "both say that the log cannot be read", || {
        (is_failing(&leader) && is_failing(&other)).then_some(())
    });
    // It ends without having seen that all is well again.
    company.apis[0].clear_faults();
    drop(leader);
    until(PATIENCE, "the other reads the log", || {
        let samples = other.scrape().of("one");
        let reads = samples.sum("metaaccess_refreshes_total", &[]) > 0.0;
        (reads && samples.is_up()).then_some(())
    });
    assert!(!is_failing(&other), "{:?}", other.log_at("info"));
}
