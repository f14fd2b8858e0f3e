//! Panels of Grafana's own kinds, with what all of one kind share.

use serde_json::{Value, json};

/// The data source that is chosen at the top of the dashboard.
pub fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// A panel that has no place yet.
#[derive(Debug)]
pub struct Panel {
    pub width: u64,
    json: Value,
}

impl Panel {
    fn new(kind: &str, title: &str, description: &str, unit: &str, options: &Value) -> Self {
        let json = json!({
            "type": kind,
            "title": title,
            "description": description,
            "datasource": datasource(),
            "fieldConfig": { "defaults": { "unit": unit }, "overrides": [] },
            "options": options,
            "targets": [],
        });
        Self { width: 0, json }
    }

    /// Bars that stand on each other, each for the time since the one before it: their sum is what
    /// there was in the range.
    pub fn bars(title: &str, description: &str) -> Self {
        let mut panel = Self::series(title, description, "short", &["sum"]);
        panel.custom(json!({
            "drawStyle": "bars",
            "fillOpacity": 80,
            "lineWidth": 0,
            "showPoints": "never",
            "stacking": { "mode": "normal", "group": "A" },
        }));
        panel.json["fieldConfig"]["defaults"]["decimals"] = json!(0);
        panel.json["fieldConfig"]["defaults"]["min"] = json!(0);
        panel.json["interval"] = json!("1m");
        panel.json["maxDataPoints"] = json!(60);
        panel
    }

    /// Lines over time.
    pub fn lines(title: &str, description: &str, unit: &str) -> Self {
        let mut panel = Self::series(title, description, unit, &["lastNotNull", "max"]);
        panel.custom(json!({
            "drawStyle": "line",
            "fillOpacity": 5,
            "lineWidth": 2,
            "showPoints": "never",
            "spanNulls": false,
        }));
        panel.json["fieldConfig"]["defaults"]["min"] = json!(0);
        panel
    }

    /// Shares of a whole over time.
    pub fn shares(title: &str, description: &str) -> Self {
        let mut panel = Self::series(title, description, "short", &["lastNotNull"]);
        panel.custom(json!({
            "drawStyle": "line",
            "fillOpacity": 60,
            "lineWidth": 1,
            "showPoints": "never",
            "stacking": { "mode": "percent", "group": "A" },
        }));
        panel.json["fieldConfig"]["defaults"]["min"] = json!(0);
        panel
    }

    fn series(title: &str, description: &str, unit: &str, calcs: &[&str]) -> Self {
        let options = json!({
            "legend": { "displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": calcs },
            "tooltip": { "mode": "multi", "sort": "desc" },
        });
        Self::new("timeseries", title, description, unit, &options)
    }

    /// One number, or one for each series; `empty` stands there without any.
    pub fn stat(title: &str, description: &str, unit: &str, empty: &str) -> Self {
        let options = json!({
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "textMode": "auto",
            "wideLayout": true,
            "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
        });
        let mut panel = Self::new("stat", title, description, unit, &options);
        panel.json["fieldConfig"]["defaults"]["noValue"] = json!(empty);
        panel.color(&[("text", None)])
    }

    /// The share of each series in all of them.
    pub fn pie(title: &str, description: &str) -> Self {
        let options = json!({
            "pieType": "donut",
            "displayLabels": ["percent"],
            "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
            "legend": { "displayMode": "table", "placement": "right", "showLegend": true, "values": ["value", "percent"] },
            "tooltip": { "mode": "single", "sort": "none" },
        });
        let mut panel = Self::new("piechart", title, description, "short", &options);
        panel.json["fieldConfig"]["defaults"]["decimals"] = json!(0);
        panel
    }

    /// A table of labels and one value, largest first. The labels are renamed as said, in this order.
    pub fn table(title: &str, description: &str, unit: &str, columns: &[(&str, &str)]) -> Self {
        let value = columns.last().map_or("Value", |(_, shown)| *shown);
        let options = json!({
            "showHeader": true,
            "cellHeight": "sm",
            "sortBy": [{ "displayName": value, "desc": true }],
        });
        let mut panel = Self::new("table", title, description, unit, &options);
        let names: serde_json::Map<String, Value> = columns
            .iter()
            .map(|(label, shown)| ((*label).to_owned(), json!(shown)))
            .collect();
        let places: serde_json::Map<String, Value> = columns
            .iter()
            .enumerate()
            .map(|(place, (label, _))| ((*label).to_owned(), json!(place)))
            .collect();
        panel.json["transformations"] = json!([{
            "id": "organize",
            "options": {
                "excludeByName": { "Time": true },
                "indexByName": places,
                "renameByName": names,
            },
        }]);
        panel
    }

