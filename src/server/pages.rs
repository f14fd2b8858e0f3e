//! The pages beside the metrics.

use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use super::body::Parts;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

pub(super) fn is_page(path: &str) -> bool {
    matches!(path, "/" | "/-/healthy" | "/-/ready")
}

/// The page of a path for which [`is_page`] holds.
pub(super) fn page(path: &str, telemetry_path: &str) -> Response<Parts> {
    match path {
        "/-/healthy" => text(StatusCode::OK, "metaaccess-exporter is healthy.\n"),
        "/-/ready" => text(StatusCode::OK, "metaaccess-exporter is ready.\n"),
        _ => {
            let landing = Bytes::from(landing(telemetry_path));
            answer(StatusCode::OK, HTML, Parts::new(vec![landing]))
        }
    }
}

pub(super) fn text(status: StatusCode, text: &'static str) -> Response<Parts> {
    answer(
        status,
        TEXT,
        Parts::new(vec![Bytes::from_static(text.as_bytes())]),
    )
}

pub(super) fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: Parts,
) -> Response<Parts> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

fn landing(telemetry_path: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let metrics = escaped(telemetry_path);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <title>metaaccess-exporter</title></head>\n<body>\n\
         <h1>metaaccess-exporter {version}</h1>\n\
         <p>The event logs of OPSWAT MetaAccess as Prometheus metrics, every line counted once.</p>\n\
         <ul>\n<li><a href=\"{metrics}\">Metrics</a></li>\n\
         <li><a href=\"/-/healthy\">Healthy</a></li>\n<li><a href=\"/-/ready\">Ready</a></li>\n</ul>\n\
         </body>\n</html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
