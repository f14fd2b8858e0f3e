//! What the client wants: `Accept` and `Accept-Encoding` of HTTP (RFC 9110, sections 12.4.2 to 12.5.3).

use super::Format;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub format: Format,
    pub gzip: bool,
}

/// What to answer to a request with these values of `Accept` and `Accept-Encoding`, several headers
/// of one name joined by commas.
///
/// OpenMetrics is only for those who name it. Who accepts nothing that there is gets the text format:
/// a wrong `Accept` is more often a mistake than a wish for an error.
pub fn wanted(accept: &str, accept_encoding: &str) -> Wanted {
    Wanted {
        format: format(accept),
        gzip: is_gzip(accept_encoding),
    }
}

/// Weights are whole thousandths.
const MOST: u16 = 1000;

/// One element of the list: what it names, its parameters, and its weight.
struct Range<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    weight: u16,
}

fn format(accept: &str) -> Format {
    let ranges = ranges(accept);
    let openmetrics = best(&ranges, |range| match range.name {
        name if !name.eq_ignore_ascii_case("application/openmetrics-text") => None,
        _ => specificity(range, "1.0.0"),
    });
    let text = best(&ranges, |range| match range.name {
        "*/*" => Some(0),
        name if name.eq_ignore_ascii_case("text/*") => Some(1),
        name if !name.eq_ignore_ascii_case("text/plain") => None,
        _ => specificity(range, "0.0.4"),
    });
    // Of two that are liked as much, the one that is named first.
    match (openmetrics, text) {
        (Some((weight, _)), None) if weight > 0 => Format::OpenMetrics,
        (Some((weight, place)), Some((other, other_place)))
            if weight > other || weight > 0 && weight == other && place < other_place =>
        {
            Format::OpenMetrics
        }
        _ => Format::Text,
    }
}

/// How precisely a range names the version of a format; none, if it names another one.
fn specificity(range: &Range<'_>, version: &str) -> Option<u8> {
    let mut versions = range.parameters.iter();
    match versions.find(|(name, _)| name.eq_ignore_ascii_case("version")) {
        Some((_, named)) => (*named == version).then_some(3),
        None => Some(2),
    }
}

/// Weight and place of the range that names something most precisely, as `specificity` tells.
fn best(
    ranges: &[Range<'_>],
    specificity: impl Fn(&Range<'_>) -> Option<u8>,
) -> Option<(u16, usize)> {
    let named = ranges.iter().enumerate();
    let named = named.filter_map(|(place, range)| Some((specificity(range)?, range.weight, place)));
    let best =
        named.max_by_key(|(precise, weight, place)| (*precise, *weight, std::cmp::Reverse(*place)));
    best.map(|(_, weight, place)| (weight, place))
}

fn is_gzip(accept_encoding: &str) -> bool {
    let ranges = ranges(accept_encoding);
    let weight = |names: &[&str]| {
        let is_named = |range: &Range| names.iter().any(|n| range.name.eq_ignore_ascii_case(n));
        best(&ranges, |range| {
            is_named(range)
                .then_some(1)
                .or((range.name == "*").then_some(0))
        })
    };
    let gzip = weight(&["gzip", "x-gzip"]).map_or(0, |(weight, _)| weight);
    // To be left as it is may be refused, but is not a wish unless it is named.
    let named = ranges
        .iter()
        .find(|range| range.name.eq_ignore_ascii_case("identity"));
    gzip > 0 && gzip >= named.map_or(0, |range| range.weight)
}

/// The elements of a list; one that is malformed is left out.
fn ranges(list: &str) -> Vec<Range<'_>> {
    split(list, ',').into_iter().filter_map(range).collect()
}

fn range(element: &str) -> Option<Range<'_>> {
    let mut parts = split(element, ';').into_iter();
    let name = parts.next()?;
    let mut range = Range {
        name,
        parameters: Vec::new(),
        weight: MOST,
    };
    for part in parts {
        let (name, value) = part.split_once('=')?;
        let (name, value) = (name.trim(), value.trim().trim_matches('"'));
        if name.eq_ignore_ascii_case("q") {
            range.weight = weight(value)?;
        } else {
            range.parameters.push((name, value));
        }
    }
    Some(range)
}

