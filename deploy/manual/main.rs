//! Writes the man page and the completions into a folder:   cargo run --example manual -- DIR

#[path = "mod.rs"]
mod manual;

use std::path::PathBuf;

use anyhow::Context;

#[expect(clippy::disallowed_methods, reason = "it is no setting of the program")]
fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1);
    let folder = PathBuf::from(folder.context("name the folder to write to")?);
    let date = std::env::var_os("SOURCE_DATE_EPOCH");
    let date = date
        .map(|date| manual::day_of(&date.to_string_lossy()))
        .transpose()
        .context("SOURCE_DATE_EPOCH is no number of seconds")?;
    std::fs::create_dir_all(&folder)?;
    for file in manual::files(&date.unwrap_or_default())? {
        let path = folder.join(file.name);
        std::fs::write(&path, file.text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
