//! Percent-encoding as libpq has it: a plus sign is one.

use std::fmt;

/// Why an encoded text is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    Escape,
    Utf8,
    Control,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Escape => "holds a % without two hexadecimal digits; write a % itself as %25",
            Self::Utf8 => "is no UTF-8; encode it again",
            Self::Control => "holds a control character; leave it out",
        })
    }
}

/// The text that was encoded.
pub fn decoded(text: &str) -> Result<String, Malformed> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, encoded)) = rest.split_once('%') {
        bytes.extend_from_slice(plain.as_bytes());
        let digits = encoded.get(..2).ok_or(Malformed::Escape)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Malformed::Escape);
        }
        let byte = u8::from_str_radix(digits, 16).map_err(|_| Malformed::Escape)?;
        bytes.push(byte);
        rest = &encoded[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    let text = String::from_utf8(bytes).map_err(|_| Malformed::Utf8)?;
    match text.contains(char::is_control) {
        true => Err(Malformed::Control),
        false => Ok(text),
    }
}

/// The text so that it may stand in any part of a URL.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_digits_after_a_percent_sign_are_a_byte() {
        assert_eq!(decoded("a%20b%2fc%2Fd").as_deref(), Ok("a b/c/d"));
        assert_eq!(decoded("Z%C3%BCrich").as_deref(), Ok("Zürich"));
        assert_eq!(decoded("a+b").as_deref(), Ok("a+b"));
        for text in ["%", "%2", "a%zz", "%+1", "%é", "%2é"] {
            assert_eq!(decoded(text), Err(Malformed::Escape), "{text}");
        }
        assert_eq!(decoded("%FF"), Err(Malformed::Utf8));
        for text in ["%00", "%0A", "%7f", "%c2%85"] {
            assert_eq!(decoded(text), Err(Malformed::Control), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_and_speaks_to_no_parser(text in "\\PC*") {
            let encoded = encoded(&text);
            prop_assert_eq!(decoded(&encoded), Ok(text));
            prop_assert!(!encoded.contains(['@', ':', '/', ',', '?', '&', '=', '#', '[', ' ']));
        }
    }
}
