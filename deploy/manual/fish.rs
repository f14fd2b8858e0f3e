//! The completions for fish. What `clap_complete` writes splits the line by fish's `argparse`, which
//! takes no flag with a dot in it.

use clap::{Arg, Command, ValueHint};

/// The script.
pub fn script(command: &Command) -> String {
    let names: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
    let names = names.join(" ");
    let mut script = format!(
        "function __metaaccess_exporter_runs\n    \
             set -l runs serve\n    \
             for word in (commandline -opc)[2..]\n        \
                 if contains -- $word {names}\n            \
                     set runs $word\n            \
                     break\n        \
                 end\n    \
             end\n    \
             test $runs = $argv[1]\n\
         end\n\n\
         complete -c metaaccess-exporter -f\n\
         complete -c metaaccess-exporter -s h -l help -d 'Say what it takes'\n\
         complete -c metaaccess-exporter -s V -l version -d 'Say the version'\n"
    );
    for sub in command.get_subcommands() {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        let line = format!("-a {} -d {}", sub.get_name(), quoted(&about));
        script += &complete("serve", &line);
    }
    script += &flags("serve", command);
    for sub in command.get_subcommands() {
        script += &flags(sub.get_name(), sub);
    }
    script
}

fn flags(runs: &str, command: &Command) -> String {
    let lines = command
        .get_arguments()
        .map(|arg| complete(runs, &flag(arg)));
    lines.collect()
}

fn complete(runs: &str, what: &str) -> String {
    format!("complete -c metaaccess-exporter -n '__metaaccess_exporter_runs {runs}' {what}\n")
}

fn flag(arg: &Arg) -> String {
    let long = arg.get_long().unwrap_or_default();
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let words = arg.get_possible_values();
    let words: Vec<&str> = words.iter().map(|word| word.get_name()).collect();
    let values = match arg.get_value_hint() {
        ValueHint::FilePath => "-F".to_owned(),
        _ if words.is_empty() => "-x".to_owned(),
        _ => format!("-x -a {}", quoted(&words.join(" "))),
    };
    format!("-l {long} -r {values} -d {}", quoted(&help))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
