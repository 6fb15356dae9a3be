//! [`Timer`]: ends a call that waits when the connection is over.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// How often a call is made at most: it may begin to wait, the timer may have been set for an
/// earlier moment, or the last moment may pass meanwhile.
const TRIES: usize = 3;

/// The runtime's timer, for connections that can be over. It costs nothing for others.
#[derive(Debug, Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Polls `call`. While it waits, the timer wakes `waker` when the connection is over, and
    /// `call` is polled again: it finds that out by itself. `time_left` is asked after `call`.
    pub(super) fn poll<T, H>(
        &mut self,
        holder: &mut H,
        mut call: impl FnMut(&mut H) -> Poll<T>,
        time_left: impl Fn(&H) -> Option<Duration>,
        waker: impl Fn(&H) -> Waker,
    ) -> Poll<T> {
        for _ in 0..TRIES {
            if let Poll::Ready(result) = call(holder) {
                return Poll::Ready(result);
            }
            let Some(left) = time_left(holder) else {
                self.0 = None;
                break;
            };
            if !left.is_zero() && !self.is_due(left, &waker(holder)) {
                break;
            }
        }
        Poll::Pending
    }

    /// Sets the timer, unless it is set for an earlier moment. Returns true if it has gone off.
    fn is_due(&mut self, left: Duration, waker: &Waker) -> bool {
        // The runtime's timer counts in whole milliseconds.
        let end = Instant::now() + left.max(Duration::from_millis(1));
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if timer.is_elapsed() || timer.deadline() > end {
            timer.as_mut().reset(end);
        }
        let mut cx = Context::from_waker(waker);
        timer.as_mut().poll(&mut cx).is_ready()
    }
}
