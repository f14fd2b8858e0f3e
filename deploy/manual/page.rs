//! The man page.

use clap::{Arg, Command};
use metaaccess_exporter::config::given::variable;
use metaaccess_exporter::config::table;
use roff::{Inline, Roff, bold, italic, roman};

use super::words;

const NAME: &str = "metaaccess-exporter";

/// The man page of the program as `man` reads it.
pub fn page(command: &Command, day: &str) -> String {
    let mut page = Roff::new();
    let version = format!("{NAME} {}", env!("CARGO_PKG_VERSION"));
    // Nothing at all would put the version in its place.
    let day = if day.is_empty() { " " } else { day };
    page.control("TH", [NAME, "1", day, &version, "User Commands"]);
    // No line breaks inside names of flags, and none of the paragraphs stretched.
    page.control("nh", []).control("ad", ["l"]);
    name(&mut page, command);
    synopsis(&mut page, command);
    section(&mut page, "DESCRIPTION", &words::DESCRIPTION);
    commands(&mut page, command);
    flags(&mut page, command);
    environment(&mut page);
    listed(&mut page, "SIGNALS", &words::SIGNALS);
    listed(&mut page, "HTTP", &words::PATHS);
    listed(&mut page, "FILES", &words::FILES);
    listed(&mut page, "EXIT STATUS", &words::EXIT_CODES);
    examples(&mut page);
    section(&mut page, "SEE ALSO", &words::SEE_ALSO);
    page.render()
}

fn name(page: &mut Roff, command: &Command) {
    let about = command.get_about().map(ToString::to_string);
    let about = about.unwrap_or_default();
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{NAME} - {}", about.trim_end_matches('.')))]);
}

fn synopsis(page: &mut Roff, command: &Command) {
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold(NAME), roman(" ["), italic("FLAGS"), roman("]")]);
    for sub in command.get_subcommands() {
        page.control("br", []);
        let name = format!("{NAME} {}", sub.get_name());
        page.text([bold(name), roman(" ["), italic("FLAGS"), roman("]")]);
    }
}

fn section(page: &mut Roff, heading: &str, paragraphs: &[&str]) {
    page.control("SH", [heading]);
    for (nth, paragraph) in paragraphs.iter().enumerate() {
        if nth > 0 {
            page.control("PP", []);
        }
        page.text([roman(*paragraph)]);
    }
}

/// A section of names, each with what there is to say of it.
fn listed(page: &mut Roff, heading: &str, rows: &[(&str, &str)]) {
    page.control("SH", [heading]);
    for (name, meaning) in rows {
        entry(page, [bold(*name)], meaning);
    }
}

fn entry(page: &mut Roff, name: impl Into<Vec<Inline>>, meaning: &str) {
    page.control("TP", []).text(name).text([roman(meaning)]);
}

fn commands(page: &mut Roff, command: &Command) {
    page.control("SH", ["COMMANDS"]);
    page.text([roman(words::WITHOUT_COMMAND)]);
    for sub in command.get_subcommands() {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        let meaning = match words::of_command(sub.get_name()) {
            Some(more) => format!("{about}. {more}"),
            None => about,
        };
        entry(page, [bold(sub.get_name())], &meaning);
    }
}

fn flags(page: &mut Roff, command: &Command) {
    page.control("SH", ["FLAGS"]);
    page.text([roman(words::FLAGS)]);
    let mut heading = "";
    for arg in all_flags(command) {
        let of_arg = arg.get_help_heading().unwrap_or("Others");
        if of_arg != heading {
            heading = of_arg;
            page.control("SS", [heading]);
        }
        flag(page, arg);
    }
    page.control("SS", ["Others"]);
    for (name, meaning) in words::OTHER_FLAGS {
        entry(page, [bold(name)], meaning);
    }
}

/// The flags of the program and then those that a command has to itself.
fn all_flags(command: &Command) -> Vec<&Arg> {
    let mut all: Vec<&Arg> = command.get_arguments().collect();
    for sub in command.get_subcommands() {
        for arg in sub.get_arguments() {
            let is_known = all.iter().any(|known| known.get_long() == arg.get_long());
            if !is_known {
                all.push(arg);
            }
        }
    }
    all
}

fn flag(page: &mut Roff, arg: &Arg) {
    let long = arg.get_long().unwrap_or_default();
    let value = arg.get_value_names().unwrap_or_default().first();
    let value = value.map_or("VALUE", |value| value.as_str());
    page.control("TP", []);
    page.text([bold(format!("--{long}=")), italic(value)]);
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    page.text([roman(format!("{}.", help.trim_end_matches('.')))]);
    page.control("br", []);
    if let Some(default) = arg.get_default_values().first() {
        page.text([roman(format!("Default: {}.", default.to_string_lossy()))]);
        page.control("br", []);
    }
    page.text([roman("Variable: "), bold(variable(long)), roman(".")]);
}

fn environment(page: &mut Roff) {
    page.control("SH", ["ENVIRONMENT"]);
    page.text([roman(words::ENVIRONMENT)]);
    let secrets = table::rows().into_iter().filter(|row| row.flag.is_empty());
    for row in secrets {
        entry(page, [bold(row.variable)], &format!("{}.", row.help));
    }
    for (name, meaning) in words::PROXIES {
        entry(page, [bold(name)], meaning);
    }
}

fn examples(page: &mut Roff) {
    page.control("SH", ["EXAMPLES"]);
    for (nth, (meaning, line)) in words::EXAMPLES.into_iter().enumerate() {
        if nth > 0 {
            page.control("PP", []);
        }
        page.text([roman(meaning)]);
        page.control("PP", []).control("RS", ["4"]);
        page.control("nf", []);
        for line in line.lines() {
            page.text([roman(line)]);
        }
        page.control("fi", []).control("RE", []);
    }
}
