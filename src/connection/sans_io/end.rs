//! The ends that are nobody's fault: a limit of time, and the application's own, from outside.

#[cfg(feature = "tokio")]
use core::task::Waker;
use core::time::Duration;

use crate::connection::sans_io::connection::Connection;
use crate::connection::send::send_side::SendSide;
use crate::error::Error;
use crate::handshake::Running;

impl Connection {
    /// Returns the number of this connection in the server's
    /// [`Connections`](crate::Connections), if there is such a list, while the connection is in it.
    pub fn id(&self) -> Option<u64> {
        self.running()?.id()
    }

    /// Sets what to call when this connection is ended through the server's
    /// [`Connections`](crate::Connections), in place of an earlier hook. It is called once, by the
    /// thread that ends the connection, or at once if that has happened already.
    ///
    /// It is meant for waking whoever drives this connection, whose next call then returns
    /// [`Error::Ended`]. Without such a list, and before the handshake is complete, the hook is
    /// dropped.
    pub fn on_end(&self, hook: impl FnOnce() + Send + 'static) {
        if let Some(running) = self.running().filter(|running| running.id().is_some()) {
            running.lifetime().on_end(Box::new(hook));
        }
    }

    /// Sets whom to wake when this connection is ended from outside.
    #[cfg(feature = "tokio")]
    pub(crate) fn set_waker(&self, waker: Waker) {
        if let Some(running) = self.running() {
            running.lifetime().set_waker(waker);
        }
    }

    /// Returns true if the connection can end by time, or from outside.
    pub(crate) fn is_limited(&self) -> bool {
        self.running().is_some()
    }

    /// Tells the time, on the monotonic clock. Called before something is sent at a time that
    /// `process` may not have been told.
    pub(crate) fn at(&mut self, now: Duration) {
        self.sender.at(now);
        self.end_if_over();
    }

    /// Ends the connection if it is over. What was received goes first: if there may be some of it,
    /// the receiving side ends when it is read.
    pub(crate) fn end_if_over(&mut self) {
        if let Some(error) = self.sender.over() {
            if self.receiver.records.deframer.is_empty() {
                self.fail(error);
            } else {
                SendSide::fail(&mut self.sender, error);
            }
        }
    }

    /// Returns the error that the connection failed with or ends with, if any.
    pub(crate) fn ended(&self) -> Option<Error> {
        let over = || self.running().and_then(Running::over);
        self.error().cloned().or_else(over)
    }

    /// Returns when the connection is over, on the monotonic clock.
    pub(crate) fn end_of_life(&self) -> Option<Duration> {
        self.running()?.lifetime().deadline()
    }

    /// The receiving side has none any more once the peer has closed its side, and the sending side
    /// once this side is closed.
    fn running(&self) -> Option<&Running> {
        let running = self.receiver.running.as_ref();
        running.or(self.sender.running.as_ref()).map(AsRef::as_ref)
    }
}
