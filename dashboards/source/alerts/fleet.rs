//! Alerts of what the logs say: of devices and administrators.

use super::Alert;
use crate::source::recording;
use crate::source::settings::{
    FAILED_LOG_ONS, NON_COMPLIANT, NON_COMPLIANT_FACTOR, Setting, UNINSTALLS, UNINSTALLS_FACTOR,
};

pub fn all() -> Vec<Alert> {
    vec![uninstalls(), non_compliance(), failed_log_ons()]
}

/// What leaves out accounts whose past hour was not so many times the usual one. One without a past
/// stays in.
fn unless_usual(hour: &str, usual: &str, factor: Setting) -> String {
    format!(
        "unless on (account)\n{hour}\n<= on (account) ({usual} * {})",
        factor.value()
    )
}

fn uninstalls() -> Alert {
    let hour = recording::UNINSTALLS;
    let unless_usual = unless_usual(hour, recording::UNINSTALLS_USUAL, UNINSTALLS_FACTOR);
    Alert {
        name: "MetaAccessUninstallsUnusual",
        expr: format!("{hour}\n>= {}\n{unless_usual}", UNINSTALLS.value()),
        wait: None,
        severity: "warning",
        settings: &[UNINSTALLS, UNINSTALLS_FACTOR],
        summary: "{{ $value | printf `%.0f` }} uninstalls of {{ $labels.account }} within an hour",
        description: "{{ $value | printf `%.0f` }} agents of the account {{ $labels.account }} were uninstalled or removed within the past hour, which is far more than in the busy hours of the past week. The dashboard MetaAccess overview shows which hosts.",
    }
}

fn non_compliance() -> Alert {
    let (hour, back) = (recording::NON_COMPLIANT, recording::COMPLIANT);
    let unless_usual = unless_usual(hour, recording::NON_COMPLIANT_USUAL, NON_COMPLIANT_FACTOR);
    Alert {
        name: "MetaAccessNonComplianceRising",
        expr: format!(
            "{hour} - on (account) {back}\n>= {}\n{unless_usual}",
            NON_COMPLIANT.value()
        ),
        wait: None,
        severity: "warning",
        settings: &[NON_COMPLIANT, NON_COMPLIANT_FACTOR],
        summary: "{{ $value | printf `%.0f` }} more devices of {{ $labels.account }} turned non-compliant than compliant within an hour",
        description: "Within the past hour {{ $value | printf `%.0f` }} more devices of the account {{ $labels.account }} turned non-compliant than back to compliant, and far more turned non-compliant than in the busy hours of the past week: a policy may have changed, or an update may be missing.",
    }
}

fn failed_log_ons() -> Alert {
    let hour = recording::FAILED_LOG_ONS;
    Alert {
        name: "MetaAccessAdminLogOnFailures",
        expr: format!("{hour}\n>= {}", FAILED_LOG_ONS.value()),
        wait: None,
        severity: "warning",
        settings: &[FAILED_LOG_ONS],
        summary: "{{ $value | printf `%.0f` }} failed log-ons of administrators of {{ $labels.account }} within an hour",
        description: "Administrators of the account {{ $labels.account }}, or somebody in their place, failed to log on {{ $value | printf `%.0f` }} times within the past hour. The dashboard MetaAccess overview shows from which hosts.",
    }
}
