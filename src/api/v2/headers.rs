//! The headers that say what is left of the rate limit and how long to wait.

use std::time::Duration;

use jiff::fmt::rfc2822;

/// The longest wait that a header can ask for: none may silence the exporter for ever.
pub const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// From this many seconds on (2001) a number is a moment since 1970, below it a wait.
const FIRST_UNIX_SECOND: f64 = 1e9;
/// From here on it counts milliseconds (1973), since as seconds it would be the year 5138.
const FIRST_UNIX_MILLISECOND: f64 = 1e11;
/// From here on it is no time that anyone could mean (5138 in milliseconds).
const NO_TIME: f64 = 1e14;

/// What an answer says about the rate limit; whatever cannot be read is as if it were absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateHeaders {
    /// Requests a window for the whole account, from `X-RateLimit-Limit`.
    pub limit: Option<u32>,
    /// Requests left in this window, from `X-RateLimit-Remaining`.
    pub remaining: Option<u32>,
    /// Until the window begins anew, from `X-RateLimit-Reset-Time`, at most `LONGEST_WAIT`.
    pub reset: Option<Duration>,
    /// Until the next request may be sent, from `Retry-After`, at most `LONGEST_WAIT`.
    pub retry_after: Option<Duration>,
}

impl RateHeaders {
    /// Reads the headers by name. `unix_now` is the time since 1970, for those that name a moment.
    pub fn read<S: AsRef<str>>(get: impl Fn(&str) -> Option<S>, unix_now: Duration) -> Self {
        let number = |name: &str| get(name)?.as_ref().trim().parse().ok();
        let wait = |name: &str| wait(get(name)?.as_ref().trim(), unix_now);
        Self {
            limit: number("X-RateLimit-Limit"),
            remaining: number("X-RateLimit-Remaining"),
            reset: wait("X-RateLimit-Reset-Time"),
            retry_after: wait("Retry-After"),
        }
    }
}

/// A wait in whole seconds, rounded up. The vendor says "in seconds" and not since when, so the
/// size of a number tells whether it is a wait or a moment; a moment gone by is no wait.
fn wait(text: &str, unix_now: Duration) -> Option<Duration> {
    let now = unix_now.as_secs_f64();
    let seconds = match decimal(text) {
        Some(seconds) if seconds < FIRST_UNIX_SECOND => seconds,
        Some(second) if second < FIRST_UNIX_MILLISECOND => second - now,
        Some(millisecond) if millisecond < NO_TIME => millisecond / 1000.0 - now,
        Some(_) => return None,
        None => moment(text)? - now,
    };
    let seconds = seconds.ceil().clamp(0.0, LONGEST_WAIT.as_secs_f64());
    Some(Duration::from_secs_f64(seconds))
}

/// A plain decimal number: `parse` alone would take a sign, an exponent, and `inf`.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if plain { text.parse().ok() } else { None }
}

/// What the server's clock reads by the `Date` of its answer, since 1970; none where it does not say.
pub fn date(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(moment(text.trim())?).ok()
}

/// The moment that an HTTP date names, in seconds since 1970.
fn moment(text: &str) -> Option<f64> {
    let moment = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(moment.as_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
    const NOW: Duration = Duration::from_secs(784_111_777);
    const LATER: Duration = Duration::from_secs(1_700_000_000);

    fn seconds(text: &str, now: Duration) -> Option<u64> {
        let headers = RateHeaders::read(|name| (name == "Retry-After").then_some(text), now);
        assert_eq!(
            (headers.limit, headers.remaining, headers.reset),
            (None, None, None)
        );
        headers.retry_after.map(|wait| wait.as_secs())
    }

    #[test]
    fn each_header_is_read_into_its_own_field() {
        let value = |name: &str| match name {
            "X-RateLimit-Limit" => Some("10"),
            "X-RateLimit-Remaining" => Some(" 7 "),
            "X-RateLimit-Reset-Time" => Some("42"),
            "Retry-After" => Some("5"),
            _ => None,
        };
        let expected = RateHeaders {
            limit: Some(10),
            remaining: Some(7),
            reset: Some(Duration::from_secs(42)),
            retry_after: Some(Duration::from_secs(5)),
        };
        assert_eq!(RateHeaders::read(value, NOW), expected);
        assert_eq!(
            RateHeaders::read(|_| None::<String>, NOW),
            RateHeaders::default()
        );
    }

    #[test]
    fn a_small_number_is_a_wait_and_a_large_one_a_moment() {
        assert_eq!(seconds("0", LATER), Some(0));
        assert_eq!(seconds("37", LATER), Some(37));
        assert_eq!(seconds("1700000037", LATER), Some(37));
        assert_eq!(seconds("1700000037000", LATER), Some(37));
        assert_eq!(seconds("1700000036500", LATER), Some(37));
    }

    #[test]
    fn a_fraction_of_a_second_is_waited_for_in_full() {
        assert_eq!(seconds("0.001", LATER), Some(1));
        assert_eq!(seconds("36.2", LATER), Some(37));
        let half_past = LATER + Duration::from_millis(500);
        assert_eq!(seconds("1700000037", half_past), Some(37));
    }

    #[test]
    fn a_moment_gone_by_is_no_wait() {
        assert_eq!(seconds("1699999999", LATER), Some(0));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT", LATER), Some(0));
    }

    #[test]
    fn no_header_silences_the_exporter_for_more_than_an_hour() {
        for text in ["3601", "86400", "999999999", "1800000000", "1800000000000"] {
            assert_eq!(seconds(text, LATER), Some(3600), "{text}");
        }
    }

    #[test]
    fn an_http_date_is_a_moment() {
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:07 GMT", NOW), Some(30));
    }

    #[test]
    fn the_date_of_an_answer_is_read_and_nonsense_is_none() {
        assert_eq!(date(" Sun, 06 Nov 1994 08:49:37 GMT "), Some(NOW));
        for text in ["", "784111777", "Sun, 06 Nov 1904 08:49:37 GMT"] {
            assert_eq!(date(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_time_is_as_if_absent() {
        let day_wrong = "Mon, 06 Nov 1994 08:50:07 GMT";
        for text in [
            "", ".", "-1", "+1", "soon", "inf", "nan", "1e3", "1,5", "1.2.3", day_wrong,
        ] {
            assert_eq!(seconds(text, NOW), None, "{text:?}");
        }
        assert_eq!(seconds("99999999999999999999999", NOW), None);
    }
}
