//! What `dashboards/` holds is what its source writes.

use std::path::Path;

use crate::source;

#[test]
fn the_dashboards_and_rules_are_as_their_source_writes_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    let read = |path| std::fs::read_to_string(folder.join(path)).expect("it can be read");
    for file in source::files(&read("README.md")).expect("they can be written") {
        assert!(
            read(file.path) == file.text,
            "{} is old: cargo run --example dashboards",
            file.path
        );
    }
}
