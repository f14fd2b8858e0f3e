//! The program again, for the tests: `deploy/release/build` links it as one static file from what they
//! have built already. A program that is built for a target of its own shares nothing with them.

use std::process::ExitCode;

#[path = "../../src/main.rs"]
mod program;

fn main() -> ExitCode {
    program::main()
}
