//! [`Program`]: another program as a peer. It is started on loopback, gets input, its output is
//! read, and it ends with the test.
//!
//! Nothing sleeps for a fixed time and nothing waits for ever: every wait is limited by
//! [`PATIENCE`].

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fleeting::{AlertDescription, Client, Error, Fault, Identity, Progress, Server, Stream};

use crate::support::{Pki, SERVER_NAME, lines};
use crate::wire::Wire;

/// Our connection to a program.
pub type Tls = Stream<Wire>;

/// More bytes than the sockets and any program buffer.
pub const BULK: usize = 300_000;

/// How long anything may take, which is far more than it does.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before checking again for something that cannot wake us.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A running program. Dropping it kills it.
pub struct Program {
    name: String,
    child: Child,
    typing: Option<Sender<Vec<u8>>>,
    said: Arc<Said>,
}

/// What a program has written so far.
#[derive(Default)]
struct Said {
    text: Mutex<Text>,
    more: Condvar,
}

#[derive(Default)]
struct Text {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// How many of the two outputs have ended.
    ended: usize,
}

impl Program {
    /// Starts `name` with these arguments. `install` says how to install it if it is missing.
    pub fn start<A: AsRef<OsStr>>(
        name: impl AsRef<OsStr>,
        install: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let mut command = Command::new(&name);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let name = name.as_ref().display().to_string();
        let mut child = command.spawn().unwrap_or_else(|error| match error.kind() {
            ErrorKind::NotFound => {
                panic!("{name} is missing, and this test needs it: {install}")
            }
            _ => panic!("{name} does not start: {error}"),
        });

        let said = Arc::new(Said::default());
        listen(child.stdout.take().unwrap(), &said, |text| &mut text.stdout);
        listen(child.stderr.take().unwrap(), &said, |text| &mut text.stderr);
        // A separate thread writes: a program whose pipe is full may be waiting for us to read what
        // it sends.
        let (typing, typed) = channel::<Vec<u8>>();
        let mut stdin = child.stdin.take().unwrap();
        thread::spawn(move || {
            for bytes in typed {
                if stdin
                    .write_all(&bytes)
                    .and_then(|()| stdin.flush())
                    .is_err()
                {
                    break;
                }
            }
        });
        Self {
            name,
            child,
            typing: Some(typing),
            said,
        }
    }

    /// Writes to its standard input.
    pub fn type_in(&self, bytes: impl Into<Vec<u8>>) {
        // If the program has ended, the next wait reports it.
        let _ = self
            .typing
            .as_ref()
            .expect("its standard input is closed")
            .send(bytes.into());
    }

    /// Waits until it has written this to its standard output or error.
    pub fn wait_for(&self, wanted: impl AsRef<[u8]>) {
        let wanted = wanted.as_ref();
        let shown = String::from_utf8_lossy(&wanted[..wanted.len().min(60)]).into_owned();
        self.wait_until(&shown, |text| {
            contains(&text.stdout, wanted) || contains(&text.stderr, wanted)
        });
    }

    /// Waits for a line that begins with `start`, and returns the rest of it.
    pub fn wait_for_line(&self, start: &str) -> String {
        let mut found = String::new();
        self.wait_until(start, |text| {
            let line = [&text.stdout, &text.stderr]
                .into_iter()
                .find_map(|bytes| line_after(bytes, start));
            line.is_some_and(|line| {
                found = line;
                true
            })
        });
        found
    }

    /// Returns how many times it has written this so far.
    pub fn times(&self, wanted: &str) -> usize {
        let text = self.said.lock();
        [&text.stdout, &text.stderr]
            .into_iter()
            .map(|bytes| String::from_utf8_lossy(bytes).matches(wanted).count())
            .sum()
    }

    fn wait_until(&self, wanted: &str, mut is_there: impl FnMut(&Text) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut text = self.said.lock();
        while !is_there(&text) {
            let left = deadline.saturating_duration_since(Instant::now());
            if text.ended == 2 || left.is_zero() {
                let why = if left.is_zero() {
                    "is silent"
                } else {
                    "has ended"
                };
                panic!(
                    "{} {why} without having said {wanted:?}.{}",
                    self.name,
                    text.report()
                );
            }
            text = self.said.more.wait_timeout(text, left).unwrap().0;
        }
    }

    /// Closes its standard input.
    pub fn end_input(&mut self) {
        self.typing = None;
    }

    /// Closes its standard input and waits until it exits.
    pub fn finish(&mut self) -> ExitStatus {
        self.end_input();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{} does not end.{}",
                self.name,
                self.said.lock().report()
            );
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Waits until it exits, which must be with success.
    pub fn finish_well(&mut self) {
        let status = self.finish();
        assert!(
            status.success(),
            "{}: {status}.{}",
            self.name,
            self.report()
        );
    }

