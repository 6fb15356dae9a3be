//! fleeting by its sans-IO `Connection`.

use std::time::{Duration, SystemTime};

use fleeting::{CipherSuite, Client, ClientAuth, Connection, Now, Server, Status, SystemRandom};

use super::{Credentials, End, SERVER_NAME, Stack};

pub struct Fleeting {
    /// Without and with client authentication.
    clients: [Client; 2],
    servers: [Server; 2],
}

impl Fleeting {
    pub fn new(credentials: &Credentials) -> Self {
        let suite = [CipherSuite::TLS_AES_128_GCM_SHA256];
        let client = || Client::builder().trust(credentials.root.trust()).cipher_suites(suite);
        let server = || Server::builder().identity(credentials.server.clone()).cipher_suites(suite);
        let plain = client().build().expect("a client");
        let known = client().identity(credentials.client.clone()).build().expect("a client");
        let demanding = server().client_auth(ClientAuth::Required(credentials.root.trust()));
        Self { clients: [plain, known], servers: [server().build().expect("a server"), demanding.build().expect("a server")] }
    }
}

fn now() -> Now {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock that is right");
    Now { monotonic: Duration::ZERO, unix }
}

impl Stack for Fleeting {
    fn name(&self) -> String {
        "fleeting".into()
    }

    fn client(&self, client_auth: bool) -> Box<dyn End> {
        let now = now();
        let connection = self.clients[usize::from(client_auth)].connection(SERVER_NAME, now, &mut SystemRandom).expect("a connection");
        Box::new(Fleet { connection, now })
    }

    fn server(&self, client_auth: bool) -> Box<dyn End> {
        let now = now();
        Box::new(Fleet { connection: self.servers[usize::from(client_auth)].connection(now), now })
    }
}

struct Fleet {
    connection: Connection,
    now: Now,
}

impl Fleet {
    /// Receives as much of `input` as there is space for, as one read of a socket would.
    fn receive(&mut self, input: &mut &[u8]) {
        let space = self.connection.input();
        let (now, later) = input.split_at(space.len().min(input.len()));
        space[..now.len()].copy_from_slice(now);
        self.connection.received(now.len());
        *input = later;
    }

    fn send(&mut self, output: &mut Vec<u8>) {
        let waiting = self.connection.output();
        let count = waiting.len();
        output.extend_from_slice(waiting);
        self.connection.sent(count);
    }
}

impl End for Fleet {
    fn handshake(&mut self, input: &mut Vec<u8>, output: &mut Vec<u8>) -> bool {
        let mut rest = &input[..];
        while !rest.is_empty() {
            self.receive(&mut rest);
            let status = self.connection.process(self.now, &mut SystemRandom).expect("a handshake");
            assert_eq!(status, Status::NeedsInput);
        }
        input.clear();
        self.send(output);
        !self.connection.is_handshaking()
    }

    fn write(&mut self, data: &[u8], output: &mut Vec<u8>) {
        let written = self.connection.write(data).expect("a write");
        assert_eq!(written, data.len());
        self.send(output);
    }

    fn read(&mut self, input: &mut Vec<u8>, buffer: &mut [u8]) -> usize {
        let mut total = 0;
        let mut rest = &input[..];
        while !rest.is_empty() {
            self.receive(&mut rest);
            while self.connection.process(self.now, &mut SystemRandom).expect("a record") == Status::Data {
                let plaintext = self.connection.plaintext();
                let count = plaintext.len().min(buffer.len());
                buffer[..count].copy_from_slice(&plaintext[..count]);
                self.connection.consume(count);
                total += count;
            }
        }
        input.clear();
        total
    }

    fn wait(&mut self) {
        assert!(!self.connection.input().is_empty());
    }

    fn agreed(&self) -> (String, usize) {
        let agreed = self.connection.negotiated().expect("a handshake that is done");
        (agreed.cipher_suite().to_string(), agreed.peer().map_or(0, |peer| peer.certificates().len()))
    }
}
