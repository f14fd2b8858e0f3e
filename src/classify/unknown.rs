//! Tells the unknown words of a description apart: the vendor's own, and names.

use super::vocabulary::Kind;
use super::words::Token;

/// What may stand at a place in a description.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Prose,
    /// An unknown word is a name.
    Name,
    /// So is a capitalised word that is known, as in `to group Windows Devices`.
    ProperName,
}

/// Makes gaps of the words that are names by the company they keep, after a phrase of so many words.
pub(super) fn take_out_names(tokens: &mut [Token<'_>], phrase: usize) {
    // What follows a phrase is whom or what it was done to.
    let mut expected = if phrase > 0 {
        Expected::Name
    } else {
        Expected::Prose
    };
    for at in phrase..tokens.len() {
        let Some(&Token::Word(word, kind)) = tokens.get(at) else {
            continue;
        };
        let kept = match kind {
            None => is_vendors_own(tokens, at, word, expected),
            Some(Kind::Unit) => !follows_gap(tokens, at),
            Some(Kind::Action) => true,
            Some(_) => expected != Expected::ProperName || is_lower_case(word),
        };
        expected = match kind {
            // A name goes on until a known word ends it.
            _ if !kept && expected == Expected::Prose => Expected::Name,
            _ if !kept => expected,
            None | Some(Kind::Plain) => Expected::Prose,
            Some(Kind::Introducer) if is_lower_case(word) => Expected::ProperName,
            Some(Kind::Introducer | Kind::Preposition | Kind::Action) => Expected::Name,
            Some(Kind::Label | Kind::Unit) => expected,
        };
        if !kept && let Some(token) = tokens.get_mut(at) {
            *token = Token::Gap;
        }
    }
}

/// Whether an unknown word is one of the vendor's rather than a name.
fn is_vendors_own(tokens: &[Token<'_>], at: usize, word: &str, expected: Expected) -> bool {
    if expected != Expected::Prose {
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
