//! A description as words and gaps: whatever is not plainly a word is a gap.

use super::gaps::GAP;
use super::vocabulary::{Kind, kind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Letters alone, with hyphens and apostrophes between them, and what is known of the word.
    Word(&'a str, Option<Kind>),
    /// Where something stood that varies.
    Gap,
}

impl<'a> Token<'a> {
    pub(super) fn word(self) -> Option<&'a str> {
        match self {
            Self::Word(word, _) => Some(word),
            Self::Gap => None,
        }
    }
}

/// The words of a text in order. Punctuation goes, and an unbroken run of characters that is an
/// identifier of some kind is one gap.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::with_capacity(16);
    for run in text.split_whitespace() {
        let run = run.trim_matches(|c: char| is_punctuation(c));
        if is_identifier(run) {
            tokens.push(Token::Gap);
            continue;
        }
        let words = run.split(|c: char| !(c.is_alphabetic() || is_joint(c)));
        let words = words
            .map(|word| word.trim_matches(is_joint))
            .filter(|word| !word.is_empty());
        tokens.extend(words.map(|word| Token::Word(word, kind(word))));
    }
    tokens
}

fn is_punctuation(c: char) -> bool {
    let ascii = matches!(c, ',' | ';' | ':' | '.' | '!' | '?' | '-' | '\'' | '"');
    ascii || matches!(c, '(' | ')' | '[' | ']' | '{' | '}' | '…' | '–' | '—')
}

fn is_joint(c: char) -> bool {
    matches!(c, '-' | '\'' | '’')
}

/// Whether a run of characters is a number, version, address, id, path, URL, account or the like.
fn is_identifier(run: &str) -> bool {
    let tells = |c: char| match c {
        'a'..='z' | 'A'..='Z' => false,
        '@' | '\\' | '/' | '=' | '_' | '.' | '%' | '$' | '#' | '~' | '*' | '^' | '|' | GAP => true,
        _ => c.is_numeric(),
    };
    run.contains(tells) || run.matches(':').count() > 1 || is_letters_only_hex(run)
}

/// Ids and hardware addresses that happen to have no digit in them.
fn is_letters_only_hex(run: &str) -> bool {
    let is_hex = |part: &str| part.len() > 1 && part.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex(run) && run.len() >= 8 || run.matches('-').count() > 1 && run.split('-').all(is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        tokens(text)
            .into_iter()
            .map(|token| token.word().unwrap_or("#"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn punctuation_is_no_part_of_a_word() {
        assert_eq!(
            words("Threat found: (malware), user's non-compliant… - done."),
            "Threat found malware user's non-compliant done"
        );
        assert_eq!(words("policy(ies) one,two"), "policy ies one two");
    }

    #[test]
    fn identifiers_are_gaps() {
        for text in [
            "1.2.3",
            "v10.0.22631",
            "42",
            "802.1x",
            "10.0.0.1",
            "10.0.0.0/8",
            "fe80::1",
            "::1",
            "abcd::beef",
            "00:1A:2b:3c:4d:5e",
            "aa:bb:cc:dd:ee:ff",
            "aa-bb-cc-dd-ee-ff",
            "deadbeef",
            "3f2a9c",
            "123e4567-e89b-12d3-a456-426614174000",
            "{123e4567-e89b-12d3-a456-426614174000}",
            "jane.roe@example.com",
            "(jane.roe@example.com),",
            "jroe@example",
            "https://example.com/x?y=z",
            "C:\\Windows",
            "/usr/bin/x",
            "~/x",
            "%TEMP%",
            "EXAMPLE\\jroe",
            "2013-12-06",
            "05:28",
            "$5",
            "user=jroe",
            "jane_roe",
            "example.com",
            "٣",
            "x\u{fffc}y",
        ] {
            assert_eq!(words(text), "#", "{text}");
        }
    }
}
