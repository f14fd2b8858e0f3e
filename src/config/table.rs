//! All settings as a table, from the definitions themselves.

use super::commandline;
use super::given::variable;
use super::{help, secret};

/// One setting as the manual lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// With its dashes; empty for a secret, which has no flag.
    pub flag: String,
    pub variable: String,
    /// Empty where there is none.
    pub default: String,
    /// What it does, in one or two sentences.
    pub help: String,
}

/// All settings in the order of the help, the secrets last.
pub fn rows() -> Vec<Row> {
    let command = commandline::command();
    let flags = help::documented(&command).into_iter().map(|arg| {
        let flag = arg.get_long().unwrap_or_default();
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        // What `help` added has its own columns here.
        let help = help.split('\n').next().unwrap_or_default();
        Row {
            flag: format!("--{flag}"),
            variable: variable(flag),
            default: help::default_of(arg).unwrap_or_default(),
            help: help.to_owned(),
        }
    });
    let secrets = secret::VARIABLES.iter().map(|(name, meaning)| Row {
        flag: String::new(),
        variable: (*name).to_owned(),
        default: String::new(),
        help: (*meaning).to_owned(),
    });
    flags.chain(secrets).collect()
}

/// The table of all settings in Markdown, for the README.
pub fn flags_markdown() -> String {
    let code = |text: &str| match text {
        "" => String::new(),
        _ => format!("`{text}`"),
    };
    let lines = rows().into_iter().map(|row| {
        let (flag, default) = (code(&row.flag), code(&row.default));
        let (variable, help) = (code(&row.variable), row.help.replace('|', "\\|"));
        format!("| {flag} | {default} | {variable} | {help} |\n")
    });
    "| flag | default | environment | meaning |\n|---|---|---|---|\n".to_owned()
        + &lines.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_its_row_and_its_help() {
        let rows = rows();
        for row in &rows {
            assert!(row.variable.starts_with("METAACCESS_"), "{row:?}");
            assert!(row.help.len() > 10 && !row.help.contains('['), "{row:?}");
        }
        let url = rows
            .iter()
            .find(|row| row.flag == "--api.base-url")
            .unwrap();
        assert_eq!(url.variable, "METAACCESS_API_BASE_URL");
        assert_eq!(url.default, "https://gears.opswat.com");
        assert!(
            rows.iter()
                .any(|row| row.variable == "METAACCESS_ACCESS_TOKEN")
        );
        assert!(rows.iter().any(|row| row.flag == "--simulate.fault"));
    }

    #[test]
    fn no_setting_is_listed_twice_and_no_trap_at_all() {
        let mut names: Vec<String> = rows().into_iter().map(|row| row.variable).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(!names.contains(&"METAACCESS_API_ACCESS_TOKEN".to_owned()));
    }

    #[test]
    fn the_markdown_has_a_line_for_each_row() {
        let markdown = flags_markdown();
        assert_eq!(markdown.lines().count(), rows().len() + 2);
        assert!(markdown.contains("| `--api.lateness` | `2m` | `METAACCESS_API_LATENESS` |"));
    }
}
