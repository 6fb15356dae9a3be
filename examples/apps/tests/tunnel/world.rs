//! A PKI in a folder, tunnels as programs, and services behind them.

use std::fmt::Debug;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fleeting::{Authority, Client, Identity, Stream};
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, SockRef, Socket, Type};

/// No test waits longer for anything.
pub const LIMIT: Duration = Duration::from_secs(30);

/// A folder with an authority's certificate (`ca.pem`), its revocation list (`crl.pem`), and the
/// certificates and keys of `server`, `alice` and `bob`. It is removed at the end.
pub struct World {
    pub folder: PathBuf,
    pub authority: Authority,
    pub alice: Identity,
}

impl World {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("fleeting-tunnel-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let authority = Authority::new("tunnel").unwrap();
        let world = Self {
            alice: authority.issue_client("alice").unwrap(),
            folder,
            authority,
        };
        world.write("ca.pem", &world.authority.certificate_pem());
        world.write(
            "crl.pem",
            &world.authority.revocation_list().issue_pem().unwrap(),
        );
        let server = world.authority.issue_server(["localhost", "127.0.0.1"]);
        world.put("server", &server.unwrap());
        world.put("alice", &world.alice);
        world.put("bob", &world.authority.issue_client("bob").unwrap());
        world
    }

    /// Writes a file, and returns its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        // As a whole, since a tunnel may read it at any time.
        let new = self.folder.join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &path).unwrap();
        path.display().to_string()
    }

    /// Writes the files of an identity.
    pub fn put(&self, name: &str, identity: &Identity) {
        self.write(&format!("{name}.pem"), &identity.chain_pem());
        let key = identity.key_pem().unwrap();
        let key = std::str::from_utf8(key.expose()).unwrap();
        self.write(&format!("{name}-key.pem"), key);
    }

    /// A client that trusts the authority.
    pub fn client(&self, who: &str) -> Client {
        let file = |end: &str| self.folder.join(format!("{who}{end}"));
        let identity = Identity::from_pem_files(file(".pem"), file("-key.pem"));
        Client::builder()
            .trust(self.authority.trust())
            .identity(identity.unwrap())
            .build()
            .unwrap()
    }

    /// Connects to a service of a tunnel.
    pub fn connect(&self, who: &str, port: u16) -> Stream<TcpStream> {
        let tls = self.client(who).connect("localhost", tcp(port));
        tls.unwrap_or_else(|error| panic!("{who}: {error}"))
    }

    /// Starts a tunnel in server mode for alice, in front of a service.
    pub fn server(&self, to: u16, more: &str) -> Tunnel {
        let peers = match ["peers", "any_peer", "anonymous"]
            .iter()
            .any(|key| more.contains(key))
        {
            true => "",
            false => "peers = [\"cn:alice\"]\n",
        };
        Tunnel::start(self, &format!("{}{peers}{more}\n", server_section(to)))
    }

    /// Starts a tunnel in client mode for alice.
    pub fn client_mode(&self, to: u16, more: &str) -> Tunnel {
        Tunnel::start(self, &format!("{}{more}\n", client_section(to)))
    }

    /// Starts both, and returns the port where a plain client connects.
    pub fn both(&self, to: u16) -> (Tunnel, Tunnel, u16) {
        let server = self.server(to, "");
        let client = self.client_mode(server.port("server"), "");
        let port = client.port("client");
        (server, client, port)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub fn server_section(to: u16) -> String {
    format!(
        "[service.server]\nmode = \"server\"\nlisten = \"127.0.0.1:0\"\n\
         connect = \"127.0.0.1:{to}\"\ncertificate = \"server.pem\"\nkey = \"server-key.pem\"\n"
    ) + "roots = \"ca.pem\"\n"
}

pub fn client_section(to: u16) -> String {
    format!(
        "[service.client]\nmode = \"client\"\nlisten = \"127.0.0.1:0\"\n\
         connect = \"localhost:{to}\"\ncertificate = \"alice.pem\"\nkey = \"alice-key.pem\"\n\
         roots = \"ca.pem\"\n"
    )
}

/// A tunnel that runs.
pub struct Tunnel {
    child: Child,
    said: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Tunnel {
    pub fn start(world: &World, config: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = world.write(&format!("tunnel-{number}.toml"), config);
        let mut child = Command::new(env!("CARGO_BIN_EXE_tunnel"))
            .arg(file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let (lines, told) = (BufReader::new(child.stderr.take().unwrap()), said.clone());
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                told.0.lock().unwrap().push(line);
                told.1.notify_all();
            }
        });
        Self { child, said }
    }

    /// Waits for a line that contains a text, and returns it.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_for_all(text, 1).remove(0)
    }

    /// Waits for a number of lines that contain a text.
    pub fn wait_for_all(&self, text: &str, count: usize) -> Vec<String> {
        let end = Instant::now() + LIMIT;
        let mut said = self.said.0.lock().unwrap();
        loop {
            let found: Vec<_> = said.iter().filter(|line| line.contains(text)).collect();
            if found.len() >= count {
                return found.into_iter().cloned().collect();
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // It is needed to say what was said.
                drop(said);
                panic!("{text:?} was not said");
            }
            said = self.said.1.wait_timeout(said, left).unwrap().0;
        }
    }

    /// Returns everything that was said until now.
    pub fn said(&self) -> String {
        self.said.0.lock().unwrap().join("\n")
    }

    /// Returns the port of a service.
    pub fn port(&self, service: &str) -> u16 {
        let line = self.wait_for(&format!("{service}: listening on "));
        line.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it does not end: {}", self.said());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the tunnel said:\n{}\n", self.said());
        }
    }
}

/// Connects to a port of this machine.
pub fn tcp(port: u16) -> TcpStream {
    limited(TcpStream::connect(("127.0.0.1", port)).unwrap())
}

/// Connects from another address of this machine.
pub fn tcp_from(address: [u8; 4], port: u16) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket
        .connect(&SocketAddr::from(([127, 0, 0, 1], port)).into())
        .unwrap();
    limited(socket.into())
}

fn limited(tcp: TcpStream) -> TcpStream {
    tcp.set_read_timeout(Some(LIMIT)).unwrap();
    tcp.set_write_timeout(Some(LIMIT)).unwrap();
    tcp
}

/// Makes the end of a connection a reset.
pub fn reset(tcp: TcpStream) {
    SockRef::from(&tcp)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

/// Runs a service that handles each connection in a thread, and returns its port.
pub fn service(handle: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let handle = Arc::new(handle);
    thread::spawn(move || {
        for tcp in listener.incoming() {
            let (tcp, handle) = (limited(tcp.unwrap()), handle.clone());
            thread::spawn(move || handle(tcp));
        }
    });
    port
}

/// A service that returns what it gets, and ends when its peer has ended.
pub fn echo() -> u16 {
    service(|mut tcp| {
        let mut buffer = vec![0; 65536];
        while let Ok(count @ 1..) = tcp.read(&mut buffer) {
            if tcp.write_all(&buffer[..count]).is_err() {
                return;
            }
        }
        let _ = tcp.shutdown(Shutdown::Write);
    })
}

/// Sends a line, and expects it back.
pub fn ask(stream: &mut (impl Read + Write), line: &str) {
    stream.write_all(line.as_bytes()).unwrap();
    stream.flush().unwrap();
    let mut answer = vec![0; line.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, line.as_bytes());
}

/// Returns how a stream ends that must not end in order.
pub fn cut(read: std::io::Result<impl Debug>) -> std::io::Error {
    read.expect_err("it ended as if it were whole")
}

/// Waits until a condition holds.
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "not within the time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
