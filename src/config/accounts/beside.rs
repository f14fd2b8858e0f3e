//! What belongs into the file of accounts, where there is one.

use crate::config::environment::Environment;
use crate::config::flags::{ApiFlags, Cli};
use crate::config::given::{Given, Origin};
use crate::config::mistake::{Mistake, Mistakes};
use crate::config::secret::{ACCESS_TOKEN, CLIENT_SECRET};

/// Leaves a mistake for each setting of one account that stands beside the file of many, and returns a
/// warning of a name that the environment happens to hold.
pub fn check(cli: &Cli, environment: &Environment, mistakes: &mut Mistakes) -> Option<String> {
    let file = cli.account.config_file.as_ref()?.name();
    let mut refuse = |name: &str, mend: &str| {
        let mend = format_args!("{file} names the accounts; {mend} of its account");
        mistakes.add(Mistake::about(name, mend));
    };
    for (name, key) in credentials(&cli.api) {
        refuse(&name, &format!("move it there, as {key}"));
    }
    for (variable, key) in [
        (ACCESS_TOKEN, "access_token_file"),
        (CLIENT_SECRET, "client_secret_file"),
    ] {
        if environment.get(variable).is_some() {
            let mend = format!("write the secret to a file, and name that there, as {key}");
            refuse(variable, &mend);
        }
    }
    let name = &cli.account.account_name;
    match name.origin() {
        Origin::Flag => refuse(&name.name(), "move it there, as name"),
        // An environment is shared by many commands, and this one changes nothing of what is read.
        Origin::Environment => {
            let name = name.name();
            return Some(format!(
                "{name} is set, but {file} names the accounts: it is ignored"
            ));
        }
        Origin::Default | Origin::File(_) => {}
    }
    None
}

/// The names of the credential's flags that are given, and the keys of the file for them.
fn credentials(api: &ApiFlags) -> impl Iterator<Item = (String, &'static str)> {
    let keys = [
        (&api.client_id, "client_id"),
        (&api.client_secret_file, "client_secret_file"),
        (&api.access_token_file, "access_token_file"),
    ];
    let given = |(given, key): (&Option<Given>, _)| Some((given.as_ref()?.name(), key));
    keys.into_iter().filter_map(given)
}
