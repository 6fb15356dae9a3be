//! Other people's programs behind the tunnel, and at its other end. Debian:
//! `apt-get install redis-server postgresql stunnel4 mosquitto mosquitto-clients`.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::world::{LIMIT, World, ask, cut, echo, tcp};

/// A program that runs until the end of a test.
struct Program(Child);

impl Program {
    /// Starts a program, and waits until it listens.
    fn listening(mut command: Command, port: u16) -> Self {
        let name = format!("{:?}", command.get_program());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} must be installed: {error}"));
        let mut program = Self(child);
        let end = Instant::now() + LIMIT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = program.0.try_wait().unwrap() {
                panic!("{name} has ended: {status}");
            }
            assert!(Instant::now() < end, "{name} does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        program
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program to its end, and returns what it writes.
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} must be installed: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}{errors}");
    text.trim_end().to_owned()
}

/// A free port, for a program that cannot be asked for its own.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn redis(world: &World) -> (Program, u16) {
    let port = free_port();
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--save", "", "--port"])
        .arg(port.to_string())
        .current_dir(&world.folder);
    (Program::listening(command, port), port)
}

fn command(tcp: &mut TcpStream, parts: &[&[u8]]) {
    let mut out = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        out.extend(format!("${}\r\n", part.len()).bytes());
        out.extend(*part);
        out.extend(b"\r\n");
    }
    tcp.write_all(&out).unwrap();
}

fn expect(tcp: &mut impl Read, expected: &[u8]) {
    let mut answer = vec![0; expected.len()];
    tcp.read_exact(&mut answer).unwrap();
    assert!(answer == expected, "{:?}", &answer[..answer.len().min(100)]);
}

#[test]
#[ignore = "needs redis-server"]
fn redis_through_both_tunnels() {
    let world = World::new();
    let (_redis, to) = redis(&world);
    let (server, _client, port) = world.both(to);

    // A value of 64 MB, there and back.
    let value: Vec<u8> = (0..64_000_000_u32)
        .map(|at| (at.wrapping_mul(at) >> 7) as u8)
        .collect();
    let mut one = tcp(port);
    command(&mut one, &[b"SET", b"large", &value]);
    expect(&mut one, b"+OK\r\n");
    command(&mut one, &[b"GET", b"large"]);
    expect(&mut one, b"$64000000\r\n");
    expect(&mut one, &value);
    expect(&mut one, b"\r\n");

    // A message that comes without a question.
    let mut subscriber = tcp(port);
    command(&mut subscriber, &[b"SUBSCRIBE", b"news"]);
    expect(
        &mut subscriber,
        b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n",
    );
    for text in ["first", "second"] {
        command(&mut one, &[b"PUBLISH", b"news", text.as_bytes()]);
        expect(&mut one, b":1\r\n");
        let length = text.len();
        let message = format!("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n${length}\r\n{text}\r\n");
        expect(&mut subscriber, message.as_bytes());
    }

    let cli = |port: u16| {
        let mut cli = Command::new("redis-cli");
        cli.arg("-p").arg(port.to_string());
        cli
    };
    assert_eq!(run(cli(port).args(["SET", "key", "value"])), "OK");
    assert_eq!(run(cli(port).args(["STRLEN", "large"])), "64000000");
    // redis-cli speaks TLS too.
    let mut tls = cli(server.port("server"));
    tls.current_dir(&world.folder).args([
        "--tls",
        "--cacert",
        "ca.pem",
        "--cert",
        "alice.pem",
        "--key",
        "alice-key.pem",
        "GET",
        "key",
    ]);
    assert_eq!(run(&mut tls), "value");
    server.wait_for_all("both sides ended it", 2);
}

/// A folder of postgres' own, and its port. It does not run as root.
fn postgres(world: &World) -> (Program, u16) {
    let bin = postgres_programs();
    let folder = world.folder.join("postgres");
    fs::create_dir(&folder).unwrap();
    let user = rustix::process::getuid().is_root().then(|| {
        let id = |what| {
            run(Command::new("id").args([what, "postgres"]))
                .parse::<u32>()
                .unwrap()
        };
        (id("-u"), id("-g"))
    });
    let as_postgres = |name: &str| {
        let mut command = Command::new(bin.join(name));
        command.current_dir(&folder);
        if let Some((user, group)) = user {
            std::os::unix::fs::chown(&folder, Some(user), Some(group)).unwrap();
            command.uid(user).gid(group);
        }
        command
    };
    let mut init = as_postgres("initdb");
    run(init.args([
        "--auth=trust",
        "--username=tester",
        "--no-sync",
        "--pgdata=data",
    ]));
    let port = free_port();
    let mut server = as_postgres("postgres");
    server
        .args(["-D", "data", "-h", "127.0.0.1", "-F", "-k"])
        .arg(&folder)
        .arg("-p")
        .arg(port.to_string())
        .stderr(Stdio::null());
    (Program::listening(server, port), port)
}

fn postgres_programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = versions.flatten().map(|version| version.path()).max();
    newest.expect("postgresql must be installed").join("bin")
}

