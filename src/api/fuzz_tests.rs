//! Answers to a request for a token that no vendor would send.

use super::failure::Failure;
use super::token;
use crate::fuzz_tests::{Broken, ensure, targets};

targets! {
    token_answers, "token_answer", ANSWERS, is_read;
}

const ANSWERS: [&[u8]; 5] = [
    br#"{"access_token":"hunter2hunter2","token_type":"bearer","expires_in":43199,"scope":"read"}"#,
    br#"{"access_token":"hunter2\u0000\"\\\ud83d\ude00","expires_in":" 1e3 ","refresh_token":"hunter2"}"#,
    br#"{"error":"invalid_client","error_description":"hunter2 is no secret"}"#,
    br#"{"access_token":["hunter2"],"expires_in":18446744073709551615}"#,
    b"<html>hunter2</html>",
];

fn is_read(body: &[u8]) -> Result<bool, Broken> {
    let code = token::error_code(body);
    let is_word = |code: &str| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    ensure(code.is_none_or(is_word), || format!("{code:?}"))?;
    match token::parse(body) {
        Ok(granted) => {
            let shown = format!("{granted:?}");
            ensure(!shown.contains("hunter2"), || shown.clone())?;
            // There is room for it on the clock.
            let begin = crate::clock::now();
            let until = begin.plus(granted.lifetime.unwrap_or_default());
            ensure(until >= begin, || format!("{shown} ends before it begins"))?;
            Ok(true)
        }
        Err(Failure::NotJson | Failure::TokenMissing) => Ok(false),
        Err(other) => Err(format!("{other:?} is no failure of reading")),
    }
}
