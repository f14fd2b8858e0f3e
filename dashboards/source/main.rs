//! Writes the files of `dashboards/` anew:   cargo run --example dashboards

#[path = "mod.rs"]
mod source;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    let readme = std::fs::read_to_string(folder.join("README.md"))?;
    for file in source::files(&readme)? {
        std::fs::write(folder.join(file.path), file.text)?;
    }
    Ok(())
}