/// A weight such as `0.5`: from 0 to 1 with three decimals at most.
fn weight(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = decimals.bytes().all(|digit| digit.is_ascii_digit());
    if !matches!(whole, "0" | "1") || decimals.len() > 3 || !are_digits {
        return None;
    }
    let weight = format!("{whole}{decimals:0<3}").parse().ok()?;
    (weight <= MOST).then_some(weight)
}

/// The parts of a list, trimmed and without empty ones. What is quoted is not split.
fn split(list: &str, separator: char) -> Vec<&str> {
    let mut is_quoted = false;
    let parts = list.split(|c| {
        is_quoted ^= c == '"';
        c == separator && !is_quoted
    });
    parts
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Prometheus sends from 2.49 on, and from 3.0 on.
    const PROMETHEUS_2: &str = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

    #[test]
    fn openmetrics_is_for_those_who_prefer_it() {
        for accept in [
            PROMETHEUS_2,
            PROMETHEUS_3,
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; Version=\"1.0.0\" ; Q=1",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "application/openmetrics-text;q=0.001, text/plain;q=0",
            "application/openmetrics-text, text/plain",
            "application/openmetrics-text;q=0.5,*/*;q=0.1",
            "text/plain;version=0.0.4;q=0.5, application/openmetrics-text;version=1.0.0;q=0.75",
            "text/plain;version=1.0.0;q=0.9, application/openmetrics-text;version=1.0.0;q=0.5",
        ] {
            assert_eq!(format(accept), Format::OpenMetrics, "{accept}");
        }
    }

    #[test]
    fn all_others_get_the_text_format() {
        for accept in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/plain",
            "application/*",
            "application/json",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.0, */*",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;version=2.0.0, text/plain;q=0.1",
            "application/openmetrics-text;q=0.3, text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text;q=0.5, text/*;q=0.7",
            "text/plain, application/openmetrics-text",
            "application/openmetrics-text;version=1.0.0;q=0, application/openmetrics-text",
            "application/openmetrics-text;q=2",
            "application/openmetrics-text;q=high, */*",
            "application/openmetrics-text2",
            ",;,q=,=",
        ] {
            assert_eq!(format(accept), Format::Text, "{accept}");
        }
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for encodings in [
            "gzip",
            "GZIP",
            "x-gzip",
            "deflate, gzip;q=1.0, *;q=0.5",
            "*",
            "gzip;q=0.5",
            "br;q=1, gzip;q=0.1",
            "identity;q=0.5, gzip;q=0.5",
            "identity;q=0, *",
        ] {
            assert!(is_gzip(encodings), "{encodings}");
        }
        for encodings in [
            "",
            "identity",
            "gzip;q=0",
            "*;q=0",
            "br",
            "gzip;q=0, *",
            "gzip;q=0.2, identity",
            "gzipped",
            "gzip;q=-1",
        ] {
            assert!(!is_gzip(encodings), "{encodings}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_is_answered(accept: String, encoding: String) {
            wanted(&accept, &encoding);
        }

        #[test]
        fn the_heavier_one_is_taken(openmetrics in 0_u16..=1000, text in 0_u16..=1000) {
            prop_assume!(openmetrics != text);
            let q = |weight: u16| format!("{}.{:03}", weight / 1000, weight % 1000);
            let accept = format!(
                "text/plain;version=0.0.4;q={}, application/openmetrics-text;version=1.0.0;q={}",
                q(text), q(openmetrics),
            );
            let expected = if openmetrics > text { Format::OpenMetrics } else { Format::Text };
            prop_assert_eq!(format(&accept), expected);
        }
    }
}
