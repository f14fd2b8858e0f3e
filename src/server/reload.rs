//! `/-/reload`: a new configuration by request.

use hyper::{Method, Response, StatusCode};
use tokio::sync::{mpsc, oneshot};

use super::body::Parts;
use super::pages;

pub(super) const PATH: &str = "/-/reload";

/// Somebody asks for a reload, and is told how it went.
#[derive(Debug)]
pub struct ReloadRequest(pub oneshot::Sender<Result<(), String>>);

/// Asks for a reload and says what came of it. Without somebody to ask it is forbidden.
pub(super) async fn answer(
    method: &Method,
    reload: Option<&mpsc::Sender<ReloadRequest>>,
) -> Response<Parts> {
    let Some(reload) = reload else {
        return pages::text(
            StatusCode::FORBIDDEN,
            "reload by request is not enabled: start with --web.enable-lifecycle\n",
        );
    };
    if !matches!(*method, Method::POST | Method::PUT) {
        return pages::not_allowed("only POST and PUT\n", "POST, PUT");
    }
    match ask(reload).await {
        Some(Ok(())) => pages::text(StatusCode::OK, "reloaded\n"),
        Some(Err(error)) => pages::words(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("not reloaded, and what was before goes on: {error}\n"),
        ),
        None => pages::text(
            StatusCode::SERVICE_UNAVAILABLE,
            "not reloaded: the exporter is stopping\n",
        ),
    }
}

async fn ask(reload: &mpsc::Sender<ReloadRequest>) -> Option<Result<(), String>> {
    let (told, tells) = oneshot::channel();
    reload.send(ReloadRequest(told)).await.ok()?;
    tells.await.ok()
}
