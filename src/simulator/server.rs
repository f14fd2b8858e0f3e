//! The simulator on a socket: connections, and replies as they go over the wire.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::asked::Asked;
use super::body::{Broken, PATIENCE, SimulatedBody};
use super::reply::{Answer, Fate, Reply};
use super::{Simulator, control};

/// A form with a client's credentials is far smaller.
const FORM_BYTES: usize = 64 * 1024;
/// A million lines to append at once are smaller.
const CONTROL_BYTES: usize = 256 * 1024 * 1024;
/// How long to wait after a connection could not be accepted, such as for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until the shutdown comes; connections that are open then are cut.
pub async fn serve(
    simulator: Simulator,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(simulator.clone(), stream));
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

async fn connection(simulator: Simulator, stream: TcpStream) {
    let service = service_fn(move |request| Box::pin(handle(simulator.clone(), request)));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let reason = ended.as_ref().err().and_then(Error::source);
    let reset = reason.and_then(|reason| reason.downcast_ref::<Broken>()) == Some(&Broken::Reset);
    if reset {
        // A client that is gone already needs no reset.
        let _ = connection.into_parts().io.inner().set_zero_linger();
    }
}

async fn handle(
    simulator: Simulator,
    request: Request<Incoming>,
) -> Result<Response<SimulatedBody>, Broken> {
    let (head, body) = request.into_parts();
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    if let Some(command) = path.strip_prefix("/simulator/") {
        let body = read(body, CONTROL_BYTES).await?;
        return Ok(whole(control::answer(
            &simulator,
            &head.method,
            command,
            query,
            &body,
        )));
    }
    let form = read(body, FORM_BYTES).await?;
    let asked = Asked::new(head.method.clone(), path, query, &form);
    // A task of its own: what is on the way arrives, and counts, even where the client gave it up.
    let received = tokio::spawn(async move {
        wait(simulator.on_the_way(&asked)).await;
        simulator.receive(&asked)
    });
    answer(received.await.map_err(|_| Broken::NoAnswer)?).await
}

/// A body in full. One that is too long or never ends whole ends the connection instead.
async fn read(body: Incoming, most: usize) -> Result<Bytes, Broken> {
    let read = Limited::new(body, most).collect().await;
    read.map(|whole| whole.to_bytes())
        .map_err(|_| Broken::NoAnswer)
}

async fn answer(reply: Reply) -> Result<Response<SimulatedBody>, Broken> {
    wait(reply.delay).await;
    match reply.fate {
        Fate::Answered(answer) => Ok(whole(answer)),
        Fate::CutOff(mut answer) => {
            let body = std::mem::take(&mut answer.body);
            Ok(response(&answer, SimulatedBody::cut_off(body)))
        }
        Fate::Endless(answer) => Ok(response(&answer, SimulatedBody::endless())),
        Fate::Unanswered => {
            // A client that leaves ends this wait with its connection.
            sleep(PATIENCE).await;
            Err(Broken::NoAnswer)
        }
        Fate::Reset => Err(Broken::Reset),
    }
}

fn whole(mut answer: Answer) -> Response<SimulatedBody> {
    let body = std::mem::take(&mut answer.body);
    response(&answer, SimulatedBody::whole(body))
}

fn response(answer: &Answer, body: SimulatedBody) -> Response<SimulatedBody> {
    let mut response = Response::new(body);
    let status = StatusCode::from_u16(answer.status);
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &answer.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Waits, and not at all for no time: the timer would make a millisecond of it.
async fn wait(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}
