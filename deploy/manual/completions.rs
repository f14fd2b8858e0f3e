//! The completions for bash, zsh and fish.

use std::io;

use clap::Command;
use clap_complete::{Shell, generate};

use super::{Written, fish};

const NAME: &str = "metaaccess-exporter";

/// Bash gives `--log.level=w` as three words, which `clap_complete` does not join.
const BY_EQUALS: &str = r#"
_metaaccess_exporter_by_equals() {
    local cur=$2 prev=$3
    if [[ $cur == "=" ]]; then
        cur=""
    elif [[ $prev == "=" && $COMP_CWORD -gt 1 ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    _metaaccess__exporter "$1" "$cur" "$prev"
}

complete -F _metaaccess_exporter_by_equals -o bashdefault -o default metaaccess-exporter
"#;

/// A script for each shell.
pub fn scripts(command: &Command) -> io::Result<Vec<Written>> {
    let bash = generated(Shell::Bash, command)?;
    // A hyphen in the program's name becomes one thing where a command is found, and another where
    // its flags are.
    let bash = bash.replace("metaaccess__subcmd__exporter", "metaaccess__exporter");
    let file = |name, text| Written { name, text };
    Ok(vec![
        file("metaaccess-exporter.bash", bash + BY_EQUALS),
        file("_metaaccess-exporter", generated(Shell::Zsh, command)?),
        file("metaaccess-exporter.fish", fish::script(command)),
    ])
}

fn generated(shell: Shell, command: &Command) -> io::Result<String> {
    let mut script = Vec::new();
    generate(shell, &mut command.clone(), NAME, &mut script);
    String::from_utf8(script).map_err(io::Error::other)
}
