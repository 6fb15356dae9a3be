//! OpenSSL by the crate of that name, over a pipe in memory.

use std::io::{self, Read, Write};
use std::mem;

use openssl::pkey::{PKey, Private};
use openssl::ssl::{ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion};
use openssl::x509::X509;

use super::{Credentials, End, SERVER_NAME, Stack};

pub struct Openssl {
    clients: [SslContext; 2],
    servers: [SslContext; 2],
}

impl Openssl {
    pub fn new(credentials: &Credentials) -> Self {
        let root = X509::from_pem(credentials.root.certificate_pem().as_bytes()).expect("a root");
        let context = |identity: Option<&fleeting::Identity>, verify: bool| {
            let mut context = SslContextBuilder::new(SslMethod::tls()).expect("a context");
            context.set_min_proto_version(Some(SslVersion::TLS1_3)).expect("TLS 1.3");
            context.set_ciphersuites("TLS_AES_128_GCM_SHA256").expect("the suite");
            context.set_groups_list("X25519").expect("the group");
            context.set_sigalgs_list("ed25519").expect("the scheme");
            context.set_num_tickets(0).expect("no tickets");
            context.set_session_cache_mode(SslSessionCacheMode::OFF);
            if verify {
                context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
                context.cert_store_mut().add_cert(root.clone()).expect("a root");
            }
            if let Some(identity) = identity {
                let key: PKey<Private> = PKey::private_key_from_pem(identity.key_pem().expose()).expect("a key");
                let mut chain = X509::stack_from_pem(identity.chain_pem().as_bytes()).expect("a chain").into_iter();
                context.set_certificate(&chain.next().expect("a leaf")).expect("a leaf");
                chain.for_each(|above| context.add_extra_chain_cert(above).expect("an intermediate"));
                context.set_private_key(&key).expect("the leaf's key");
            }
            context.build()
        };
        Self {
            clients: [context(None, true), context(Some(&credentials.client), true)],
            servers: [context(Some(&credentials.server), false), context(Some(&credentials.server), true)],
        }
    }
}

impl Stack for Openssl {
    fn name(&self) -> String {
        // "OpenSSL 3.0.19 27 Jan 2026"
        openssl::version::version().split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    fn client(&self, client_auth: bool) -> Box<dyn End> {
        let mut ssl = Ssl::new(&self.clients[usize::from(client_auth)]).expect("a connection");
        ssl.set_hostname(SERVER_NAME).expect("a name");
        ssl.param_mut().set_host(SERVER_NAME).expect("a name");
        ssl.set_connect_state();
        Box::new(SslStream::new(ssl, Pipe::default()).expect("a connection"))
    }

    fn server(&self, client_auth: bool) -> Box<dyn End> {
        let mut ssl = Ssl::new(&self.servers[usize::from(client_auth)]).expect("a connection");
        ssl.set_accept_state();
        Box::new(SslStream::new(ssl, Pipe::default()).expect("a connection"))
    }
}

/// The transport: the harness's own buffers, swapped in for the length of a call so that nothing is copied for it.
#[derive(Default)]
struct Pipe {
    incoming: Vec<u8>,
    taken: usize,
    outgoing: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&self.incoming[self.taken..]).read(buffer)?;
        self.taken += count;
        if count == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }
}

impl Write for Pipe {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.outgoing.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Calls `f` with the stream's pipe holding these buffers.
fn over<T>(stream: &mut SslStream<Pipe>, input: &mut Vec<u8>, output: &mut Vec<u8>, f: impl FnOnce(&mut SslStream<Pipe>) -> T) -> T {
    mem::swap(&mut stream.get_mut().incoming, input);
    mem::swap(&mut stream.get_mut().outgoing, output);
    let result = f(stream);
    let pipe = stream.get_mut();
    mem::swap(&mut pipe.incoming, input);
    mem::swap(&mut pipe.outgoing, output);
    input.drain(..mem::take(&mut pipe.taken));
    result
}

impl End for SslStream<Pipe> {
    fn handshake(&mut self, input: &mut Vec<u8>, output: &mut Vec<u8>) -> bool {
        over(self, input, output, |stream| match stream.do_handshake() {
            Ok(()) => true,
            Err(error) if error.code() == ErrorCode::WANT_READ => false,
            Err(error) => panic!("a handshake: {error}"),
        })
    }

    fn write(&mut self, data: &[u8], output: &mut Vec<u8>) {
        let written = over(self, &mut Vec::new(), output, |stream| stream.ssl_write(data).expect("a write"));
        assert_eq!(written, data.len());
    }

    fn read(&mut self, input: &mut Vec<u8>, buffer: &mut [u8]) -> usize {
        over(self, input, &mut Vec::new(), |stream| {
            let mut total = 0;
            loop {
                match stream.ssl_read(buffer) {
                    Ok(count) => total += count,
                    Err(error) if error.code() == ErrorCode::WANT_READ => return total,
                    Err(error) => panic!("a record: {error}"),
                }
            }
        })
    }

    fn wait(&mut self) {
        assert_eq!(self.ssl_read(&mut [0]).expect_err("nothing").code(), ErrorCode::WANT_READ);
    }

    fn agreed(&self) -> (String, usize) {
        let suite = self.ssl().current_cipher().expect("a handshake that is done").name().to_owned();
        (suite, usize::from(self.ssl().peer_certificate().is_some()))
    }
}
