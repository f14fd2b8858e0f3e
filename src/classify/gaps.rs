//! Takes out of a description what its surroundings show to vary, leaving a gap where it stood.

use std::borrow::Cow;

/// Stands where something was taken out; the object replacement character is in no log.
pub(super) const GAP: char = '\u{fffc}';

/// Takes out the line's own hostname, case aside, where it stands as a whole word.
pub(super) fn without_hostname<'a>(text: &'a str, hostname: &str) -> Cow<'a, str> {
    let Some(first) = hostname.chars().next() else {
        return text.into();
    };
    let mut kept = String::new();
    let (mut taken_to, mut before) = (0, ' ');
    for (at, here) in text.char_indices() {
        let inside_word = before.is_alphanumeric() && here.is_alphanumeric();
        before = here;
        if !is_same(here, first) || inside_word || at < taken_to {
            continue;
        }
        if let Some(end) = end_of_word(text, at, hostname) {
            kept.push_str(text.get(taken_to..at).unwrap_or_default());
            kept.push(GAP);
            taken_to = end;
        }
    }
    if taken_to == 0 {
        return text.into();
    }
    (kept + text.get(taken_to..).unwrap_or_default()).into()
}

/// Where a word ends that begins at a place, if it is there and is not part of a longer one.
fn end_of_word(text: &str, at: usize, word: &str) -> Option<usize> {
    let mut rest = text.get(at..)?.chars();
    let mut last = ' ';
    for expected in word.chars() {
        last = rest.next().filter(|&found| is_same(found, expected))?;
    }
    let end = text.len() - rest.as_str().len();
    let goes_on = rest.next().is_some_and(char::is_alphanumeric);
    (!(last.is_alphanumeric() && goes_on)).then_some(end)
}

fn is_same(found: char, expected: char) -> bool {
    if found.is_ascii() && expected.is_ascii() {
        return found.eq_ignore_ascii_case(&expected);
    }
    found.to_lowercase().eq(expected.to_lowercase())
}

/// Takes out what stands in quotation marks or angle brackets, and the rest after one that is never
/// closed. An apostrophe opens only before a word and closes only after one.
pub(super) fn without_quoted(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| closing(c).is_some()) {
        return text.into();
    }
    let mut kept = String::with_capacity(text.len());
    let (mut rest, mut before) = (text, ' ');
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        match end_of_quote(first, before, after) {
            Some(end) => {
                kept.push(GAP);
                (rest, before) = (after.get(end..).unwrap_or_default(), GAP);
            }
            None => {
                kept.push(first);
                (rest, before) = (after, first);
            }
        }
    }
    kept.into()
}

/// How much after an opening mark the quote takes, its closing mark included.
fn end_of_quote(mark: char, before: char, after: &str) -> Option<usize> {
    let closing = closing(mark)?;
    let is_spaced = after.starts_with(char::is_whitespace);
    if is_spaced && (mark == '<' || is_apostrophe(mark)) {
        return None;
    }
    if !is_apostrophe(mark) {
        let end = after
            .find(|c| closing.contains(c))
            .map(|at| at + width(after, at));
        return Some(end.unwrap_or(after.len()));
    }
    if !(before.is_whitespace() || "([{:,;=".contains(before)) {
        return None;
    }
    let mut ends = after
        .match_indices(|c| closing.contains(c))
        .map(|(at, mark)| at + mark.len());
    ends.find(|&end| {
        !after
            .get(end..)
            .unwrap_or_default()
            .starts_with(char::is_alphanumeric)
    })
}

/// The marks that close what an opening quotation mark opens.
fn closing(mark: char) -> Option<&'static str> {
    match mark {
        '"' => Some("\""),
        '“' | '”' => Some("”"),
        '„' => Some("“”"),
        '«' => Some("»"),
        '»' => Some("«"),
        '<' => Some(">"),
        '‹' => Some("›"),
        '＂' => Some("＂"),
        '`' => Some("`'"),
        '\'' => Some("'"),
        '‘' | '’' => Some("’"),
        '‚' => Some("‘’"),
        '´' => Some("´"),
        _ => None,
    }
}

fn is_apostrophe(mark: char) -> bool {
    matches!(mark, '`' | '\'' | '‘' | '’' | '‚' | '´')
}

fn width(text: &str, at: usize) -> usize {
    text.get(at..)
        .and_then(|rest| rest.chars().next())
        .map_or(0, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str, hostname: &str) -> String {
        without_hostname(text, hostname).replace(GAP, "#")
    }

    fn quoted(text: &str) -> String {
        without_quoted(text).replace(GAP, "#")
    }

    #[test]
    fn the_hostname_goes_as_a_whole_word_in_any_case() {
        assert_eq!(
            host("test-1 and TEST-1, not TEST-12 or XTEST-1", "Test-1"),
            "# and #, not TEST-12 or XTEST-1"
        );
        assert_eq!(host("Ärger on ärger", "ÄRGER"), "# on #");
        assert_eq!(host("John's Mac seen", "john's mac"), "# seen");
        assert_eq!(host("<private> seen", "<private>"), "# seen");
        assert_eq!(host("aaa", "aa"), "aaa");
        assert_eq!(host("nothing", ""), "nothing");
    }

    #[test]
    fn every_kind_of_quote_goes() {
        for text in [
            "\"x y\"",
            "\" x y \"",
            "“x y”",
            "”x y”",
            "„x y“",
            "„x y”",
            "«x y»",
            "»x y«",
            "<x y>",
            "‹x y›",
            "\" x y \"",
            "`x y`",
            "`x y'",
            "'x y'",
            "‘x y’",
            "‚x y‘",
            "'x's y'",
            "‘x’s y’",
            "'x' y'",
        ] {
            let expected = if text == "'x' y'" {
                "a # y' b"
            } else {
                "a # b"
            };
            assert_eq!(quoted(&format!("a {text} b")), expected);
        }
    }

    #[test]
    fn an_apostrophe_is_no_quote() {
        for text in [
            "the user's device wasn't seen",
            "users' devices",
            "a < b",
            "rock 'n roll",
        ] {
            assert_eq!(quoted(text), text);
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_takes_the_rest() {
        assert_eq!(quoted("Changed \"Jane Roe"), "Changed #");
        assert_eq!(quoted("Changed <Jane Roe"), "Changed #");
    }
}
