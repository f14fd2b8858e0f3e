//! The name of an event: its description without what varies.

use std::borrow::Cow;

use super::gaps::{without_hostname, without_quoted};
use super::vocabulary::{Kind, PHRASES, phrase};
use super::words::{Token, tokens};

/// The longest event name in bytes; a longer one ends after the last word that fits.
pub const LONGEST_NAME: usize = 80;

/// The name of an event whose description is empty or held nothing but what varies.
pub const NOTHING_LEFT: &str = "unspecified";

/// The vendor's form of naming a policy: the rest of the description is the policy's name.
const POLICY_FORM: [&str; 3] = ["configuration", "change", "policy"];

/// How much of a description is looked at: far more than any has, and little enough to be quick.
const LONGEST_DESCRIPTION: usize = 2048;

/// The description in the vendor's own words, with what varies taken out.
///
/// Naming a name again gives the same name. One of the vendor's phrases is its own name, even if
/// the host is called so.
pub fn event_name(description: &str, hostname: &str) -> Cow<'static, str> {
    let (description, hostname) = (beginning(description.trim()), hostname.trim());
    if let Some(phrase) = phrase(description) {
        return phrase.into();
    }
    let mut name = cleaned(description, hostname);
    // What was apart can stand together once the words between are gone, and be a name then.
    while !name.is_settled {
        let again = cleaned(&name.text, hostname);
        name.is_settled = again.is_settled || again.text == name.text;
        name.text = again.text;
    }
    match phrase(&name.text) {
        Some(phrase) => phrase.into(),
        None if name.text.is_empty() => NOTHING_LEFT.into(),
        None => name.text.into(),
    }
}

/// As much of a description as is looked at, to the end of a word.
fn beginning(description: &str) -> &str {
    let end = description.floor_char_boundary(LONGEST_DESCRIPTION);
    match description.split_at(end) {
        (whole, "") => whole,
        (part, _) => part
            .rfind(char::is_whitespace)
            .map_or(part, |at| part.split_at(at).0),
    }
}

struct Cleaned {
    text: String,
    /// Cleaning it again would change nothing, since nothing in it has come together.
    is_settled: bool,
}

fn cleaned(text: &str, hostname: &str) -> Cleaned {
    let text = without_hostname(text, hostname);
    let text = without_quoted(&text);
    let mut tokens = tokens(&text);
    tokens.truncate(end_of_policy_form(&tokens).unwrap_or(tokens.len()));
    let phrase = words_of_phrase(&tokens);
    take_out_names(&mut tokens, phrase);
    take_out_dangling(&mut tokens, phrase);
    let gaps_are_last = tokens.is_sorted_by_key(|token| *token == Token::Gap);
    Cleaned {
        text: join(&tokens),
        is_settled: gaps_are_last && !hostname.contains(char::is_whitespace),
    }
}

