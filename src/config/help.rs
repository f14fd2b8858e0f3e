//! What `--help` says, and which settings it says it of.

use std::collections::BTreeSet;

use clap::{Arg, Command, CommandFactory};

use super::flags::Cli;
use super::given::variable;
use super::{check, secret, simulate};

/// All flags that users may type, with the default clap was told, once each.
pub fn documented(command: &Command) -> Vec<&Arg> {
    let own = command.get_arguments();
    let of = |name, is_its_own: fn(&str) -> bool| {
        let command = command.find_subcommand(name).into_iter();
        let all = command.flat_map(Command::get_arguments);
        all.filter(move |arg| arg.get_long().is_some_and(is_its_own))
    };
    own.chain(of("check", check::is_flag))
        .chain(of("simulate", simulate::is_flag))
        .filter(|arg| arg.get_long().is_some() && !arg.is_hide_set())
        .collect()
}

/// The variables that mean something: those of the flags, and the secrets'.
pub fn known_variables() -> BTreeSet<String> {
    let command = described(Cli::command());
    let flags = documented(&command).into_iter().filter_map(Arg::get_long);
    let secrets = secret::VARIABLES.iter().map(|(name, _)| (*name).to_owned());
    flags.map(variable).chain(secrets).collect()
}

/// Adds to each flag's help what clap would not say: its variable.
pub fn described(command: Command) -> Command {
    let describe = |arg: Arg| {
        let (Some(flag), false) = (arg.get_long(), arg.is_hide_set()) else {
            return arg;
        };
        let text = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let default = default_of(&arg).map(|default| format!("[default: {default}] "));
        let help = format!(
            "{text}\n{}[env: {}]",
            default.unwrap_or_default(),
            variable(flag)
        );
        arg.help(help)
            .hide_default_value(true)
            .hide_possible_values(true)
    };
    command
        .mut_args(describe)
        .mut_subcommands(|sub| sub.mut_args(describe))
        .after_help(secrets_help())
}

fn secrets_help() -> String {
    let rows = secret::VARIABLES
        .iter()
        .map(|(name, meaning)| format!("\n  {name}\n          {meaning}"));
    "From the environment alone:".to_owned() + &rows.collect::<String>()
}

/// The default of a flag as the help shows it.
pub fn default_of(arg: &Arg) -> Option<String> {
    let default = arg.get_default_values().first()?;
    Some(default.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use crate::config::Problem;
    use crate::config::typing::typed;

    fn asked(line: &str) -> String {
        match typed(line, &[]) {
            Err(Problem::Asked(text)) => text,
            other => panic!("{line:?}: {other:?}"),
        }
    }

    #[test]
    fn help_names_every_setting_with_its_default_and_variable() {
        let help = asked("--help");
        for part in [
            "--api.rate-limit <N/DURATION>",
            "[default: 10/1m]",
            "[env: METAACCESS_API_RATE_LIMIT]",
            "METAACCESS_ACCESS_TOKEN",
        ] {
            assert!(help.contains(part), "{part:?} is not in {help}");
        }
        assert!(!help.contains("--api.access-token "), "{help}");
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
    }

    #[test]
    fn help_of_a_command_names_what_it_takes() {
        let simulate = asked("simulate --help");
        assert!(simulate.contains("--simulate.fault") && simulate.contains("--log.level"));
        assert!(!simulate.contains("--api.timeout"), "{simulate}");
        let demo = asked("demo --help");
        assert!(
            demo.contains("--account.name") && !demo.contains("--api.base-url"),
            "{demo}"
        );
        assert!(asked("healthcheck --help").contains("--web.listen-address"));
    }
}
