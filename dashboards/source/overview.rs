//! The overview: what happens to devices and who administers them.

use metaaccess_exporter::catalogue;

use crate::source::layout::{Dashboard, Row};
use crate::source::panel::{COUNT, Panel};
use crate::source::promql::{
    ACCOUNT, BAR, LOG, around, counts, events, events_by_host, highest, quantile, selector, sum_by,
};
use crate::source::{annotation, variable, words};

/// Where a row of a table leads to: the dashboard of that host.
pub const TO_DEVICE: &str = "/d/metaaccess-device?var-hostname=${__value.text:percentencode}&${datasource:queryparam}&${account:queryparam}&${__url_time_range}";

pub fn dashboard() -> String {
    Dashboard {
        uid: "metaaccess-overview",
        title: "MetaAccess overview",
        description: "What the event logs of OPSWAT MetaAccess say, as metaaccess-exporter counts them: each line once.",
        from: "now-6h",
        variables: vec![
            variable::source(),
            variable::account(),
            variable::event_type(),
            variable::version(),
            variable::event(),
            variable::counts(),
        ],
        annotations: vec![annotation::roll_outs(), annotation::restarts()],
        rows: vec![glance(), versions(), fleet(), administrators(), freshness()],
    }
    .json()
}

/// Installs of the versions that are chosen.
fn installs() -> String {
    format!(r#"{ACCOUNT},version=~"$version",{}"#, words::INSTALLED)
}

/// What the matchers say, of the accounts and versions that are chosen.
fn of_devices(matchers: &str) -> String {
    format!(r#"{ACCOUNT},version=~"$version",{matchers}"#)
}

/// Every line that is chosen.
fn chosen() -> String {
    format!(r#"{LOG},version=~"$version",event=~"$event""#)
}

/// Lines within the range; 0 where there is an exporter but no such line.
fn total(matchers: &str) -> String {
    format!(
        "{}\nor\nmax ({}) * 0",
        around("sum", &events(matchers, "$__range")),
        selector(catalogue::UP.name, ACCOUNT)
    )
}

fn glance() -> Row {
    let number = |title: &str, description: &str, matchers: &str| {
        Panel::stat(title, description, COUNT, "No exporter")
            .instant(&total(matchers), title)
            .decimals(0)
            .wide(4)
    };
    let bad = |panel: Panel| panel.color(&[("text", None), ("orange", Some(1.0))]);
    let age = format!(
        "ceil(max(time() - ({} > 0)))",
        highest(&catalogue::READ_TIMESTAMP, LOG)
    );
    Row::new("At a glance").line(
        4,
        vec![
            number(
                "Installs",
                "Agents installed in the range, of the accounts and versions that are chosen.",
                &installs(),
            ),
            bad(number(
                "Uninstalls",
                "Agents in the range that were uninstalled by a user or removed by an administrator.",
                &of_devices(words::UNINSTALLED),
            )),
            bad(number(
                "Lost compliance",
                "Changes of devices to non-compliant in the range. A device that changes twice counts twice.",
                &of_devices(words::NON_COMPLIANT),
            )),
            bad(number(
                "Failed log-ons",
                "Failed log-ons of administrators in the range.",
                &format!("{ACCOUNT},{}", words::FAILED_LOG_ON),
            )),
            number(
                "Lines",
                "Lines in the range of the logs, versions and events that are chosen.",
                &chosen(),
            ),
            Panel::stat(
                "Age of the data",
                "How long ago the log that is furthest behind was read to its newest line. With scrapes every 15 s it stays below a minute; while it is caught up with, it grows.",
                "s",
                "Not read yet",
            )
            .instant(&age, "Age of the data")
            .decimals(0)
            .color(&[("green", None), ("orange", Some(120.0)), ("red", Some(900.0))])
            .wide(4),
        ],
    )
}

fn versions() -> Row {
    let over_time = format!("sum by (version) ({})", events(&installs(), BAR));
    let in_range = format!("sum by (version) ({})", events(&installs(), "$__range"));
    let so_far = format!(
        "sum by (version) (max by ({}) ({}))",
        catalogue::EVENTS.labels.join(", "),
        counts(&installs())
    );
    Row::new("Installs and roll-outs").line(
        9,
        vec![
            Panel::bars(
                "Installs by version",
                "Installs since the bar before. Marks show when the first installs of a version came. A bar shows when it is full: what is newer stands in the numbers above.",
            )
            .query(&over_time, "{{version}}")
            .legend_beside()
            .empty("Nothing counted yet")
            .wide(11),
            Panel::pie(
                "Share of installs by version",
                "Of the installs in the range: how far a roll-out is.",
            )
            .instant(&format!("{in_range} > 0"), "{{version}}")
            .empty("No installs in the range")
            .wide(7),
            Panel::shares(
                "Share of all installs so far",
                "Of all installs ever counted, by version; the legend has how many. Devices that were uninstalled since are still in.",
            )
            .query(&so_far, "{{version}}")
            .empty("Nothing counted yet")
            .wide(6),
        ],
    )
}

/// Bars of what the matchers say, by event.
fn by_event(title: &str, description: &str, matchers: &str) -> Panel {
    let grown = sum_by("event", &events(matchers, BAR));
    Panel::bars(title, description)
        .query(&grown, "{{event}}")
        .empty("Nothing counted yet")
}

fn fleet() -> Row {
    let by_host = sum_by("hostname", &events_by_host(&chosen(), "$__range"));
    let hosts = format!("topk(10, {by_host} > 0)");
    let in_range = sum_by(
        "event_type, category, event",
        &events(&chosen(), "$__range"),
    ) + " > 0";
    Row::new("Devices")
        .line(
            8,
            vec![
                by_event(
                    "Uninstalls and removals",
                    "Agents that were uninstalled by a user or removed by an administrator, since the bar before.",
                    &of_devices(words::UNINSTALLED),
                )
                .painted("/uninstalled/i", "orange")
                .painted("/removed/i", "purple")
                .wide(8),
                by_event(
                    "Changes of compliance",
                    "Devices that turned compliant or non-compliant, since the bar before.",
                    &of_devices(words::COMPLIANCE),
                )
                .painted("/compliant/i", "green")
                .painted("/non[- ]?compliant/i", "orange")
                .wide(8),
                Panel::table(
                    "Busiest hosts",
                    "The ten hosts with the most lines in the range, of the logs, versions and events that are chosen. A click leads to the host.",
                    COUNT,
                    &[("hostname", "Host"), ("Value", "Lines")],
                )
                .rows(&hosts)
                .link("Host", "Look at this host", TO_DEVICE)
                .column_width("Lines", 90)
                .empty("None in the range")
                .wide(8),
            ],
        )
        .line(
            10,
            vec![
                by_event(
                    "Lines by event",
                    "Lines of the logs, versions and events that are chosen, since the bar before.",
                    &chosen(),
                )
                .legend_beside()
                .wide(12),
                Panel::table(
                    "Events by category",
                    "Lines in the range of the logs, versions and events that are chosen.",
                    COUNT,
                    &[
                        ("event_type", "Log"),
                        ("category", "Category"),
                        ("event", "Event"),
                        ("Value", "Lines"),
                    ],
                )
                .rows(&in_range)
                .column_width("Log", 70)
                .column_width("Category", 170)
                .column_width("Lines", 90)
                .empty("None in the range")
                .wide(12),
            ],
        )
}

fn administrators() -> Row {
    let admin = format!(r#"{ACCOUNT},event_type="admin",event=~"$event""#);
    let failed = format!("{ACCOUNT},{}", words::FAILED_LOG_ON);
    let over_time = sum_by("account", &events(&failed, BAR));
    let by_host = sum_by("account, hostname", &events_by_host(&failed, "$__range"));
    let hosts = format!("topk(10, {by_host} > 0)");
    Row::new("Administrators").line(
        8,
        vec![
            by_event(
                "Activity of administrators",
                "Lines of the administrator log by event, since the bar before.",
                &admin,
            )
            .legend_beside()
            .wide(12),
            Panel::bars(
                "Failed log-ons by account",
                "Failed log-ons of administrators, since the bar before.",
            )
            .query(&over_time, "{{account}}")
            .empty("Nothing counted yet")
            .wide(6),
            Panel::table(
                "Failed log-ons by host",
                "The ten hosts that the most lines of failed log-ons in the range name.",
                COUNT,
                &[
                    ("account", "Account"),
                    ("hostname", "Host"),
                    ("Value", "Failed"),
                ],
            )
            .rows(&hosts)
            .link("Host", "Look at this host", TO_DEVICE)
            .column_width("Account", 85)
            .column_width("Failed", 75)
            .empty("None in the range")
            .wide(6),
        ],
    )
}

fn freshness() -> Row {
    let read = format!(
        "topk(10, time() - ({} > 0))",
        highest(&catalogue::READ_TIMESTAMP, LOG)
    );
    let newest = format!(
        "topk(10, time() - ({} > 0))",
        highest(&catalogue::NEWEST_LINE_TIMESTAMP, LOG)
    );
    let delay = |q| quantile(q, &catalogue::DELAY, LOG, "event_type");
    Row::new("Freshness of the data").line(
        8,
        vec![
            Panel::lines(
                "Since the log was last read",
                "Time since a log was last read from its newest line to all that was not yet counted; of many, the ten longest ago.",
                "s",
            )
            .query(&read, "{{account}} {{event_type}}")
            .empty("Not read yet")
            .wide(8),
            Panel::lines(
                "Age of the newest line",
                "Time since the minute of a log's newest line, in the time zone that is set for it: hours that stay the same hint at another zone. Of many, the ten longest ago.",
                "s",
            )
            .query(&newest, "{{account}} {{event_type}}")
            .below_zero()
            .empty("No line yet")
            .wide(8),
            Panel::lines(
                "Delay of lines",
                "From the end of a line's minute until it was counted: half of the lines, and 95 of 100, are quicker.",
                "s",
            )
            .query(&delay(0.5), "{{event_type}}, half")
            .query(&delay(0.95), "{{event_type}}, 95 %")
            .empty("No line counted in the range")
            .wide(8),
        ],
    )
}
