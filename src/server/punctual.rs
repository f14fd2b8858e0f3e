//! A stream whose peer has to say in time what it wants.
//!
//! hyper has one limit for the head of a request and for the time before its first byte. A head is
//! there at once or never, and a connection between two requests is a scraper's: so there are two.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::visit::{Phase, Visit};

/// How long a peer is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    /// For the first byte of a connection, and from the first byte of a request to the end of its
    /// head.
    pub(super) for_head: Duration,
    /// Between two requests.
    pub(super) between: Duration,
}

/// A stream that ends, as if the peer had ended it, where a request takes too long to come.
#[derive(Debug)]
pub(super) struct Punctual<S> {
    stream: S,
    visit: Visit,
    waits: Waits,
    /// Until when the phase that began with this change may last.
    limit: Option<(u64, Pin<Box<Sleep>>)>,
    has_unsent: bool,
    linger: Option<Linger>,
}

/// To close while the peer still sends would be to cut it off, and the answer with it: so some of
/// what it sends is thrown away first.
#[derive(Debug)]
struct Linger {
    until: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl Linger {
    fn new() -> Self {
        Self {
            until: Box::pin(tokio::time::sleep(Duration::from_secs(1))),
            bytes_left: 256 * 1024,
        }
    }

    /// Ready when the peer has ended, or enough was thrown away.
    fn poll<S: AsyncRead + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<()> {
        let mut thrown_away = [0; 4096];
        loop {
            let mut buf = ReadBuf::new(&mut thrown_away);
            match Pin::new(&mut *stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() && self.bytes_left > 0 => {
                    self.bytes_left = self.bytes_left.saturating_sub(buf.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.until.as_mut().poll(cx),
            }
        }
    }
}

impl<S> Punctual<S> {
    pub(super) fn new(stream: S, visit: Visit, waits: Waits) -> Self {
        Self {
            stream,
            visit,
            waits,
            limit: None,
            has_unsent: false,
            linger: None,
        }
    }

    /// Whether the phase lasts too long; if not yet, the task is woken when it does.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let (phase, since) = self.visit.phase();
        let longest = match phase {
            Phase::Arrived | Phase::Asking => self.waits.for_head,
            Phase::Resting => self.waits.between,
            Phase::Answering => return false,
        };
        if self.has_unsent {
            return false;
        }
        let limit = self.limit.take().filter(|(of, _)| *of == since);
        let (_, sleep) = self
            .limit
            .insert(limit.unwrap_or_else(|| (since, Box::pin(tokio::time::sleep(longest)))));
        sleep.as_mut().poll(cx).is_ready()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Punctual<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_ready() && buf.filled().len() > before {
            self.visit.reads();
        }
        // Also where something came: byte by byte, a head might take for ever.
        match self.is_late(cx) {
            true if read.is_pending() => Poll::Ready(Ok(())),
            true => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            false => read,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Punctual<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.has_unsent = true;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.has_unsent = true;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.has_unsent = false;
        self.visit.flushed();
        // The next read may have been polled already: the limit of the new phase has to wake it.
        let _ = self.is_late(cx);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if !this.visit.has_unread() {
                return Poll::Ready(Ok(()));
            }
        }
        let linger = this.linger.get_or_insert_with(Linger::new);
        linger.poll(&mut this.stream, cx).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    const WAITS: Waits = Waits {
        for_head: Duration::from_secs(10),
        between: Duration::from_secs(120),
    };
    const SECOND: Duration = Duration::from_secs(1);

    fn punctual() -> (Punctual<DuplexStream>, Visit, DuplexStream) {
        let (near, far) = tokio::io::duplex(100);
        let visit = Visit::new();
        (Punctual::new(near, visit.clone(), WAITS), visit, far)
    }

    /// It is read for so many seconds, and then it ends.
    async fn ends_after(stream: &mut Punctual<DuplexStream>, seconds: u32) {
        let mut ends = std::pin::pin!(async { while stream.read_u8().await.is_ok() {} });
        let early = tokio::time::timeout((seconds - 1) * SECOND, ends.as_mut()).await;
        assert!(early.is_err(), "before {seconds} s");
        let late = tokio::time::timeout(2 * SECOND, ends).await;
        assert!(late.is_ok(), "after {seconds} s");
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_at_all_is_given_up() {
        let (mut stream, _, _far) = punctual();
        ends_after(&mut stream, 10).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_comes_byte_by_byte_is_given_up_all_the_same() {
        let (mut stream, _, mut far) = punctual();
        let sending = tokio::spawn(async move {
            while far.write_u8(b'x').await.is_ok() {
                tokio::time::sleep(SECOND).await;
            }
        });
        ends_after(&mut stream, 10).await;
        sending.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn between_two_requests_there_is_more_time() {
        let (mut stream, visit, mut far) = punctual();
        far.write_u8(b'x').await.unwrap();
        stream.read_u8().await.unwrap();
        drop(visit.asked());
        stream.flush().await.unwrap();
        ends_after(&mut stream, 120).await;
    }

    /// As hyper does: the next request is awaited before the last answer has left.
    #[tokio::test(start_paused = true)]
    async fn a_flush_sets_the_time_for_a_read_that_waits_already() {
        let (mut stream, visit, mut far) = punctual();
        far.write_u8(b'x').await.unwrap();
        stream.read_u8().await.unwrap();
        let mut answering = Some(visit.asked());
        let ends = std::future::poll_fn(|cx| {
            let mut byte = [0];
            let read = Pin::new(&mut stream).poll_read(cx, &mut ReadBuf::new(&mut byte));
            if let Some(answering) = answering.take() {
                assert!(read.is_pending());
                drop(answering);
                assert!(Pin::new(&mut stream).poll_flush(cx).is_ready());
            }
            read
        });
        let ended = tokio::time::timeout(121 * SECOND, ends).await;
        assert!(ended.is_ok(), "nobody woke it");
    }

    #[tokio::test(start_paused = true)]
    async fn who_still_sends_is_not_cut_off_and_not_listened_to_for_long() {
        let (mut stream, visit, mut far) = punctual();
        visit.leaves_unread();
        let sending = tokio::spawn(async move { far.write_all(&[0; 100_000]).await });
        let shut = tokio::time::timeout(SECOND / 2, stream.shutdown()).await;
        assert!(shut.is_ok(), "it ends when the peer does");
        drop(stream);
        assert!(sending.await.unwrap().is_ok());
        let (mut stream, visit, _far) = punctual();
        visit.leaves_unread();
        let shut = tokio::time::timeout(2 * SECOND, stream.shutdown()).await;
        assert!(shut.is_ok(), "nor is it waited for for long");
        let (mut stream, visit, mut far) = punctual();
        visit.leaves_unread();
        let sending = tokio::spawn(async move { far.write_all(&[0; 1_000_000]).await });
        let shut = tokio::time::timeout(SECOND / 2, stream.shutdown()).await;
        assert!(shut.is_ok(), "nor are a million bytes");
        drop(stream);
        assert!(sending.await.unwrap().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_an_answer_is_not_late() {
        let (mut stream, visit, mut far) = punctual();
        far.write_u8(b'x').await.unwrap();
        stream.read_u8().await.unwrap();
        let answering = visit.asked();
        let reading = tokio::time::timeout(600 * SECOND, stream.read_u8()).await;
        assert!(reading.is_err(), "it is waited for");
        drop(answering);
    }
}
