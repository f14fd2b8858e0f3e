//! This machine's clock against that of the API.

use std::time::Duration;

use super::finding::{Finding, Name};
use super::spans::span;

/// The API's clock is told in whole seconds, and an answer is on its way for some.
const TOLERANCE: i64 = 30;

/// What both clocks read at an answer, since 1970. The API's is none where its answer does not say.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    pub theirs: Option<Duration>,
    pub ours: Duration,
}

/// Holds the two against each other; none where no answer came.
pub fn judge(clocks: Option<Clocks>) -> Finding {
    let name = Name::Clock;
    let Some(Clocks { theirs, ours }) = clocks else {
        return Finding::skipped(name, "no answer came to compare it with");
    };
    let Some(theirs) = theirs else {
        return Finding::ok(name, "the API does not say what its clock reads");
    };
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let ahead = seconds(ours).saturating_sub(seconds(theirs));
    if ahead.abs() <= TOLERANCE {
        return Finding::ok(name, "this machine and the API agree");
    }
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    Finding::warning(
        name,
        format!(
            "the clock of this machine is {} {way} that of the API",
            span(ahead)
        ),
        "set it, by NTP at best: counts do not depend on it, but certificates and everything that is \
         shown as a time do",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    fn with(theirs: Option<u64>, ours: u64) -> Finding {
        judge(Some(Clocks {
            theirs: theirs.map(Duration::from_secs),
            ours: Duration::from_secs(ours),
        }))
    }

    #[test]
    fn clocks_agree_within_half_a_minute() {
        assert_eq!(with(Some(1_000), 1_030).verdict, Verdict::Ok);
        assert_eq!(with(Some(1_030), 1_000).verdict, Verdict::Ok);
        assert_eq!(with(None, 1_000).verdict, Verdict::Ok);
        assert_eq!(judge(None).verdict, Verdict::Skipped);
    }

    #[test]
    fn a_clock_that_is_off_is_told_with_the_way_it_is_off() {
        let ahead = with(Some(1_000), 1_120);
        assert_eq!(ahead.verdict, Verdict::Warning);
        assert_eq!(
            ahead.message,
            "the clock of this machine is 2 min ahead of that of the API"
        );
        assert!(with(Some(5_000), 1_400).message.contains("1 h behind that"));
    }
}