    /// Kills it, as a crash would end it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn has_ended(&self) -> bool {
        self.said.lock().ended == 2
    }

    /// Returns its output, for a failing test to show.
    pub fn report(&self) -> String {
        self.said.lock().report()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Said {
    fn lock(&self) -> MutexGuard<'_, Text> {
        // A test that panics while it holds the lock must not stop the reader threads.
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Text {
    fn report(&self) -> String {
        let end = |bytes: &[u8]| {
            String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(2000)..]).into_owned()
        };
        format!(
            "\n--- its output ends so:\n{}\n--- and its errors:\n{}\n---",
            end(&self.stdout),
            end(&self.stderr)
        )
    }
}

fn listen(
    mut pipe: impl Read + Send + 'static,
    said: &Arc<Said>,
    which: fn(&mut Text) -> &mut Vec<u8>,
) {
    let said = said.clone();
    thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            which(&mut said.lock()).extend(&buffer[..count]);
            said.more.notify_all();
        }
        said.lock().ended += 1;
        said.more.notify_all();
    });
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

fn line_after(text: &[u8], start: &str) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let (_, rest) = text.split_once(start)?;
    let (line, _) = rest.split_once('\n')?;
    Some(line.trim().to_owned())
}

/// Checks a condition again and again until it is true.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        thread::sleep(LOOK_AGAIN);
    }
}

// ---- files ----

