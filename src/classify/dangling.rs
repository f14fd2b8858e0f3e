//! Labels and prepositions that are left with nothing to point at.

use super::vocabulary::Kind;
use super::words::Token;

/// Makes gaps of the labels and prepositions that pointed at what is gone, after a phrase of so
/// many words.
pub(super) fn take_out_dangling(tokens: &mut [Token<'_>], phrase: usize) {
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
