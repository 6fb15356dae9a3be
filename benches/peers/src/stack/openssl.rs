//! OpenSSL by the crate of that name, over a pipe in memory.

use std::io::{self, Read, Write};
use std::mem;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    ErrorCode, ShutdownState, Ssl, SslContext, SslContextBuilder, SslMethod, SslSession, SslSessionCacheMode, SslStream, SslVerifyMode,
    SslVersion,
};
use openssl::x509::X509;

use super::{Agreed, Credentials, End, Kind, SERVER_NAME, Stack};

pub struct Openssl {
    /// For each kind that this version has the group for: a client's and a server's.
    contexts: [Option<(SslContext, SslContext)>; 4],
    /// Of `Kind::Resumed`: what the connection before left behind, to be used once.
    session: Arc<Mutex<Option<SslSession>>>,
}

impl Openssl {
    pub fn new(credentials: &Credentials) -> Self {
        let root = X509::from_pem(credentials.root.certificate_pem().as_bytes()).expect("a root");
        let session = Arc::new(Mutex::new(None));
        let context = |kind: Kind, identity: Option<&fleeting::Identity>, verify: bool| {
            let mut context = SslContextBuilder::new(SslMethod::tls()).expect("a context");
            context.set_min_proto_version(Some(SslVersion::TLS1_3)).expect("TLS 1.3");
            context.set_ciphersuites("TLS_AES_128_GCM_SHA256").expect("the suite");
            // From OpenSSL 3.5 on there is X25519MLKEM768.
            context.set_groups_list(if kind == Kind::Hybrid { "X25519MLKEM768" } else { "X25519" }).ok()?;
            context.set_sigalgs_list("ed25519").expect("the scheme");
            context.set_num_tickets(usize::from(kind == Kind::Resumed)).expect("so many tickets");
            context.set_session_cache_mode(SslSessionCacheMode::OFF);
            if verify {
                context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
                context.cert_store_mut().add_cert(root.clone()).expect("a root");
            }
            if let Some(identity) = identity {
                let key: PKey<Private> = PKey::private_key_from_pem(identity.key_pem().expect("a key").expose()).expect("a key");
                let mut chain = X509::stack_from_pem(identity.chain_pem().as_bytes()).expect("a chain").into_iter();
                context.set_certificate(&chain.next().expect("a leaf")).expect("a leaf");
                chain.for_each(|above| context.add_extra_chain_cert(above).expect("an intermediate"));
                context.set_private_key(&key).expect("the leaf's key");
            }
            Some(context)
        };
        let contexts = Kind::ALL.map(|kind| {
            let authenticates = kind == Kind::ClientCertificate;
            let mut client = context(kind, authenticates.then_some(&credentials.client), true)?;
            if kind == Kind::Resumed {
                client.set_session_cache_mode(SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL);
                let session = session.clone();
                client.set_new_session_callback(move |_, new| *session.lock().expect("no panic") = Some(new));
            }
            let server = context(kind, Some(&credentials.server), authenticates)?;
            Some((client.build(), server.build()))
        });
        Self { contexts, session }
    }

    fn contexts(&self, kind: Kind) -> &(SslContext, SslContext) {
        self.contexts[kind as usize].as_ref().expect("a kind that is supported")
    }
}

impl Stack for Openssl {
    fn name(&self) -> String {
        // "OpenSSL 3.0.19 27 Jan 2026"
        openssl::version::version().split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    fn supports(&self, kind: Kind) -> bool {
        self.contexts[kind as usize].is_some()
    }

    fn client(&self, kind: Kind) -> Box<dyn End> {
        let mut ssl = Ssl::new(&self.contexts(kind).0).expect("a connection");
        ssl.set_hostname(SERVER_NAME).expect("a name");
        ssl.param_mut().set_host(SERVER_NAME).expect("a name");
        if kind == Kind::Resumed
            && let Some(session) = self.session.lock().expect("no panic").take()
        {
            // SAFETY: the session comes from a connection of the same context, the only one that puts any there.
            unsafe { ssl.set_session(&session) }.expect("a session");
        }
        ssl.set_connect_state();
        Box::new(Link(SslStream::new(ssl, Pipe::default()).expect("a connection")))
    }

    fn server(&self, kind: Kind) -> Box<dyn End> {
        let mut ssl = Ssl::new(&self.contexts(kind).1).expect("a connection");
        ssl.set_accept_state();
        Box::new(Link(SslStream::new(ssl, Pipe::default()).expect("a connection")))
    }

    fn connect(&self, tcp: TcpStream) -> Box<dyn Write> {
        let mut ssl = Ssl::new(&self.contexts(Kind::Full).0).expect("a connection");
        ssl.param_mut().set_host(SERVER_NAME).expect("a name");
        Box::new(ssl.connect(tcp).expect("a handshake"))
    }

    fn accept(&self, tcp: TcpStream) -> Box<dyn Read> {
        Box::new(Ssl::new(&self.contexts(Kind::Full).1).expect("a connection").accept(tcp).expect("a handshake"))
    }
}

/// One end.
struct Link(SslStream<Pipe>);

impl Drop for Link {
    /// Otherwise the session counts as a failed one's, and cannot be resumed.
    fn drop(&mut self) {
        self.0.set_shutdown(ShutdownState::SENT | ShutdownState::RECEIVED);
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

impl End for Link {
    fn handshake(&mut self, input: &mut Vec<u8>, output: &mut Vec<u8>) -> bool {
        over(&mut self.0, input, output, |stream| match stream.do_handshake() {
            Ok(()) => true,
            Err(error) if error.code() == ErrorCode::WANT_READ => false,
            Err(error) => panic!("a handshake: {error}"),
        })
    }

    fn write(&mut self, data: &[u8], output: &mut Vec<u8>) {
        let written = over(&mut self.0, &mut Vec::new(), output, |stream| stream.ssl_write(data).expect("a write"));
        assert_eq!(written, data.len());
    }

    fn read(&mut self, input: &mut Vec<u8>, buffer: &mut [u8]) -> usize {
        over(&mut self.0, input, &mut Vec::new(), |stream| {
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
        assert_eq!(self.0.ssl_read(&mut [0]).expect_err("nothing").code(), ErrorCode::WANT_READ);
    }

    fn agreed(&self) -> Agreed {
        Agreed {
            suite: self.0.ssl().current_cipher().expect("a handshake that is done").name().to_owned(),
            certificates: usize::from(self.0.ssl().peer_certificate().is_some()),
            resumed: self.0.ssl().session_reused(),
        }
    }
}