/// A folder for files that the programs read. It is removed with the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("peers")
            .join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().unwrap()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.0.join(name), content).unwrap();
        self.path(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A PKI and its files: `ca.pem`, and a chain and a key for each identity.
pub struct World {
    pub pki: Pki,
    pub folder: Folder,
    pub ca: String,
    pub server: Files,
    pub client: Files,
}

impl World {
    pub fn new() -> Self {
        let (pki, folder) = (Pki::new(), Folder::new());
        let ca = folder.write("ca.pem", pki.authority.certificate_pem());
        let server = write_identity(&folder, "server", &pki.server);
        let client = write_identity(&folder, "client", &pki.client);
        Self {
            pki,
            folder,
            ca,
            server,
            client,
        }
    }

    /// Writes the files of another identity.
    pub fn files(&self, name: &str, identity: &Identity) -> Files {
        write_identity(&self.folder, name, identity)
    }
}

/// The paths of an identity's files.
pub struct Files {
    /// The certificate and those above it, except the root.
    pub chain: String,
    pub key: String,
    /// The chain without the certificate.
    pub issuers: String,
}

fn write_identity(folder: &Folder, name: &str, identity: &Identity) -> Files {
    const END: &str = "-----END CERTIFICATE-----\n";
    let chain = identity.chain_pem();
    let (_, issuers) = chain.split_once(END).unwrap();
    Files {
        issuers: folder.write(&format!("{name}.issuers.pem"), issuers),
        chain: folder.write(&format!("{name}.pem"), &chain),
        key: folder.write(&format!("{name}.key"), identity.key_pem().unwrap().expose()),
    }
}

// ---- our side ----

/// The port of our server, for programs to connect to.
pub struct Door(TcpListener);

impl Door {
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// Waits for a program to connect, and performs the handshake.
    pub fn accept(&self, server: &Server, program: &Program) -> Result<Tls, Error> {
        server.accept(self.wait(program))
    }

    /// Waits for a program to connect.
    pub fn wait(&self, program: &Program) -> Wire {
        let deadline = Instant::now() + PATIENCE;
        let tcp = loop {
            match self.0.accept() {
                Ok((tcp, _)) => break tcp,
                Err(error)
                    if error.kind() == ErrorKind::WouldBlock
                        && Instant::now() < deadline
                        && !program.has_ended() =>
                {
                    thread::sleep(LOOK_AGAIN);
                }
                Err(error) => panic!("nobody connects: {error}.{}", program.report()),
            }
        };
        tcp.set_nonblocking(false).unwrap();
        patient(tcp)
    }
}

/// Connects our client to a program that is known to listen.
pub fn connect(client: &Client, port: u16) -> Result<Tls, Error> {
    client.connect(SERVER_NAME, dial(port))
}

/// Connects a socket to a program that is known to listen.
pub fn dial(port: u16) -> Wire {
    patient(TcpStream::connect(("127.0.0.1", port)).unwrap())
}

thread_local! {
    /// Closing a socket with unread data resets the connection, and the peer loses what it has not
    /// read yet, such as an alert. So no socket is closed before its test is over.
    static OPEN: RefCell<Vec<TcpStream>> = const { RefCell::new(Vec::new()) };
}

fn patient(tcp: TcpStream) -> Wire {
    OPEN.with_borrow_mut(|open| open.push(tcp.try_clone().unwrap()));
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.set_write_timeout(Some(PATIENCE)).unwrap();
    Wire::new(tcp)
}

/// Serves a program that may send early data, and answers the early data at once, before the
/// handshake is complete.
pub fn accept_early(server: &Server, wire: Wire, answer: &[u8]) -> Result<(Tls, Vec<u8>), Error> {
    let (mut handshake, mut early_data) = (server.start(wire), Vec::new());
    loop {
        handshake = match handshake.advance()? {
            Progress::Done(stream) => return Ok((stream, early_data)),
            Progress::EarlyData(data, mut handshake) => {
                if early_data.is_empty() {
                    handshake.early_data().unwrap().write_all(answer).unwrap();
                }
                early_data.extend(data);
                handshake
            }
            other => panic!("{other:?}"),
        };
    }
}

/// Connects to a program that is known to listen, and sends early data to it.
pub fn connect_early(client: &Client, port: u16, data: &[u8]) -> Result<Tls, Error> {
    let mut handshake = client.start(SERVER_NAME, dial(port))?;
    let mut early_data = handshake.early_data().expect("no early data is allowed");
    early_data.write_all(data).unwrap();
    handshake.finish()
}

/// Ends the connection without a close_notify, as a crash would.
pub fn cut(stream: Tls) {
    stream.into_inner().cut();
}

/// Returns a port on which nobody listens, for programs that cannot find one themselves. Another
/// program may take it first, in which case the caller tries again.
pub fn free_port() -> u16 {
    Door::open().port()
}

/// Reads exactly `expected`.
pub fn expect(stream: &mut Tls, expected: &[u8], program: &Program) {
    let mut received = vec![0; expected.len()];
    stream
        .read_exact(&mut received)
        .unwrap_or_else(|error| panic!("{error}.{}", program.report()));
    assert!(received == expected, "received something else");
}

/// Waits until a program has read a line of ours. OpenSSL's `s_server -early_data` reads its
/// standard input before it has the client's Finished, and then waits for more from the client
/// before it reads it again.
pub fn settle(stream: &mut Tls, program: &Program, what: &str) {
    let line = format!("1 settled {what}\n");
    stream.write_all(line.as_bytes()).unwrap();
    program.wait_for(line);
}

/// Sends data in both directions, with a program that sends its standard input and prints what it
/// receives.
pub fn exchange(stream: &mut Tls, program: &Program, what: &str, length: usize) {
    let theirs = lines(&format!("them {what}"), length);
    program.type_in(&theirs[..]);
    expect(stream, &theirs, program);
    let ours = lines(&format!("us {what}"), length);
    stream.write_all(&ours).unwrap();
    program.wait_for(&ours);
}

/// Reads the peer's close_notify, before which there must be no data.
pub fn expect_end(stream: &mut Tls, program: &Program) {
    let count = stream
        .read(&mut [0; 64])
        .unwrap_or_else(|error| panic!("{error}.{}", program.report()));
    assert_eq!(count, 0, "data instead of close_notify");
}

/// Returns the error with which reading ends. A server's refusal of a client certificate is found
/// there (RFC 9846, section 4.5.3: the client has sent everything by then).
pub fn read_error(stream: &mut Tls) -> Error {
    stream
        .read(&mut [0; 64])
        .expect_err("nothing was refused")
        .into()
}

/// Returns our exporter output under the label with which the programs are started, in hexadecimal
/// digits.
pub fn exported(stream: &Tls) -> String {
    let ours = stream
        .export_keying_material("EXPORTER-test", "", 32)
        .unwrap();
    ours.expose()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Asserts that we failed because the program sent this alert, and that the error says what it
/// answers and what kind of change it needs.
#[track_caller]
pub fn assert_alert_received(error: &Error, alert: AlertDescription, program: &Program) {
    assert!(
        matches!(error, Error::AlertReceived { alert: got, said, .. }
            if *got == alert && *said != fleeting::Said::Nothing),
        "{error}, not {alert}.{}",
        program.report()
    );
    assert!(
        error.is_authentication() || error.is_configuration(),
        "{error}"
    );
}

/// Asserts that we failed because of what the program sent, for this reason.
#[track_caller]
pub fn assert_fault(error: &Error, is_reason: impl Fn(&Fault) -> bool, program: &Program) {
    assert!(
        matches!(error, Error::Protocol { fault, .. } if is_reason(fault)),
        "{error}.{}",
        program.report()
    );
}
