//! The date over a day's lines, such as `Dec 6, 2013 `.

use jiff::civil::Date;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The day that a text names as `Dec 6, 2013` or `2013-12-06`, or none if there is no such day.
pub(super) fn parse(text: &str) -> Option<Date> {
    let text = text.trim();
    written_out(text).or_else(|| iso(text))
}

fn written_out(text: &str) -> Option<Date> {
    let mut words = text
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|word| !word.is_empty());
    let (month, day, year) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    Date::new(
        number(year, 4..=4)?,
        self::month(month)?,
        day_of_month(day, 1)?,
    )
    .ok()
}

fn iso(text: &str) -> Option<Date> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let month = i8::try_from(number(month, 2..=2)?).ok()?;
    Date::new(number(year, 4..=4)?, month, day_of_month(day, 2)?).ok()
}

/// A month by its English name or a beginning of it, since `Sep` and `Sept` are both in use.
fn month(name: &str) -> Option<i8> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let begins = |month: &str| {
        let beginning = month.as_bytes().get(..name.len());
        name.len() >= 3 && beginning.is_some_and(|b| b.eq_ignore_ascii_case(name.as_bytes()))
    };
    let index = MONTHS.iter().position(|month| begins(month))?;
    i8::try_from(index + 1).ok()
}

fn day_of_month(text: &str, fewest_digits: usize) -> Option<i8> {
    i8::try_from(number(text, fewest_digits..=2)?).ok()
}

/// A number of so many digits and nothing else; `parse` alone would take a sign.
fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<i16> {
    let plain = digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_date_is_read_in_every_spelling_that_is_tolerated() {
        for text in [
            "Dec 6, 2013 ",
            "Dec 6, 2013",
            "dec 6 2013",
            "DEC 06,2013",
            " December   6 ,  2013",
            "Dec. 6, 2013",
            "2013-12-06",
            " 2013-12-06 ",
            "Dec\u{a0}6,\u{202f}2013",
        ] {
            assert_eq!(parse(text), Some(date(2013, 12, 6)), "{text:?}");
        }
    }

    #[test]
    fn every_month_is_known_by_its_first_three_letters_and_by_its_name() {
        for (index, name) in (1..).zip(MONTHS) {
            let expected = Some(date(2024, index, 29));
            assert_eq!(parse(&format!("{name} 29, 2024")), expected);
            assert_eq!(parse(&format!("{} 29, 2024", &name[..3])), expected);
        }
        assert_eq!(parse("Sept 1, 2024"), Some(date(2024, 9, 1)));
    }

    #[test]
    fn what_is_no_day_of_the_calendar_is_no_date() {
        for text in [
            "",
            " ",
            "Dec",
            "Dec 6",
            "Feb 30, 2013",
            "Feb 29, 2013",
            "Dec 0, 2013",
            "Dec 32, 2013",
            "Dec 6, 13",
            "De 6, 2013",
            "Dez 6, 2013",
            "Decembers 6, 2013",
            "Dec 6, 2013 x",
            "Dec +6, 2013",
            "Dec -6, 2013",
            "6 Dec 2013",
            "2013-13-06",
            "2013-12-6",
            "2013-12",
            "-2013-12-06",
            "2013-12-06T00:00",
            "12/06/2013",
            "Déc 6, 2013",
            "é",
            "Dec 600, 2013",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
