//! A YAML file as a tree in which every value knows where it stands, so that all mistakes of a file
//! can be told at once, each with its line and column.
//!
//! Scalars stay text: what `1.10` or `123` means is for the reader of the setting to say.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Budget, DuplicateKeyPolicy, Spanned};

/// Where something stands in a file, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pub line: u64,
    pub column: u64,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A value and its place. Its Debug shows none: a file may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Node {
    pub spot: Spot,
    pub value: Value,
}

/// What a YAML file can hold.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Scalar(String),
    List(Vec<Node>),
    /// Keys and values in the order of the file.
    Table(Vec<(Key, Node)>),
}

/// The key of a value.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    pub spot: Spot,
    pub text: String,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.spot)
    }
}

/// Why a text is no YAML. It holds nothing of the text but, at most, the name of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{spot}: this is no YAML as it is read here: {what}")]
pub struct YamlError {
    spot: Spot,
    what: String,
}

/// Values within values: four times as many as any file needs.
const DEEPEST: usize = 16;

/// Reads the one document of a text; nothing, where it is empty.
pub fn read(text: &str) -> Result<Node, YamlError> {
    // A few lines of anchors could stand for gigabytes.
    read_within(text, 100_000, |_| {})
}

/// As `read`, for a text of several megabytes, of which an anchor may be named in thousands of places.
pub fn read_large(text: &str) -> Result<Node, YamlError> {
    const MOST: usize = 2_000_000;
    read_within(text, MOST, |budget| {
        budget.max_nodes = MOST;
        budget.max_events = 2 * MOST;
        budget.enforce_alias_anchor_ratio = false;
    })
}

fn read_within(
    text: &str,
    most_replayed: usize,
    bounds: impl Fn(&mut Budget),
) -> Result<Node, YamlError> {
    let mut options = serde_saphyr::Options::default();
    options.duplicate_keys = DuplicateKeyPolicy::Error;
    options.strict_booleans = true;
    options.alias_limits.max_total_replayed_events = most_replayed;
    if let Some(budget) = &mut options.budget {
        // Each level takes tens of kilobytes of the stack, of which a thread has two megabytes.
        budget.max_depth = DEEPEST;
        bounds(budget);
    }
    // What some editors put first is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let read = serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options);
    let raw = read.map_err(|error| error_of(&error))?;
    Ok(node(raw, text))
}

fn error_of(error: &serde_saphyr::Error) -> YamlError {
    let (line, column) = error
        .location()
        .map_or((1, 1), |at| (at.line(), at.column()));
    // The snippet that is shown otherwise may hold a secret.
    let text = error.without_snippet().to_string();
    let what = text.lines().next().unwrap_or_default().to_owned();
    YamlError {
        spot: Spot { line, column },
        what,
    }
}

/// A plain scalar such as `1.10` as it was written.
fn written(text: &str, span: serde_saphyr::Span) -> Option<&str> {
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let length = usize::try_from(span.byte_len()?).ok()?;
    text.get(start..start.checked_add(length)?).map(str::trim)
}

/// A value as it comes, its scalars still typed.
enum Raw {
    Null,
    /// A bool or a number: its text is in the file.
    Typed(String),
    Text(String),
    List(Vec<Spanned<Self>>),
    Table(Vec<(Spanned<String>, Spanned<Self>)>),
}

fn node(raw: Spanned<Raw>, text: &str) -> Node {
    let spot = spot_of(raw.referenced);
    let defined = raw.defined.span();
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Text(value) => Value::Scalar(value),
        Raw::Typed(value) => Value::Scalar(written(text, defined).map_or(value, str::to_owned)),
        Raw::List(items) => Value::List(items.into_iter().map(|item| node(item, text)).collect()),
        Raw::Table(entries) => {
            let entry = |(key, value): (Spanned<String>, Spanned<Raw>)| {
                let spot = spot_of(key.referenced);
                let name = key.value;
                (Key { spot, text: name }, node(value, text))
            };
            Value::Table(entries.into_iter().map(entry).collect())
        }
    };
    Node { spot, value }
}

fn spot_of(location: serde_saphyr::Location) -> Spot {
    Spot {
        line: location.line(),
        column: location.column(),
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfAnyKind)
    }
}

struct OfAnyKind;

impl<'de> Visitor<'de> for OfAnyKind {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut table = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            table.push(entry);
        }
        Ok(Raw::Table(table))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The tree without its places.
    fn shown(node: &Node) -> String {
        match &node.value {
            Value::Null => "~".to_owned(),
            Value::Scalar(text) => format!("{text:?}"),
            Value::List(items) => format!("{:?}", items.iter().map(shown).collect::<Vec<_>>()),
            Value::Table(entries) => {
                let entry = |(key, node): &(Key, Node)| format!("{}={}", key.text, shown(node));
                format!(
                    "{{{}}}",
                    entries.iter().map(entry).collect::<Vec<_>>().join(",")
                )
            }
        }
    }

    #[test]
    fn scalars_stay_as_they_were_written() {
        let text = "a: 1.10\nb: 007\nc: yes\nd: true\ne: '1'\nf: 1e3\ng:\nh: 0x1F\ni: -5\nj: |\n  x\n  y\n";
        let expected =
            r#"{a="1.10",b="007",c="yes",d="true",e="1",f="1e3",g=~,h="0x1F",i="-5",j="x\ny\n"}"#;
        assert_eq!(shown(&read(text).unwrap()), expected);
    }

    #[test]
    fn every_key_and_value_knows_its_place() {
        let tree = read("a:\n  b: [x, y]\n").unwrap();
        let Value::Table(a) = &tree.value else {
            panic!()
        };
        let Value::Table(b) = &a[0].1.value else {
            panic!()
        };
        assert_eq!((b[0].0.spot.line, b[0].0.spot.column), (2, 3));
        let Value::List(items) = &b[0].1.value else {
            panic!()
        };
        assert_eq!((items[1].spot.line, items[1].spot.column), (2, 10));
    }

    #[test]
    fn an_empty_file_is_nothing() {
        for text in ["", "\n", "# only words\n", "---\n"] {
            assert_eq!(shown(&read(text).unwrap()), "~", "{text:?}");
        }
    }

    #[test]
    fn what_is_no_yaml_is_refused_with_its_place_and_without_its_text() {
        for text in [
            "a: 'hunter2\n",
            "a: [hunter2\n",
            "a: hunter2\n  b: c: d\n",
            "a: 1\na: hunter2\n",
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with("line "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_file_that_blows_up_is_refused() {
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(","));
        }
        assert!(read(&text).is_err());
        assert!(read(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn a_file_that_is_nested_deeply_is_refused_before_the_stack_ends() {
        let deep = |levels: usize| format!("{}1{}", "{a: ".repeat(levels), "}".repeat(levels));
        assert!(read(&deep(DEEPEST)).is_ok());
        for levels in [DEEPEST + 1, 60, 1000, 50_000] {
            assert!(read(&deep(levels)).is_err(), "{levels}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z:\\-\\[\\]{}&*!|>'\"#%@,? \n0-9.~]{0,60}") {
            let _ = read(&text);
        }
    }
}
