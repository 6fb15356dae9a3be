//! tshark decrypts a recording of our connections by our key log (Debian: `apt-get install
//! tshark`). Written against tshark 4.0.
//!
//! Capturing packets needs rights that a test does not have. So a relay between the two sides
//! records what it passes on, and it is written as packets of an imagined TCP connection.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use fleeting::{Client, KeyLogFile, Server};

use crate::openssl::commands::{count, s_server};
use crate::program::{
    Door, Folder, Program, Tls, World, connect, exchange, expect_end, wait_until,
};
use crate::support::{SERVER_NAME, SUITES, Suite, lines};

/// Who sent a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum From {
    Client,
    Server,
}

type Segments = Arc<Mutex<Vec<(From, Vec<u8>)>>>;

/// Passes one connection on, and records it.
struct Relay {
    port: u16,
    segments: Segments,
}

impl Relay {
    /// Begins to listen. Whoever connects is connected to this port.
    fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let segments = Segments::default();
        let kept = segments.clone();
        thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let server = TcpStream::connect(("127.0.0.1", target)).unwrap();
            let (client_too, server_too) =
                (client.try_clone().unwrap(), server.try_clone().unwrap());
            let kept_too = kept.clone();
            thread::spawn(move || pass_on(From::Server, server_too, client_too, &kept_too));
            pass_on(From::Client, client, server, &kept);
        });
        Self { port, segments }
    }
}

fn pass_on(who: From, mut from: TcpStream, mut to: TcpStream, kept: &Segments) {
    let mut buffer = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        // Recorded first, so that nothing stands before what it answers.
        kept.lock().unwrap().push((who, buffer[..count].to_vec()));
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// The server's port in the packets.
const PORT: u16 = 9846;

/// Returns a file of packets (draft-ietf-opsawg-pcap) of a TCP connection over IPv4 with these
/// segments. Checksums are zero, which tshark does not check.
fn pcap(segments: &[(From, Vec<u8>)]) -> Vec<u8> {
    const SYN: u8 = 2;
    const PSH: u8 = 8;
    const ACK: u8 = 16;
    // Magic number, version 2.4, two unused fields, the longest packet, link type IPv4.
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 0x0002_0004, 0, 0, 65_535, 228_u32] {
        file.extend(word.to_be_bytes());
    }
    let mut sent = BTreeMap::from([(From::Client, 1000_u32), (From::Server, 2000)]);
    let mut packet = |from: From, flags: u8, payload: &[u8], number: u32| {
        let (to, ports, addresses) = match from {
            From::Client => (From::Server, [40_000, PORT], [[10, 0, 0, 1], [10, 0, 0, 2]]),
            From::Server => (From::Client, [PORT, 40_000], [[10, 0, 0, 2], [10, 0, 0, 1]]),
        };
        let length = u16::try_from(40 + payload.len()).unwrap();
        // The time of capture, the captured length and the original one.
        for word in [1_800_000_000, number, length.into(), length.into()] {
            file.extend(word.to_be_bytes());
        }
        file.extend([0x45, 0]);
        file.extend(length.to_be_bytes());
        // No fragments, a time to live of 64, TCP.
        file.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
        file.extend(addresses.concat());
        file.extend(ports.map(u16::to_be_bytes).concat());
        file.extend(sent[&from].to_be_bytes());
        let acknowledged = if flags & ACK == 0 { 0 } else { sent[&to] };
        file.extend(acknowledged.to_be_bytes());
        // Five words of header, flags, window, checksum, urgent pointer.
        file.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        file.extend(payload);
        let length = u32::try_from(payload.len()).unwrap();
        *sent.get_mut(&from).unwrap() += length + u32::from(flags & SYN != 0);
    };
    packet(From::Client, SYN, b"", 0);
    packet(From::Server, SYN | ACK, b"", 1);
    packet(From::Client, ACK, b"", 2);
    for (number, (from, bytes)) in (3..).zip(segments) {
        packet(*from, PSH | ACK, bytes, number);
    }
    file
}

/// What tshark makes of a recording.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// The application data of each side.
    data: BTreeMap<From, Vec<u8>>,
    /// How many handshake messages there are, by type.
    messages: BTreeMap<u8, usize>,
}

fn decrypt(folder: &Folder, packets: &str, keys: &str) -> Seen {
    let output = Command::new("tshark")
        .args(["-r", packets, "-o", &format!("tls.keylog_file:{keys}")])
        .args(["-d", &format!("tcp.port=={PORT},tls")])
        .args(["-T", "fields", "-e", "tls.handshake.type"])
        .args(["-z", "follow,tls,raw,0"])
        // No settings of whoever runs this.
        .env("HOME", folder.path(""))
        .output()
        .expect("tshark is missing, and this test needs it: apt-get install tshark");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    // The types of each packet, then the stream.
    let (types, stream) = text.split_once("====").expect("no stream");
    let mut messages = BTreeMap::new();
    for number in types.split([',', '\n']) {
        if let Ok(number) = number.trim().parse() {
            *messages.entry(number).or_default() += 1;
        }
    }
    // Lines of hexadecimal digits, after a tab if they are of the side that spoke second. The other
    // one is called "Node 0".
    let [first, second] = match stream.contains("Node 0: 10.0.0.1:") {
        true => [From::Client, From::Server],
        false => [From::Server, From::Client],
    };
    let mut data = BTreeMap::from([(From::Client, Vec::new()), (From::Server, Vec::new())]);
    for line in stream.lines() {
        let (from, digits) = match line.strip_prefix('\t') {
            Some(rest) => (second, rest),
            None => (first, line),
        };
        if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            let bytes = (0..digits.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap());
            data.get_mut(&from).unwrap().extend(bytes);
        }
    }
    Seen { data, messages }
}

