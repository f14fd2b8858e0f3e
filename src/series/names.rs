//! Texts by number: each is kept once, however many series carry it.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// The number of a text in its [`Names`].
pub(super) type Number = u32;

/// Texts that are kept once and never go.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// All texts, one after the other.
    text: String,
    /// Where each ends.
    ends: Vec<usize>,
    numbers: HashTable<Number>,
    hasher: DefaultHashBuilder,
}

impl Names {
    /// The text of a number that was given.
    pub(super) fn text(&self, number: Number) -> &str {
        text_of(&self.text, &self.ends, number)
    }

    /// The number of a text, if it has one.
    pub(super) fn find(&self, text: &str) -> Option<Number> {
        let hash = self.hasher.hash_one(text);
        let is_it = |number: &Number| self.text(*number) == text;
        self.numbers.find(hash, is_it).copied()
    }

    /// The number of a text, which it has from now on.
    pub(super) fn number(&mut self, text: &str) -> Number {
        if let Some(number) = self.find(text) {
            return number;
        }
        // There are fewer texts than lines, and no log has four thousand million of those.
        let number = self.ends.len() as Number;
        self.text.push_str(text);
        self.ends.push(self.text.len());
        let (all, ends, hasher) = (&self.text, &self.ends, &self.hasher);
        let hash_of = |number: &Number| hasher.hash_one(text_of(all, ends, *number));
        self.numbers
            .insert_unique(hasher.hash_one(text), number, hash_of);
        number
    }
}

fn text_of<'a>(all: &'a str, ends: &[usize], number: Number) -> &'a str {
    let number = number as usize;
    let begin = number.checked_sub(1).and_then(|before| ends.get(before));
    let end = ends.get(number).copied().unwrap_or_default();
    all.get(begin.copied().unwrap_or_default()..end)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_has_one_number_and_a_number_its_text(texts in prop::collection::vec("\\PC{0,3}", 0..200)) {
            let mut names = Names::default();
            let numbers: Vec<Number> = texts.iter().map(|text| names.number(text)).collect();
            for (text, number) in texts.iter().zip(numbers) {
                prop_assert_eq!(names.text(number), text);
                prop_assert_eq!(names.find(text), Some(number));
            }
            prop_assert_eq!(names.find("not there"), None);
        }
    }
}