#[test]
#[ignore = "needs postgresql"]
fn postgres_through_both_tunnels() {
    let world = World::new();
    let (_postgres, to) = postgres(&world);
    let (server, _client, port) = world.both(to);
    let bin = postgres_programs();
    let program = |name: &str| {
        let mut program = Command::new(bin.join(name));
        program
            .env("PGSSLMODE", "disable")
            .env("PGCONNECT_TIMEOUT", "10")
            .args(["-h", "127.0.0.1", "-U", "tester", "-p"])
            .arg(port.to_string());
        program
    };
    // Until it is ready, it refuses.
    let end = Instant::now() + LIMIT;
    while !program("pg_isready").output().unwrap().status.success() {
        assert!(Instant::now() < end, "{}", server.said());
        thread::sleep(Duration::from_millis(50));
    }
    let psql = |sql: &str| run(program("psql").args(["-d", "postgres", "-At", "-c", sql]));
    assert_eq!(psql("select 6 * 7"), "42");
    assert_eq!(psql("select repeat('x', 20000000)").len(), 20_000_000);
    psql("create table lines (line text)");
    let file = world.write("lines", &format!("{}\n", "y".repeat(99)).repeat(100_000));
    psql(&format!("\\copy lines from '{file}'"));
    assert_eq!(
        psql("select count(*), sum(length(line)) from lines"),
        "100000|9900000"
    );
    // Many connections and short transactions.
    run(program("pgbench").args(["-i", "-q", "postgres"]));
    run(program("pgbench").args(["-n", "-C", "-c", "4", "-j", "2", "-t", "25", "postgres"]));
    server.wait_for_all("peer=\"CN=alice\"", 100);
}

fn stunnel(world: &World, port: u16, settings: &str) -> Program {
    let config = format!(
        "foreground = yes\npid =\nsyslog = no\n[service]\naccept = 127.0.0.1:{port}\n\
         CAfile = ca.pem\nverifyChain = yes\nsslVersion = TLSv1.3\n{settings}\n"
    );
    let file = world.write(&format!("stunnel-{port}.conf"), &config);
    let mut command = Command::new("stunnel");
    command
        .arg(file)
        .current_dir(&world.folder)
        .stderr(Stdio::null());
    Program::listening(command, port)
}

#[test]
#[ignore = "needs stunnel"]
fn stunnel_as_the_server() {
    let world = World::new();
    let port = free_port();
    let settings = format!(
        "requireCert = yes\ncert = server.pem\nkey = server-key.pem\nconnect = 127.0.0.1:{}",
        echo()
    );
    let _stunnel = stunnel(&world, port, &settings);
    let client = world.client_mode(port, "");
    let mut one = tcp(client.port("client"));
    let mut two = tcp(client.port("client"));
    for line in 0..100 {
        ask(&mut one, &format!("one: {line}\n"));
        ask(&mut two, &"two".repeat(10_000));
    }
    // Without a certificate that it accepts, nothing goes through.
    let other = World::new();
    world.put("alice", &other.alice);
    let stranger = world.client_mode(port, "");
    let mut plain = tcp(stranger.port("client"));
    let _ = plain.write_all(b"hello");
    cut(plain.read(&mut [0]));
}

#[test]
#[ignore = "needs stunnel"]
fn stunnel_as_the_client() {
    let world = World::new();
    let server = world.server(echo(), "");
    for who in ["alice", "bob"] {
        let port = free_port();
        let settings = format!(
            "client = yes\ncert = {who}.pem\nkey = {who}-key.pem\ncheckHost = localhost\n\
             connect = 127.0.0.1:{}",
            server.port("server")
        );
        let _stunnel = stunnel(&world, port, &settings);
        let mut plain = tcp(port);
        if who == "bob" {
            let _ = plain.write_all(b"hello");
            assert!(!matches!(plain.read(&mut [0]), Ok(1..)));
            continue;
        }
        for line in 0..100 {
            ask(&mut plain, &format!("{line}\n"));
            ask(&mut plain, &"two".repeat(10_000));
        }
    }
    server.wait_for("no entry of `peers` describes it");
    server.wait_for("peer=\"CN=alice\"");
}

#[test]
#[ignore = "needs mosquitto"]
fn mosquitto_through_a_client() {
    let world = World::new();
    let port = free_port();
    let path = |name: &str| Path::new(&world.folder).join(name).display().to_string();
    let config = format!(
        "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\ncafile {}\ncertfile {}\n\
         keyfile {}\nrequire_certificate true\ntls_version tlsv1.3\n",
        path("ca.pem"),
        path("server.pem"),
        path("server-key.pem")
    );
    let file = world.write("mosquitto.conf", &config);
    let mut broker = Command::new("mosquitto");
    broker.args(["-c", &file]).stderr(Stdio::null());
    let _broker = Program::listening(broker, port);
    let client = world.client_mode(port, "");
    let through = client.port("client").to_string();
    let mqtt = |program: &str, arguments: &[&str]| {
        let place = ["-h", "127.0.0.1", "-p", &through, "-q", "1"];
        run(Command::new(program).args(place).args(arguments))
    };
    for (topic, text) in [("news/1", "first"), ("news/2", "second")] {
        mqtt("mosquitto_pub", &["--retain", "-t", topic, "-m", text]);
    }
    let received = mqtt("mosquitto_sub", &["-t", "news/#", "-C", "2", "-W", "20"]);
    assert_eq!(received, "first\nsecond");
}
