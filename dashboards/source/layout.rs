//! A dashboard: its panels in rows, from the top to the bottom.

use serde_json::{Value, json};

use crate::source::panel::Panel;

/// A heading and the panels below it.
#[derive(Debug)]
pub struct Row {
    title: &'static str,
    lines: Vec<(u64, Vec<Panel>)>,
}

impl Row {
    pub fn new(title: &'static str) -> Self {
        Self {
            title,
            lines: Vec::new(),
        }
    }

    /// Panels side by side, as high as said, in units of 30 pixels.
    pub fn line(mut self, height: u64, panels: Vec<Panel>) -> Self {
        self.lines.push((height, panels));
        self
    }
}

/// Everything of a dashboard.
#[derive(Debug)]
pub struct Dashboard {
    pub uid: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    /// The range that is shown at first, such as `now-6h`.
    pub from: &'static str,
    pub variables: Vec<Value>,
    pub annotations: Vec<Value>,
    pub rows: Vec<Row>,
}

/// The dashboards find each other by it.
const TAG: &str = "metaaccess";

impl Dashboard {
    /// The file that Grafana imports.
    pub fn json(self) -> String {
        let mut annotations = vec![super::annotation::of_grafana()];
        annotations.extend(self.annotations);
        let dashboard = json!({
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": 38,
            "version": 1,
            "editable": true,
            "graphTooltip": 1,
            "timezone": "browser",
            "refresh": "1m",
            "time": { "from": self.from, "to": "now" },
            "timepicker": {},
            "links": [{
                "type": "dashboards",
                "title": "MetaAccess",
                "tags": [TAG],
                "icon": "external link",
                "asDropdown": false,
                "includeVars": true,
                "keepTime": true,
                "targetBlank": false,
                "tooltip": "",
                "url": "",
            }],
            "annotations": { "list": annotations },
            "templating": { "list": self.variables },
            "panels": placed(self.rows),
        });
        format!("{dashboard:#}\n")
    }
}

fn placed(rows: Vec<Row>) -> Vec<Value> {
    let mut panels = Vec::new();
    let (mut id, mut y) = (0, 0);
    for row in rows {
        id += 1;
        panels.push(json!({
            "id": id,
            "type": "row",
            "title": row.title,
            "collapsed": false,
            "gridPos": { "x": 0, "y": y, "w": 24, "h": 1 },
            "panels": [],
        }));
        y += 1;
        for (height, line) in row.lines {
            let mut x = 0;
            for panel in line {
                id += 1;
                let width = panel.width;
                panels.push(panel.placed(id, (x, y), height));
                x += width;
            }
            y += height;
        }
    }
    panels
}
