//! The thresholds of the alerts: each is a series of its own, so that it can be changed in one place,
//! seen in a query, and drawn beside what it is for.

use std::fmt::Write;

use crate::source::rules::Rule;

/// The series that has them all, told apart by the label `setting`.
pub const SERIES: &str = "metaaccess:setting";

/// A threshold.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    pub default: f64,
    pub meaning: &'static str,
}

const fn setting(name: &'static str, default: f64, meaning: &'static str) -> Setting {
    Setting {
        name,
        default,
        meaning,
    }
}

pub const READ_AGE: Setting = setting(
    "read_age_seconds",
    900.0,
    "seconds since a log was last read to all that is not yet counted",
);
pub const LINES_BEHIND: Setting = setting(
    "lines_behind",
    500.0,
    "lines of a log that are known and not read yet",
);
pub const REFUSED_REQUESTS: Setting = setting(
    "refused_requests",
    3.0,
    "requests within 15 minutes that the API refused for its rate limit (429)",
);
pub const OWN_SHARE: Setting = setting(
    "own_requests_share",
    0.5,
    "share of the rate limit, from 0 to 1, that the exporter sends itself in 15 minutes; where it is less, and for half of that time none were left, others use the rest",
);
pub const UNPARSABLE: Setting = setting(
    "unparsable_lines",
    10.0,
    "lines of a log within an hour that could not be read",
);
pub const LIMIT_SHARE: Setting = setting(
    "limit_share",
    0.9,
    "share, from 0 to 1, of the limit of series, or of events, that is in use",
);
pub const UNINSTALLS: Setting = setting(
    "uninstalls_at_least",
    5.0,
    "uninstalls and removals of an account within an hour, below which none are unusual",
);
pub const UNINSTALLS_FACTOR: Setting = setting(
    "uninstalls_factor",
    3.0,
    "times the busy hours of the past week that they have to exceed",
);
pub const NON_COMPLIANT: Setting = setting(
    "non_compliant_at_least",
    10.0,
    "changes to non-compliant of an account within an hour, less those back to compliant, below which it is no rise",
);
pub const NON_COMPLIANT_FACTOR: Setting = setting(
    "non_compliant_factor",
    3.0,
    "times the busy hours of the past week that changes to non-compliant have to exceed",
);
pub const FAILED_LOG_ONS: Setting = setting(
    "failed_log_ons",
    5.0,
    "failed log-ons of administrators of an account within an hour",
);

/// Every threshold, in the order of the alerts that use them.
pub const ALL: &[Setting] = &[
    READ_AGE,
    LINES_BEHIND,
    REFUSED_REQUESTS,
    OWN_SHARE,
    UNPARSABLE,
    LIMIT_SHARE,
    UNINSTALLS,
    UNINSTALLS_FACTOR,
    NON_COMPLIANT,
    NON_COMPLIANT_FACTOR,
    FAILED_LOG_ONS,
];

impl Setting {
    /// For the right of a comparison or an operation: the same value for every series on its left.
    pub fn value(self) -> String {
        format!(r#"on () group_left () {SERIES}{{setting="{}"}}"#, self.name)
    }
}

/// The rules that make the series.
pub fn rules() -> Vec<Rule> {
    let rule = |setting: &Setting| {
        let expr = format!("vector({})", setting.default);
        Rule::record(SERIES, &expr).labelled("setting", setting.name)
    };
    ALL.iter().map(rule).collect()
}

/// The rows of a table.
pub fn markdown() -> String {
    ALL.iter().fold(String::new(), |mut rows, setting| {
        let Setting {
            name,
            default,
            meaning,
        } = setting;
        let _ = writeln!(rows, "| `{name}` | {default} | {meaning} |");
        rows
    })
}
