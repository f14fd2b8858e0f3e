//! The body of an answer, in the parts of which it was made.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::delivery::{Delivery, Receipt};
use super::visit::Answering;

/// Parts that are sent one after the other, without being copied into one.
#[derive(Debug)]
pub(super) struct Parts {
    left: VecDeque<Bytes>,
    length: u64,
    receipt: Option<(Delivery, Receipt)>,
    answering: Option<Answering>,
}

impl Parts {
    pub(super) fn new(parts: Vec<Bytes>) -> Self {
        Self {
            length: parts.iter().map(|part| part.len() as u64).sum(),
            left: parts.into(),
            receipt: None,
            answering: None,
        }
    }

    /// The receipt is signed when the last part is on its way.
    pub(super) fn with_receipt(mut self, delivery: Delivery, receipt: Receipt) -> Self {
        self.receipt = Some((delivery, receipt));
        self
    }

    /// Its connection is answering as long as the body is there.
    pub(super) fn holding(mut self, answering: Answering) -> Self {
        self.answering = Some(answering);
        self
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let parts = self.get_mut();
        let part = parts.left.pop_front();
        parts.length -= part.as_ref().map_or(0, |part| part.len() as u64);
        if parts.left.is_empty()
            && let Some((delivery, receipt)) = parts.receipt.take()
        {
            delivery.is_handed_over(receipt);
        }
        Poll::Ready(part.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
