//! Runs the sans-IO core under a handmade executor: an async stream needs only a thin layer.
//!
//! * [`Executor`] polls a task only after its waker was called. If all tasks sleep and none was
//!   woken, a wake-up was lost, and the test fails.
//! * [`Pipe`] is a transport in memory with little room. It keeps the wakers of the tasks that wait
//!   for it.
//! * [`Tls`] joins a `Connection` and a transport, and is all that an async stream would add.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fleeting::{
    Authority, Client, ClientAuth, Connection, Error, Now, Server, Status, SystemRandom,
};

// ---- the executor ----

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Polls woken tasks one after the other, in one thread.
#[derive(Default)]
struct Executor {
    tasks: Vec<Option<Task>>,
    woken: Arc<Mutex<VecDeque<usize>>>,
    polls: usize,
}

struct TaskWaker {
    task: usize,
    woken: Arc<Mutex<VecDeque<usize>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.woken.lock().unwrap().push_back(self.task);
    }
}

impl Executor {
    fn spawn(&mut self, task: impl Future<Output = ()> + 'static) {
        self.woken.lock().unwrap().push_back(self.tasks.len());
        self.tasks.push(Some(Box::pin(task)));
    }

    fn run(&mut self) {
        while self.tasks.iter().any(Option::is_some) {
            let next = self.woken.lock().unwrap().pop_front();
            let number = next.expect("all tasks sleep, and nobody was woken");
            let Some(task) = &mut self.tasks[number] else {
                continue;
            };
            let waker = Waker::from(Arc::new(TaskWaker {
                task: number,
                woken: self.woken.clone(),
            }));
            self.polls += 1;
            if task
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
            {
                self.tasks[number] = None;
            }
        }
    }
}

// ---- the transport ----

