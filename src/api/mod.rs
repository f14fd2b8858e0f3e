//! The vendor's API: what it says (`v2`, `token`), and the one place that talks to it (`client`).

pub mod client;
pub mod failure;
#[cfg(test)]
mod fuzz_tests;
pub mod token;
pub mod v2;
