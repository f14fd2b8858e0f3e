//! The settings of `simulate`.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;

use super::environment::Environment;
use super::given::{Given, GivenParser};
use super::mistake::{Mistake, Mistakes, Wrong};
use super::secret::{SIMULATE_TOKEN, Secret};
use super::{address, duration, value};
use crate::budget::RateLimit;
use crate::order::Order;

const ORDERS: [(&str, Order); 2] = [
    ("newest-first", Order::NewestFirst),
    ("oldest-first", Order::OldestFirst),
];
const FAULTS: [(&str, FaultName); 9] = [
    ("500", FaultName::ServerError),
    ("401", FaultName::Unauthorized),
    ("413", FaultName::PastTheEnd),
    ("429", FaultName::TooManyRequests),
    ("html", FaultName::Html),
    ("truncated", FaultName::Truncated),
    ("endless", FaultName::Endless),
    ("redirect", FaultName::Redirect),
    ("hang", FaultName::Hang),
];

/// The flags that only `simulate` has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Simulator")]
pub struct SimulateFlags {
    /// Where to listen, on loopback
    #[arg(
        id = "simulate.listen-address",
        long = "simulate.listen-address",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:19721"
    )]
    pub listen_address: Given,
    /// Which end of a log is on page 1: newest-first or oldest-first
    #[arg(
        id = "simulate.order",
        long = "simulate.order",
        value_name = "ORDER",
        default_value = "newest-first",
        value_parser = GivenParser::of(&ORDERS)
    )]
    pub order: Given,
    /// New lines in a simulated minute on average, over both logs: 0 to 100000
    #[arg(
        id = "simulate.rate",
        long = "simulate.rate",
        value_name = "LINES",
        default_value = "2"
    )]
    pub rate: Given,
    /// Simulated seconds in a real second: 0.001 to 10000
    #[arg(
        id = "simulate.speed",
        long = "simulate.speed",
        value_name = "FACTOR",
        default_value = "1"
    )]
    pub speed: Given,
    /// How much log time there is at the start: 0s to 366d, in whole hours
    #[arg(
        id = "simulate.history",
        long = "simulate.history",
        value_name = "DURATION",
        default_value = "23h"
    )]
    pub history: Given,
    /// The most requests in any window before 429 is answered: requests/duration
    #[arg(
        id = "simulate.rate-limit",
        long = "simulate.rate-limit",
        value_name = "N/DURATION",
        default_value = "10/1m"
    )]
    pub rate_limit: Given,
    /// The seed of all that is random: the same one gives the same lines
    #[arg(
        id = "simulate.seed",
        long = "simulate.seed",
        value_name = "NUMBER",
        default_value = "1"
    )]
    pub seed: Given,
    /// Lines that arrive between two page requests: 0 to 10000
    #[arg(
        id = "simulate.drift",
        long = "simulate.drift",
        value_name = "LINES",
        default_value = "0"
    )]
    pub drift: Given,
    /// The share of lines that arrive late, below newer ones: 0 to 1
    #[arg(
        id = "simulate.late",
        long = "simulate.late",
        value_name = "SHARE",
        default_value = "0"
    )]
    pub late: Given,
    /// The most lines that each log keeps: 1 to 10000000
    #[arg(
        id = "simulate.retention",
        long = "simulate.retention",
        value_name = "LINES",
        default_value = "100000"
    )]
    pub retention: Given,
    /// Answer wrongly: 500, 401, 413, 429, html, truncated, endless, redirect or hang; with *N for
    /// the next N requests only, as in 500*3. Repeatable, or separated by commas
    #[arg(
        id = "simulate.fault",
        long = "simulate.fault",
        value_name = "FAULT",
        value_parser = GivenParser::of(&FAULTS)
    )]
    pub fault: Vec<Given>,
    /// Write the lines with spaces round their pipes, as the vendor's description has them
    #[arg(
        id = "simulate.spaces", long = "simulate.spaces", value_name = "BOOL", num_args = 0..=1,
        require_equals = true, default_missing_value = "true", default_value = "false",
        value_parser = GivenParser::of(&value::SWITCH)
    )]
    pub spaces: Given,
    /// Exists to be refused without showing what was typed.
    #[arg(
        id = "simulate.token", long = "simulate.token", hide = true, num_args = 0..=1, default_missing_value = "",
        value_parser = GivenParser::forgetful()
    )]
    pub token: Option<Given>,
}

/// Whether a flag, named without its dashes, is one of `simulate` alone.
pub fn is_flag(flag: &str) -> bool {
    flag.starts_with("simulate.")
}

