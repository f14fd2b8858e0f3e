//! Alerts of replicas that share their state in a database.

use metaaccess_exporter::catalogue;

use super::Alert;

pub fn all() -> Vec<Alert> {
    vec![
        database_unreachable(),
        no_leader(),
        replicas_missing(),
        database_regressed(),
    ]
}

fn database_unreachable() -> Alert {
    Alert {
        name: "MetaAccessDatabaseUnreachable",
        expr: format!(
            "max by (instance) ({}) == 0",
            catalogue::STATE_CONNECTED.name
        ),
        wait: Some("5m"),
        severity: "warning",
        settings: &[],
        summary: "The database does not answer {{ $labels.instance }}",
        description: "For 5 minutes the database that the replicas share has not answered {{ $labels.instance }}. That replica shows the counts that it has, and asks the API for nothing. The others go on if it answers them; if it answers none, nothing is counted until it does.",
    }
}

/// Of replicas that the database answers: what the others say may be old.
fn no_leader() -> Alert {
    let (leads, connected) = (
        catalogue::REPLICA_LEADS.name,
        catalogue::STATE_CONNECTED.name,
    );
    Alert {
        name: "MetaAccessAccountNotLed",
        expr: format!("max by (account) ({leads} and on (job, instance) {connected} == 1) == 0"),
        wait: Some("5m"),
        severity: "critical",
        settings: &[],
        summary: "No replica reads {{ $labels.account }}",
        description: "For 5 minutes no replica that Prometheus scrapes has held the lease of the account {{ $labels.account }}, so that none of them reads it, though the database answers. Another replica may hold it that is not scraped here, or none can take it up.",
    }
}

/// Fewer than there are targets of such replicas. Each state has its own replicas, and all targets of a
/// job are of one kind or the other as far as they are up.
fn replicas_missing() -> Alert {
    let (replicas, connected, state) = (
        catalogue::REPLICAS.name,
        catalogue::STATE_CONNECTED.name,
        catalogue::STATE.name,
    );
    let alive = format!(
        "sum by (job) (max by (job, epoch) (({replicas} and on (job, instance) {connected} == 1) * on (job, instance) group_left (epoch) max by (job, instance, epoch) ({state})))"
    );
    let targets = format!(
        "count by (job) (max by (job, instance) (up and on (job) {replicas} unless on (job, instance) {state}{{backend!=\"postgresql\"}}))"
    );
    Alert {
        name: "MetaAccessReplicasMissing",
        expr: format!("{alive}\n< on (job)\n{targets}"),
        wait: Some("15m"),
        severity: "warning",
        settings: &[],
        summary: "Only {{ $value | printf `%.0f` }} replicas of {{ $labels.job }} are alive",
        description: "For 15 minutes fewer replicas have been alive, by what the database knows, than Prometheus has targets of the job {{ $labels.job }}: {{ $value | printf `%.0f` }}. The others read all accounts meanwhile; with each that is missing one less may fail.",
    }
}

/// The counter begins at 0 with each process, and only a process that lives on can tell.
fn database_regressed() -> Alert {
    Alert {
        name: "MetaAccessDatabaseRegressed",
        expr: format!(
            "max by (instance) (increase({}[1h])) > 0",
            catalogue::STATE_REGRESSIONS.name
        ),
        wait: None,
        severity: "critical",
        settings: &[],
        summary: "The database of {{ $labels.instance }} has lost what it had saved",
        description: "Within the past hour the replica {{ $labels.instance }} found less in the database than the database had acknowledged: it was restored from an older backup, or a standby took over that lacked the last commits. Lines that it forgot are counted again from the log; until then their series are shown as they were. What the log no longer holds is missing.",
    }
}
