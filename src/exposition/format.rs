//! What the two text formats share, and where they differ.

use std::sync::LazyLock;

use super::piece::Piece;
use crate::catalogue::{EVENTS, Metric};

/// A format in which metrics are exposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// The text format of Prometheus, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The `Content-Type` of the format. Prometheus 3 fails a scrape whose type it does not know.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What stands at the end of all metrics.
    pub(super) fn end(self) -> &'static str {
        match self {
            Self::Text => "",
            Self::OpenMetrics => "# EOF\n",
        }
    }

    /// The name of a metric of this kind as it stands in `# TYPE`: in OpenMetrics a counter's `_total`
    /// belongs to its sample.
    pub fn family(self, name: &str, is_counter: bool) -> &str {
        match self {
            Self::OpenMetrics if is_counter => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        }
    }
}

/// The `# HELP` and `# TYPE` lines of the event counters, which stand before those of any account.
pub(super) fn head(format: Format) -> &'static Piece {
    static TEXT: LazyLock<Piece> = LazyLock::new(|| written_head(Format::Text));
    static OPENMETRICS: LazyLock<Piece> = LazyLock::new(|| written_head(Format::OpenMetrics));
    match format {
        Format::Text => &TEXT,
        Format::OpenMetrics => &OPENMETRICS,
    }
}

fn written_head(format: Format) -> Piece {
    let Metric { help, kind, .. } = EVENTS;
    let name = format.family(EVENTS.name, true);
    let kind = kind.as_str();
    Piece::new(format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"))
}

/// Writes a label's value as both formats want it, and a help as OpenMetrics does.
pub fn label_into(text: &mut String, value: &str) {
    let mut rest = value;
    while let Some(at) = rest.find(['\\', '"', '\n']) {
        let (plain, special) = rest.split_at(at);
        text.push_str(plain);
        let mut chars = special.chars();
        text.push_str(match chars.next() {
            Some('\n') => "\\n",
            Some('"') => "\\\"",
            _ => "\\\\",
        });
        rest = chars.as_str();
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_content_types_are_those_that_prometheus_knows() {
        assert_eq!(
            Format::Text.content_type(),
            "text/plain; version=0.0.4; charset=utf-8"
        );
        assert_eq!(
            Format::OpenMetrics.content_type(),
            "application/openmetrics-text; version=1.0.0; charset=utf-8"
        );
    }

    #[test]
    fn a_counter_is_named_without_its_ending_in_openmetrics_alone() {
        let head = |format| String::from_utf8_lossy(head(format).text()).into_owned();
        assert!(head(Format::Text).contains("# TYPE metaaccess_events_total counter\n"));
        assert!(head(Format::OpenMetrics).contains("# TYPE metaaccess_events counter\n"));
        assert!(head(Format::OpenMetrics).contains("# HELP metaaccess_events Lines"));
    }

    fn escaped(value: &str) -> String {
        let mut text = String::new();
        label_into(&mut text, value);
        text
    }

    #[test]
    fn the_three_special_characters_are_escaped() {
        assert_eq!(escaped("a\\b\"c\nd\\"), r#"a\\b\"c\nd\\"#);
        assert_eq!(escaped("Ärger\r\t\u{2028}😀"), "Ärger\r\t\u{2028}😀");
    }

    proptest! {
        #[test]
        fn what_is_escaped_can_be_read_again(value in any::<String>()) {
            let escaped = escaped(&value);
            prop_assert!(!escaped.contains('\n'));
            let (mut read, mut chars) = (String::new(), escaped.chars());
            while let Some(c) = chars.next() {
                prop_assert!(c != '"', "a bare quotation mark ends the label");
                read.push(match c {
                    '\\' => match chars.next() {
                        Some('n') => '\n',
                        Some(c @ ('\\' | '"')) => c,
                        other => return Err(TestCaseError::fail(format!("\\{other:?}"))),
                    },
                    c => c,
                });
            }
            prop_assert_eq!(read, value);
        }
    }
}
