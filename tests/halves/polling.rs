//! The halves over an async transport, which a task reads while another one waits to write.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

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
    /// Whether it wakes a task when it is ready. It remembers whoever called last.
    wakes: Arc<AtomicBool>,
}

impl AsyncWrite for Busy {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.busy > 0 {
            self.busy -= 1;
            self.wakes
                .store(cx.waker().will_wake(&task()), Ordering::Relaxed);
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

/// The waker of both tasks: not that of an attempt, which is `Waker::noop`.
fn task() -> Waker {
    struct Task;
    impl std::task::Wake for Task {
        fn wake(self: Arc<Self>) {}
    }
    static TASK: std::sync::OnceLock<Waker> = std::sync::OnceLock::new();
    TASK.get_or_init(|| Arc::new(Task).into()).clone()
}

fn read(reader: &mut AsyncReadHalf<Silence>) -> Poll<io::Result<()>> {
    let mut out = [0];
    Pin::new(reader).poll_read(
        &mut Context::from_waker(&task()),
        &mut ReadBuf::new(&mut out),
    )
}

fn write(writer: &mut AsyncWriteHalf<Busy>) -> Poll<io::Result<usize>> {
    Pin::new(writer).poll_write(&mut Context::from_waker(&task()), b"x")
}

fn flush(writer: &mut AsyncWriteHalf<Busy>) -> Poll<io::Result<()>> {
    Pin::new(writer).poll_flush(&mut Context::from_waker(&task()))
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
    let events = |reader: &mut AsyncReadHalf<Silence>| {
        for _ in 1..N {
            assert!(read(reader).is_ready());
        }
        read(reader)
    };
    for reader_first in [true, false] {
        let script = script.clone();
        loom::model(move || {
            let wire = Wire::default();
            let wakes = Arc::new(AtomicBool::new(false));
            let busy = Busy {
                wire: wire.clone(),
                busy,
                wakes: wakes.clone(),
            };
            let (mut reader, mut writer) = halves(script.clone(), (Silence, busy));
            let (result, written) = if reader_first {
                let writing = loom::thread::spawn(move || (write(&mut writer), writer));
                (events(&mut reader), writing.join().unwrap())
            } else {
                let reading = loom::thread::spawn(move || events(&mut reader));
                let written = write(&mut writer);
                (reading.join().unwrap(), (written, writer))
            };
            if written.0.is_pending() {
                assert!(
                    wakes.load(Ordering::Relaxed),
                    "the task that waits is forgotten"
                );
            }
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
                match write(&mut writer) {
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
