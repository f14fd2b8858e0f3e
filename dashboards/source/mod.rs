//! What `dashboards/` is written from: the dashboards as Grafana's JSON, and the rules as a file for
//! Prometheus and as a `PrometheusRule` for its operator. Names of metrics and labels come from the
//! exporter's own catalogue, so that none can be wrong.
//!
//! `promql` has the pieces that all queries are made of, `words` the events that they look for.
//! `recording`, `settings` and `alerts` are the rules; `overview`, `device` and `exporter` the
//! dashboards, made of `panel`, `layout`, `variable` and `annotation`.

mod alerts;
mod annotation;
mod device;
mod exporter;
mod layout;
mod overview;
mod panel;
mod promql;
mod recording;
mod rules;
mod settings;
mod variable;
mod words;

/// A file that is written: its path below `dashboards/`, and its text.
#[derive(Debug)]
pub struct Written {
    pub path: &'static str,
    pub text: String,
}

/// Every file that is written. Of `README.md`, whose text this is, only the tables are.
pub fn files(readme: &str) -> std::io::Result<Vec<Written>> {
    let groups = rules::groups();
    let file = |path, text| Written { path, text };
    Ok(vec![
        file("metaaccess-overview.json", overview::dashboard()),
        file("metaaccess-device.json", device::dashboard()),
        file("metaaccess-exporter.json", exporter::dashboard()),
        file("rules/metaaccess.rules.yml", rules::file(&groups)?),
        file(
            "rules/metaaccess.prometheusrule.yml",
            rules::resource(&groups)?,
        ),
        file("README.md", with_tables(readme)),
    ])
}

fn with_tables(readme: &str) -> String {
    [
        ("alerts", alerts::markdown()),
        ("settings", settings::markdown()),
        ("recorded", recording::markdown()),
    ]
    .iter()
    .fold(readme.to_owned(), |text, (name, table)| {
        between_markers(&text, name, table)
    })
}

/// The text with something else between the two markers of this name, or as it is without them.
fn between_markers(text: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let parts = text
        .split_once(&begin)
        .and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    match parts {
        Some((before, after)) => [before, &begin, table, &end, after].concat(),
        None => text.to_owned(),
    }
}
