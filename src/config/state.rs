//! Where the counts are kept.

use std::path::PathBuf;

use super::database::Database;
use super::environment::Environment;
use super::flags::StateFlags;
use super::given::Given;
use super::mistake::{Mistake, Mistakes};
use super::secret::{Kind, STATE_PASSWORD};
use super::settings::State;
use super::sources::{Sources, Words};
use super::value;

const PASSWORD: Words = Words {
    what: "the database's password",
    alone: "a file that holds the database's password alone",
    kind: Kind::Password,
};

/// The one place that is given; memory where none is.
pub fn read(
    flags: &StateFlags,
    environment: &Environment,
    mistakes: &mut Mistakes,
) -> Option<State> {
    let password = Sources {
        file: flags.password_file.as_ref(),
        variable: environment
            .get(STATE_PASSWORD)
            .map(|text| (STATE_PASSWORD, text)),
    };
    if let (Some(path), Some(url)) = (&flags.state_path, &flags.state_url) {
        mistakes.add(Mistake::about(
            format_args!("{} and {}", path.name(), url.name()),
            "counts are kept in a file or in a database, and not in both; give one of them (an empty \
             variable is as one that is not set)",
        ));
    }
    let path = path(flags.state_path.as_ref(), mistakes);
    let database = match &flags.state_url {
        Some(url) => database(url, &password, mistakes).map(Some),
        None => without_url(&password, mistakes).then_some(None),
    };
    match (path?, database?) {
        (Some(path), _) => Some(State::File(path)),
        (None, Some(database)) => Some(State::Shared(Box::new(database))),
        (None, None) => Some(State::Memory),
    }
}

/// What the user should know of it though it can be used.
pub fn warning(state: &State) -> Option<String> {
    let State::Shared(database) = state else {
        return None;
    };
    database.is_in_the_clear().then(|| {
        format!(
            "sslmode=disable: whoever listens on the way to {database} reads what is kept there, and \
             whoever answers in its place is believed. sslmode=verify-full mends it"
        )
    })
}

fn database(url: &Given, password: &Sources<'_>, mistakes: &mut Mistakes) -> Option<Database> {
    let name = url.name();
    let read = match url.text() {
        Some(text) => Database::read(text, &name, mistakes),
        None => {
            mistakes.add(Mistake::about(name, "it is no text in UTF-8; write it so"));
            None
        }
    };
    let password = match password.name() {
        Some(_) => password.read(&PASSWORD, mistakes).map(Some),
        None => Some(None),
    };
    Some(Database {
        password: password?,
        ..read?
    })
}

fn without_url(password: &Sources<'_>, mistakes: &mut Mistakes) -> bool {
    if let Some(name) = password.name() {
        mistakes.add(Mistake::about(
            name,
            "there is no database that it is the password of; name one by --state.url, or leave it out",
        ));
    }
    password.name().is_none()
}

