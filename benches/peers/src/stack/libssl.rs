//! OpenSSL, or BoringSSL, which kept its interface: over a pipe in memory. `super::library` is the
//! crate of either, and holds what the two do not have in common. A program contains one of them,
//! for they define the same symbols.

use std::io::{self, Read, Write};
use std::mem;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use super::library;
use super::library::pkey::{PKey, Private};
use super::library::ssl::{
    Error, ErrorCode, ShutdownState, Ssl, SslContext, SslContextBuilder, SslMethod, SslSession,
    SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};
use super::library::x509::X509;
use crate::harness::stack::{Agreed, Credentials, End, Kind, SERVER_NAME, Stack};

pub struct Libssl {
    /// For each kind that this version has the group for: a client's and a server's.
    contexts: [Option<(SslContext, SslContext)>; 4],
    /// Of `Kind::Resumed`: what the connection before left behind, to be used once.
    session: Arc<Mutex<Option<SslSession>>>,
}

impl Libssl {
    pub fn new(credentials: &Credentials) -> Self {
        let root = X509::from_pem(credentials.root.certificate_pem().as_bytes()).expect("a root");
        let session = Arc::new(Mutex::new(None));
        let context = |kind: Kind, identity: Option<&fleeting::Identity>, verify: bool| {
            let mut context = SslContextBuilder::new(SslMethod::tls()).expect("a context");
            context
                .set_min_proto_version(Some(SslVersion::TLS1_3))
                .expect("TLS 1.3");
            library::set_suite_and_tickets(&mut context, usize::from(kind == Kind::Resumed));
            library::set_group(
                &mut context,
                if kind == Kind::Hybrid {
                    "X25519MLKEM768"
                } else {
                    "X25519"
                },
            )
            .ok()?;
            context.set_sigalgs_list("ed25519").expect("the scheme");
            context.set_session_cache_mode(SslSessionCacheMode::OFF);
            if verify {
                context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
                context
                    .cert_store_mut()
                    .add_cert(root.clone())
                    .expect("a root");
            }
            if let Some(identity) = identity {
                let key: PKey<Private> =
                    PKey::private_key_from_pem(identity.key_pem().expect("a key").expose())
                        .expect("a key");
                let mut chain = X509::stack_from_pem(identity.chain_pem().as_bytes())
                    .expect("a chain")
                    .into_iter();
                context
                    .set_certificate(&chain.next().expect("a leaf"))
                    .expect("a leaf");
                chain.for_each(|above| {
                    context
                        .add_extra_chain_cert(above)
                        .expect("an intermediate")
                });
                context.set_private_key(&key).expect("the leaf's key");
            }
            Some(context)
        };
        let contexts = Kind::ALL.map(|kind| {
            let authenticates = kind == Kind::ClientCertificate;
            let mut client = context(kind, authenticates.then_some(&credentials.client), true)?;
            if kind == Kind::Resumed {
                client.set_session_cache_mode(
                    SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL,
                );
                let session = session.clone();
                client.set_new_session_callback(move |_, new| {
                    *session.lock().expect("no panic") = Some(new)
                });
            }
            let server = context(kind, Some(&credentials.server), authenticates)?;
            Some((client.build(), server.build()))
        });
        Self { contexts, session }
    }

    fn contexts(&self, kind: Kind) -> &(SslContext, SslContext) {
        self.contexts[kind as usize]
            .as_ref()
            .expect("a kind that is supported")
    }
}

impl Stack for Libssl {
    fn name(&self) -> String {
        library::name()
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
            // SAFETY: the session comes from a connection of the same context, the only one that
            // puts any there.
            unsafe { ssl.set_session(&session) }.expect("a session");
        }
        Box::new(Link::new(ssl, SslStream::connect))
    }

    fn server(&self, kind: Kind) -> Box<dyn End> {
        Box::new(Link::new(
            Ssl::new(&self.contexts(kind).1).expect("a connection"),
            SslStream::accept,
        ))
    }

    fn connect(&self, tcp: TcpStream) -> Box<dyn Write> {
        let mut ssl = Ssl::new(&self.contexts(Kind::Full).0).expect("a connection");
        ssl.param_mut().set_host(SERVER_NAME).expect("a name");
        Box::new(ssl.connect(tcp).expect("a handshake"))
    }

    fn accept(&self, tcp: TcpStream) -> Box<dyn Read> {
        Box::new(
            Ssl::new(&self.contexts(Kind::Full).1)
                .expect("a connection")
                .accept(tcp)
                .expect("a handshake"),
        )
    }
}

/// One end.
struct Link {
    stream: SslStream<Pipe>,
    handshake: Handshake,
}

/// A client's or a server's.
type Handshake = fn(&mut SslStream<Pipe>) -> Result<(), Error>;

impl Link {
    fn new(ssl: Ssl, handshake: Handshake) -> Self {
        Self {
            stream: SslStream::new(ssl, Pipe::default()).expect("a connection"),
            handshake,
        }
    }
}

impl Drop for Link {
    /// Otherwise the session counts as a failed one's, and cannot be resumed.
    fn drop(&mut self) {
        self.stream
            .set_shutdown(ShutdownState::SENT | ShutdownState::RECEIVED);
    }
}

/// The transport: the harness's own buffers, swapped in for the length of a call so that nothing is
/// copied for it.
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
        if count == 0 {
            Err(io::ErrorKind::WouldBlock.into())
        } else {
            Ok(count)
        }
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
fn over<T>(
    stream: &mut SslStream<Pipe>,
    input: &mut Vec<u8>,
    output: &mut Vec<u8>,
    f: impl FnOnce(&mut SslStream<Pipe>) -> T,
) -> T {
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
        let handshake = self.handshake;
        over(&mut self.stream, input, output, |stream| {
            match handshake(stream) {
                Ok(()) => true,
                Err(error) if error.code() == ErrorCode::WANT_READ => false,
                Err(error) => panic!("a handshake: {error}"),
            }
        })
    }

    fn write(&mut self, data: &[u8], output: &mut Vec<u8>) {
        let written = over(&mut self.stream, &mut Vec::new(), output, |stream| {
            stream.ssl_write(data).expect("a write")
        });
        assert_eq!(written, data.len());
    }

    fn read(&mut self, input: &mut Vec<u8>, buffer: &mut [u8]) -> usize {
        over(&mut self.stream, input, &mut Vec::new(), |stream| {
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
        assert_eq!(
            self.stream.ssl_read(&mut [0]).expect_err("nothing").code(),
            ErrorCode::WANT_READ
        );
    }

    fn agreed(&self) -> Agreed {
        Agreed {
            suite: self
                .stream
                .ssl()
                .current_cipher()
                .expect("a handshake that is done")
                .name()
                .to_owned(),
            certificates: usize::from(self.stream.ssl().peer_certificate().is_some()),
            resumed: self.stream.ssl().session_reused(),
        }
    }
}
