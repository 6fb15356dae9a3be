//! What a [`Stream`] knows of its connection: the peer, what was agreed, exporters.

use std::io::{Read, Write};

use crate::code_point::{CipherSuite, NamedGroup};
use crate::counters::Stats;
use crate::error::Error;
use crate::handshake::EarlyData;
use crate::identity::Peer;
use crate::secret::Secret;
use crate::session::ExternalPsk;
use crate::stream::blocking::Stream;

/// RFC 9266, section 2.
const CHANNEL_BINDING_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// RFC 9266, section 2: the length in bytes.
const CHANNEL_BINDING_LENGTH: usize = 32;

impl<S: Read + Write> Stream<S> {
    /// Returns what this connection has sent and received until now.
    pub fn stats(&self) -> Stats {
        self.connection.stats()
    }

    /// Returns the number of this connection in the server's
    /// [`Connections`](crate::Connections), if there is such a list, while the connection is in it.
    pub fn connection_id(&self) -> Option<u64> {
        self.connection.id()
    }

    /// Sets what to call when this connection is ended through the server's
    /// [`Connections`](crate::Connections), in place of an earlier hook. It is called once, by the
    /// thread that ends the connection, or at once if that has happened already. Without such a
    /// list it is dropped.
    ///
    /// A thread that waits in a blocking `read` does not notice the end by itself. To wake it, shut
    /// the socket down for reading. Writing must stay possible, for close_notify:
    ///
    /// ```
    /// use std::net::{Shutdown, TcpStream};
    /// use fleeting::Stream;
    ///
    /// fn wake_at_end(tls: &Stream<TcpStream>) -> std::io::Result<()> {
    ///     let socket = tls.get_ref().try_clone()?;
    ///     tls.on_end(move || {
    ///         let _ = socket.shutdown(Shutdown::Read);
    ///     });
    ///     Ok(())
    /// }
    /// ```
    ///
    /// The hook stays after [`into_split`](Self::into_split).
    pub fn on_end(&self, hook: impl FnOnce() + Send + 'static) {
        self.connection.on_end(hook);
    }

    /// Returns who the peer is, as proven by its certificate or key. For a client this is `None`
    /// only if an [`external_psk`](Self::external_psk) was used; for a server, also if the client
    /// was not asked, or sent neither a certificate nor a key.
    pub fn peer(&self) -> Option<&Peer> {
        self.negotiated.peer()
    }

    /// Returns the cipher suite that protects the records.
    pub fn cipher_suite(&self) -> CipherSuite {
        self.negotiated.cipher_suite()
    }

    /// Returns the group in which the keys were agreed.
    pub fn group(&self) -> NamedGroup {
        self.negotiated.group()
    }

    /// Returns the application protocol, if both sides support ALPN (RFC 7301).
    pub fn alpn(&self) -> Option<&[u8]> {
        self.negotiated.alpn()
    }

    /// Returns the DNS name that the client asked for, if any, in lower case.
    pub fn server_name(&self) -> Option<&str> {
        self.negotiated.server_name()
    }

    /// Returns true if this connection resumed an earlier one.
    ///
    /// [`peer`](Self::peer) is then who authenticated in that one, and was not asked again. A
    /// server knows only the client's own certificate then, not those above it.
    pub fn resumed(&self) -> bool {
        self.negotiated.resumed()
    }

    /// Returns the external PSK with which both sides authenticated, if they did so. There is no
    /// [`peer`](Self::peer) then.
    pub fn external_psk(&self) -> Option<&ExternalPsk> {
        self.negotiated.external_psk()
    }

    /// Returns the outcome of the client's early data: for a client, whether the server accepted
    /// what was sent. Rejected data is not sent again automatically.
    pub fn early_data(&self) -> EarlyData {
        self.negotiated.early_data()
    }

    /// Returns, at a server, the early data that arrived before the handshake was complete, if
    /// [`Server::accept`](crate::Server::accept) or [`Handshake::finish`](crate::Handshake::finish)
    /// collected it. A second call returns nothing. What is not taken is read from the stream,
    /// before the data that was sent later: so take it first to tell the two apart.
    ///
    /// The complete handshake proves that this client sent the data, on this connection, now. The
    /// client may have sent the same data elsewhere too: see [`ReplayGuard`](crate::ReplayGuard).
    pub fn take_early_data(&mut self) -> Vec<u8> {
        self.early_data.take()
    }

    /// Derives keying material for the application: the same on both sides, and known to nobody
    /// else (RFC 9846, 7.5).
    ///
    /// `label` names the use (RFC 5705, section 4), and `length` is in bytes.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] if the label is empty or too long or if the length is 0 or too
    /// large, or the error that the connection failed with.
    pub fn export_keying_material(
        &self,
        label: impl AsRef<[u8]>,
        context: impl AsRef<[u8]>,
        length: usize,
    ) -> Result<Secret, Error> {
        self.connection
            .export_keying_material(label.as_ref(), context.as_ref(), length)
    }

    /// Returns true if both sides agreed to renew keys by
    /// [extended key updates](crate::ClientBuilder::extended_key_update).
    pub fn extended_key_update(&self) -> bool {
        self.negotiated.extended_key_update()
    }

    /// Returns how many extended key updates are complete on this side: the number of the current
    /// epoch. The peer may be one ahead or behind.
    pub fn epoch(&self) -> u64 {
        self.connection.epoch()
    }

    /// Derives keying material for the application from the secrets of one epoch: the current one,
    /// or the one before. See
    /// [`Connection::export_epoch_keying_material`](crate::Connection::export_epoch_keying_material).
    ///
    /// # Errors
    ///
    /// Returns the errors of `export_keying_material`, and [`Error::Config`] if the epoch is
    /// neither of the two or if extended key updates were not agreed on.
    pub fn export_epoch_keying_material(
        &self,
        epoch: u64,
        label: impl AsRef<[u8]>,
        context: impl AsRef<[u8]>,
        length: usize,
    ) -> Result<Secret, Error> {
        self.connection.export_epoch_keying_material(
            epoch,
            label.as_ref(),
            context.as_ref(),
            length,
        )
    }

    /// Returns the channel binding `tls-server-end-point` (RFC 5929), if the server's certificate
    /// has one: see [`Negotiated::server_end_point`](crate::Negotiated::server_end_point).
    pub fn server_end_point(&self) -> Option<&[u8]> {
        self.negotiated.server_end_point()
    }

    /// Returns the channel binding `tls-exporter` (RFC 9266), which ties an authentication above
    /// TLS, such as SCRAM, to this connection. It is the same on both sides, different for every
    /// connection, and not secret.
    ///
    /// # Errors
    ///
    /// Returns the error that the connection failed with.
    pub fn channel_binding(&self) -> Result<[u8; CHANNEL_BINDING_LENGTH], Error> {
        let exported = self.connection.export_keying_material(
            CHANNEL_BINDING_LABEL,
            b"",
            CHANNEL_BINDING_LENGTH,
        )?;
        let mut binding = [0; CHANNEL_BINDING_LENGTH];
        binding.copy_from_slice(exported.expose());
        Ok(binding)
    }
}