/// How many tokens the longest of the vendor's phrases takes that the text begins with.
fn words_of_phrase(tokens: &[Token<'_>]) -> usize {
    let Some(first) = tokens.first().and_then(|token| token.word()) else {
        return 0;
    };
    let length = |phrase: &&str| {
        let mut words = tokens.iter().map(|token| token.word().unwrap_or_default());
        let mut length = 0;
        let mut is_next = |word: &str| words.next().is_some_and(|w| w.eq_ignore_ascii_case(word));
        phrase
            .split(' ')
            .all(|word| {
                length += 1;
                is_next(word)
            })
            .then_some(length)
    };
    let may_begin = |phrase: &&&str| {
        let initial = |text: &str| text.bytes().next().map(|b| b.to_ascii_lowercase());
        initial(phrase) == initial(first)
    };
    PHRASES
        .iter()
        .filter(may_begin)
        .filter_map(length)
        .max()
        .unwrap_or(0)
}

/// Makes gaps of the words that are names by the company they keep.
fn take_out_names(tokens: &mut [Token<'_>], phrase: usize) {
    // What follows a phrase is whom or what it was done to.
    let mut name_expected = phrase > 0;
    for at in phrase..tokens.len() {
        let Some(&Token::Word(word, kind)) = tokens.get(at) else {
            continue;
        };
        let kept = match kind {
            None => is_vendors_own(tokens, at, word, name_expected),
            Some(Kind::Unit) => !follows_gap(tokens, at),
            Some(_) => true,
        };
        name_expected = match kind {
            None => !kept,
            Some(Kind::Introducer | Kind::Preposition | Kind::Action) => true,
            Some(Kind::Plain) => false,
            Some(Kind::Label | Kind::Unit) => name_expected,
        };
        if !kept && let Some(token) = tokens.get_mut(at) {
            *token = Token::Gap;
        }
    }
}

/// Whether an unknown word is one of the vendor's rather than a name.
fn is_vendors_own(tokens: &[Token<'_>], at: usize, word: &str, name_expected: bool) -> bool {
    if name_expected {
        // A verb ends the name that stands before it: `Jane Roe inspected the device`.
        let is_verb = word.len() > 5 && word.ends_with("ed") && is_lower_case(word);
        return is_verb && follows_gap(tokens, at);
    }
    if at == 0 {
        return is_first_word(word, tokens.get(1).copied());
    }
    is_lower_case(word) && word.chars().count() > 1
}

fn follows_gap(tokens: &[Token<'_>], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| tokens.get(before)) == Some(&Token::Gap)
}

/// Where the description ends for us, if it names a policy in the vendor's form.
fn end_of_policy_form(tokens: &[Token<'_>]) -> Option<usize> {
    let is =
        |token: &Token<'_>, word: &str| token.word().is_some_and(|w| w.eq_ignore_ascii_case(word));
    let here = |window: &[Token<'_>]| {
        window
            .iter()
            .zip(POLICY_FORM)
            .all(|(token, word)| is(token, word))
    };
    let start = tokens.windows(POLICY_FORM.len()).position(here)?;
    Some(start + POLICY_FORM.len())
}

/// An unknown word at the beginning is the vendor's unless it begins a name or does something.
fn is_first_word(word: &str, next: Option<Token<'_>>) -> bool {
    let begins_name = match next {
        Some(Token::Word(_, Some(kind))) => kind == Kind::Action,
        Some(Token::Word(next, None)) => !is_lower_case(next),
        Some(Token::Gap) | None => false,
    };
    let mut letters = word.chars();
    letters.next();
    !begins_name && is_lower_case(letters.as_str())
}

fn is_lower_case(word: &str) -> bool {
    !word.chars().any(char::is_uppercase)
}

/// Makes gaps of the labels and prepositions that pointed at what is gone.
fn take_out_dangling(tokens: &mut [Token<'_>], phrase: usize) {
    let mut gap_follows = false;
    for at in (phrase..tokens.len()).rev() {
        let before = at
            .checked_sub(1)
            .and_then(|before| tokens.get(before)?.word());
        let Some(token) = tokens.get_mut(at) else {
            continue;
        };
        let Token::Word(word, kind) = *token else {
            gap_follows = true;
            continue;
        };
        match kind.filter(|_| gap_follows) {
            Some(Kind::Label) => *token = Token::Gap,
            // What it belonged to is whole again: the word before it points at nothing that is gone.
            Some(Kind::Preposition) if !is_particle(word, before) => {
                *token = Token::Gap;
                gap_follows = false;
            }
            _ => gap_follows = false,
        }
    }
}

/// Whether a preposition is part of the verb before it: `logged on`.
fn is_particle(word: &str, before: Option<&str>) -> bool {
    let is_one_of = |word: &str, list: &[&str]| list.iter().any(|w| w.eq_ignore_ascii_case(word));
    is_one_of(word, &["on", "off", "in", "out"])
        && before.is_some_and(|verb| is_one_of(verb, &["logged", "signed", "switched", "turned"]))
}

/// The words that are left, a space between them, within the longest name.
fn join(tokens: &[Token<'_>]) -> String {
    let mut name = String::with_capacity(LONGEST_NAME);
    for word in tokens.iter().filter_map(|token| token.word()) {
        let space = usize::from(!name.is_empty());
        if name.len() + space + word.len() > LONGEST_NAME {
            break;
        }
        name.extend([&" "[..space], word]);
    }
    if tokens.first() == Some(&Token::Gap)
        && let Some(first) = name.get_mut(..1)
    {
        first.make_ascii_uppercase();
    }
    name
}
