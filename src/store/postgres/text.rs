//! Texts as the database takes them: it has no character NUL.

use std::borrow::Cow;

/// A text of ours as a column holds it.
pub(super) fn column(text: &str) -> Cow<'_, str> {
    match text.contains(['\\', '\0']) {
        true => Cow::Owned(text.replace('\\', r"\\").replace('\0', r"\0")),
        false => Cow::Borrowed(text),
    }
}

/// The text that a column holds.
pub(super) fn text(column: &str) -> Cow<'_, str> {
    if !column.contains('\\') {
        return Cow::Borrowed(column);
    }
    let mut text = String::with_capacity(column.len());
    let mut characters = column.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('0') => text.push('\0'),
                other => text.extend(other),
            },
            other => text.push(other),
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_comes_back_as_it_was(written: String, odd in "[\\\\0\0a]{0,8}") {
            for one in [&written, &odd] {
                let column = column(one);
                prop_assert!(!column.contains('\0'));
                prop_assert_eq!(&*text(&column), &**one);
            }
        }
    }
}
