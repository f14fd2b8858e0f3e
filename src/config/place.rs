//! Whether each setting may stand where it stands: with this command, in argv.

use super::accounts::beside;
use super::commandline::Typed;
use super::environment::Environment;
use super::flags::{Chosen, MisplacedFlags};
use super::given::{Given, Origin};
use super::mistake::{Mistake, Mistakes};
use super::secret::{ACCESS_TOKEN, CLIENT_SECRET, SIMULATE_TOKEN, STATE_PASSWORD};
use super::verb::{Role, Verb};

/// Leaves a mistake for each setting that is out of place, and returns warnings for those that the
/// environment happens to hold.
pub fn check(typed: &Typed, environment: &Environment, mistakes: &mut Mistakes) -> Vec<String> {
    for mistake in split(typed).into_iter().chain(in_argv(typed)) {
        mistakes.add(mistake);
    }
    let mut warnings = Vec::new();
    for given in &typed.given {
        match (typed.verb.role_of(given.flag()), given.origin()) {
            (Role::Reads, _) => {}
            (_, Origin::Flag) if is_trap(given) => {}
            (role, Origin::Flag) => mistakes.add(of_no_use(given, typed.verb, role)),
            (Role::BringsItsOwn, _) => warnings.push(ignored_by_demo(&given.name())),
            // An environment is shared by many commands, so that this is usual.
            (Role::NoUse, _) => {}
        }
    }
    if matches!(typed.verb, Verb::Serve | Verb::Check) {
        warnings.extend(beside::check(&typed.cli, environment, mistakes));
    }
    if typed.verb == Verb::Demo {
        let set = [ACCESS_TOKEN, CLIENT_SECRET, STATE_PASSWORD].into_iter();
        let set = set.filter(|name| environment.get(name).is_some());
        warnings.extend(set.map(ignored_by_demo));
    }
    warnings
}

fn split(typed: &Typed) -> Vec<Mistake> {
    let both = typed.split.iter().map(|flag| {
        Mistake::about(
            format_args!("--{flag}"),
            "it stands before the command and after it; put it on one side",
        )
    });
    both.collect()
}

fn of_no_use(given: &Given, verb: Verb, role: Role) -> Mistake {
    let (name, command) = (given.name(), verb.name());
    match role {
        Role::BringsItsOwn => Mistake::sentence(format!(
            "{name} cannot be set for {command}, which reads its own simulator and nothing else; \
             leave it out, or leave {command} out to read a real account"
        )),
        Role::NoUse | Role::Reads => Mistake::sentence(format!(
            "{name} means nothing for {command}; leave it out (what it takes is told by: \
             metaaccess-exporter {command} --help)"
        )),
    }
}

fn ignored_by_demo(name: &str) -> String {
    format!("{name} is set, but demo reads its own simulator and ignores it")
}

/// Secrets among the arguments: every user of the machine could read them there.
fn in_argv(typed: &Typed) -> Vec<Mistake> {
    const READ_BY_ALL: &str = "arguments can be read by every user of the machine";
    let MisplacedFlags {
        access_token,
        client_secret,
        state_password,
    } = &typed.cli.misplaced;
    let simulate = match &typed.cli.command {
        Some(Chosen::Simulate(flags)) => flags.token.as_ref(),
        _ => None,
    };
    let token = access_token.as_ref().map(|_| {
        format!(
            "an access token is not taken from the command line, since {READ_BY_ALL}; set \
             {ACCESS_TOKEN}, or name a file by --api.access-token-file"
        )
    });
    let client = client_secret.as_ref().map(|_| {
        format!(
            "a client's secret is not taken from the command line, since {READ_BY_ALL}; set \
             {CLIENT_SECRET}, or name a file by --api.client-secret-file"
        )
    });
    let password = state_password.as_ref().map(|_| {
        format!(
            "a database's password is not taken from the command line, since {READ_BY_ALL}; set \
             {STATE_PASSWORD}, or name a file by --state.password-file"
        )
    });
    let simulated = simulate.map(|_| {
        format!(
            "the simulator's token is not taken from the command line, as no token is; set \
             {SIMULATE_TOKEN}"
        )
    });
    let all = [token, client, password, simulated].into_iter().flatten();
    all.map(Mistake::sentence).collect()
}

/// Whether `in_argv` has refused it already.
fn is_trap(given: &Given) -> bool {
    [
        "api.access-token",
        "api.client-secret",
        "state.password",
        "simulate.token",
    ]
    .contains(&given.flag())
}

