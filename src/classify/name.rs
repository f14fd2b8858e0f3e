//! The name of an event: its description without what varies.

use std::borrow::Cow;

use super::dangling::take_out_dangling;
use super::gaps::{without_hostname, without_quoted};
use super::unknown::take_out_names;
use super::vocabulary::{PHRASES, kind, phrase};
use super::words::{Token, tokens};

/// The longest event name in bytes; a longer one ends after the last word that fits.
pub const LONGEST_NAME: usize = 80;

/// The name of an event whose description is empty or held nothing but what varies.
pub const NOTHING_LEFT: &str = "unspecified";

/// The vendor's form of naming a policy: the rest of the description is the policy's name.
const POLICY_FORM: &str = "configuration change policy";

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
pub(super) fn beginning(description: &str) -> &str {
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
    let phrase = write_phrase(&mut tokens);
    take_out_names(&mut tokens, phrase);
    take_out_dangling(&mut tokens, phrase);
    let gaps_are_last = tokens.is_sorted_by_key(|token| *token == Token::Gap);
    Cleaned {
        text: join(&tokens),
        is_settled: gaps_are_last && !hostname.contains(char::is_whitespace),
    }
}

/// Writes the longest of the vendor's phrases that the text begins with as the vendor does, and
/// says how many words it has.
fn write_phrase(tokens: &mut [Token<'_>]) -> usize {
    let found = PHRASES.iter().filter(|phrase| begin_with(tokens, phrase));
    let longest = found.max_by_key(|phrase| phrase.len());
    let words = longest.into_iter().flat_map(|phrase| phrase.split(' '));
    let replaced = words
        .zip(tokens)
        .map(|(word, token)| *token = Token::Word(word, kind(word)));
    replaced.count()
}

/// Where the description ends for us, if it names a policy in the vendor's form.
fn end_of_policy_form(tokens: &[Token<'_>]) -> Option<usize> {
    let words = POLICY_FORM.split(' ').count();
    let start = tokens
        .windows(words)
        .position(|window| begin_with(window, POLICY_FORM))?;
    Some(start + words)
}

fn begin_with(tokens: &[Token<'_>], phrase: &str) -> bool {
    let mut rest = phrase;
    for token in tokens {
        let word = token.word().unwrap_or_default();
        let (begin, after) = rest.split_at_checked(word.len()).unwrap_or_default();
        if word.is_empty() || !begin.eq_ignore_ascii_case(word) {
            return false;
        }
        match after.strip_prefix(' ') {
            Some(after) => rest = after,
            None => return after.is_empty(),
        }
    }
    false
}

/// The words that are left, a space between them, within the longest name.
fn join(tokens: &[Token<'_>]) -> String {
    let mut name = String::with_capacity(LONGEST_NAME);
    for word in tokens.iter().filter_map(|token| token.word()) {
        if name.len() + " ".len() + word.len() > LONGEST_NAME {
            break;
        }
        if !name.is_empty() {
            name.push(' ');
        }
        name.push_str(word);
    }
    let lost_its_first = tokens.first() == Some(&Token::Gap);
    if lost_its_first && let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}
