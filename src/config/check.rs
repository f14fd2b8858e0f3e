//! The settings of `check`.

use clap::Args;

use super::given::{Given, GivenParser};
use super::mistake::{Mistake, Mistakes};
use super::settings::{Check, CheckFormat, Exporter};
use super::value;
use crate::event::Account;

const ACCOUNT: &str = "check.account";
const FORMAT: &str = "format";
const FORMATS: [(&str, CheckFormat); 2] =
    [("text", CheckFormat::Text), ("json", CheckFormat::Json)];

/// The flags that only `check` has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Check")]
pub struct CheckFlags {
    /// Check only the account of this name. Repeatable; all accounts when not given
    #[arg(id = ACCOUNT, long = ACCOUNT, value_name = "NAME")]
    pub account: Vec<Given>,
    /// How the result of check is written: text or json
    #[arg(
        id = "check.format", long = FORMAT, value_name = "FORMAT", default_value = "text",
        value_parser = GivenParser::of(&FORMATS)
    )]
    pub format: Given,
}

/// Whether a flag, named without its dashes, is one of `check` alone.
pub fn is_flag(flag: &str) -> bool {
    [ACCOUNT, FORMAT].contains(&flag)
}

/// What to check of what `exporter` would do.
pub fn read(
    flags: &CheckFlags,
    exporter: Option<Exporter>,
    mistakes: &mut Mistakes,
) -> Option<Check> {
    let format = mistakes.read(&flags.format, value::choice(&FORMATS));
    let names = flags.account.iter().map(|given| {
        let name = mistakes.read(given, value::account)?;
        Some((given, name))
    });
    let names: Option<Vec<(&Given, Account)>> = names.collect();
    let (exporter, names) = (exporter?, names?);
    let is_one = |name: &Account| exporter.accounts.iter().any(|one| one.name == *name);
    for (given, name) in &names {
        if !is_one(name) {
            mistakes.add(Mistake::about(
                given.name(),
                format_args!("there is no account {name}; name one that is configured"),
            ));
        }
    }
    Some(Check {
        exporter,
        only: names.into_iter().map(|(_, name)| name).collect(),
        format: format?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::typing::{ACCOUNT, mistake, typed};
    use crate::config::{Command, State};

    fn check(line: &str) -> Check {
        match typed(line, &ACCOUNT).map(|config| config.command) {
            Ok(Command::Check(check)) => check,
            other => panic!("{line:?} does not check: {other:?}"),
        }
    }

    #[test]
    fn it_takes_the_flags_of_the_exporter_and_its_own() {
        let plain = check("check --api.rate-limit=5/1m --state.path=/nowhere/state");
        assert_eq!(plain.format, CheckFormat::Text);
        assert_eq!(plain.exporter.accounts[0].limits.rate.requests, 5);
        assert_eq!(plain.exporter.state, State::File("/nowhere/state".into()));
        assert_eq!(check("check --format=json").format, CheckFormat::Json);
        let only = check("check --check.account=default").only;
        assert_eq!(only, [Account::new("default")]);
    }

    #[test]
    fn what_it_cannot_check_is_a_mistake() {
        let unknown = mistake("check --check.account=nobody");
        assert!(unknown.contains("there is no account nobody"), "{unknown}");
        assert!(mistake("check --format=xml").contains("text or json"));
        assert!(mistake("check --api.timeout=5").contains("--api.timeout"));
    }

    #[test]
    fn its_flags_mean_nothing_elsewhere() {
        assert!(typed("--format=json", &ACCOUNT).is_err());
        assert!(typed("demo --format=json", &ACCOUNT).is_err());
    }
}