/// What the simulator shall be like.
#[derive(Clone, Debug)]
pub struct SimulateConfig {
    /// On loopback.
    pub listen: SocketAddr,
    pub order: Order,
    /// New lines of both logs together in a simulated minute, on average.
    pub lines_per_minute: f64,
    /// Simulated seconds in a real second, more than 0.
    pub speed: f64,
    /// Log time before the start.
    pub history: Duration,
    pub rate_limit: RateLimit,
    /// The token to take; without one the simulator takes its well-known one and says it.
    pub token: Option<Secret>,
    pub seed: u64,
    /// Lines that arrive between two page requests.
    pub drift: u32,
    /// The share of lines that arrive late, 0 to 1.
    pub late: f64,
    /// The most lines that each log keeps.
    pub retention: usize,
    pub faults: Vec<Fault>,
    /// Whether lines have spaces round their pipes.
    pub spaces: bool,
}

/// A wrong answer, and for how many requests; none: until it is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub name: FaultName,
    pub requests: Option<NonZeroU32>,
}

/// The ways to answer wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultName {
    /// 500
    ServerError,
    /// 401
    Unauthorized,
    /// 413
    PastTheEnd,
    /// 429
    TooManyRequests,
    Html,
    Truncated,
    Endless,
    Redirect,
    Hang,
}

/// Reads the settings of `simulate`.
pub fn read(
    flags: &SimulateFlags,
    environment: &Environment,
    mistakes: &mut Mistakes,
) -> Option<SimulateConfig> {
    const YEAR: Duration = Duration::from_secs(366 * 86_400);
    let listen = mistakes.read(&flags.listen_address, address::loopback);
    let order = mistakes.read(&flags.order, order);
    let lines_per_minute = mistakes.read(&flags.rate, value::number(0.0..=100_000.0));
    let speed = mistakes.read(&flags.speed, value::number(0.001..=10_000.0));
    let history = mistakes.read(&flags.history, duration::within(Duration::ZERO..=YEAR));
    let rate_limit = mistakes.read(&flags.rate_limit, value::rate_limit);
    let token = token(environment, mistakes);
    let seed = mistakes.read(&flags.seed, value::number(0..=u64::MAX));
    let drift = mistakes.read(&flags.drift, value::number(0..=10_000));
    let late = mistakes.read(&flags.late, value::number(0.0..=1.0));
    let retention = mistakes.read(&flags.retention, value::number(1..=10_000_000));
    let faults = flags.fault.iter().map(|given| mistakes.read(given, faults));
    let faults: Vec<Option<Vec<Fault>>> = faults.collect();
    let spaces = mistakes.read(&flags.spaces, value::switch);
    Some(SimulateConfig {
        listen: listen?,
        order: order?,
        lines_per_minute: lines_per_minute?,
        speed: speed?,
        history: history?,
        rate_limit: rate_limit?,
        token: token?,
        seed: seed?,
        drift: drift?,
        late: late?,
        retention: retention?,
        faults: faults.into_iter().collect::<Option<Vec<_>>>()?.concat(),
        spaces: spaces?,
    })
}

fn token(environment: &Environment, mistakes: &mut Mistakes) -> Option<Option<Secret>> {
    let Some(text) = environment.get(SIMULATE_TOKEN) else {
        return Some(None);
    };
    let secret = Secret::new(&text.to_string_lossy());
    secret
        .map_err(|error| mistakes.add(Mistake::about(SIMULATE_TOKEN, error)))
        .ok()
        .map(Some)
}

fn order(text: &str) -> Result<Order, Wrong> {
    value::choice(&ORDERS)(text)
}

fn faults(text: &str) -> Result<Vec<Fault>, Wrong> {
    text.split(',').map(|one| fault(one.trim())).collect()
}

fn fault(text: &str) -> Result<Fault, Wrong> {
    let (name, count) = match text.split_once('*') {
        Some((name, count)) => (name, Some(count)),
        None => (text, None),
    };
    let name = value::choice(&FAULTS)(name)?;
    let requests = count.map(str::parse).transpose().map_err(|_| {
        Wrong::new(
            "a number of requests after *",
            "write one from 1 on, such as 500*3",
        )
    })?;
    Ok(Fault { name, requests })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_may_be_for_a_number_of_requests() {
        let name = FaultName::ServerError;
        assert_eq!(
            fault("500"),
            Ok(Fault {
                name,
                requests: None
            })
        );
        let requests = NonZeroU32::new(3);
        assert_eq!(fault("500*3"), Ok(Fault { name, requests }));
        assert_eq!(faults("html, hang*1").map(|read| read.len()), Ok(2));
        for text in ["", "502", "500*", "500*0", "500*-1", "*3", "HTML", "500,"] {
            assert!(faults(text).is_err(), "{text:?} was read as a fault");
        }
    }
}
