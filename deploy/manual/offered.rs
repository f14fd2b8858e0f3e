//! What of the command line is for users.

use clap::{Arg, Command};
use metaaccess_exporter::config;

/// The command line without what is hidden. Each command has the flags that it reads.
pub fn command() -> Command {
    let all = config::command();
    let offered = Command::new("metaaccess-exporter")
        .bin_name("metaaccess-exporter")
        .version(env!("CARGO_PKG_VERSION"))
        .about(all.get_about().cloned().unwrap_or_default())
        .args(flags(&all));
    offered.subcommands(all.get_subcommands().map(|sub| {
        // clap takes names that live as long as the program.
        let name: &'static str = sub.get_name().to_owned().leak();
        let about = sub.get_about().cloned().unwrap_or_default();
        Command::new(name).about(about).args(flags(sub))
    }))
}

fn flags(command: &Command) -> Vec<Arg> {
    let flags = command.get_arguments().filter(|arg| is_offered(arg));
    flags
        .map(|arg| arg.clone().help(help_of(arg)).global(false))
        .collect()
}

fn is_offered(arg: &Arg) -> bool {
    arg.get_long().is_some() && !arg.is_hide_set()
}

/// What a flag does, without the default and the variable that `--help` adds to it.
fn help_of(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    help.split('\n').next().unwrap_or_default().to_owned()
}
