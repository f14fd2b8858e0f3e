//! The word that somebody meant who typed another.

/// Longer words are no slips.
const LONGEST: usize = 64;

/// The known word that was most likely meant, if one is near: the same but for case, dashes and what
/// stands before a dot, or different in at most a third of its letters.
pub fn nearest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    if typed.chars().count() > LONGEST {
        return None;
    }
    let typed = plain(typed);
    let near = known.iter().map(|word| (distance(&typed, word), *word));
    let (apart, word) = near.min_by_key(|(apart, _)| *apart)?;
    (apart <= word.len() / 3).then_some(word)
}

/// `api.base-url` as a key of a file would be: `base_url`.
fn plain(typed: &str) -> String {
    let last = typed.rsplit('.').next().unwrap_or_default();
    last.replace('-', "_").to_lowercase()
}

/// How many letters have to be put in, taken out or changed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut before: Vec<usize> = (0..=other.chars().count()).collect();
    for (row, a) in one.chars().enumerate() {
        let mut now = vec![row + 1];
        for (column, b) in other.chars().enumerate() {
            let changed = before
                .get(column)
                .map_or(0, |apart| apart + usize::from(a != b));
            let put_in = now.get(column).map_or(0, |apart| apart + 1);
            let taken_out = before.get(column + 1).map_or(0, |apart| apart + 1);
            now.push(changed.min(put_in).min(taken_out));
        }
        before = now;
    }
    before.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_names_of_flags_are_near() {
        let known = ["base_url", "client_id", "ca_file", "logs", "min_interval"];
        for (typed, meant) in [
            ("base-url", "base_url"),
            ("api.base-url", "base_url"),
            ("BaseUrl", "base_url"),
            ("clientid", "client_id"),
            ("log", "logs"),
            ("min_intervall", "min_interval"),
        ] {
            assert_eq!(nearest(typed, &known), Some(meant), "{typed}");
        }
    }

    #[test]
    fn another_word_is_not_near() {
        let known = ["base_url", "client_id", "ca_file", "logs"];
        for typed in ["", "bogus", "token", &"a".repeat(10_000)] {
            assert_eq!(nearest(typed, &known), None, "{typed}");
        }
        assert_eq!(nearest("logs", &[]), None);
    }

    #[test]
    fn the_distance_is_the_least_number_of_changes() {
        for (one, other, apart) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("ab", "ba", 2),
            ("Zürich", "zürich", 1),
        ] {
            assert_eq!(distance(one, other), apart, "{one} {other}");
            assert_eq!(distance(other, one), apart, "{other} {one}");
        }
    }
}
