//! [`Offer`]: what the client offers, and its ClientHello: the first, and the second after a
//! HelloRetryRequest (RFC 9846, 4.2.2).

use crate::client::config::Client;
use crate::code_point::{CertificateType, ProtocolVersion, PskKeyExchangeMode, SignatureScheme};
use crate::crypto::hash::HashAlgorithm;
use crate::crypto::key_exchange::{EphemeralKey, Group};
use crate::crypto::random::{self, Rng};
use crate::crypto::suite::Suite;
use crate::error::{Fault, Illegal};
use crate::handshake::psk::{Psk, SelectedPsk};
use crate::handshake::{SecretLog, Transcript};
use crate::identity::ServerName;
use crate::key_schedule::EarlySecret;
use crate::message::{
    self, ClientHello, ClientHelloExtension, KeyShareEntry, OfferedPsks, PskIdentity, TlsFlags,
};
use crate::session::{ClientSession, EarlyTerms, SessionKey, StoredSessions, WirePsk};
use crate::time::Now;

/// The choices that the server has, and what the second ClientHello must repeat.
pub(crate) struct Offer {
    pub(crate) client: Client,
    pub(crate) name: Option<ServerName>,
    /// The sessions with this server. None if none are stored.
    pub(crate) stored: Option<StoredSessions>,
    random: [u8; 32],
    /// Empty, or 32 bytes in compatibility mode.
    pub(crate) session_id: Vec<u8>,
    /// One for each share in the ClientHello, in its order.
    pub(crate) shares: Vec<EphemeralKey>,
    /// new_session_count and resumption_count (RFC 9149).
    tickets: (u8, u8),
    /// The session to resume, if there is one. It was taken out of the cache and is not put back.
    session: Option<ClientSession>,
    /// The hashes of the suites that the server may choose. Only PSKs with one of these hashes are
    /// offered.
    hashes: Vec<HashAlgorithm>,
    /// Whether early data is offered, under the session.
    early_data: bool,
}

/// A PSK in the ClientHello.
struct OfferedPsk<'a> {
    identity: &'a [u8],
    obfuscated_ticket_age: u32,
    psk: Psk<'a>,
}

impl Offer {
    /// Generates the random values and key shares, and takes a session to resume from the cache.
    pub(crate) fn new(
        client: Client,
        name: Option<ServerName>,
        early_data: bool,
        now: Now,
        rng: &mut Rng<'_>,
    ) -> Result<Self, Fault> {
        let config = &client.config;
        let random = random::array::<32>(rng)?;
        // RFC 9846, 4.2.2: "In compatibility mode ..., this field MUST be non-empty", and
        // unpredictable.
        let session_id = if config.compatibility_mode {
            random::array::<32>(rng)?.to_vec()
        } else {
            Vec::new()
        };
        // RFC 9846, 4.3.8: each key share is used for one connection only.
        let shares = config
            .key_shares
            .iter()
            .map(|group| EphemeralKey::generate(*group, rng))
            .collect::<Result<_, _>>()?;
        // Without a name, a session could belong to any server (RFC 9846, 4.7.1), and its ticket
        // would be sent to every server.
        let stored = name
            .as_ref()
            .filter(|_| config.sessions.capacity() > 0)
            .map(|name| {
                let key = SessionKey::new(
                    Some(name),
                    config.trust.as_ref(),
                    config.identity.as_ref(),
                    config.external_psk.as_ref(),
                );
                StoredSessions::new(&config.sessions, key)
            });
        let suites = &config.settings.suites;
        let session = stored.as_ref().and_then(|stored| stored.take(now));
        let session = session.filter(|offered| {
            suites
                .iter()
                .any(|suite| suite.hash() == offered.session.suite.hash())
        });
        // RFC 9149, section 3: without a session "resumption_count to 0". This is decided once, as
        // the second ClientHello must not change it.
        let tickets = (
            config.tickets.0,
            if session.is_some() {
                config.tickets.1
            } else {
                0
            },
        );
        let hashes = suites.iter().map(|suite| suite.hash()).collect();
        let mut offer = Self {
            client,
            name,
            stored,
            random,
            session_id,
            shares,
            tickets,
            session,
            hashes,
            early_data: false,
        };
        offer.early_data = early_data
            && offer.client.config.early_data
            && offer.early_terms().is_some()
            && offer.may_send_early();
        Ok(offer)
    }

