//! Panels of Grafana's own kinds, with what all of one kind share.

use serde_json::{Value, json};

/// The data source that is chosen at the top of the dashboard.
pub fn datasource() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// The unit of what is counted: every digit of it, since `short` makes 1 K of 1234.
pub const COUNT: &str = "locale";

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

    /// Bars that stand on each other, each left of the time that it ends at, for the time since the
    /// one before it: their sum is what there was in the range.
    pub fn bars(title: &str, description: &str) -> Self {
        let mut panel = Self::series(title, description, COUNT, &["sum"], "Total");
        panel.custom(json!({
            "axisSoftMax": 1,
            "barAlignment": -1,
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
        let mut panel = Self::series(title, description, unit, &["lastNotNull", "max"], "Last *");
        panel.custom(json!({
            "drawStyle": "line",
            "fillOpacity": 5,
            "lineWidth": 2,
            "showPoints": "auto",
            "spanNulls": false,
        }));
        panel.json["fieldConfig"]["defaults"]["min"] = json!(0);
        if unit == COUNT {
            panel.json["fieldConfig"]["defaults"]["custom"]["axisSoftMax"] = json!(1);
        }
        panel
    }

    /// Shares of a whole over time; the legend has the numbers.
    pub fn shares(title: &str, description: &str) -> Self {
        let mut panel = Self::series(title, description, COUNT, &["lastNotNull"], "Last *");
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

    /// The legend has the largest first, by the column named.
    fn series(title: &str, description: &str, unit: &str, calcs: &[&str], sort_by: &str) -> Self {
        let options = json!({
            "legend": {
                "displayMode": "table",
                "placement": "bottom",
                "showLegend": true,
                "calcs": calcs,
                "sortBy": sort_by,
                "sortDesc": true,
            },
            "tooltip": { "mode": "multi", "sort": "desc", "hideZeros": true },
        });
        Self::new("timeseries", title, description, unit, &options)
    }

    /// One number, or one for each series; `empty` stands there without any, as a warning.
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
        panel.json["fieldConfig"]["defaults"]["mappings"] = json!([{
            "type": "special",
            "options": { "match": "null", "result": { "text": empty, "color": "orange", "index": 0 } },
        }]);
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
        let mut panel = Self::new("piechart", title, description, COUNT, &options);
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
        panel.custom(json!({ "minWidth": 60 }));
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

    /// When there was something, for each series on a line of its own, whatever its value.
    pub fn timeline(title: &str, description: &str) -> Self {
        let options = json!({
            "mergeValues": true,
            "showValue": "never",
            "rowHeight": 0.8,
            "alignValue": "left",
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": false },
            "tooltip": { "mode": "single", "sort": "none" },
        });
        let mut panel = Self::new("state-timeline", title, description, COUNT, &options);
        panel.json["interval"] = json!("1m");
        panel.json["maxDataPoints"] = json!(120);
        panel.color(&[("blue", None)])
    }

    /// Whether something worked (1) or not (0) over time, for each series on a line of its own.
    pub fn worked(title: &str, description: &str) -> Self {
        let mut panel = Self::timeline(title, description)
            .color(&[("red", None), ("green", Some(1.0))])
            .decimals(0);
        if let Some(json) = panel.json.as_object_mut() {
            json.remove("interval");
            json.remove("maxDataPoints");
        }
        panel.json["fieldConfig"]["defaults"]["mappings"] = json!([{
            "type": "value",
            "options": { "0": { "text": "failed", "index": 0 }, "1": { "text": "worked", "index": 1 } },
        }]);
        panel
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

    /// The same, where a number's absence is nothing to warn of.
    pub fn fine_without(mut self, text: &str) -> Self {
        if let Some(defaults) = self.json["fieldConfig"]["defaults"].as_object_mut() {
            defaults.remove("mappings");
        }
        self.empty(text)
    }

    /// The legend right of the bars, where more of it is seen.
    pub fn legend_beside(mut self) -> Self {
        self.json["options"]["legend"]["placement"] = json!("right");
        self
    }

    /// The legend has the smallest first.
    pub fn smallest_first(mut self) -> Self {
        self.json["options"]["legend"]["sortDesc"] = json!(false);
        self
    }

    /// The axis goes below 0 where values do.
    pub fn below_zero(mut self) -> Self {
        if let Some(defaults) = self.json["fieldConfig"]["defaults"].as_object_mut() {
            defaults.remove("min");
        }
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
    pub fn link(self, column: &str, title: &str, url: &str) -> Self {
        let links = json!([{ "title": title, "url": url }]);
        self.with("byName", column, "links", &links)
    }

    /// A column whose values have a unit of their own.
    pub fn column_unit(self, column: &str, unit: &str) -> Self {
        self.with("byName", column, "unit", &json!(unit))
    }

    /// A column that takes so many pixels; those without share what is left.
    pub fn column_width(self, column: &str, pixels: u64) -> Self {
        self.with("byName", column, "custom.width", &json!(pixels))
    }

    /// A column that is not shown, since it says the same in every row.
    pub fn hidden(self, column: &str) -> Self {
        self.with("byName", column, "custom.hidden", &json!(true))
    }

    /// A colour for the series whose names match.
    pub fn painted(self, names: &str, color: &str) -> Self {
        let color = json!({ "mode": "fixed", "fixedColor": color });
        self.with("byRegexp", names, "color", &color)
    }

    fn with(mut self, matcher: &str, named: &str, property: &str, value: &Value) -> Self {
        if let Some(overrides) = self.json["fieldConfig"]["overrides"].as_array_mut() {
            overrides.push(json!({
                "matcher": { "id": matcher, "options": named },
                "properties": [{ "id": property, "value": value }],
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
