//! Whether an answer was sent in full.
//!
//! A body that was handed over to the last part stands in a buffer still. The connection flushes its
//! stream only when that buffer is written, so that a flush after it tells that all of it left.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::births::Scraper;
use crate::refresh::{Refresher, Shown};

/// What a scraper was sent, if it was sent in full.
#[derive(Debug)]
pub(super) struct Receipt {
    pub(super) scraper: Scraper,
    pub(super) of: Vec<(Refresher, Shown)>,
}

impl Receipt {
    fn sign(self) {
        for (refresher, shown) in self.of {
            refresher.served(self.scraper, &shown);
        }
    }
}

/// The receipts of one connection's answers. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Delivery {
    handed_over: Arc<Mutex<Vec<Receipt>>>,
    #[cfg(test)]
    signed: Arc<std::sync::atomic::AtomicUsize>,
}

impl Delivery {
    /// The answer is in the connection's buffer to its end.
    pub(super) fn is_handed_over(&self, receipt: Receipt) {
        self.waiting().push(receipt);
    }

    /// What was handed over has left the buffer.
    fn is_sent(&self) {
        let sent = std::mem::take(&mut *self.waiting());
        #[cfg(test)]
        self.signed
            .fetch_add(sent.len(), std::sync::atomic::Ordering::SeqCst);
        sent.into_iter().for_each(Receipt::sign);
    }

    #[cfg(test)]
    pub(super) fn signed(&self) -> usize {
        self.signed.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Receipt>> {
        let waiting = self.handed_over.lock();
        waiting.unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's stream, which signs the receipts of what it has sent.
#[derive(Debug)]
pub(super) struct Signing<S> {
    pub(super) stream: S,
    pub(super) delivery: Delivery,
}

impl<S: AsyncRead + Unpin> AsyncRead for Signing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Signing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.delivery.is_sent();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper::{Request, Response, body::Incoming};
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;
    use crate::births::ScraperId;
    use crate::server::body::Parts;

    const PART: usize = 40_000;
    const PARTS: usize = 50;

    /// The far end of a connection whose one answer is of many parts.
    fn connection(delivery: &Delivery) -> DuplexStream {
        let (near, far) = tokio::io::duplex(1000);
        let delivery = delivery.clone();
        let stream = Signing {
            stream: near,
            delivery: delivery.clone(),
        };
        let answer = service_fn(move |_: Request<Incoming>| {
            let receipt = Receipt {
                scraper: Scraper {
                    id: ScraperId(1),
                    connection: ScraperId(2),
                },
                of: Vec::new(),
            };
            let parts = vec![Bytes::from_static(&[b'x'; PART]); PARTS];
            let body = Parts::new(parts).with_receipt(delivery.clone(), receipt);
            async move { Ok::<_, Infallible>(Response::new(body)) }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
        tokio::spawn(async move { drop(connection.await) });
        far
    }

    #[tokio::test]
    async fn a_receipt_is_signed_when_the_last_byte_has_left_and_not_before() {
        let delivery = Delivery::default();
        let mut far = connection(&delivery);
        far.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut left = Vec::new();
        while left.len() < PART * PARTS - 1000 {
            let mut some = vec![0; 1000];
            let read = far.read(&mut some).await.unwrap();
            left.extend(some.drain(..read));
            assert_eq!(delivery.signed(), 0, "after {} bytes", left.len());
        }
        let mut some = vec![0; 2000];
        while delivery.signed() == 0 {
            let read = far.read(&mut some).await.unwrap();
            assert!(read > 0, "the answer does not end the connection");
            tokio::task::yield_now().await;
        }
        assert_eq!(delivery.signed(), 1);
    }

    #[tokio::test]
    async fn nobody_signs_for_what_was_not_read_to_its_end() {
        let delivery = Delivery::default();
        let mut far = connection(&delivery);
        far.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let mut some = vec![0; PART];
        far.read_exact(&mut some).await.unwrap();
        drop(far);
        tokio::task::yield_now().await;
        assert_eq!(delivery.signed(), 0);
    }
}