/// How many lines each side sends in each round.
const LENGTHS: [usize; 5] = [100, 40_000, 100, 5_000, 100];

/// Sends data in both directions, with KeyUpdates of both sides between. Returns our data and the
/// program's.
fn converse(world: &World, stream: &mut Tls, program: &Program, suite: Suite) -> [Vec<u8>; 2] {
    assert_eq!(stream.cipher_suite(), suite.0);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for (round, length) in LENGTHS.into_iter().enumerate() {
        let what = format!("{round}");
        exchange(stream, program, &what, length);
        ours.extend(lines(&format!("us {what}"), length));
        theirs.extend(lines(&format!("them {what}"), length));
        // Each side requests one of the other, and OpenSSL sends one without a request.
        let asked = count(world, ">>>", "KeyUpdate");
        match round {
            0 | 2 => stream.rekey().unwrap(),
            1 => program.type_in("K\n"),
            3 => program.type_in("k\n"),
            _ => {}
        }
        if round == 1 || round == 3 {
            wait_until("OpenSSL's KeyUpdate", || {
                count(world, ">>>", "KeyUpdate") == asked + 1
            });
        }
    }
    [ours, theirs]
}

/// Asserts that tshark sees everything, and that each line of the log is needed for that.
fn assert_decrypted(world: &World, relay: &Relay, data: [(From, Vec<u8>); 2]) {
    let folder = &world.folder;
    let segments = relay.segments.lock().unwrap();
    let packets = folder.write("connection.pcap", pcap(&segments));
    let keys = folder.read("keys.txt");
    let seen = decrypt(folder, &packets, &folder.path("keys.txt"));
    for (from, expected) in data {
        assert!(seen.data[&from] == expected, "{from:?}'s data differs");
    }
    // RFC 9846, appendix B.3: EncryptedExtensions (8), Finished (20), KeyUpdate (24).
    let messages = |number| seen.messages.get(&number).copied().unwrap_or_default();
    assert_eq!((messages(8), messages(20)), (1, 2));
    // OpenSSL sends one for several that it owes.
    let key_updates = [">>>", "<<<"].map(|direction| count(world, direction, "KeyUpdate"));
    assert!(
        key_updates.iter().all(|count| *count >= 2),
        "{key_updates:?}"
    );
    assert_eq!(messages(24), key_updates.iter().sum());

    let written: Vec<_> = keys.lines().collect();
    assert_eq!(written.len(), 5);
    for wrong in 0..written.len() {
        let mut changed: Vec<_> = written.iter().map(|line| line.to_string()).collect();
        let last = if changed[wrong].ends_with('0') {
            "1"
        } else {
            "0"
        };
        let length = changed[wrong].len();
        changed[wrong].replace_range(length - 1.., last);
        let path = folder.write("wrong.txt", changed.join("\n"));
        // The exporter's secret decrypts nothing.
        let same = written[wrong].starts_with("EXPORTER_SECRET ");
        assert_eq!(
            decrypt(folder, &packets, &path) == seen,
            same,
            "{}",
            written[wrong].split(' ').next().unwrap()
        );
    }
}

#[test]
#[ignore = "needs openssl and tshark"]
fn tshark_reads_our_client() {
    for suite in SUITES {
        let world = World::new();
        let (mut program, port) = s_server(&world, &world.server, &[]);
        let relay = Relay::to(port);
        let client = Client::builder()
            .trust(world.pki.authority.trust())
            .cipher_suites([suite.0])
            .key_log(KeyLogFile::open(world.folder.path("keys.txt")).unwrap())
            .build()
            .unwrap();
        let mut stream = connect(&client, relay.port).unwrap();
        let [ours, theirs] = converse(&world, &mut stream, &program, suite);
        stream.close().unwrap();
        program.finish_well();
        assert_decrypted(
            &world,
            &relay,
            [(From::Client, ours), (From::Server, theirs)],
        );
    }
}

#[test]
#[ignore = "needs openssl and tshark"]
fn tshark_reads_our_server() {
    for suite in SUITES {
        let world = World::new();
        let server = Server::builder()
            .identity(world.pki.server.clone())
            .cipher_suites([suite.0])
            .key_log(KeyLogFile::open(world.folder.path("keys.txt")).unwrap())
            .build()
            .unwrap();
        let door = Door::open();
        let relay = Relay::to(door.port());
        let target = format!("127.0.0.1:{}", relay.port);
        let messages = world.folder.path("messages");
        let mut program = Program::start(
            "openssl",
            "apt-get install openssl",
            [
                "s_client",
                "-connect",
                &target,
                "-servername",
                SERVER_NAME,
                "-CAfile",
                &world.ca,
                "-verify_return_error",
                "-msg",
                "-msgfile",
                &messages,
            ],
        );
        let mut stream = door.accept(&server, &program).unwrap();
        let [ours, theirs] = converse(&world, &mut stream, &program, suite);
        program.type_in("Q\n");
        expect_end(&mut stream, &program);
        stream.close().unwrap();
        program.finish_well();
        assert_decrypted(
            &world,
            &relay,
            [(From::Client, theirs), (From::Server, ours)],
        );
    }
}
