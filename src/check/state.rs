//! The state: whether it can be read and written, and what it says of the request window.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

use super::disk::Folder;
use super::finding::{Finding, Name};
use crate::event::Account;
use crate::store::{Kept, Look, Sight, StoreError};

/// Below this little room, saving may fail soon: so much is the write-ahead log at its longest, and
/// some more.
const LITTLE_ROOM: u64 = 64 * 1024 * 1024;

/// What was seen of the state, which all accounts share.
#[derive(Debug)]
pub struct StateReport {
    /// The file or the database; none where counts are kept in memory.
    pub path: Option<String>,
    pub findings: Vec<Finding>,
    /// What it keeps of each account.
    pub kept: BTreeMap<Account, Kept>,
    /// Whether a state may be there that was not read, and with it the requests of an exporter.
    pub hides_requests: bool,
}

/// Looks at the state there, without changing anything.
pub async fn look_at_state(sight: Option<&Sight>) -> StateReport {
    let path = match sight {
        None => return in_memory(),
        Some(Sight::Database(eyes)) => return super::database::judged(eyes, eyes.look().await),
        Some(Sight::File(path)) => path.clone(),
    };
    let of = path.clone();
    let looked = tokio::task::spawn_blocking(move || (Look::at(&of), Folder::of(&of))).await;
    match looked {
        Ok((look, folder)) => judged(&path, look, &folder),
        Err(_) => StateReport {
            path: Some(path.display().to_string()),
            findings: vec![Finding::failed(
                Name::State,
                "looking at it broke off",
                "please report this",
            )],
            kept: BTreeMap::new(),
            hides_requests: true,
        },
    }
}

fn in_memory() -> StateReport {
    let finding = Finding::warning(
        Name::State,
        "counts are kept in memory: after a restart they begin again, and the requests of the last \
         window are not known",
        "name a file for them by --state.path",
    );
    StateReport {
        path: None,
        findings: vec![finding],
        kept: BTreeMap::new(),
        hides_requests: false,
    }
}

fn judged(path: &Path, look: Result<Option<Look>, StoreError>, folder: &Folder) -> StateReport {
    let mut findings = vec![state(&look)];
    findings.extend([writable(folder), space(folder, &look)]);
    let hides_requests = match &look {
        Ok(_) | Err(StoreError::Misplaced { .. } | StoreError::Foreign { .. }) => false,
        Err(_) => true,
    };
    let kept = look.ok().flatten().map(|look| look.accounts);
    StateReport {
        path: Some(path.display().to_string()),
        findings,
        kept: kept.unwrap_or_default(),
        hides_requests,
    }
}

fn state(look: &Result<Option<Look>, StoreError>) -> Finding {
    let name = Name::State;
    let look = match look {
        Ok(Some(look)) => look,
        Ok(None) => {
            return Finding::ok(name, "there is none yet: the first start makes it");
        }
        Err(error) => return failed(&error.to_string()),
    };
    let created = i64::try_from(look.identity.created.as_secs()).unwrap_or_default();
    let created = Timestamp::from_second(created).unwrap_or_default();
    let use_of_it = match look.is_in_use {
        true => "in use by a running exporter, which this does not disturb",
        false => "in use by nobody",
    };
    let format = match look.format == look.newest_format {
        true => format!("format {}", look.format),
        false => format!(
            "format {}, which the first start takes to {}",
            look.format, look.newest_format
        ),
    };
    let series: u64 = look.accounts.values().map(|kept| kept.series).sum();
    Finding::ok(
        name,
        format!(
            "{use_of_it}; {format}, epoch {}, begun {created}; it keeps {series} series of {}",
            look.identity.epoch,
            of_accounts(look.accounts.len())
        ),
    )
}

/// That it cannot be used, in words that say how to mend it.
fn failed(words: &str) -> Finding {
    let (what, mend) = what_and_mend(words);
    Finding::failed(Name::State, what, mend)
}

/// The two halves of the words of an error.
pub(super) fn what_and_mend(words: &str) -> (&str, &str) {
    words.split_once(": ").unwrap_or((words, "see above"))
}

pub(super) fn of_accounts(accounts: usize) -> String {
    match accounts {
        1 => "1 account".to_owned(),
        accounts => format!("{accounts} accounts"),
    }
}

