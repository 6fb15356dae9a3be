//! ClientHello out, ServerHello in: suite, group and handshake keys (RFC 9846, 4.2).
//!
//! 1. [`WaitServerHello::start`] sends the ClientHello with fresh key shares, and offers the
//!    available PSKs: a session to resume, and an external one. Early data may follow at once
//!    (`early_data.rs`).
//! 2. [`WaitServerHello::on_retry`] sends the second ClientHello, if the server needs another share
//!    or its cookie.
//! 3. [`WaitServerHello::on_server_hello`] checks the answer against the offer, and derives and
//!    installs the handshake keys.

use crate::client::config::Client;
use crate::client::early_data::Early;
use crate::client::offer::Offer;
use crate::client::server_parameters::WaitEncryptedExtensions;
use crate::code_point::{CipherSuite, ExtensionType, NamedGroup, ProtocolVersion};
use crate::crypto::key_exchange::Group;
use crate::crypto::suite::Suite;
use crate::error::{Fault, Illegal};
use crate::handshake::{ClientHelloTranscript, Context, Event, Keys, Transcript, Wire};
use crate::identity::ServerName;
use crate::key_schedule::EarlySecret;
use crate::level::Level;
use crate::message::{HelloRetryRequest, ServerHello};

/// The last 8 bytes of ServerHello.random if a server that supports TLS 1.3 negotiated TLS 1.2 or
/// an older version (RFC 9846, 4.2.3).
const DOWNGRADE_MARKS: [&[u8]; 2] = [b"DOWNGRD\x01", b"DOWNGRD\x00"];

/// WAIT_SH: a ClientHello is sent, the [`First`] or the one after a retry, [`Retried`].
pub(crate) struct WaitServerHello<Round> {
    pub(crate) offer: Offer,
    round: Round,
}

/// One ClientHello is sent. The server may still choose freely.
pub(crate) struct First {
    transcript: ClientHelloTranscript,
    early: Early,
}

/// Two are sent: the ServerHello must agree with the HelloRetryRequest.
pub(crate) struct Retried {
    suite: Suite,
    /// `None` if the server asked only for its cookie.
    group: Option<Group>,
    transcript: Transcript,
    early: Early,
}

/// How many ClientHellos the server has seen: [`First`] or [`Retried`].
pub(crate) trait Round {
    /// Returns the fault of a ServerHello of an older version.
    fn older(hello: &ServerHello<'_>) -> Fault;

    /// Returns the transcript up to the last ClientHello, and the state of early data, if the
    /// server may choose this suite and group.
    fn agree(self, suite: Suite, group: NamedGroup) -> Result<(Transcript, Early), Fault>;
}

impl Round for First {
    fn older(hello: &ServerHello<'_>) -> Fault {
        // RFC 9846, 4.2.3: clients which receive a ServerHello of TLS 1.2 or below check for the
        // mark of a downgrade.
        if DOWNGRADE_MARKS
            .iter()
            .any(|mark| hello.random.ends_with(mark))
        {
            return Illegal::Downgrade.into();
        }
        Fault::without_supported_versions(hello.legacy_version)
    }

    fn agree(self, suite: Suite, _: NamedGroup) -> Result<(Transcript, Early), Fault> {
        Ok((self.transcript.with_hash(suite.hash()), self.early))
    }
}

impl Round for Retried {
    fn older(hello: &ServerHello<'_>) -> Fault {
        // RFC 9846, 4.2.4: "The value of selected_version in the HelloRetryRequest ... MUST be
        // retained in the ServerHello, and a client MUST abort the handshake with an
        // illegal_parameter alert if the value changes."
        Illegal::VersionNotOffered(hello.legacy_version).into()
    }

    fn agree(self, suite: Suite, group: NamedGroup) -> Result<(Transcript, Early), Fault> {
        // RFC 9846, 4.2.4: "clients MUST check that the cipher suite supplied in the ServerHello is
        // the same as that in the HelloRetryRequest".
        if suite != self.suite {
            return Err(Illegal::SuiteChanged {
                retry: self.suite.code_point(),
                got: suite.code_point(),
            }
            .into());
        }
        // RFC 9846, 4.3.8: "the client MUST verify that the selected NamedGroup in the ServerHello
        // is the same as that in the HelloRetryRequest".
        match self.group.map(Group::code_point) {
            Some(retry) if retry != group => {
                Err(Illegal::GroupChanged { retry, got: group }.into())
            }
            _ => Ok((self.transcript, self.early)),
        }
    }
}

impl WaitServerHello<First> {
    /// Sends the ClientHello.
    pub(crate) fn start(
        client: Client,
        name: Option<ServerName>,
        early_data: bool,
        cx: &mut Context<'_>,
    ) -> Result<Self, Fault> {
        let mut offer = Offer::new(client, name, early_data, cx.now, cx.rng)?;
        let hello = match offer.hello(None, None, cx.now) {
            // The ticket may be too long beside the other extensions.
            Err(Fault::DoesNotFit { .. }) if offer.drop_session() => {
                offer.hello(None, None, cx.now)
            }
            hello => hello,
        }?;
        cx.sink.send(Level::Plaintext, &hello);
        if offer.resumes() {
            cx.sink.event(Event::TicketOffered);
        }
        let early = Early::offer(&offer, &hello, cx);
        Ok(Self {
            offer,
            round: First {
                transcript: ClientHelloTranscript::new(&hello),
                early,
            },
        })
    }