#[cfg(test)]
mod tests {
    use crate::config::typing::{ACCOUNT, mistake, mistakes, typed};

    #[test]
    fn a_secret_among_the_arguments_is_refused_and_not_shown() {
        for line in [
            "--api.access-token hunter3",
            "--api.access-token=hunter3",
            "--token hunter3",
            "--token",
            "demo --access-token=hunter3",
            "--api.client-secret=hunter3",
            "--state.password=hunter3",
            "--password hunter3",
            "simulate --simulate.token hunter3",
        ] {
            let problem = typed(line, &ACCOUNT).unwrap_err().to_string();
            assert!(
                problem.contains("is not taken from the command line"),
                "{problem}"
            );
            assert!(!problem.contains("hunter"), "{problem}");
        }
    }

    #[test]
    fn the_demo_refuses_a_real_account_among_the_flags() {
        for flag in [
            "--api.base-url=https://example.com",
            "--api.rate-limit=10/1m",
            "--state.url=postgres://u@example.com",
            "--state.password-file=/nowhere/password",
        ] {
            assert!(mistake(&format!("demo {flag}")).contains("cannot be set for demo"));
            assert!(mistake(&format!("{flag} demo")).contains("cannot be set for demo"));
        }
    }

    #[test]
    fn the_demo_ignores_a_real_account_in_the_environment_and_says_so() {
        let environment = [
            ACCOUNT[0],
            ("METAACCESS_CLIENT_SECRET", "hunter2"),
            ("METAACCESS_API_BASE_URL", "http://example.com"),
            ("METAACCESS_STATE_URL", "postgres://hunter3"),
            ("METAACCESS_STATE_PASSWORD_FILE", "/nowhere/password"),
            ("METAACCESS_STATE_PASSWORD", "hunter2"),
        ];
        let warnings = typed("demo", &environment).unwrap().warnings;
        for name in environment.map(|(name, _)| name) {
            let named = |warning: &String| warning.starts_with(&format!("{name} is set, but demo"));
            assert!(warnings.iter().any(named), "{name}: {warnings:?}");
        }
        assert_eq!(warnings.len(), 6, "{warnings:?}");
        assert!(!warnings.concat().contains("hunter2"));
    }

    #[test]
    fn a_command_refuses_flags_that_mean_nothing_for_it() {
        assert!(mistake("simulate --api.logs=admin").contains("means nothing for simulate"));
        assert!(mistake("--web.telemetry-path=/m healthcheck").contains("means nothing for"));
        assert!(typed("--simulate.seed=1", &ACCOUNT).is_err());
    }

    #[test]
    fn a_command_is_not_disturbed_by_the_environment_of_another() {
        let environment = [
            ("METAACCESS_API_TIMEOUT", "wrong"),
            ("METAACCESS_STATE_URL", "postgres://hunter3"),
            ("METAACCESS_CLIENT_SECRET", "hunter2"),
        ];
        for command in ["healthcheck", "simulate"] {
            assert_eq!(
                typed(command, &environment).unwrap().warnings,
                Vec::<String>::new()
            );
        }
        let simulate = [ACCOUNT[0], ("METAACCESS_SIMULATE_SEED", "wrong")];
        assert_eq!(typed("", &simulate).unwrap().warnings, Vec::<String>::new());
    }

    #[test]
    fn a_flag_on_both_sides_of_the_command_is_refused() {
        let mistake = mistake("--log.level=info demo --log.level debug");
        assert!(mistake.starts_with("--log.level: it stands before the command and after it"));
        let addresses = "--web.listen-address=:1 demo --web.listen-address=:2";
        assert!(
            mistakes(addresses, &ACCOUNT)
                .concat()
                .contains("before the command and after")
        );
    }

    #[test]
    fn an_unknown_variable_is_warned_of() {
        let environment = [
            ACCOUNT[0],
            ("METAACCESS_API_LOG", "device"),
            ("METAACCESS_API_ACCESS_TOKEN", "hunter3"),
            ("METAACCESS_EXPORTER_PORT", "tcp://192.0.2.1:19720"),
        ];
        let warnings = typed("", &environment).unwrap().warnings;
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(
            warnings[0].contains("METAACCESS_API_ACCESS_TOKEN"),
            "{warnings:?}"
        );
        assert!(!warnings.concat().contains("hunter3"));
    }
}
