//! How the API knows an account: an access token, or an OAuth client that fetches its tokens.

use super::environment::Environment;
use super::flags::ApiFlags;
use super::given::Given;
use super::mistake::{Mistake, Mistakes, Wrong};
use super::secret::{self, ACCESS_TOKEN, CLIENT_SECRET, Credential};
use super::sources::{Sources, Words};

/// Where an account's credential is written.
#[derive(Clone, Copy, Debug)]
pub enum Home<'a> {
    /// Flags, and the variables of this environment.
    CommandLine(&'a Environment),
    /// An entry of a file, which has this name.
    File(&'a str),
}

impl<'a> Home<'a> {
    fn sources(self, file: Option<&'a Given>, variable: &'static str) -> Sources<'a> {
        let set = match self {
            Self::CommandLine(environment) => environment.get(variable),
            Self::File(_) => None,
        };
        Sources {
            file,
            variable: set.map(|text| (variable, text)),
        }
    }

    fn without_secret(self) -> String {
        match self {
            Self::CommandLine(_) => format!(
                "the client's secret is not given; set {CLIENT_SECRET}, or write it to a file and \
                 name that by --api.client-secret-file"
            ),
            Self::File(_) => {
                "the client's secret is not given; write it to a file and name that by \
                              client_secret_file"
                    .to_owned()
            }
        }
    }

    fn without_id(self) -> String {
        let key = match self {
            Self::CommandLine(_) => "--api.client-id",
            Self::File(_) => "client_id",
        };
        format!("the client's id is not given; add it by {key}")
    }

    fn without_all(self) -> Mistake {
        match self {
            Self::CommandLine(_) => Mistake::about(
                "the credential",
                format_args!(
                    "none is given; name an OAuth client by --api.client-id and \
                     --api.client-secret-file, or set {ACCESS_TOKEN} (without an account, try: \
                     metaaccess-exporter demo)"
                ),
            ),
            Self::File(entry) => Mistake::about(
                entry,
                "no credential is given; name an OAuth client by client_id and client_secret_file, \
                 or a file that holds an access token by access_token_file",
            ),
        }
    }
}

/// The one credential that is given, or what is wrong with it.
pub fn credential(flags: &ApiFlags, home: Home<'_>, mistakes: &mut Mistakes) -> Option<Credential> {
    let written = Written {
        token: home.sources(flags.access_token_file.as_ref(), ACCESS_TOKEN),
        id: flags.client_id.as_ref(),
        secret: home.sources(flags.client_secret_file.as_ref(), CLIENT_SECRET),
        home,
    };
    match written.kind() {
        Ok(Kind::Token) => {
            let token = written.token.read(&TOKEN, mistakes)?;
            Some(Credential::Token(token))
        }
        Ok(Kind::Client(id)) => {
            let id = mistakes.read(id, client_id);
            let secret = written.secret.read(&SECRET, mistakes);
            Some(Credential::Client {
                id: id?,
                secret: secret?,
            })
        }
        Err(mistake) => {
            mistakes.add(mistake);
            None
        }
    }
}

const TOKEN: Words = Words {
    what: "the access token",
    alone: "a file that holds the access token alone",
    kind: secret::Kind::Token,
};

const SECRET: Words = Words {
    what: "the client's secret",
    alone: "a file that holds the client's secret alone",
    kind: secret::Kind::Token,
};

/// Where the secrets of an account were written.
struct Written<'a> {
    token: Sources<'a>,
    id: Option<&'a Given>,
    secret: Sources<'a>,
    home: Home<'a>,
}

enum Kind<'a> {
    Token,
    Client(&'a Given),
}

impl<'a> Written<'a> {
    fn kind(&self) -> Result<Kind<'a>, Mistake> {
        let client = self.id.map(Given::short_name);
        let client = client.or_else(|| self.secret.short_name());
        match (self.token.name(), self.id, self.secret.name()) {
            (Some(_), None, None) => Ok(Kind::Token),
            (None, Some(id), Some(_)) => Ok(Kind::Client(id)),
            (Some(token), _, _) => Err(Mistake::about(
                format_args!("{token} and {}", client.unwrap_or_default()),
                "an access token and an OAuth client are both given; give one of them. The client is \
                 the better one: its tokens are renewed in time",
            )),
            (None, Some(id), None) => Err(Mistake::about(id.name(), self.home.without_secret())),
            (None, None, Some(secret)) => Err(Mistake::about(secret, self.home.without_id())),
            (None, None, None) => Err(self.home.without_all()),
        }
    }
}