    /// States side by side over time.
    pub fn timeline(title: &str, description: &str) -> Self {
        let options = json!({
            "mergeValues": true,
            "showValue": "never",
            "rowHeight": 0.8,
            "alignValue": "left",
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": false },
            "tooltip": { "mode": "single", "sort": "none" },
        });
        Self::new("state-timeline", title, description, "short", &options)
    }

    fn custom(&mut self, custom: Value) {
        self.json["fieldConfig"]["defaults"]["custom"] = custom;
    }

    /// A query of what there was over time.
    pub fn query(self, expr: &str, legend: &str) -> Self {
        self.target(json!({ "expr": expr, "legendFormat": legend, "range": true }))
    }

    /// A query of what there is at the end of the range.
    pub fn instant(self, expr: &str, legend: &str) -> Self {
        self.target(json!({ "expr": expr, "legendFormat": legend, "instant": true }))
    }

    /// A query of what there is at the end of the range, as rows of a table.
    pub fn rows(self, expr: &str) -> Self {
        self.target(json!({ "expr": expr, "format": "table", "instant": true }))
    }

    fn target(mut self, mut target: Value) -> Self {
        if let Some(targets) = self.json["targets"].as_array_mut() {
            let id = char::from(b'A'.saturating_add(targets.len().try_into().unwrap_or(25)));
            target["refId"] = json!(id.to_string());
            target["datasource"] = datasource();
            target["editorMode"] = json!("code");
            targets.push(target);
        }
        self
    }

    /// How many of the dashboard's 24 columns it takes.
    pub fn wide(mut self, width: u64) -> Self {
        self.width = width;
        self
    }

    /// Colours from a value on; the first is that of all below.
    pub fn color(mut self, steps: &[(&str, Option<f64>)]) -> Self {
        let steps: Vec<Value> = steps
            .iter()
            .map(|(color, value)| json!({ "color": color, "value": value }))
            .collect();
        self.json["fieldConfig"]["defaults"]["thresholds"] =
            json!({ "mode": "absolute", "steps": steps });
        self.json["fieldConfig"]["defaults"]["color"] = json!({ "mode": "thresholds" });
        self
    }

    /// What stands there without data.
    pub fn empty(mut self, text: &str) -> Self {
        self.json["fieldConfig"]["defaults"]["noValue"] = json!(text);
        self
    }

    pub fn decimals(mut self, decimals: u8) -> Self {
        self.json["fieldConfig"]["defaults"]["decimals"] = json!(decimals);
        self
    }

    pub fn max(mut self, max: f64) -> Self {
        self.json["fieldConfig"]["defaults"]["max"] = json!(max);
        self
    }

    /// A column that leads elsewhere.
    pub fn link(mut self, column: &str, title: &str, url: &str) -> Self {
        if let Some(overrides) = self.json["fieldConfig"]["overrides"].as_array_mut() {
            overrides.push(json!({
                "matcher": { "id": "byName", "options": column },
                "properties": [{ "id": "links", "value": [{ "title": title, "url": url }] }],
            }));
        }
        self
    }

    /// A column whose values have a unit of their own.
    pub fn column_unit(mut self, column: &str, unit: &str) -> Self {
        if let Some(overrides) = self.json["fieldConfig"]["overrides"].as_array_mut() {
            overrides.push(json!({
                "matcher": { "id": "byName", "options": column },
                "properties": [{ "id": "unit", "value": unit }],
            }));
        }
        self
    }

    /// The panel at its place.
    pub fn placed(mut self, id: u64, (x, y): (u64, u64), height: u64) -> Value {
        self.json["id"] = json!(id);
        self.json["gridPos"] = json!({ "x": x, "y": y, "w": self.width, "h": height });
        self.json
    }
}
