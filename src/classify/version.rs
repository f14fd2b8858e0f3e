//! The version that a category names in parentheses at its end.

/// Longer than any version; what is longer is something else.
const LONGEST_VERSION: usize = 64;

/// Splits `MetaAccess (Version 1.1.1.1)` into `MetaAccess` and `1.1.1.1`.
///
/// The word may be `Version`, `Ver.` or `v` in any case, or be missing before a dotted number; a
/// suffix such as `build 7` is part of the version. Other parentheses stay in the category, whose
/// version is then empty.
pub fn category_and_version(category: &str) -> (&str, &str) {
    let category = category.trim();
    split(category).unwrap_or((category, ""))
}

fn split(category: &str) -> Option<(&str, &str)> {
    let open = category.strip_suffix(')')?;
    // A category is so short that looking at byte after byte is the quickest.
    let (before, inner) = open.split_at(open.bytes().rposition(|byte| byte == b'(')?);
    let inner = inner.get("(".len()..)?;
    Some((before.trim_end(), version(inner.trim())?))
}

fn version(text: &str) -> Option<&str> {
    let after_word = ["version", "ver", "v"].iter().find_map(|word| {
        let (beginning, rest) = text.split_at_checked(word.len())?;
        let rest = rest.trim_start_matches([' ', '.', ':', '=', '\t']);
        (beginning.eq_ignore_ascii_case(word) && starts_with_digit(rest)).then_some(rest)
    });
    let version = after_word.or((starts_with_digit(text) && text.contains('.')).then_some(text))?;
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'+' | b'_' | b' ');
    (version.len() <= LONGEST_VERSION && version.bytes().all(plain)).then_some(version)
}

fn starts_with_digit(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_version_is_told_from_its_category_however_it_is_written() {
        for (text, version) in [
            ("MetaAccess (Version 1.1.1.1)", "1.1.1.1"),
            ("MetaAccess(version 1.1.1.1)", "1.1.1.1"),
            (" MetaAccess  ( VERSION   1.1.1.1 ) ", "1.1.1.1"),
            ("MetaAccess (Version: 7)", "7"),
            ("MetaAccess (v1.2)", "1.2"),
            ("MetaAccess (V 1.2)", "1.2"),
            ("MetaAccess (Ver. 1.2.3-rc1+b7)", "1.2.3-rc1+b7"),
            ("MetaAccess (ver 1.2.3 build 4567)", "1.2.3 build 4567"),
            ("MetaAccess (10.6.1)", "10.6.1"),
        ] {
            assert_eq!(
                category_and_version(text),
                ("MetaAccess", version),
                "{text}"
            );
        }
        assert_eq!(
            category_and_version("Agent (x86) (Version 1.2)"),
            ("Agent (x86)", "1.2")
        );
        assert_eq!(category_and_version("(Version 1.2)"), ("", "1.2"));
    }

    #[test]
    fn parentheses_without_a_version_stay() {
        for text in [
            "",
            "MetaAccess",
            "MetaAccess ()",
            "MetaAccess (x86)",
            "MetaAccess (2)",
            "(",
            ")",
            ")(",
            "MetaAccess (Version)",
            "MetaAccess (Version unknown)",
            "MetaAccess (Verified 1.2)",
            "MetaAccess (Version 1.2",
            "MetaAccess Version 1.2)",
            "MetaAccess (Version (1.2))",
            "MetaAccess (Version 1.2) beta",
            "MetaAccess (Version 1,2)",
            "MetaAccess (vé1.2)",
        ] {
            assert_eq!(category_and_version(text), (text, ""), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[MV(v. 0-9)é]{0,20}|\\PC{0,40}") {
            let (category, version) = category_and_version(&text);
            prop_assert!(category.len() + version.len() <= text.len());
            prop_assert!(version.len() <= LONGEST_VERSION);
        }
    }
}
