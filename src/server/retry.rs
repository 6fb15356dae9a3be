//! HelloRetryRequest out, the second ClientHello in (RFC 9846, 4.2.4).
//!
//! A retry is sent if the client supports a group that is worth a round trip but sent no share for
//! it, or if the configuration requires a cookie. The connection stores the first ClientHello
//! meanwhile: over a stream, nothing would be gained by leaving that to the client.

use crate::code_point::ProtocolVersion;
use crate::crypto::key_exchange::Group;
use crate::crypto::random::{self, Rng};
use crate::crypto::suite::Suite;
use crate::error::{Fault, Illegal};
use crate::handshake::sink::SkipMode;
use crate::handshake::{ClientHelloTranscript, Context, Transcript, Wire};
use crate::level::Level;
use crate::message::{
    ClientHello, ClientHelloExtension, HelloRetryRequest, Message, RetryExtension,
};
use crate::server::config::Server;
use crate::server::early_data;
use crate::server::key_exchange::{self, Answered, Selected};
use crate::server::parameters::Parameters;
use crate::server::ticket;

/// The length of our cookies in bytes. A client that has not received the cookie cannot guess it.
const COOKIE_LEN: usize = 32;

/// START, after a HelloRetryRequest.
pub(crate) struct StartRetried {
    server: Server,
    /// The first ClientHello, with its header.
    first: Vec<u8>,
    wanted: Wanted,
    cookie: Option<[u8; COOKIE_LEN]>,
    /// The transcript up to the HelloRetryRequest.
    transcript: Transcript,
}

/// What the second ClientHello is requested for.
pub(crate) struct Wanted {
    pub(crate) suite: Suite,
    /// The group for which a share is missing. `None` if only the cookie is wanted.
    pub(crate) group: Option<Group>,
    pub(crate) parameters: Parameters,
}

/// Requests another ClientHello: with a share for the wanted group, if there is one, and with a
/// cookie, if the configuration requires it.
pub(crate) fn send(
    server: &Server,
    hello: &ClientHello<'_>,
    first: ClientHelloTranscript,
    wanted: Wanted,
    cx: &mut Context<'_>,
) -> Result<StartRetried, Fault> {
    let cookie = server
        .config
        .retry_cookie
        .then(|| make_cookie(cx.rng))
        .transpose()?;
    let mut extensions = vec![RetryExtension::SupportedVersions(ProtocolVersion::TLS1_3)];
    extensions.extend(
        wanted
            .group
            .map(|group| RetryExtension::KeyShare(group.code_point())),
    );
    extensions.extend(cookie.as_ref().map(|cookie| RetryExtension::Cookie(cookie)));
    let retry = HelloRetryRequest {
        legacy_version: ProtocolVersion::TLS1_2,
        session_id_echo: hello.session_id,
        cipher_suite: wanted.suite.code_point(),
        compression_method: 0,
        extensions,
    }
    .encode()?;
    cx.sink.send(Level::Plaintext, &retry);
    // RFC 9846, E.4: "immediately after its first handshake message. This may either be after a
    // ServerHello or a HelloRetryRequest."
    if !hello.session_id.is_empty() {
        cx.sink.change_cipher_spec();
    }
    // RFC 9846, 4.3.10: "The server then ignores early data by skipping all records with an
    // external content type of "application_data"".
    if hello.early_data() {
        let budget = early_data::skipped(server, hello, &wanted.parameters, cx.now);
        cx.sink.skip_early_data(SkipMode::OuterType, budget);
    }
    let bytes = first.client_hello().to_vec();
    let transcript = first.with_retry(wanted.suite.hash(), &retry)?;
    Ok(StartRetried {
        server: server.clone(),
        first: bytes,
        wanted,
        cookie,
        transcript,
    })
}

fn make_cookie(rng: &mut Rng<'_>) -> Result<[u8; COOKIE_LEN], Fault> {
    random::array(rng)
}