fn writable(folder: &Folder) -> Finding {
    let name = Name::StateFolder;
    let path = folder.path.display();
    if let Err(error) = &folder.writable {
        return Finding::failed(
            name,
            format!("this user may not make files in {path}: {error}"),
            "let the exporter's user write to it, or name another file by --state.path",
        );
    }
    match folder.unwritable.first() {
        Some(file) => Finding::failed(
            name,
            format!("this user may not write to {}", file.display()),
            "give it to the exporter's user, or run check as that user",
        ),
        None => Finding::ok(name, format!("{path} can be written to")),
    }
}

fn space(folder: &Folder, look: &Result<Option<Look>, StoreError>) -> Finding {
    let name = Name::StateSpace;
    let Some(free) = folder.free else {
        return Finding::skipped(name, "the system does not say how much room is left");
    };
    let bytes = look.as_ref().ok().and_then(Option::as_ref);
    let bytes = bytes.map(|look| look.bytes);
    let has = bytes.map(|bytes| format!(", the state has {}", mebibytes(bytes)));
    let message = format!("{} are free{}", mebibytes(free), has.unwrap_or_default());
    match free < LITTLE_ROOM.max(bytes.unwrap_or_default()) {
        true => Finding::warning(name, message, "make room: it grows with the series"),
        false => Finding::ok(name, message),
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;
    use crate::check::Verdict;
    use crate::saved::Identity;

    fn folder() -> Folder {
        Folder {
            path: "/var/lib/exporter".into(),
            writable: Ok(()),
            unwritable: Vec::new(),
            free: Some(1 << 30),
        }
    }

    fn look() -> Look {
        Look {
            format: 2,
            newest_format: 2,
            identity: Identity {
                epoch: "0123456789abcdef".to_owned(),
                created: Duration::from_secs(1_386_350_880),
                key: [7; 16],
            },
            is_in_use: false,
            bytes: 1 << 20,
            accounts: BTreeMap::new(),
        }
    }

    fn verdicts(report: &StateReport) -> Vec<Verdict> {
        report
            .findings
            .iter()
            .map(|finding| finding.verdict)
            .collect()
    }

    #[test]
    fn a_state_that_can_be_used_is_told_with_its_format_and_epoch() {
        let report = judged(Path::new("state"), Ok(Some(look())), &folder());
        assert_eq!(verdicts(&report), [Verdict::Ok; 3]);
        let message = &report.findings[0].message;
        for part in [
            "nobody",
            "format 2",
            "0123456789abcdef",
            "2013-12-06T17:28:00Z",
        ] {
            assert!(message.contains(part), "{message}");
        }
        let used = Look {
            is_in_use: true,
            format: 1,
            ..look()
        };
        let used = judged(Path::new("state"), Ok(Some(used)), &folder());
        let message = &used.findings[0].message;
        assert!(message.contains("running exporter") && message.contains("takes to 2"));
        assert!(!used.hides_requests);
    }

    #[test]
    fn one_that_cannot_be_read_fails_and_hides_requests() {
        let newer = StoreError::Newer {
            path: "state".into(),
            found: 9,
            known: 2,
        };
        let report = judged(Path::new("state"), Err(newer), &folder());
        assert_eq!(report.findings[0].verdict, Verdict::Failed);
        assert!(report.findings[0].message.contains("format 9"));
        assert!(report.findings[0].advice.is_some());
        assert!(report.hides_requests);
        let none = judged(Path::new("state"), Ok(None), &folder());
        assert_eq!(
            (none.findings[0].verdict, none.hides_requests),
            (Verdict::Ok, false)
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_fails_and_little_room_is_warned_of() {
        let full = Folder {
            writable: Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem)),
            free: Some(1 << 20),
            ..folder()
        };
        let report = judged(Path::new("state"), Ok(None), &full);
        assert_eq!(
            verdicts(&report),
            [Verdict::Ok, Verdict::Failed, Verdict::Warning]
        );
        let anothers = Folder {
            unwritable: vec!["state.lock".into()],
            ..folder()
        };
        let report = judged(Path::new("state"), Ok(None), &anothers);
        assert!(report.findings[1].message.contains("state.lock"));
    }

    #[tokio::test]
    async fn without_a_path_what_memory_costs_is_said() {
        let report = look_at_state(None).await;
        assert_eq!(verdicts(&report), [Verdict::Warning]);
    }
}
