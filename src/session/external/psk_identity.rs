//! [`PskIdentity`]: the PSK that a client means, read for the application.

use core::fmt;
use core::str;

use crate::code_point::ProtocolVersion;
use crate::error::Fault;
use crate::message::Reader;

/// The imported PSK that a client means, with the names of both parties (RFC 9258): what the client
/// passed to [`ExternalPsk::new`](crate::ExternalPsk::new). Nothing in it is authenticated yet.
///
/// It is for a server that looks up its PSKs: use it with
/// [`psk_identities`](crate::ClientHello::psk_identities) before choosing a configuration. To
/// recognize the tickets of returning clients, which offer a ticket before their PSK, the
/// configurations must share their [`ticket_keys`](crate::ServerBuilder::ticket_keys).
///
/// ```
/// use fleeting::{ClientHello, Error, ExternalPsk, PskIdentity, PskNames, Server};
///
/// /// Makes a configuration for this client alone. `find` looks up the secret that it shares
/// /// with "collector".
/// fn configuration(
///     hello: &ClientHello,
///     find: impl Fn(&str) -> Option<[u8; 32]>,
/// ) -> Option<Result<Server, Error>> {
///     let mut offered = hello
///         .psk_identities()
///         .filter_map(PskIdentity::parse)
///         .filter(|psk| psk.server == "collector");
///     offered.find_map(|psk| {
///         let (secret, names) =
///             (find(psk.client)?, PskNames { own: psk.server, peer: psk.client });
///         Some(
///             ExternalPsk::new(psk.identity, secret, names)
///                 .and_then(|psk| Server::builder().external_psks([psk]).build()),
///         )
///     })
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PskIdentity<'a> {
    /// The PSK's own identity.
    pub identity: &'a [u8],
    /// The client's name.
    pub client: &'a str,
    /// The name of the server that the client means.
    pub server: &'a str,
}

impl<'a> PskIdentity<'a> {
    /// Reads an ImportedIdentity for TLS 1.3 that contains two names. Returns `None` for anything
    /// else: a ticket, a PSK that is not imported, or one for another protocol.
    pub fn parse(identity: &'a [u8]) -> Option<Self> {
        Self::read(&mut Reader::new("ImportedIdentity", identity))
            .ok()
            .flatten()
    }

    fn read(r: &mut Reader<'a>) -> Result<Option<Self>, Fault> {
        let identity = r.vec16("external_identity", 1..)?;
        let mut context = Reader::new("Context", r.vec16("context", ..)?);
        let target_protocol = r.u16("target_protocol")?;
        // A client sends one for each hash. They name the same PSK.
        let _target_kdf = r.u16("target_kdf")?;
        r.end("target_kdf")?;
        let (client, server) = (context.vec8("client", 1..)?, context.vec8("server", 1..)?);
        context.end("server")?;
        let (Ok(client), Ok(server)) = (str::from_utf8(client), str::from_utf8(server)) else {
            return Ok(None);
        };
        Ok(
            (target_protocol == ProtocolVersion::TLS1_3.0).then_some(Self {
                identity,
                client,
                server,
            }),
        )
    }
}

impl fmt::Debug for PskIdentity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identity = self.identity.escape_ascii().to_string();
        f.debug_struct("PskIdentity")
            .field("identity", &identity)
            .field("client", &self.client)
            .field("server", &self.server)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{ExternalPsk, PskNames};

    #[test]
    fn reads_what_a_client_offers_and_nothing_else() {
        let psk = ExternalPsk::new(
            b"site\0 4",
            [7, 8].repeat(16),
            PskNames {
                own: "sensor",
                peer: "hub",
            },
        )
        .unwrap();
        for wire in psk.as_client() {
            let expected = PskIdentity {
                identity: b"site\0 4",
                client: "sensor",
                server: "hub",
            };
            assert_eq!(PskIdentity::parse(&wire.identity), Some(expected));
            for end in 0..wire.identity.len() {
                assert_eq!(PskIdentity::parse(&wire.identity[..end]), None);
            }
            assert_eq!(
                PskIdentity::parse(&[&wire.identity[..], b"\0"].concat()),
                None
            );
        }
        // Written out: an external_identity "a", a context of "b" and "c", TLS 1.3, HKDF_SHA256.
        // Then for TLS 1.2, and with invalid names.
        let imported = |context: &[u8], protocol: u8| {
            [&[0, 1, b'a', 0, 4][..], context, &[3, protocol, 0, 1]].concat()
        };
        assert_eq!(
            PskIdentity::parse(&imported(b"\x01b\x01c", 4)),
            Some(PskIdentity {
                identity: b"a",
                client: "b",
                server: "c"
            })
        );
        for other in [
            imported(b"\x01b\x01c", 3),
            imported(b"\x01\xff\x01c", 4),
            imported(b"\0\x02bc", 4),
            imported(b"\x02bc\0", 4),
        ] {
            assert_eq!(PskIdentity::parse(&other), None, "{other:?}");
        }
        assert_eq!(PskIdentity::parse(b"Client_identity"), None);
    }
}