    /// Checks what the server requests, and sends the second ClientHello.
    pub(crate) fn on_retry(
        self,
        retry: &HelloRetryRequest<'_>,
        wire: &Wire<'_>,
        cx: &mut Context<'_>,
    ) -> Result<WaitServerHello<Retried>, Fault> {
        let Self {
            mut offer,
            round: First { transcript, early },
        } = self;
        // RFC 9846, 4.2.4: "process the extensions, starting with determining the version using
        // supported_versions".
        let missing = Fault::MissingExtension {
            message: HelloRetryRequest::NAME,
            extension: ExtensionType::SUPPORTED_VERSIONS,
        };
        check_version(
            retry.supported_versions().ok_or(missing)?,
            retry.legacy_version,
        )?;
        let suite = check_echoes(
            &offer,
            retry.session_id_echo,
            retry.cipher_suite,
            retry.compression_method,
        )?;
        // RFC 9846, 4.2.4: no extension that was not offered, "with the exception of optionally the
        // cookie".
        let known = [
            ExtensionType::SUPPORTED_VERSIONS,
            ExtensionType::KEY_SHARE,
            ExtensionType::COOKIE,
        ];
        if let Some(extension) = retry
            .extension_types()
            .find(|extension| !known.contains(extension))
        {
            return Err(Fault::UnsolicitedExtension {
                message: HelloRetryRequest::NAME,
                extension,
            });
        }
        let group = retry
            .key_share()
            .map(|group| wanted_group(&offer, group))
            .transpose()?;
        // RFC 9846, 4.2.4: "abort the handshake with an illegal_parameter alert if the
        // HelloRetryRequest would not result in any change".
        if group.is_none() && retry.cookie().is_none() {
            return Err(Illegal::RetryWithoutChange.into());
        }

        offer.amend(suite, group, cx.rng)?;
        // A PSK with another hash is not offered again. Without it and without trust, no server
        // could be accepted.
        if offer.client.config.trust.is_none() && !offer.has_psks() {
            return Err(Fault::PskNotTaken);
        }
        let early = early.reject(cx);
        let mut transcript = transcript.with_retry(suite.hash(), wire.bytes)?;
        let hello = offer.hello(retry.cookie(), Some(&transcript), cx.now)?;
        transcript.add(&hello);
        // RFC 9846, E.4: immediately before the second flight, which "may either be before its
        // second ClientHello or before its encrypted handshake flight".
        if offer.client.config.compatibility_mode {
            cx.sink.change_cipher_spec();
        }
        cx.sink.send(Level::Plaintext, &hello);
        Ok(WaitServerHello {
            offer,
            round: Retried {
                suite,
                group,
                transcript,
                early,
            },
        })
    }
}

impl<R: Round> WaitServerHello<R> {
    /// Checks the server's choices against the offer, and derives and installs the handshake keys.
    pub(crate) fn on_server_hello(
        self,
        hello: &ServerHello<'_>,
        wire: Wire<'_>,
        cx: &mut Context<'_>,
    ) -> Result<WaitEncryptedExtensions, Fault> {
        let Self { mut offer, round } = self;
        // The version is checked before everything else (RFC 9846, 4.3.1).
        check_version(
            hello.supported_versions().ok_or_else(|| R::older(hello))?,
            hello.legacy_version,
        )?;
        let suite = check_echoes(
            &offer,
            hello.session_id_echo,
            hello.cipher_suite,
            hello.compression_method,
        )?;
        // RFC 9846, 4.3: extensions must answer something that was asked.
        let asked = |extension: &ExtensionType| match *extension {
            ExtensionType::SUPPORTED_VERSIONS | ExtensionType::KEY_SHARE => true,
            ExtensionType::PRE_SHARED_KEY => offer.has_psks(),
            _ => false,
        };
        if let Some(extension) = hello.extension_types().find(|extension| !asked(extension)) {
            return Err(Fault::UnsolicitedExtension {
                message: ServerHello::NAME,
                extension,
            });
        }
        let (early_secret, psk) = match hello.pre_shared_key() {
            Some(index) => {
                let (early_secret, psk) = offer.select_psk(index, suite, cx.now)?;
                (early_secret, Some(psk))
            }
            None if offer.client.config.trust.is_none() => return Err(Fault::PskNotTaken),
            None => (EarlySecret::new(suite.hash(), None), None),
        };
        let server_share = hello.key_share().ok_or(match psk {
            // RFC 9846, 4.3.11: clients verify that a "key_share extension is present if required
            // by the ClientHello psk_key_exchange_modes extension".
            Some(_) => Fault::Illegal(Illegal::PskWithoutKeyShare),
            None => Fault::MissingExtension {
                message: ServerHello::NAME,
                extension: ExtensionType::KEY_SHARE,
            },
        })?;
        // RFC 9846, 4.3.8: "A single KeyShareEntry value that is in the same group as one of the
        // client's shares."
        let position = offer
            .shares
            .iter()
            .position(|share| share.group().code_point() == server_share.group);
        let (mut transcript, early) = round.agree(suite, server_share.group)?;
        let share = position
            .map(|index| offer.shares.swap_remove(index))
            .ok_or(Illegal::GroupNotOffered(server_share.group))?;
        let bytes = wire.bytes;
        let aligned = wire.aligned("ServerHello")?;

        transcript.add(bytes);
        let shared = share.agree(server_share.key_exchange)?;
        let group = server_share.group;
        let (keys, traffic) =
            Keys::derive(suite, group, early_secret, shared, transcript, offer.log());
        cx.sink
            .install_receive(aligned, Level::Handshake, suite, traffic.server);
        let early = early.go_on(hello.pre_shared_key() == Some(0), suite, traffic.client, cx);
        // RFC 9846, E.4: "immediately before its second flight", unless it was sent before early
        // data or a second ClientHello. The flight may turn out to be an alert.
        if offer.client.config.compatibility_mode {
            cx.sink.owe_change_cipher_spec();
        }
        Ok(WaitEncryptedExtensions {
            offer,
            keys,
            psk,
            early,
        })
    }
}

/// Returns the group of a retry. RFC 9846, 4.3.8: it must have been offered, without a share for
/// it.
fn wanted_group(offer: &Offer, code_point: NamedGroup) -> Result<Group, Fault> {
    let offered = offer
        .client
        .config
        .settings
        .groups
        .iter()
        .find(|group| group.code_point() == code_point);
    let group = *offered.ok_or(Illegal::GroupNotOffered(code_point))?;
    if offer.shares.iter().any(|share| share.group() == group) {
        return Err(Illegal::RetryWithoutChange.into());
    }
    Ok(group)
}

/// Checks the fields that ServerHello and HelloRetryRequest repeat from the ClientHello, and
/// returns the cipher suite that they choose.
fn check_echoes(
    offer: &Offer,
    session_id_echo: &[u8],
    cipher_suite: CipherSuite,
    compression_method: u8,
) -> Result<Suite, Fault> {
    // RFC 9846, 4.2.3: "a legacy_session_id_echo field that does not match what it sent ... MUST
    // abort".
    if session_id_echo != offer.session_id.as_slice() {
        return Err(Illegal::SessionIdEcho.into());
    }
    // RFC 9846, 4.2.3: "A client which receives a cipher suite that was not offered MUST abort".
    let offered = offer
        .client
        .config
        .settings
        .suites
        .iter()
        .find(|suite| suite.code_point() == cipher_suite);
    let suite = *offered.ok_or(Illegal::SuiteNotOffered(cipher_suite))?;
    // RFC 9846, 4.2.3: "A single byte which MUST have the value 0."
    if compression_method != 0 {
        return Err(Illegal::Compression.into());
    }
    Ok(suite)
}

fn check_version(selected: ProtocolVersion, legacy: ProtocolVersion) -> Result<(), Fault> {
    if selected != ProtocolVersion::TLS1_3 {
        return Err(Illegal::VersionNotOffered(selected).into());
    }
    // RFC 9846, 4.2.3: "a legacy_version value not equal to 0x0303 MUST abort the handshake with a
    // protocol_version alert".
    if legacy != ProtocolVersion::TLS1_2 {
        return Err(Fault::LegacyVersion(legacy));
    }
    Ok(())
}
