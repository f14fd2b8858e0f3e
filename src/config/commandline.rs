//! The command line as clap knows it: flags, their help, and the environment beneath them.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};

use super::environment::Environment;
use super::flags::Cli;
use super::given::{Given, GivenParser, Origin, looks_like_token, variable};
use super::help::described;
use super::mistake::Problem;
use super::verb::{Role, Verb};
use super::{check, simulate};

/// What was typed, and by which names.
#[derive(Debug)]
pub struct Typed {
    pub cli: Cli,
    pub verb: Verb,
    /// Every value from flags and the environment; no defaults.
    pub given: Vec<Given>,
    /// Flags of which a part would be lost: given before the command and after it as well.
    pub split: Vec<String>,
}

/// The command line with its help complete.
pub fn command() -> Command {
    shared_by_all(described(Cli::command()))
}

/// Reads the arguments, the program's name first.
pub fn read(
    args: impl Iterator<Item = OsString>,
    environment: &Environment,
) -> Result<Typed, Problem> {
    let args: Vec<OsString> = args.collect();
    let described = described(Cli::command());
    let command = shared_by_all(beneath(described, environment));
    let matches = command
        .try_get_matches_from(&args)
        .map_err(|error| problem(&error, &args))?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| problem(&error, &args))?;
    Ok(Typed {
        verb: Verb::of(cli.command.as_ref()),
        given: given_in(&matches),
        split: split_in(&matches, &args),
        cli,
    })
}

fn problem(error: &clap::Error, args: &[OsString]) -> Problem {
    let text = error.render().to_string().trim_end().to_owned();
    // clap shows a word it did not expect, which may be a token that went astray, or a URL with a
    // password.
    let astray = args.iter().filter_map(|arg| arg.to_str());
    let text = astray
        .filter(|arg| looks_like_token(arg) || arg.contains("://"))
        .fold(text, |text, token| text.replace(token, "…"));
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Problem::Asked(text),
        _ => Problem::unreadable(&text),
    }
}

/// Lays the environment beneath the flags: a set variable takes the place of the default.
fn beneath(command: Command, environment: &Environment) -> Command {
    let lay = |arg: Arg| {
        let set = arg
            .get_long()
            .filter(|_| !arg.is_hide_set())
            .and_then(|flag| environment.get(&variable(flag)));
        match set {
            // clap runs the parser for a default only where there is one; the text is not used.
            Some(value) => arg
                .default_value("-")
                .value_parser(GivenParser::with_environment(value)),
            None => arg,
        }
    };
    command
        .mut_args(lay)
        .mut_subcommands(|sub| sub.mut_args(lay))
}

/// Lets every flag stand after the command too. What a command has no use for is not in its help.
fn shared_by_all(command: Command) -> Command {
    let command = command.mut_args(|arg| arg.global(true));
    let shared: Vec<Arg> = command.get_arguments().cloned().collect();
    command.mut_subcommands(|sub| {
        let verb = Verb::named(sub.get_name());
        shared.iter().cloned().fold(sub, |sub, arg| {
            let read = arg.get_long().map(|flag| verb.role_of(flag)) == Some(Role::Reads);
            let hide = arg.is_hide_set() || !read;
            sub.arg(arg.hide(hide))
        })
    })
}

fn given_in(matches: &ArgMatches) -> Vec<Given> {
    let own = values_of(matches, |_| true);
    let of_the_command = matches
        .subcommand()
        .map(|(_, sub)| values_of(sub, is_of_a_command))
        .unwrap_or_default();
    let mut given = own;
    given.extend(of_the_command);
    given.retain(|given| *given.origin() != Origin::Default);
    given
}

fn is_of_a_command(flag: &str) -> bool {
    simulate::is_flag(flag) || check::is_flag(flag)
}

fn values_of(matches: &ArgMatches, wanted: impl Fn(&str) -> bool) -> Vec<Given> {
    let ids = matches.ids().map(clap::Id::as_str);
    ids.filter_map(|id| matches.try_get_many::<Given>(id).ok().flatten())
        .flatten()
        .filter(|given| wanted(given.flag()))
        .cloned()
        .collect()
}