/// The path of the file, which is shown in messages: a URL has no place there.
fn path(given: Option<&Given>, mistakes: &mut Mistakes) -> Option<Option<PathBuf>> {
    let is_url = |given: &&Given| given.raw().to_string_lossy().contains("://");
    if let Some(url) = given.filter(is_url) {
        mistakes.add(Mistake::about(
            url.name(),
            "it names a file, and this is a URL; name a database by --state.url",
        ));
        return None;
    }
    mistakes.read_if_given(given, value::path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::typing::{ACCOUNT, exporter, mistake, mistakes, typed};
    use crate::config::{Command, Secret, SecretSource};

    const URL: &str = "--state.url=postgres://u@db.example.com/n";

    fn state(line: &str, variables: &[(&str, &str)]) -> State {
        let environment = [&ACCOUNT, variables].concat();
        match typed(line, &environment).map(|config| config.command) {
            Ok(Command::Serve(exporter)) => exporter.state,
            other => panic!("{line:?} does not serve: {other:?}"),
        }
    }

    fn password(line: &str, variables: &[(&str, &str)]) -> Option<SecretSource> {
        match state(line, variables) {
            State::Shared(database) => database.password,
            other => panic!("{line:?}: {other:?}"),
        }
    }

    /// The one mistake of a line whose environment has a password too.
    fn with_password(line: &str) -> String {
        let environment = [ACCOUNT[0], (STATE_PASSWORD, "hunter3")];
        let all = mistakes(line, &environment);
        assert_eq!(all.len(), 1, "{line:?}: {all:?}");
        assert!(!all.concat().contains("hunter"), "{all:?}");
        all.concat()
    }

    #[test]
    fn counts_are_kept_in_one_place() {
        assert_eq!(exporter("").state, State::Memory);
        assert_eq!(
            exporter("--state.path=/s.db").state,
            State::File("/s.db".into())
        );
        let State::Shared(database) = exporter(URL).state else {
            panic!("not shared");
        };
        assert_eq!(database.to_string(), "postgres://u@db.example.com:5432/n");
        let both = mistake(&format!("{URL} --state.path=/s.db"));
        assert!(
            both.starts_with("--state.path and --state.url: counts are kept in a file or in"),
            "{both}"
        );
        let environment = [ACCOUNT[0], ("METAACCESS_STATE_PATH", "/s.db")];
        let all = mistakes(URL, &environment);
        assert!(all[0].starts_with("METAACCESS_STATE_PATH and --state.url"));
    }

    #[test]
    fn the_url_is_taken_from_the_environment_too() {
        let url = |text| [("METAACCESS_STATE_URL", text)];
        let read = state("", &url("postgresql://u@localhost/n"));
        assert!(matches!(read, State::Shared(_)), "{read:?}");
        let all = mistakes("", &[ACCOUNT[0], url("postgres://hunter3")[0]]);
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(all[0].starts_with("METAACCESS_STATE_URL: it names no user"));
        assert!(!all.concat().contains("hunter"), "{all:?}");
    }

    #[test]
    fn a_password_is_read_from_its_file_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter2 with  späces \r\n").unwrap();
        let line = format!("{URL} --state.password-file={}", path.display());
        let source = password(&line, &[]).unwrap();
        assert_eq!(source, SecretSource::PasswordFile(path.clone()));
        assert_eq!(source.read().unwrap().expose(), "hunter2 with  späces ");
        std::fs::write(&path, "hunter3").unwrap();
        assert_eq!(source.read().unwrap().expose(), "hunter3");
        assert!(!format!("{source:?}").contains("hunter"));

        assert!(with_password(&line).contains("both give the database's password"));
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert!(mistake(&line).contains("several lines"));
        std::fs::write(&path, "\n").unwrap();
        assert!(mistake(&line).contains("there is nothing in it"));
        std::fs::write(&path, b"\xff").unwrap();
        assert!(mistake(&line).contains("no text in UTF-8"));
        std::fs::remove_file(&path).unwrap();
        assert!(mistake(&line).contains("cannot be read"));
    }

    #[test]
    fn a_password_may_come_from_the_environment() {
        let variable = [(STATE_PASSWORD, "hunter2 3")];
        let given = SecretSource::Given(Secret::password("hunter2 3").unwrap());
        assert_eq!(password(URL, &variable), Some(given));
        assert_eq!(password(URL, &[]), None);
        let config = typed(URL, &[ACCOUNT[0], variable[0]]).unwrap();
        assert!(!format!("{config:?}").contains("hunter"), "{config:?}");
        let all = mistakes(URL, &[ACCOUNT[0], (STATE_PASSWORD, "hunter2\nhunter3")]);
        assert!(all[0].starts_with("METAACCESS_STATE_PASSWORD: it holds several"));
        assert!(!all.concat().contains("hunter"), "{all:?}");
    }

    #[test]
    fn a_password_in_the_place_of_its_file_is_not_shown() {
        for text in ["hunter2", "hunter2/hunter3", "hunter2@hunter3"] {
            let said = mistake(&format!("{URL} --state.password-file={text}"));
            assert!(
                said.starts_with("--state.password-file (value not shown): expected a file that"),
                "{said}"
            );
            assert!(!said.contains("hunter"), "{said}");
        }
    }

    #[test]
    fn a_password_without_a_database_is_a_mistake() {
        let said = mistake("--state.password-file=/nowhere");
        assert!(
            said.starts_with("--state.password-file: there is no database"),
            "{said}"
        );
        let said = with_password("--state.path=/s.db");
        assert!(said.starts_with("METAACCESS_STATE_PASSWORD: there is no database"));
        with_password("");
    }

    #[test]
    fn a_url_in_the_place_of_a_file_is_refused_and_not_shown() {
        for text in [
            "postgres://u:hunter2",
            "postgres://u:hunter2@h/n",
            "://hunter2",
        ] {
            let said = mistake(&format!("--state.path={text}"));
            assert!(said.contains("name a database by --state.url"), "{said}");
            assert!(!said.contains("hunter"), "{said}");
        }
    }

    #[test]
    fn a_url_that_went_astray_is_not_shown() {
        let url = "postgres://u:hunter2@h/n";
        for line in [
            url.to_owned(),
            format!("demo {url}"),
            format!("-- {url}"),
            format!("--state.ulr={url}"),
            format!("--state.ulr {url}"),
            format!("--state.url {url} {url}"),
            format!("--state.url {url} --state.url {url}"),
            format!("demo --state.url={url}"),
            format!("simulate --state.url={url}"),
            format!("--api.base-url={url}"),
            format!("--web.listen-address={url}"),
            format!("--log.level={url}"),
        ] {
            let problem = typed(&line, &ACCOUNT).unwrap_err().to_string();
            assert!(!problem.contains("hunter"), "{line}: {problem}");
        }
    }

    #[test]
    fn a_database_that_is_reached_in_the_clear_is_warned_of() {
        let warnings = |line: &str| typed(line, &ACCOUNT).unwrap().warnings;
        assert_eq!(warnings(URL), Vec::<String>::new());
        let local = "--state.url=postgres://u@127.0.0.1?sslmode=disable";
        assert_eq!(warnings(local), Vec::<String>::new());
        for command in ["", "check "] {
            let warned = warnings(&format!("{command}{URL}?sslmode=disable"));
            assert_eq!(warned.len(), 1, "{warned:?}");
            assert!(
                warned[0]
                    .starts_with("sslmode=disable: whoever listens on the way to postgres://u@"),
                "{warned:?}"
            );
        }
    }
}