    /// Returns true if the application's `authorize` hook admits the session's server. It is asked
    /// before early data is sent, and again once the server has authenticated.
    fn may_send_early(&self) -> bool {
        let peer = self
            .session
            .as_ref()
            .and_then(|offered| offered.session.whose.peer());
        peer.is_none_or(|peer| self.client.config.settings.authorize(peer).is_ok())
    }

    /// Returns the suite of the session, and its terms for early data, if we would agree to both
    /// now.
    ///
    /// RFC 9846, 4.3.10: early data uses the session's parameters. So early data must not begin
    /// with parameters that we would not accept now. The group is one of them: early data has no
    /// key exchange of its own.
    fn early_terms(&self) -> Option<(Suite, &EarlyTerms)> {
        let settings = &self.client.config.settings;
        let offered = self.session.as_ref()?;
        let terms = offered.early.as_ref().filter(|terms| terms.max_size > 0)?;
        let suite = offered.session.suite;
        let agreeable = settings.suites.contains(&suite)
            && settings.allows_group(offered.session.group)
            && terms
                .alpn
                .as_ref()
                .is_none_or(|protocol| settings.alpn.contains(protocol));
        agreeable.then_some((suite, terms))
    }

    /// Returns the suite, the terms and the secret of the early data that is offered.
    pub(crate) fn early_data(&self) -> Option<(Suite, &EarlyTerms, EarlySecret)> {
        let session = &self.session.as_ref().filter(|_| self.early_data)?.session;
        let (suite, terms) = self.early_terms()?;
        Some((suite, terms, Psk::from(session).early_secret()))
    }

    /// Drops the session, before anything was offered. Returns true if there was one.
    pub(crate) fn drop_session(&mut self) -> bool {
        self.early_data = false;
        self.tickets.1 = 0;
        self.session.take().is_some()
    }

    /// Returns the log of this connection's secrets.
    pub(crate) fn log(&self) -> SecretLog {
        let settings = &self.client.config.settings;
        settings.key_log.for_connection(&self.random)
    }

    /// Returns true if a session is offered.
    pub(crate) fn resumes(&self) -> bool {
        self.session.is_some()
    }

    /// Returns true if the last ClientHello offered early data.
    pub(crate) fn offers_early_data(&self) -> bool {
        self.early_data
    }

    /// Returns true if sessions with this server are stored.
    pub(crate) fn keeps_sessions(&self) -> bool {
        self.stored.is_some()
    }

    /// Changes the offer as a HelloRetryRequest requires (RFC 9846, 4.2.2).
    pub(crate) fn amend(
        &mut self,
        suite: Suite,
        group: Option<Group>,
        rng: &mut Rng<'_>,
    ) -> Result<(), Fault> {
        // "replacing the list of shares with a list containing a single KeyShareEntry from the
        // indicated group". Without one the same shares go out again, so their private keys are
        // kept.
        if let Some(group) = group {
            self.shares = vec![EphemeralKey::generate(group, rng)?];
        }
        // "removing any PSKs which are incompatible with the server's indicated cipher suite".
        self.hashes = vec![suite.hash()];
        self.session
            .take_if(|offered| offered.session.suite.hash() != suite.hash());
        // RFC 9846, 4.3.10: "A client MUST NOT include the "early_data" extension in its followup
        // ClientHello."
        self.early_data = false;
        Ok(())
    }

