//! Waiting for conditions, never for luck.

use std::time::Duration;

use metaaccess_exporter::clock;

/// Between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks until there is something to see. Fails when `limit` has passed without it.
#[track_caller]
pub fn until<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = clock::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        let waited = clock::now().since(begin);
        assert!(waited < limit, "after {waited:?} still not: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Does something again and again for so long.
pub fn throughout(time: Duration, mut act: impl FnMut()) {
    let begin = clock::now();
    while clock::now().since(begin) < time {
        act();
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What an act gives, and how long it took.
pub fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let begin = clock::now();
    let given = act();
    (given, clock::now().since(begin))
}
