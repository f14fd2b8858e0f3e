//! One device: its events and versions over time.

use metaaccess_exporter::catalogue;

use crate::source::layout::{Dashboard, Row};
use crate::source::panel::{COUNT, Panel};
use crate::source::promql::{BAR, LOG, around, events_by_host, highest, selector, sum_by};
use crate::source::{annotation, variable, words};

pub fn dashboard() -> String {
    Dashboard {
        uid: "metaaccess-device",
        title: "MetaAccess device",
        description: "What the event logs of OPSWAT MetaAccess say of one host.",
        from: "now-7d",
        variables: vec![
            variable::source(),
            variable::account(),
            variable::event_type(),
            variable::hostname(),
        ],
        annotations: vec![annotation::restarts()],
        rows: vec![glance(), over_time(), tables()],
    }
    .json()
}

fn host(matchers: &str) -> String {
    let host = format!(r#"{LOG},hostname=~"$hostname""#);
    if matchers.is_empty() {
        host
    } else {
        format!("{host},{matchers}")
    }
}

fn glance() -> Row {
    let number = |title: &str, description: &str, matchers: &str| {
        let of_host = format!(
            "{}\nor\nmax ({}) * 0",
            around("sum", &events_by_host(&host(matchers), "$__range")),
            selector(catalogue::EVENTS.name, &host(""))
        );
        Panel::stat(title, description, COUNT, "Unknown host")
            .instant(&of_host, title)
            .decimals(0)
            .wide(4)
    };
    let versions = sum_by(
        "version",
        &events_by_host(&host(r#"version!="""#), "$__range"),
    ) + " > 0";
    Row::new("At a glance").line(
        4,
        vec![
            number("Lines", "Lines in the range that name this host.", ""),
            number(
                "Installs",
                "Installs of the agent on this host in the range.",
                words::INSTALLED,
            ),
            number(
                "Uninstalls",
                "Uninstalls and removals of the agent in the range.",
                words::UNINSTALLED,
            ),
            number(
                "Lost compliance",
                "Changes to non-compliant in the range.",
                words::NON_COMPLIANT,
            ),
            Panel::stat(
                "Versions",
                "Versions of the agent that lines in the range name, and how many of them.",
                COUNT,
                "None in the range",
            )
            .instant(&versions, "{{version}}")
            .fine_without("None in the range")
            .decimals(0)
            .wide(8),
        ],
    )
}

fn over_time() -> Row {
    let by = |label: &str, matchers: &str| sum_by(label, &events_by_host(&host(matchers), BAR));
    Row::new("Over time")
        .line(
            9,
            vec![
                Panel::bars("Events", "Lines that name this host by event, since the bar before.")
                    .query(&by("event", ""), "{{event}}")
                    .legend_beside()
                    .empty("Unknown host")
                    .wide(12),
                Panel::bars(
                    "Lines by version",
                    "Lines that name this host by the version of its agent, since the bar before: a change of colour is a change of version.",
                )
                .query(&by("version", r#"version!="""#), "{{version}}")
                .legend_beside()
                .empty("No version known")
                .wide(12),
            ],
        )
        .line(
            6,
            vec![
                Panel::timeline(
                    "When each version was seen",
                    "When lines of each version came. Blank where none did.",
                )
                .query(
                    &format!("{} > 0", by("version", r#"version!="""#)),
                    "{{version}}",
                )
                .empty("None in the range")
                .wide(24),
            ],
        )
}

fn tables() -> Row {
    let labels = "event_type, category, version, event";
    let in_range = sum_by(labels, &events_by_host(&host(""), "$__range")) + " > 0";
    let ever = sum_by(labels, &highest(&catalogue::EVENTS, &host("")));
    let columns = [
        ("event_type", "Log"),
        ("category", "Category"),
        ("version", "Version"),
        ("event", "Event"),
        ("Value", "Lines"),
    ];
    let table = |title: &str, description: &str| {
        Panel::table(title, description, COUNT, &columns)
            .column_width("Log", 65)
            .column_width("Category", 125)
            .column_width("Version", 95)
            .column_width("Lines", 75)
    };
    Row::new("Counts").line(
        9,
        vec![
            table("In the range", "Lines in the range that name this host.")
                .rows(&in_range)
                .empty("None in the range")
                .wide(12),
            table(
                "Ever counted",
                "All lines that name this host since the exporter's state began, and of the lookback before that.",
            )
            .rows(&ever)
            .empty("Unknown host")
            .wide(12),
        ],
    )
}
