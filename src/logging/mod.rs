//! The log: one line for each event, to standard error.

mod fields;
mod line;

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use fields::Fields;

use crate::clock;
use crate::config::{Log, LogFormat, LogLevel};

/// Writes what is logged from now on to standard error. Events of libraries are left out below
/// warnings: some would name URLs.
pub fn start(log: Log) {
    let level = match log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let ours = Targets::new()
        .with_target("metaaccess_exporter", level)
        .with_default(level.min(LevelFilter::WARN));
    let lines = Lines { format: log.format };
    tracing_subscriber::registry()
        .with(lines.with_filter(ours))
        .init();
}

/// Writes each event as a line that holds its own fields and those of the spans around it, each name
/// once and all side by side: what a line belongs to is found by the same search in every line.
#[derive(Debug)]
struct Lines {
    format: LogFormat,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else {
            return;
        };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(around) = span.extensions().get::<Fields>() {
                fields.add(around);
            }
        }
        let now = clock::unix_now();
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let line = match self.format {
            LogFormat::Logfmt => line::logfmt(now, level, target, &fields),
            LogFormat::Json => line::json(now, level, target, &fields),
        };
        // Where nobody reads the log, there is nobody to tell.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}
