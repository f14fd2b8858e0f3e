//! The fields of a log line.

use std::error::Error;
use std::fmt;

use serde_json::{Number, Value};
use tracing::field::{Field, Visit};

/// Fields in the order they were recorded in, each name once: the first value stands.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    #[cfg(test)]
    pub(super) fn of(fields: &[(&'static str, Value)]) -> Self {
        Self(fields.to_vec())
    }

    /// Adds those whose names are not taken.
    pub(super) fn add(&mut self, others: &Self) {
        for (name, value) in &others.0 {
            self.put(name, value.clone());
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    fn put(&mut self, name: &'static str, value: Value) {
        if self.0.iter().all(|(taken, _)| *taken != name) {
            self.0.push((name, value));
        }
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let number = Number::from_f64(value);
        let value = number.map_or_else(|| value.to_string().into(), Value::Number);
        self.put(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field.name(), value.to_string().into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}").into());
    }
}
