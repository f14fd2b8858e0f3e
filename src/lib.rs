//! metaaccess-exporter: a Prometheus exporter for the OPSWAT MetaAccess event logs.

pub mod api;
pub mod budget;
pub mod catalogue;
pub mod classify;
pub mod clock;
pub mod config;
pub mod event;
pub mod exposition;
pub mod ledger;
pub mod meters;
pub mod moment;
pub mod order;
pub mod plan;
pub mod process;
pub mod refresh;
pub mod run;
pub mod series;
pub mod server;
pub mod sight;
pub mod sighting;
pub mod simulator;
pub mod stitch;
pub mod window;
