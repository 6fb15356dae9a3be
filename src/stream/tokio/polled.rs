//! [`Polled`]: an async transport as a blocking one that never waits.
//!
//! A transport remembers one task for each direction. Reading is one task's. Sending may be the
//! work of two: of the task that writes, and of the task that reads, which sends what the other one
//! left behind. So the transport is given a waker that wakes both ([`Wakers`]).

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stream::transport;

/// Which task calls the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// No task that waits: a call is an attempt.
    Nobody,
    /// The task that reads.
    Reader,
    /// The task that writes.
    Writer,
}

/// The tasks that wait, to be woken when the transport takes more.
#[derive(Debug, Default)]
struct Wakers(Mutex<Tasks>);

#[derive(Debug, Default)]
struct Tasks {
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Wakers {
    fn with<T>(&self, work: impl FnOnce(&mut Tasks) -> T) -> T {
        // Nothing in here panics.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn remember(&self, caller: Caller, task: &Waker) {
        self.with(|tasks| {
            let place = match caller {
                Caller::Nobody => return,
                Caller::Reader => &mut tasks.reader,
                Caller::Writer => &mut tasks.writer,
            };
            match place {
                Some(waker) => waker.clone_from(task),
                None => *place = Some(task.clone()),
            }
        });
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Not woken under the lock: a waker may poll the task at once.
        let Tasks { reader, writer } = self.with(core::mem::take);
        for task in [reader, writer].into_iter().flatten() {
            task.wake();
        }
    }
}

/// The async transport `S` as a blocking one that returns `WouldBlock` instead of waiting.
#[derive(Debug)]
pub(super) struct Polled<S> {
    io: S,
    caller: Caller,
    /// The calling task, kept from call to call because it is nearly always the same.
    task: Waker,
    wakers: Arc<Wakers>,
    /// An error of the transport's own that has the kind of a pause. The streams take it for one;
    /// nobody would wake the task, however.
    error: Option<io::Error>,
}

impl<S> Polled<S> {
    pub(super) fn new(io: S) -> Self {
        Self::sharing(io, Arc::default())
    }

    fn sharing(io: S, wakers: Arc<Wakers>) -> Self {
        Self {
            io,
            caller: Caller::Nobody,
            task: Waker::noop().clone(),
            wakers,
            error: None,
        }
    }

    /// Makes the parts of a transport from those of its inside.
    pub(super) fn split<R, W>(self, split: impl FnOnce(S) -> (R, W)) -> (Polled<R>, Polled<W>) {
        let (reader, writer) = split(self.io);
        (
            Polled::sharing(reader, self.wakers.clone()),
            Polled::sharing(writer, self.wakers),
        )
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
    pub(super) fn begin(&mut self, caller: Caller, task: &Waker) {
        self.task.clone_from(task);
        self.caller = caller;
        self.error = None;
    }

    /// The calls are done. Returns the meaning of their result for the task.
    pub(super) fn end<T>(&mut self, result: io::Result<T>) -> Poll<io::Result<T>> {
        let caller = core::mem::replace(&mut self.caller, Caller::Nobody);
        match result {
            Err(error) if transport::is_pause(&error) => match self.error.take() {
                // The task repeats the call, as it does for any stream that is not broken.
                Some(error) => Poll::Ready(Err(error)),
                None => {
                    // It may have to send what another task leaves behind from now on.
                    if caller == Caller::Reader {
                        self.wakers.remember(caller, &self.task);
                    }
                    Poll::Pending
                }
            },
            result => Poll::Ready(result),
        }
    }

    /// Returns an error of the transport that was taken for a pause.
    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Returns what wakes both tasks.
    pub(super) fn waker(&self) -> Waker {
        Waker::from(self.wakers.clone())
    }

    /// Wakes the tasks that wait: the connection has failed.
    pub(super) fn wake(&self) {
        self.wakers.wake_by_ref();
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
        let mut out = ReadBuf::new(out);
        let mut cx = Context::from_waker(match self.caller {
            Caller::Nobody => Waker::noop(),
            Caller::Reader | Caller::Writer => &self.task,
        });
        let polled = Pin::new(&mut self.io).poll_read(&mut cx, &mut out);
        self.ready(polled.map_ok(|()| out.filled().len()))
    }
}

impl<S: AsyncWrite + Unpin> Polled<S> {
    fn write_by<T>(
        &mut self,
        poll: impl Fn(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        let waker = self.waker();
        let mut cx = Context::from_waker(&waker);
        let io = &mut self.io;
        let mut polled = match self.caller {
            // The task may have used up what the runtime allows it for this turn; an attempt has no
            // other turn.
            Caller::Nobody => {
                let attempt = poll_fn(|cx| poll(Pin::new(&mut *io), cx));
                pin!(tokio::task::unconstrained(attempt)).poll(&mut cx)
            }
            Caller::Reader | Caller::Writer => poll(Pin::new(&mut *io), &mut cx),
        };
        if polled.is_pending() && self.caller != Caller::Nobody {
            self.wakers.remember(self.caller, &self.task);
            // The transport may have become ready before the task was remembered.
            polled = poll(Pin::new(io), &mut cx);
        }
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
