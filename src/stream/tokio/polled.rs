//! [`Polled`]: an async transport as a blocking one that never waits.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::io::{self, Read, Write};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stream::transport;

/// For whom the transport is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// For nobody who could wait: each call is one attempt.
    Nobody,
    /// For a task, which waits if the transport is not ready.
    Task,
    /// For a task that reads while another one waits to write. The transport remembers one task for
    /// each direction, so this one must not write.
    Reader,
    /// For nobody, while a task waits to write.
    Waiting,
}

/// The async transport `S` as a blocking one that returns `WouldBlock` instead of waiting.
#[derive(Debug)]
pub(super) struct Polled<S> {
    io: S,
    caller: Caller,
    /// The task, kept from call to call because it is nearly always the same.
    task: Waker,
    /// An error of the transport's own that has the kind of a pause. The streams take it for one;
    /// nobody would wake the task, however.
    error: Option<io::Error>,
}

impl<S> Polled<S> {
    pub(super) fn new(io: S) -> Self {
        Self {
            io,
            caller: Caller::Nobody,
            task: Waker::noop().clone(),
            error: None,
        }
    }

    pub(super) fn get_ref(&self) -> &S {
        &self.io
    }

    pub(super) fn get_mut(&mut self) -> &mut S {
        &mut self.io
    }

    pub(super) fn into_inner(self) -> S {
        self.io
    }

    /// The following calls are for this task.
    pub(super) fn begin(&mut self, task: &Waker) {
        self.task.clone_from(task);
        self.caller = Caller::Task;
        self.error = None;
    }

    /// The following calls are for this task, which reads while another one waits to write.
    pub(super) fn begin_reading(&mut self, task: &Waker) {
        self.begin(task);
        self.caller = Caller::Reader;
    }

    /// A task waits to write. Until its next call, nobody else does.
    pub(super) fn wait(&mut self) {
        self.caller = Caller::Waiting;
    }

    /// No task waits to write.
    pub(super) fn forget(&mut self) {
        self.caller = Caller::Nobody;
    }

    /// The calls are done. Returns the meaning of their result for the task.
    pub(super) fn end<T>(&mut self, result: io::Result<T>) -> Poll<io::Result<T>> {
        self.caller = Caller::Nobody;
        match result {
            Err(error) if transport::is_pause(&error) => {
                self.error.take().map_or(Poll::Pending, |error| {
                    // The caller repeats the call, as it does for any stream that is not broken.
                    Poll::Ready(Err(error))
                })
            }
            result => Poll::Ready(result),
        }
    }

    fn ready<T>(&mut self, polled: Poll<io::Result<T>>) -> io::Result<T> {
        match polled {
            Poll::Ready(Err(error)) if transport::is_pause(&error) => {
                let kind = error.kind();
                self.error = Some(error);
                Err(kind.into())
            }
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<S: AsyncRead + Unpin> Read for Polled<S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let waker = match self.caller {
            Caller::Task | Caller::Reader => &self.task,
            Caller::Nobody | Caller::Waiting => Waker::noop(),
        };
        let mut out = ReadBuf::new(out);
        let polled = Pin::new(&mut self.io).poll_read(&mut Context::from_waker(waker), &mut out);
        self.ready(polled.map_ok(|()| out.filled().len()))
    }
}

impl<S: AsyncWrite + Unpin> Polled<S> {
    fn write_by<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        let waker = match self.caller {
            Caller::Task => &self.task,
            Caller::Nobody => Waker::noop(),
            Caller::Reader | Caller::Waiting => return Err(io::ErrorKind::WouldBlock.into()),
        };
        let polled = poll(Pin::new(&mut self.io), &mut Context::from_waker(waker));
        self.ready(polled)
    }

    /// Ends the transport's own sending direction.
    pub(super) fn shut_down(&mut self) -> io::Result<()> {
        self.write_by(|io, cx| io.poll_shutdown(cx))
    }
}

impl<S: AsyncWrite + Unpin> Write for Polled<S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.write_by(|io, cx| io.poll_write(cx, data))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_by(|io, cx| io.poll_flush(cx))
    }
}