/// clap keeps only the values after the command where a flag stands on both sides of it.
fn split_in(matches: &ArgMatches, args: &[OsString]) -> Vec<String> {
    let typed = |flag: &str| {
        let alone = format!("--{flag}");
        let with_value = format!("--{flag}=");
        let is_it = |arg: &&OsString| {
            let arg = arg.to_string_lossy();
            *arg == alone || arg.starts_with(&with_value)
        };
        args.iter().filter(is_it).count()
    };
    let ids = matches.ids().map(clap::Id::as_str);
    ids.filter(|id| matches.value_source(id) == Some(ValueSource::CommandLine))
        .filter_map(|id| matches.try_get_many::<Given>(id).ok().flatten())
        .filter_map(|kept| {
            let kept: Vec<&Given> = kept.collect();
            let flag = kept.first()?.flag();
            (typed(flag) > kept.len()).then(|| flag.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::typing::{ACCOUNT, exporter, typed};
    use crate::config::{Command as Meaning, Exporter};

    fn asked(line: &str) -> String {
        match typed(line, &ACCOUNT) {
            Err(Problem::Asked(text)) => text,
            other => panic!("{line:?}: {other:?}"),
        }
    }

    fn served(line: &str, environment: &[(&str, &str)]) -> Exporter {
        let environment: Vec<_> = ACCOUNT.iter().chain(environment).copied().collect();
        match typed(line, &environment).map(|config| config.command) {
            Ok(Meaning::Serve(exporter)) => exporter,
            other => panic!("{line:?}: {other:?}"),
        }
    }

    #[test]
    fn the_definitions_are_sound() {
        command().debug_assert();
    }

    #[test]
    fn a_flag_wins_over_its_variable_and_both_over_the_default() {
        let variable = [("METAACCESS_ACCOUNT_NAME", "variable")];
        let name = |line, environment| served(line, environment).accounts[0].name.to_string();
        assert_eq!(name("", &[]), "default");
        assert_eq!(name("", &variable), "variable");
        assert_eq!(name("--account.name=flag", &variable), "flag");
        assert_eq!(name("", &[("METAACCESS_ACCOUNT_NAME", "")]), "default");
    }

    #[test]
    fn a_bad_variable_does_not_matter_beneath_a_good_flag() {
        let variable = [("METAACCESS_API_TIMEOUT", "wrong")];
        assert_eq!(
            served("--api.timeout=1s", &variable).accounts[0]
                .limits
                .timeout
                .as_secs(),
            1
        );
    }

    #[test]
    fn a_list_in_the_environment_is_separated_by_commas() {
        let variable = [("METAACCESS_WEB_LISTEN_ADDRESS", ":1, 127.0.0.1:2")];
        assert_eq!(served("", &variable).web.listen.len(), 2);
        assert_eq!(
            served("--web.listen-address=:3", &variable)
                .web
                .listen
                .len(),
            1
        );
    }

    #[test]
    fn flags_may_stand_before_the_command_and_after_it() {
        for line in [
            "--log.level=debug demo",
            "demo --log.level=debug",
            "demo --log.level debug",
        ] {
            let config = typed(line, &[]).unwrap();
            assert_eq!(config.log.level, crate::config::LogLevel::Debug, "{line}");
        }
        let both = typed("--log.level=debug demo --log.format=json", &[]).unwrap();
        assert_eq!(both.log.level, crate::config::LogLevel::Debug);
        assert_eq!(both.log.format, crate::config::LogFormat::Json);
    }

    #[test]
    fn an_unknown_flag_is_refused_with_the_likely_one() {
        let problem = typed("--api.base-uri=https://example.com", &ACCOUNT).unwrap_err();
        assert_eq!(problem.exit_code(), 64);
        let text = problem.to_string();
        assert!(text.contains("--api.base-url"), "{text}");
        for line in [
            "--api.timeout",
            "surprise",
            "demo surprise",
            "--log.level=info --log.level=info",
        ] {
            assert_eq!(typed(line, &ACCOUNT).unwrap_err().exit_code(), 64, "{line}");
        }
    }

    #[test]
    fn of_a_secret_among_the_arguments_nothing_is_kept() {
        let args = ["metaaccess-exporter", "--token", "hunter2"].map(OsString::from);
        let typed = read(args.into_iter(), &Environment::default()).unwrap();
        assert!(typed.given.iter().all(|given| given.raw().is_empty()));
        assert_eq!(typed.given.len(), 1);
    }

    #[test]
    fn a_token_that_went_astray_is_not_shown() {
        let token = "01234567-89ab-cdef-0123-456789abcdef";
        let lines = [
            token.to_owned(),
            format!("demo {token}"),
            format!("--tokn={token}"),
            format!("--tokn {token}"),
        ];
        for line in lines {
            let problem = typed(&line, &ACCOUNT).unwrap_err().to_string();
            assert!(!problem.contains(token), "{problem}");
        }
    }

    #[test]
    fn help_shows_the_defaults_whatever_the_environment_says() {
        let environment = [("METAACCESS_API_BASE_URL", "https://example.com")];
        let Err(Problem::Asked(help)) = typed("--help", &environment) else {
            panic!("no help");
        };
        assert!(!help.contains("example.com"), "{help}");
    }

    #[test]
    fn version_names_the_program() {
        assert_eq!(
            asked("--version"),
            concat!("metaaccess-exporter ", env!("CARGO_PKG_VERSION"))
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf_8_is_a_mistake_and_no_panic() {
        use std::os::unix::ffi::OsStringExt;
        let name = OsString::from_vec(b"--account.name=\xff".to_vec());
        let args = [OsString::from("metaaccess-exporter"), name];
        let environment = Environment::from_iter(ACCOUNT);
        let problem = crate::config::parse(args.into_iter(), &environment).unwrap_err();
        assert!(problem.to_string().contains("UTF-8"), "{problem}");
        let _ = exporter("");
    }
}
