//! A panic that goes no further than the answer it broke off.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a future gives, or that it panicked. What it held is dropped then, and what it shares with
/// others has to bear that: a lock that it held is poisoned, which this program reads over.
pub(super) struct Caught<F>(Pin<Box<F>>);

/// A future panicked. Where and why stands on standard error, as with every panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Panicked;

impl<F: Future> Caught<F> {
    pub(super) fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_value_before_the_first_wait_and_after_it() {
        let at_once = Caught::new(async { panic!("of the test") });
        assert_eq!(at_once.await, Err::<(), _>(Panicked));
        let later = Caught::new(async {
            tokio::task::yield_now().await;
            panic!("of the test");
        });
        assert_eq!(later.await, Err::<(), _>(Panicked));
        assert_eq!(Caught::new(async { 1 }).await, Ok(1));
    }
}
