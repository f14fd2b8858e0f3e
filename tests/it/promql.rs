//! A small reader of PromQL: words, braces and parentheses, and who stands inside what.

use std::collections::BTreeSet;

/// A word, a number, quoted text or a sign. Variables of Grafana's are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Word(String),
    Quoted(String),
    Sign(char),
}

/// Reads a query. Comments are left out.
pub fn tokens(query: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = query.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => {
                let mut text = String::new();
                while let Some(c) = rest.next() {
                    match c {
                        '\\' => text.extend(rest.next()),
                        '"' => break,
                        c => text.push(c),
                    }
                }
                tokens.push(Token::Quoted(text));
            }
            '$' => while rest.next_if(|c| is_of_word(*c)).is_some() {},
            '#' => while rest.next_if(|c| *c != '\n').is_some() {},
            c if is_of_word(c) => {
                let mut word = String::from(c);
                while let Some(c) = rest.next_if(|c| is_of_word(*c)) {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
            c if c.is_whitespace() => {}
            c => tokens.push(Token::Sign(c)),
        }
    }
    tokens
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Words after which parentheses hold labels.
const GROUPING: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

/// A series that a query reads, by one of the names it may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    pub name: String,
    /// The functions and operators that it is inside of, the innermost first.
    pub inside: Vec<String>,
}

/// What a query names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub selectors: Vec<Selector>,
    /// Those that it matches or groups by.
    pub labels: BTreeSet<String>,
}

impl Named {
    pub fn names(&self) -> BTreeSet<&str> {
        let names = self.selectors.iter().map(|selector| &*selector.name);
        names.collect()
    }
}

/// The series and labels of a query. Names are those that begin as ours do, or have a colon as
/// recorded ones do, and what `__name__` is matched against.
pub fn named(query: &str) -> Named {
    let tokens = tokens(query);
    let mut named = Named::default();
    // What each parenthesis that is open belongs to, and of which label the braces tell.
    let (mut open, mut label) = (Vec::new(), String::new());
    let mut in_braces = false;
    for (place, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign('{') => in_braces = true,
            Token::Sign('}') => in_braces = false,
            Token::Sign('(') => open.push(opener(&tokens, place)),
            Token::Sign(')') => drop(open.pop()),
            Token::Word(word) if in_braces || open.last().is_some_and(|it| is_grouping(it)) => {
                label.clone_from(word);
                named.labels.insert(word.clone());
            }
            Token::Word(word) if is_name(word) => named.select(word, &open),
            Token::Quoted(text) if in_braces && label == "__name__" => {
                let names = text.split('|').filter(|name| is_name(name));
                names.for_each(|name| named.select(name, &open));
                if text.starts_with('$') {
                    named.select(text, &open);
                }
            }
            _ => {}
        }
    }
    named
}

impl Named {
    fn select(&mut self, name: &str, open: &[String]) {
        let name = name.to_owned();
        let inside = open.iter().rev().filter(|it| !it.is_empty()).cloned();
        let inside = inside.collect();
        self.selectors.push(Selector { name, inside });
    }
}

fn is_grouping(word: &str) -> bool {
    GROUPING.contains(&word)
}

fn is_name(word: &str) -> bool {
    let is_recorded = word.contains(':') && word.starts_with(char::is_alphabetic);
    is_recorded || word.starts_with("metaaccess_") || word.starts_with("process_") || word == "up"
}

/// The function or operator of a parenthesis, also where `by (…)` stands between; empty for none.
fn opener(tokens: &[Token], place: usize) -> String {
    let before = tokens[..place].last();
    match before {
        Some(Token::Word(word)) => word.clone(),
        Some(Token::Sign(')')) => {
            let mut depth = 0;
            let begin = tokens[..place].iter().rposition(|token| {
                match token {
                    Token::Sign(')') => depth += 1,
                    Token::Sign('(') => depth -= 1,
                    _ => {}
                }
                depth == 0
            });
            match tokens.get(..begin.unwrap_or(0)) {
                Some([.., Token::Word(operator), Token::Word(by)])
                    if ["by", "without"].contains(&&**by) =>
                {
                    operator.clone()
                }
                _ => String::new(),
            }
        }
        _ => String::new(),
    }
}

#[test]
fn names_labels_and_what_stands_around_them_are_found() {
    let query = r#"sum by (version) (max by (pod) (increase(metaaccess_events_total{event=~"$a,b=\"c",category!=""}[5m:15s]))) / on (job) metaaccess_up # sum(up)"#;
    let named = named(query);
    let selector = |name: &str, inside: &[&str]| Selector {
        name: name.to_owned(),
        inside: inside.iter().map(|&word| word.to_owned()).collect(),
    };
    assert_eq!(
        named.selectors,
        [
            selector("metaaccess_events_total", &["increase", "max", "sum"]),
            selector("metaaccess_up", &[]),
        ]
    );
    let expected = ["category", "event", "job", "pod", "version"].map(str::to_owned);
    assert_eq!(named.labels, BTreeSet::from(expected));
}

#[test]
fn names_that_are_matched_are_found() {
    let found = named(r#"max({__name__=~"a:metaaccess_up:max|metaaccess_up",account="x"})"#);
    assert_eq!(
        found.names(),
        BTreeSet::from(["a:metaaccess_up:max", "metaaccess_up"])
    );
    let chosen = named(r#"{__name__=~"$counts"}"#);
    assert_eq!(chosen.names(), BTreeSet::from(["$counts"]));
}
