//! Programs of others that some tests need, such as `promtool`.

use std::io::Write;
use std::process::{Command, Stdio};

/// A command that runs this program, or none if it is not installed here: then the test returns, and
/// its line says that it was skipped. Where `METAACCESS_TESTS_REQUIRE_TOOLS` is set, it fails.
pub fn tool(name: &str) -> Option<Command> {
    let mut version = Command::new(name);
    version.arg("--version");
    version.stdin(Stdio::null()).stdout(Stdio::null());
    let runs = version.stderr(Stdio::null()).status();
    if runs.is_ok_and(|status| status.success()) {
        return Some(Command::new(name));
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "it is for the tests, and no setting"
    )]
    let required = std::env::var_os("METAACCESS_TESTS_REQUIRE_TOOLS").is_some();
    assert!(
        !required,
        "{name} is not installed: run the tests by ./tests/run"
    );
    // Written to the stream itself, since the test harness keeps what passing tests print.
    let _ = writeln!(std::io::stderr(), "skipped: {name} is not installed");
    None
}