fn client_id(text: &str) -> Result<String, Wrong> {
    const LONGEST: usize = 256;
    let is_id = text.chars().all(|c| c.is_ascii_graphic()) && !text.is_empty();
    if is_id && text.len() <= LONGEST {
        Ok(text.to_owned())
    } else {
        Err(Wrong::new(
            "the client's id: visible ASCII characters without spaces",
            "copy it from the vendor's console",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Command;
    use crate::config::typing::{mistakes, typed};

    const SET_TOKEN: (&str, &str) = ("METAACCESS_ACCESS_TOKEN", "hunter2");
    const SET_SECRET: (&str, &str) = ("METAACCESS_CLIENT_SECRET", "hunter3");

    fn credential(line: &str, environment: &[(&str, &str)]) -> Credential {
        match typed(line, environment).map(|config| config.command) {
            Ok(Command::Serve(exporter)) => exporter.accounts[0].endpoint.credential.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn only_mistake(line: &str, environment: &[(&str, &str)]) -> String {
        let all = mistakes(line, environment);
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(!all.concat().contains("hunter"), "{all:?}");
        all.concat()
    }

    #[test]
    fn a_token_has_one_source() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "hunter2\n").unwrap();
        let line = format!("--api.access-token-file={}", path.display());
        let Credential::Token(source) = credential(&line, &[]) else {
            panic!("no token");
        };
        assert_eq!(source.read().unwrap().expose(), "hunter2");
        let both = only_mistake(&line, &[SET_TOKEN]);
        assert!(
            both.starts_with("--api.access-token-file and METAACCESS_ACCESS_TOKEN: both give the"),
            "{both}"
        );
        std::fs::write(&path, "").unwrap();
        assert!(only_mistake(&line, &[]).contains("there is nothing in it"));
        std::fs::remove_file(&path).unwrap();
        assert!(only_mistake(&line, &[]).contains("cannot be read"));
    }

    #[test]
    fn a_client_has_an_id_and_a_secret_from_a_file_or_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, " hunter3\r\n").unwrap();
        let line = format!(
            "--api.client-id=TEST-CLIENT --api.client-secret-file={}",
            path.display()
        );
        for (line, environment) in [
            (line.as_str(), &[][..]),
            ("--api.client-id=TEST-CLIENT", &[SET_SECRET]),
        ] {
            let Credential::Client { id, secret } = credential(line, environment) else {
                panic!("no client");
            };
            assert_eq!(id, "TEST-CLIENT");
            assert_eq!(secret.read().unwrap().expose(), "hunter3");
        }
        let both = only_mistake(&line, &[SET_SECRET]);
        assert!(
            both.starts_with(
                "--api.client-secret-file and METAACCESS_CLIENT_SECRET: both give the"
            ),
            "{both}"
        );
    }

    #[test]
    fn half_a_client_is_refused_and_says_which_half_is_missing() {
        let without_secret = only_mistake("--api.client-id=TEST-CLIENT", &[]);
        assert!(
            without_secret.starts_with(
                "--api.client-id: the client's secret is not given; set METAACCESS_CLIENT_SECRET"
            ),
            "{without_secret}"
        );
        let without_id = only_mistake("", &[SET_SECRET]);
        assert!(
            without_id.starts_with(
                "METAACCESS_CLIENT_SECRET: the client's id is not given; add it by --api.client-id"
            ),
            "{without_id}"
        );
    }

    #[test]
    fn a_token_beside_a_client_is_refused() {
        for (line, client) in [
            ("--api.client-id=TEST-CLIENT", "--api.client-id"),
            ("", "METAACCESS_CLIENT_SECRET"),
        ] {
            let mistake = only_mistake(line, &[SET_TOKEN, SET_SECRET]);
            assert!(
                mistake.starts_with(&format!("METAACCESS_ACCESS_TOKEN and {client}: ")),
                "{mistake}"
            );
        }
    }

    #[test]
    fn a_broken_secret_is_refused_without_being_shown() {
        let broken = only_mistake("", &[("METAACCESS_ACCESS_TOKEN", "hunter2 hunter3")]);
        assert!(
            broken.starts_with("METAACCESS_ACCESS_TOKEN: it holds spaces"),
            "{broken}"
        );
        let empty = only_mistake("", &[("METAACCESS_ACCESS_TOKEN", " \n")]);
        assert!(
            empty.starts_with("METAACCESS_ACCESS_TOKEN: there is nothing in it"),
            "{empty}"
        );
        let id = only_mistake("--api.client-id=ä", &[SET_SECRET]);
        assert!(id.contains("visible ASCII characters"), "{id}");
    }
}
