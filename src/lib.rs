//! metaaccess-exporter: a Prometheus exporter for the OPSWAT MetaAccess event logs.

pub mod api;
pub mod classify;
pub mod clock;
pub mod event;
pub mod moment;
