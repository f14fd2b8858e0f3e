//! The wiring alone: reads the command line, sets up logging, runs the command. Exit codes are
//! decided here: 0 clean, 64 bad usage or configuration, 1 otherwise, as where a check failed.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use metaaccess_exporter::config::{self, Command, Config, Environment};
use metaaccess_exporter::{logging, run};
use tracing::{error, warn};

pub fn main() -> ExitCode {
    let config = match config::parse(std::env::args_os(), &Environment::of_process()) {
        Ok(config) => config,
        Err(problem) => {
            say(&problem);
            return ExitCode::from(problem.exit_code());
        }
    };
    logging::start(config.log);
    for warning in &config.warnings {
        warn!("{warning}");
    }
    match execute(config) {
        Ok(code) => code,
        Err(error) => {
            error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(config: Config) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match config.command {
            Command::Serve(exporter) => run::serve(exporter, run::told_to_stop()?, |_| {}).await,
            Command::Demo(demo) => run::demo(demo, run::told_to_stop()?, invite).await,
            Command::Simulate(config) => {
                run::simulate(config, run::told_to_stop()?, introduce).await
            }
            Command::Healthcheck(asked) => run::healthcheck(asked).await,
            Command::Check(asked) => {
                let is_well = run::check(asked).await;
                return Ok(if is_well {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::FAILURE
                });
            }
        }?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Help goes to standard output, what is wrong to standard error. If nobody reads it, nobody does.
fn say(problem: &config::Problem) {
    let _ = match problem {
        config::Problem::Asked(text) => write!(io::stdout(), "{text}"),
        wrong => writeln!(io::stderr(), "{wrong}"),
    };
}

fn invite(scheme: &str, addresses: &[SocketAddr], simulator: SocketAddr) {
    let web = addresses
        .first()
        .map_or_else(String::new, |address| local(scheme, *address));
    let _ = write!(
        io::stdout(),
        "\nmetaaccess-exporter demo: a small simulated company; its minutes last a second.\n\n  \
         metrics     {web}/metrics\n  \
         start page  {web}/\n  \
         simulator   http://{simulator}/simulator/   (what really happened: /simulator/truth)\n\n\
         Look:  curl -s {web}/metrics | grep 'event=\"Installed\"'\n\
         Stop:  Ctrl-C\n\n"
    );
}

fn introduce(address: SocketAddr, token: Option<&str>) {
    let token = token.map_or_else(String::new, |token| {
        format!("  access token {token} (well known: it opens nothing else)\n")
    });
    let _ = write!(
        io::stdout(),
        "\nmetaaccess-exporter simulate: the API with a small simulated company.\n\n  \
         base URL     http://{address}\n{token}  \
         control      http://{address}/simulator/\n\n"
    );
}

/// An address that a browser on this machine can open.
fn local(scheme: &str, address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("{scheme}://localhost:{}", address.port())
    } else {
        format!("{scheme}://{address}")
    }
}