#[derive(Default)]
struct Channel {
    bytes: VecDeque<u8>,
    capacity: usize,
    ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// One end of a transport with room for a few bytes in each direction.
struct Pipe {
    input: Rc<RefCell<Channel>>,
    output: Rc<RefCell<Channel>>,
}

fn pipe(capacity: usize) -> (Pipe, Pipe) {
    let channel = || {
        Rc::new(RefCell::new(Channel {
            capacity,
            ..Channel::default()
        }))
    };
    let (there, back) = (channel(), channel());
    (
        Pipe {
            input: back.clone(),
            output: there.clone(),
        },
        Pipe {
            input: there,
            output: back,
        },
    )
}

impl Pipe {
    fn poll_read(&mut self, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<usize> {
        let channel = &mut *self.input.borrow_mut();
        if channel.bytes.is_empty() && !channel.ended {
            channel.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = out.len().min(channel.bytes.len());
        for (to, from) in out.iter_mut().zip(channel.bytes.drain(..count)) {
            *to = from;
        }
        channel.writer.take().into_iter().for_each(Waker::wake);
        Poll::Ready(count)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<usize> {
        let channel = &mut *self.output.borrow_mut();
        let count = data.len().min(channel.capacity - channel.bytes.len());
        if count == 0 {
            channel.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        channel.bytes.extend(&data[..count]);
        channel.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(count)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let channel = &mut *self.output.borrow_mut();
        channel.ended = true;
        channel.reader.take().into_iter().for_each(Waker::wake);
    }
}

// ---- what an async stream adds ----

struct Tls {
    connection: Connection,
    io: Pipe,
}

impl Tls {
    /// Performs the handshake of either side.
    async fn shake(connection: Connection, io: Pipe) -> Result<Self, Error> {
        let mut tls = Self { connection, io };
        poll_fn(|cx| tls.poll_shake(cx)).await?;
        Ok(tls)
    }

    fn poll_shake(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            let status = self.connection.process(now(), &mut SystemRandom);
            // Flush after an error too: the output holds the alert.
            ready!(self.poll_flush(cx));
            match status? {
                Status::NeedsInput if self.connection.is_handshaking() => {
                    ready!(self.poll_receive(cx))
                }
                _ => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.connection.output().is_empty() {
            let count = ready!(self.io.poll_write(cx, self.connection.output()));
            self.connection.sent(count);
        }
        Poll::Ready(())
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match ready!(self.io.poll_read(cx, self.connection.input())) {
            0 => self.connection.received_end(),
            count => self.connection.received(count),
        }
        Poll::Ready(())
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<Result<usize, Error>> {
        loop {
            match self.connection.process(now(), &mut SystemRandom)? {
                Status::Data => {
                    let count = out.len().min(self.connection.plaintext().len());
                    out[..count].copy_from_slice(&self.connection.plaintext()[..count]);
                    self.connection.consume(count);
                    return Poll::Ready(Ok(count));
                }
                Status::NeedsInput => {
                    // Ignore whether everything was sent: this call registers the waker for
                    // writing.
                    let _ = self.poll_flush(cx);
                    ready!(self.poll_receive(cx));
                }
                _ => return Poll::Ready(Ok(0)),
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize, Error>> {
        ready!(self.poll_flush(cx));
        let count = self.connection.write(data)?;
        let _ = self.poll_flush(cx);
        Poll::Ready(Ok(count))
    }

    async fn read(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        poll_fn(|cx| self.poll_read(cx, out)).await
    }

    async fn write_all(&mut self, mut data: &[u8]) -> Result<(), Error> {
        while !data.is_empty() {
            let count = poll_fn(|cx| self.poll_write(cx, data)).await?;
            data = &data[count..];
        }
        Ok(())
    }

    async fn close(&mut self) {
        self.connection.close();
        poll_fn(|cx| self.poll_flush(cx)).await;
    }
}

fn now() -> Now {
    Now::new(
        Duration::ZERO,
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap(),
    )
}

// ---- the programs ----

/// Echoes what it receives until the client closes.
async fn echo(server: Server, io: Pipe) {
    let mut tls = Tls::shake(server.connection(now()), io).await.unwrap();
    assert_eq!(
        tls.connection
            .negotiated()
            .unwrap()
            .peer()
            .unwrap()
            .common_name()
            .as_deref(),
        Some("alice")
    );
    let mut buffer = [0; 3000];
    loop {
        match tls.read(&mut buffer).await.unwrap() {
            0 => break,
            count => tls.write_all(&buffer[..count]).await.unwrap(),
        }
    }
    tls.close().await;
}

/// Sends `data` and receives the echo at the same time: the pipe has no room for all of it.
async fn ask(client: Client, io: Pipe, data: Vec<u8>, done: Rc<RefCell<usize>>) {
    let connection = client
        .connection("db.internal", now(), &mut SystemRandom)
        .unwrap();
    let mut tls = Tls::shake(connection, io).await.unwrap();
    let (mut sent, mut closed, mut heard) = (0, false, Vec::new());
    let mut buffer = [0; 5000];
    poll_fn(|cx| {
        loop {
            let mut moved = false;
            if sent < data.len() {
                if let Poll::Ready(count) = tls.poll_write(cx, &data[sent..]) {
                    let count = count.unwrap();
                    // Renew the keys once half of the data is sent.
                    if sent < data.len() / 2 && sent + count >= data.len() / 2 {
                        tls.connection.rekey().unwrap();
                    }
                    sent += count;
                    moved = true;
                }
            } else if !closed {
                tls.connection.close();
                closed = true;
            }
            match tls.poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(0)) => return Poll::Ready(()),
                Poll::Ready(Ok(count)) => {
                    heard.extend_from_slice(&buffer[..count]);
                    moved = true;
                }
                Poll::Ready(Err(error)) => panic!("{error}"),
                Poll::Pending => {}
            }
            if !moved {
                return Poll::Pending;
            }
        }
    })
    .await;
    assert!(heard == data);
    *done.borrow_mut() += 1;
}

#[test]
fn many_connections_in_one_thread() {
    let authority = Authority::new("tests").unwrap();
    let server = Server::builder()
        .identity(authority.issue_server(["db.internal"]).unwrap())
        .client_auth(ClientAuth::Required(authority.trust()))
        .build()
        .unwrap();
    let client = Client::builder()
        .trust(authority.trust())
        .identity(authority.issue_client("alice").unwrap())
        .build()
        .unwrap();

    let mut executor = Executor::default();
    let done = Rc::new(RefCell::new(0));
    let cases = [
        (1, 1_000),
        (2, 0),
        (7, 5_000),
        (100, 1),
        (1_000, 200_000),
        (16_406, 300_000),
        (1 << 20, 2 << 20),
    ];
    for (seed, (capacity, length)) in cases.into_iter().enumerate() {
        let data = (0..length)
            .map(|at| ((at >> 8) ^ at ^ seed) as u8)
            .collect();
        let (a, b) = pipe(capacity);
        executor.spawn(echo(server.clone(), b));
        executor.spawn(ask(client.clone(), a, data, done.clone()));
    }
    executor.run();
    assert_eq!(*done.borrow(), cases.len());
    // No task is polled endlessly in vain: the number of polls is bounded.
    assert!(executor.polls < 100_000, "{}", executor.polls);
}

/// A task is dropped together with its connection: the other side sees a cut, not an orderly end.
#[test]
fn a_task_that_vanishes_is_a_cut() {
    let authority = Authority::new("tests").unwrap();
    let server = Server::builder()
        .identity(authority.issue_server(["db.internal"]).unwrap())
        .build()
        .unwrap();
    let client = Client::builder().trust(authority.trust()).build().unwrap();
    let (a, b) = pipe(1000);
    let mut executor = Executor::default();
    executor.spawn(async move {
        let mut tls = Tls::shake(server.connection(now()), b).await.unwrap();
        tls.write_all(b"half of").await.unwrap();
    });
    let seen = Rc::new(RefCell::new(false));
    let saw = seen.clone();
    executor.spawn(async move {
        let connection = client
            .connection("db.internal", now(), &mut SystemRandom)
            .unwrap();
        let mut tls = Tls::shake(connection, a).await.unwrap();
        let mut buffer = [0; 100];
        assert_eq!(tls.read(&mut buffer).await.unwrap(), 7);
        assert!(matches!(tls.read(&mut buffer).await, Err(Error::Truncated)));
        *saw.borrow_mut() = true;
    });
    executor.run();
    assert!(*seen.borrow());
}