impl StartRetried {
    /// Checks that the second ClientHello differs from the first only in what was requested, and
    /// sends the first flight.
    pub(crate) fn on_client_hello(
        self,
        hello: &ClientHello<'_>,
        wire: Wire<'_>,
        cx: &mut Context<'_>,
    ) -> Result<Answered, Fault> {
        let Message::ClientHello(first) = Message::decode(&self.first)? else {
            return Err(Fault::Internal {
                what: "decoding the first ClientHello again",
            });
        };
        let bytes = wire.bytes;
        let aligned = wire.aligned("ClientHello")?;
        check_unchanged(&first, hello)?;
        // RFC 9846, 4.3.2: the client copies the cookie, and must not send one if we sent none.
        if hello.cookie() != self.cookie.as_ref().map(|cookie| cookie.as_slice()) {
            return Err(Illegal::HelloChanged { field: "cookie" }.into());
        }
        let (group, share) = match self.wanted.group {
            Some(group) => match hello.key_share().unwrap_or_default() {
                // RFC 9846, 4.2.2: "a list containing a single KeyShareEntry from the indicated
                // group".
                [share] if share.group == group.code_point() => (group, share.key_exchange),
                _ => return Err(Illegal::HelloChanged { field: "key_share" }.into()),
            },
            None if first.key_share() == hello.key_share() => {
                key_exchange::shared(&self.server, hello).ok_or(Fault::Internal {
                    what: "finding the share that was there before",
                })?
            }
            None => return Err(Illegal::HelloChanged { field: "key_share" }.into()),
        };
        let mut parameters = self.wanted.parameters;
        parameters.early_data_skipped = first.early_data();
        let next_hello_len = ticket::next_hello_len(&self.server, hello, bytes.len());
        parameters.next_hello_len = parameters.next_hello_len.max(next_hello_len);
        let selected = Selected {
            suite: self.wanted.suite,
            group,
            share: share.to_vec(),
            parameters,
        };
        key_exchange::answer(
            &self.server,
            hello,
            bytes,
            aligned,
            selected,
            self.transcript,
            cx,
        )
    }
}

/// RFC 9846, 4.2.2: "the client MUST send the same ClientHello without modification, except as
/// follows".
fn check_unchanged(first: &ClientHello<'_>, second: &ClientHello<'_>) -> Result<(), Fault> {
    let fields = [
        (
            "legacy_version",
            first.legacy_version == second.legacy_version,
        ),
        ("random", first.random == second.random),
        ("legacy_session_id", first.session_id == second.session_id),
        ("cipher_suites", first.cipher_suites == second.cipher_suites),
        (
            "legacy_compression_methods",
            first.compression_methods == second.compression_methods,
        ),
        ("extensions", kept(first).eq(kept(second))),
        // "Removing the early_data extension".
        ("early_data", !second.early_data()),
        (
            "pre_shared_key",
            only_removed(identities(first), identities(second)),
        ),
    ];
    match fields.iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(Illegal::HelloChanged { field }.into()),
        None => Ok(()),
    }
}

/// Returns the extensions that must not change, in order. Those that may change are checked one by
/// one, except for the padding, which may change freely.
fn kept<'s, 'a>(hello: &'s ClientHello<'a>) -> impl Iterator<Item = &'s ClientHelloExtension<'a>> {
    hello.extensions.iter().flatten().filter(|extension| {
        !matches!(
            extension,
            ClientHelloExtension::KeyShare(_)
                | ClientHelloExtension::EarlyData
                | ClientHelloExtension::Cookie(_)
                | ClientHelloExtension::PreSharedKey(_)
                | ClientHelloExtension::Padding(_)
                // RFC 9846, 4.2.2: "Servers MUST ignore unrecognized extensions." We cannot know
                // what may change in one: encrypted_client_hello does change.
                | ClientHelloExtension::Unknown { .. }
        )
    })
}

fn identities<'a>(hello: &ClientHello<'a>) -> Vec<&'a [u8]> {
    hello
        .pre_shared_key()
        .map(|offered| offered.identities.iter().map(|psk| psk.identity).collect())
        .unwrap_or_default()
}

/// Returns true if PSKs were removed at most, and the others are in the same order. RFC 9846,
/// 4.2.2: "(optionally) removing any PSKs which are incompatible with the server's indicated cipher
/// suite".
fn only_removed(first: Vec<&[u8]>, second: Vec<&[u8]>) -> bool {
    let mut rest = first.into_iter();
    second
        .into_iter()
        .all(|identity| rest.any(|known| known == identity))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::rfc8448::trace;

    /// RFC 8448, section 5: the second ClientHello has another share, a cookie and padding, and is
    /// otherwise the same as the first.
    #[test]
    fn the_hellos_of_rfc_8448_differ_as_they_may() {
        let trace = trace("hello_retry_request");
        let [first, second] = ["record_client_hello_1", "record_client_hello_2"].map(|name| {
            match Message::decode(trace.message(name)) {
                Ok(Message::ClientHello(hello)) => hello,
                other => panic!("{other:?}"),
            }
        });
        assert!(
            first.key_share() != second.key_share()
                && first.cookie() != second.cookie()
                && first.extensions != second.extensions
        );
        check_unchanged(&first, &second).unwrap();
        check_unchanged(&second, &first).unwrap();
    }
}
