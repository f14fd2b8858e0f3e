//! Bodies of answers, whole and broken.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// How long a fault keeps a connection busy at most.
pub const PATIENCE: Duration = Duration::from_secs(120);

const ENDLESS_START: &[u8] = br#"{"logs":[{"date":"Dec 6, 2013 ","eventlog":["#;
const ENDLESS_LINE: &[u8] = br#""05:28|PM|MetaAccess (Version 1.1.1.1)|TEST-R1W3Y|Installed","#;
const ENDLESS_LINES: usize = 256;
const ENDLESS_BYTES: usize = 1 << 30;

/// Why a connection ends without a whole answer. Each is a fault that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("the answer was cut off")]
    CutOff,
    #[error("no answer was given")]
    NoAnswer,
    #[error("the connection was reset")]
    Reset,
}

/// The body of an answer.
#[derive(Debug)]
pub enum SimulatedBody {
    /// All of it at once; nothing once it was taken.
    Whole(Option<Bytes>),
    CutOff(CutOff),
    Endless(Endless),
}

/// The first bytes of a body that promised more.
#[derive(Debug)]
pub struct CutOff {
    prefix: Option<Bytes>,
    promised: u64,
    flushed: bool,
}

/// A body of lines without end.
#[derive(Debug)]
pub struct Endless {
    chunk: Bytes,
    sent: usize,
    patience: Pin<Box<Sleep>>,
}

impl SimulatedBody {
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()))
    }

    /// The first half of `bytes`, under a Content-Length of all of them.
    pub fn cut_off(bytes: Vec<u8>) -> Self {
        let bytes = Bytes::from(bytes);
        Self::CutOff(CutOff {
            promised: bytes.len() as u64,
            prefix: Some(bytes.slice(..bytes.len() / 2)),
            flushed: false,
        })
    }

    /// Valid JSON as far as it goes.
    pub fn endless() -> Self {
        Self::Endless(Endless {
            chunk: ENDLESS_LINE.repeat(ENDLESS_LINES).into(),
            sent: 0,
            patience: Box::pin(sleep(PATIENCE)),
        })
    }
}

type NextFrame = Poll<Option<Result<Frame<Bytes>, Broken>>>;

impl Body for SimulatedBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> NextFrame {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::CutOff(body) => body.poll(context),
            Self::Endless(body) => body.poll(context),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::CutOff(body) => SizeHint::with_exact(body.promised),
            Self::Endless(_) => SizeHint::default(),
        }
    }
}

impl CutOff {
    fn poll(&mut self, context: &mut Context<'_>) -> NextFrame {
        if let Some(prefix) = self.prefix.take() {
            return Poll::Ready(Some(Ok(Frame::data(prefix))));
        }
        if !self.flushed {
            // An error at once would drop what the connection has not yet written.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Broken::CutOff)))
    }
}

impl Endless {
    fn poll(&mut self, context: &mut Context<'_>) -> NextFrame {
        if self.sent >= ENDLESS_BYTES || self.patience.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(Broken::CutOff)));
        }
        let bytes = if self.sent == 0 {
            Bytes::from_static(ENDLESS_START)
        } else {
            self.chunk.clone()
        };
        self.sent += bytes.len();
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}
