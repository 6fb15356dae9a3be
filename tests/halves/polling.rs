//! The halves over an async transport, which a task reads while another one waits to write.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::code_point::AlertDescription;
use crate::connection::receive::receiver::Event;
use crate::connection::send::sender::{ANSWER, DATA};
use crate::error::Error;
use crate::stream::Wire;
use crate::stream::tokio::async_split::{AsyncReadHalf, AsyncWriteHalf};
use crate::stream::tokio::halves;

const BAD: Error = Error::Protocol(AlertDescription::BAD_RECORD_MAC);

/// A transport that is not ready for its first `busy` writes, and then takes a record at a time.
struct Busy {
    wire: Wire,
    busy: usize,
    /// What it wakes when it is ready. It remembers whoever called last.
    waker: Arc<Mutex<Option<Waker>>>,
}

impl AsyncWrite for Busy {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.busy > 0 {
            self.busy -= 1;
            *self.waker.lock().unwrap() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(io::Write::write(&mut self.wire, data))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct Silence;

impl AsyncRead for Silence {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

/// A task that notes that it was woken.
#[derive(Default)]
struct Task(AtomicBool);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Task {
    fn is_woken(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

fn read(reader: &mut AsyncReadHalf<Silence>, task: &Arc<Task>) -> Poll<io::Result<()>> {
    let mut out = [0];
    let waker = task.clone().into();
    let cx = &mut Context::from_waker(&waker);
    Pin::new(reader).poll_read(cx, &mut ReadBuf::new(&mut out))
}

fn write(writer: &mut AsyncWriteHalf<Busy>, task: &Arc<Task>) -> Poll<io::Result<usize>> {
    let waker = task.clone().into();
    Pin::new(writer).poll_write(&mut Context::from_waker(&waker), b"x")
}

fn flush(writer: &mut AsyncWriteHalf<Busy>) -> Poll<io::Result<()>> {
    Pin::new(writer).poll_flush(&mut Context::from_waker(Waker::noop()))
}

/// Polls the reader once for each event and the writer once, under every interleaving. `after` gets
/// what the last polls returned, and the writer.
fn race<const N: usize>(
    script: [Event; N],
    busy: usize,
    after: impl Fn(Poll<io::Result<()>>, Poll<io::Result<usize>>, AsyncWriteHalf<Busy>, &Wire)
    + Copy
    + Send
    + Sync
    + 'static,
) {
    let events = |reader: &mut AsyncReadHalf<Silence>, task: &Arc<Task>| {
        for _ in 1..N {
            assert!(read(reader, task).is_ready());
        }
        read(reader, task)
    };
    for reader_first in [true, false] {
        let script = script.clone();
        loom::model(move || {
            let wire = Wire::default();
            let waker = Arc::default();
            let tasks = [Arc::new(Task::default()), Arc::new(Task::default())];
            let busy = Busy {
                wire: wire.clone(),
                busy,
                waker: Arc::clone(&waker),
            };
            let (mut reader, mut writer) = halves(script.clone(), (Silence, busy));
            let [reads, writes] = tasks.clone();
            let (result, written) = if reader_first {
                let writing = loom::thread::spawn(move || (write(&mut writer, &writes), writer));
                (events(&mut reader, &reads), writing.join().unwrap())
            } else {
                let reading = loom::thread::spawn(move || events(&mut reader, &reads));
                let written = write(&mut writer, &writes);
                (reading.join().unwrap(), (written, writer))
            };
            // The transport becomes ready: it wakes the task that waits to write, and if something
            // waits to be sent, the one that reads.
            let waits = written.1.wants_write();
            if let Some(waker) = waker.lock().unwrap().take() {
                Waker::wake(waker);
            }
            assert!(!written.0.is_pending() || tasks[1].is_woken());
            assert!(!(waits && result.is_pending()) || tasks[0].is_woken());
            after(result, written.0, written.1, &wire);
        });
    }
}

/// The answer to a KeyUpdate goes out once, by the reader, by the writer, or by the next flush. The
/// data is neither lost nor repeated.
#[test]
fn a_request_is_answered_once() {
    for busy in [0, 1] {
        race(
            [Event::KeyUpdate { asks: true }, Event::Wait],
            busy,
            |read, written, mut writer, wire| {
                assert!(read.is_pending());
                let accepted = matches!(written, Poll::Ready(Ok(1)));
                assert!(accepted || written.is_pending());
                while flush(&mut writer).is_pending() {}
                let records = wire.records();
                let count = |kind| records.iter().filter(|record| **record == kind).count();
                assert_eq!(count(ANSWER), 1, "{records:?}");
                assert_eq!(count(DATA), usize::from(accepted), "{records:?}");
                assert_eq!(records.len(), 1 + usize::from(accepted));
            },
        );
    }
}

/// If the reader fails while the writer waits, the alert is the last record, and is sent once the
/// transport takes it.
#[test]
fn an_alert_waits_for_the_task_that_writes() {
    for busy in [0, 1, 2] {
        race([Event::Fault(BAD)], busy, |read, _, mut writer, wire| {
            let Poll::Ready(Err(error)) = read else {
                panic!("{read:?}")
            };
            assert_eq!(Error::from(error), BAD);
            // The task is woken when the transport is ready.
            let error = loop {
                match write(&mut writer, &Arc::default()) {
                    Poll::Ready(result) => break result.unwrap_err(),
                    Poll::Pending => {}
                }
            };
            assert_eq!(Error::from(error), BAD);
            let records = wire.records();
            let (last, before) = records.split_last().expect("no alert");
            assert_eq!(*last, AlertDescription::BAD_RECORD_MAC.0);
            assert!(before.iter().all(|record| *record == DATA), "{records:?}");
        });
    }
}