    /// Returns the server certificate types that we accept, best first (RFC 7250). Raw keys are
    /// accepted only if keys are trusted, as no root can vouch for one. Empty if the default, X.509
    /// alone, applies.
    pub(crate) fn server_certificate_types(&self) -> &'static [CertificateType] {
        let Some(trust) = &self.client.config.trust else {
            return &[];
        };
        match (trust.holds_keys(), trust.holds_roots()) {
            (false, _) => &[],
            // A server that has both should send the certificate, since we cannot tell it which of
            // its keys are pinned.
            (true, true) => &[CertificateType::X509, CertificateType::RAW_PUBLIC_KEY],
            (true, false) => &[CertificateType::RAW_PUBLIC_KEY, CertificateType::X509],
        }
    }

    /// Returns the client certificate types that we can send, best first (RFC 7250). Empty if the
    /// default, X.509 alone, applies.
    pub(crate) fn client_certificate_types(&self) -> &'static [CertificateType] {
        match &self.client.config.identity {
            Some(identity) if identity.prefers_raw_key() => {
                &[CertificateType::RAW_PUBLIC_KEY, CertificateType::X509]
            }
            _ => &[],
        }
    }

    /// Returns the external PSKs whose hash the server's suite may have.
    fn external_psks(&self) -> impl Iterator<Item = &WirePsk> {
        let psks = self
            .client
            .config
            .external_psk
            .as_ref()
            .map(|psk| psk.as_client())
            .unwrap_or_default();
        psks.iter().filter(|psk| self.hashes.contains(&psk.hash))
    }

    /// Returns the PSKs to offer, in order. RFC 9846, 4.3.10: the PSK of early data is the first.
    fn psks(&self, now: Now) -> Vec<OfferedPsk<'_>> {
        let session = self.session.iter().map(|offered| OfferedPsk {
            identity: &offered.ticket,
            obfuscated_ticket_age: offered.obfuscated_age(now),
            psk: Psk::from(&offered.session),
        });
        // RFC 9846, 4.3.11: "For identities established externally, an obfuscated_ticket_age of 0
        // SHOULD be used".
        let external = self.external_psks().map(|psk| OfferedPsk {
            identity: &psk.identity,
            obfuscated_ticket_age: 0,
            psk: psk.into(),
        });
        session.chain(external).collect()
    }

    /// Returns true if any PSK is offered.
    pub(crate) fn has_psks(&self) -> bool {
        self.session.is_some() || self.external_psks().next().is_some()
    }

    /// Returns the PSK that the server selected, and its early secret.
    ///
    /// RFC 9846, 4.3.11: "Clients MUST verify that the server's selected_identity is within the
    /// range supplied by the client, that the server selected a cipher suite indicating a Hash
    /// associated with the PSK".
    pub(crate) fn select_psk(
        &mut self,
        index: u16,
        suite: Suite,
        now: Now,
    ) -> Result<(EarlySecret, SelectedPsk), Fault> {
        let fits = |psk: Psk<'_>| {
            let hash = Fault::from(Illegal::PskHash {
                suite: suite.code_point(),
            });
            if psk.hash == suite.hash() {
                Ok(psk.early_secret())
            } else {
                Err(hash)
            }
        };
        let behind_session = usize::from(index).checked_sub(usize::from(self.session.is_some()));
        if let (None, Some(offered)) = (behind_session, self.session.take()) {
            return Ok((
                fits(Psk::from(&offered.session))?,
                SelectedPsk::session(offered.session),
            ));
        }
        let selected = behind_session.and_then(|index| self.external_psks().nth(index));
        match (selected, &self.client.config.external_psk) {
            (Some(wire), Some(psk)) => Ok((fits(wire.into())?, SelectedPsk::external(psk, now))),
            _ => Err(Illegal::PskIndex(index).into()),
        }
    }

    /// Returns the encoded ClientHello. After a HelloRetryRequest, `cookie` is the cookie in it,
    /// and `transcript` ends with it.
    pub(crate) fn hello(
        &self,
        cookie: Option<&[u8]>,
        transcript: Option<&Transcript>,
        now: Now,
    ) -> Result<Vec<u8>, Fault> {
        let config = &self.client.config;
        let mut extensions = Vec::new();
        // RFC 6066, section 3: a name, never an IP literal.
        if let Some(dns) = self.name.as_ref().and_then(ServerName::dns) {
            extensions.push(ClientHelloExtension::ServerName(vec![
                message::ServerName::HostName(dns),
            ]));
        }
        extensions.push(ClientHelloExtension::SupportedGroups(
            config.settings.group_code_points(),
        ));
        // RFC 9846, 9.2: it may be missing if a PSK is offered. A client that trusts nothing else
        // could not verify a certificate.
        if config.trust.is_some() {
            extensions.push(ClientHelloExtension::SignatureAlgorithms(vec![
                SignatureScheme::ED25519,
            ]));
        }
        if !config.settings.alpn.is_empty() {
            extensions.push(ClientHelloExtension::Alpn(
                config.settings.alpn.iter().map(Vec::as_slice).collect(),
            ));
        }
        if !self.client_certificate_types().is_empty() {
            extensions.push(ClientHelloExtension::ClientCertificateType(
                self.client_certificate_types().to_vec(),
            ));
        }
        if !self.server_certificate_types().is_empty() {
            extensions.push(ClientHelloExtension::ServerCertificateType(
                self.server_certificate_types().to_vec(),
            ));
        }
        extensions.push(ClientHelloExtension::RecordSizeLimit(
            config.settings.record_size_limit,
        ));
        if config.settings.extended_key_update {
            extensions.push(ClientHelloExtension::TlsFlags(
                TlsFlags::extended_key_update(),
            ));
        }
        if self.keeps_sessions() {
            let (new_session_count, resumption_count) = self.tickets;
            extensions.push(ClientHelloExtension::TicketRequest {
                new_session_count,
                resumption_count,
            });
        }
        if self.keeps_sessions() || config.external_psk.is_some() {
            // RFC 9846, 4.3.9: without it the server sends no tickets. psk_ke is never offered: it
            // would give up forward secrecy.
            extensions.push(ClientHelloExtension::PskKeyExchangeModes(vec![
                PskKeyExchangeMode::PSK_DHE_KE,
            ]));
        }
        extensions.push(ClientHelloExtension::SupportedVersions(vec![
            ProtocolVersion::TLS1_3,
        ]));
        extensions.push(ClientHelloExtension::KeyShare(
            self.shares
                .iter()
                .map(|share| KeyShareEntry {
                    group: share.group().code_point(),
                    key_exchange: share.public(),
                })
                .collect(),
        ));
        if let Some(cookie) = cookie {
            extensions.push(ClientHelloExtension::Cookie(cookie));
        }
        if self.early_data {
            extensions.push(ClientHelloExtension::EarlyData);
        }
        // RFC 9846, 4.3.11.2: all lengths include the binders, so zeros are encoded in their place
        // first. The extension is the last (4.3.11).
        let psks = self.psks(now);
        let no_binders: Vec<Vec<u8>> = psks
            .iter()
            .map(|offered| vec![0; offered.psk.hash.output_len()])
            .collect();
        if !psks.is_empty() {
            let identities = psks.iter();
            extensions.push(ClientHelloExtension::PreSharedKey(OfferedPsks {
                identities: identities
                    .map(|offered| PskIdentity {
                        identity: offered.identity,
                        obfuscated_ticket_age: offered.obfuscated_ticket_age,
                    })
                    .collect(),
                binders: no_binders.iter().map(Vec::as_slice).collect(),
            }));
        }
        let hello = ClientHello {
            legacy_version: ProtocolVersion::TLS1_2,
            random: self.random,
            session_id: &self.session_id,
            cipher_suites: config.settings.suite_code_points(),
            compression_methods: &[0],
            extensions: Some(extensions),
        };
        let mut bytes = hello.encode()?;
        let covered_len = bytes.len().saturating_sub(hello.binders_len());
        let (covered, binders) = bytes.split_at_mut(covered_len);
        // The binders follow the length of the list, each after its own length byte.
        let mut places = binders.get_mut(2..).unwrap_or_default();
        for OfferedPsk { psk, .. } in &psks {
            let digest = match transcript {
                Some(transcript) => transcript.digest_with(covered),
                // RFC 9846, 4.3.11.2: "this hash will be computed using the hash associated with
                // the PSK".
                None => psk.hash.hash(covered),
            };
            let binder = psk.binder(&digest);
            let (place, rest) =
                places
                    .split_at_mut_checked(1 + binder.len())
                    .ok_or(Fault::Internal {
                        what: "finding room for a binder",
                    })?;
            place
                .get_mut(1..)
                .unwrap_or_default()
                .copy_from_slice(&binder);
            places = rest;
        }
        Ok(bytes)
    }
}
