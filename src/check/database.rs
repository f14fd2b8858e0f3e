//! The state that replicas share: whether its database can be reached and used, and who uses it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::finding::{Finding, Name};
use super::state::{StateReport, of_accounts, what_and_mend};
use crate::store::{DatabaseLook, Eyes, SharedState, StoreError, TRIED_AGAIN};

/// What was seen of it.
pub(super) fn judged(eyes: &Eyes, look: Result<DatabaseLook, StoreError>) -> StateReport {
    let path = Some(eyes.place());
    match look {
        Ok(look) => {
            let finding = state(&look, eyes.has_tls());
            let kept = look.state.map(|state| state.accounts);
            StateReport {
                path,
                findings: vec![finding],
                kept: kept.unwrap_or_default(),
                hides_requests: false,
            }
        }
        Err(error) => StateReport {
            path,
            findings: vec![unusable(&error)],
            kept: BTreeMap::new(),
            hides_requests: true,
        },
    }
}

/// That it cannot be used, why, and how to mend it.
fn unusable(error: &StoreError) -> Finding {
    let (words, below) = error.innermost();
    let (what, mend) = what_and_mend(&words);
    let what = match below {
        // One may have a detail or a hint on a line of its own.
        Some(below) => format!("{what} ({})", below.replace('\n', " ")),
        None => what.to_owned(),
    };
    let mend = match mend {
        // Here it is not.
        TRIED_AGAIN => "see the log of the server, and run check again",
        mend => mend,
    };
    Finding::failed(Name::State, what, mend)
}

fn state(look: &DatabaseLook, has_tls: bool) -> Finding {
    let server = match has_tls {
        true => format!("{} answers, by TLS", look.server),
        false => format!("{} answers, in the clear", look.server),
    };
    let name = Name::State;
    match &look.state {
        None => Finding::ok(
            name,
            format!("{server}; there is none yet: the first start makes it"),
        ),
        Some(state) => Finding::ok(name, format!("{server}; {}", of_state(state))),
    }
}

fn of_state(state: &SharedState) -> String {
    let created = i64::try_from(state.identity.created.as_secs()).unwrap_or_default();
    let created = Timestamp::from_second(created).unwrap_or_default();
    let replicas = match state.replicas {
        0 => "no replica lives".to_owned(),
        1 => "1 replica lives".to_owned(),
        replicas => format!("{replicas} replicas live"),
    };
    let free = match (state.replicas, state.free_leases) {
        (0, _) | (_, 0) => String::new(),
        (_, 1) => ", 1 lease is held by none".to_owned(),
        (_, free) => format!(", {free} leases are held by none"),
    };
    let format = match state.format == state.newest_format {
        true => format!("format {}", state.format),
        false => format!(
            "format {}, which the first start takes to {}",
            state.format, state.newest_format
        ),
    };
    let series: u64 = state.accounts.values().map(|kept| kept.series).sum();
    format!(
        "{replicas}{free}; {format}, epoch {}, begun {created}; it keeps {series} series of {}",
        state.identity.epoch,
        of_accounts(state.accounts.len())
    )
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn why_the_database_cannot_be_used_is_said_to_its_cause() {
        let cause = io::Error::other("canceling statement due to lock timeout\nHINT: wait");
        let error = StoreError::Unreachable {
            what: "the database it broke off what it was asked: it is tried again".to_owned(),
            is_permanent: false,
            cause: Some(Arc::new(cause)),
        };
        let expected = Finding::failed(
            Name::State,
            "the database it broke off what it was asked \
             (canceling statement due to lock timeout HINT: wait)",
            "see the log of the server, and run check again",
        );
        assert_eq!(unusable(&error), expected);
    }
}
