//! What the man page and the completions for shells are written from: the command line's own
//! definitions, so that no flag can be missing, and the words around them.
//!
//! `offered` is what of the command line is for users, `page` the man page of that, with the `words`
//! that the definitions do not hold, and `completions` the scripts for bash, zsh and fish.

mod completions;
mod fish;
mod offered;
mod page;
mod words;

use std::io;

/// A file that is written.
#[derive(Debug)]
pub struct Written {
    pub name: &'static str,
    pub text: String,
}

/// Every file that is written. `day` stands at the foot of the man page; it may be empty.
pub fn files(day: &str) -> io::Result<Vec<Written>> {
    let offered = offered::command();
    let mut files = completions::scripts(&offered)?;
    files.push(Written {
        name: "metaaccess-exporter.1",
        text: page::page(&offered, day),
    });
    Ok(files)
}

/// The day, in UTC, of so many seconds after the Unix epoch.
pub fn day_of(seconds: &str) -> io::Result<String> {
    let seconds = seconds.trim().parse().map_err(io::Error::other)?;
    let moment = jiff::Timestamp::from_second(seconds).map_err(io::Error::other)?;
    Ok(moment.strftime("%Y-%m-%d").to_string())
}
