//! [`Offer`]: what the client offers, and its ClientHello, the first and after a HelloRetryRequest the second (RFC 9846, 4.2.2).

use crate::client::config::Client;
use crate::code_point::{CertificateType, ProtocolVersion, PskKeyExchangeMode, SignatureScheme};
use crate::crypto::key_exchange::{EphemeralKey, Group};
use crate::crypto::random::{self, Rng};
use crate::crypto::suite::Suite;
use crate::error::Fault;
use crate::handshake::{Transcript, psk};
use crate::identity::ServerName;
use crate::message::{self, ClientHello, ClientHelloExtension, KeyShareEntry, OfferedPsks, PskIdentity};
use crate::session::{ClientSession, SessionKey, StoredSessions};
use crate::time::Now;

/// What the server may choose from, and what the second ClientHello must repeat.
pub(crate) struct Offer {
    pub(crate) client: Client,
    pub(crate) name: Option<ServerName>,
    /// The sessions with this server; none where none are kept.
    pub(crate) stored: Option<StoredSessions>,
    random: [u8; 32],
    /// Empty, or 32 bytes in compatibility mode.
    pub(crate) session_id: Vec<u8>,
    /// One for each share in the ClientHello, in its order.
    pub(crate) shares: Vec<EphemeralKey>,
    /// new_session_count and resumption_count (RFC 9149).
    tickets: (u8, u8),
    /// The session to resume, if there is one; it was taken out of the cache, and does not go back.
    pub(crate) session: Option<ClientSession>,
}

impl Offer {
    /// Draws what is random, and takes a session to resume from the cache.
    pub(crate) fn new(client: Client, name: Option<ServerName>, now: Now, rng: &mut Rng<'_>) -> Result<Self, Fault> {
        let config = &client.config;
        let random = random::array::<32>(rng)?;
        // RFC 9846, 4.2.2: "In compatibility mode ..., this field MUST be non-empty", and unpredictable.
        let session_id = if config.compatibility_mode { random::array::<32>(rng)?.to_vec() } else { Vec::new() };
        // RFC 9846, 4.3.8: a key share is made for this connection alone.
        let shares = config.key_shares.iter().map(|group| EphemeralKey::generate(*group, rng)).collect::<Result<_, _>>()?;
        // Without a name a session could be anyone's (RFC 9846, 4.7.1), and its ticket would be shown to all.
        let stored = name.as_ref().filter(|_| config.sessions.capacity() > 0).map(|name| {
            let key = SessionKey::new(Some(name), &config.trust, config.identity.as_ref(), None);
            StoredSessions::new(&config.sessions, key)
        });
        let session = stored.as_ref().and_then(|stored| stored.take(now));
        let session = session.filter(|offered| config.settings.suites.iter().any(|suite| suite.hash() == offered.session.suite.hash()));
        // RFC 9149, section 3: without a session "resumption_count to 0". Decided once: the second ClientHello must not change it.
        let tickets = (config.tickets.0, if session.is_some() { config.tickets.1 } else { 0 });
        Ok(Self { client, name, stored, random, session_id, shares, tickets, session })
    }

    /// Whether sessions with this server are kept.
    pub(crate) fn keeps_sessions(&self) -> bool {
        self.stored.is_some()
    }

    /// After a HelloRetryRequest: what it says to change (RFC 9846, 4.2.2).
    pub(crate) fn amend(&mut self, suite: Suite, group: Option<Group>, rng: &mut Rng<'_>) -> Result<(), Fault> {
        // "replacing the list of shares with a list containing a single KeyShareEntry from the indicated group". Without one the same shares go out
        // again, so their private keys are kept.
        if let Some(group) = group {
            self.shares = vec![EphemeralKey::generate(group, rng)?];
        }
        // "removing any PSKs which are incompatible with the server's indicated cipher suite".
        self.session.take_if(|offered| offered.session.suite.hash() != suite.hash());
        Ok(())
    }

    /// The server certificate types that we accept, best first (RFC 7250): raw keys only where keys are trusted, as no root can vouch for one.
    /// Empty where the default, X.509 alone, will do.
    pub(crate) fn server_certificate_types(&self) -> &'static [CertificateType] {
        let trust = &self.client.config.trust;
        match (trust.holds_keys(), trust.holds_roots()) {
            (false, _) => &[],
            // A server with both is to show the certificate, since we cannot say which of its keys are pinned.
            (true, true) => &[CertificateType::X509, CertificateType::RAW_PUBLIC_KEY],
            (true, false) => &[CertificateType::RAW_PUBLIC_KEY, CertificateType::X509],
        }
    }

    /// The client certificate types that we can show, best first (RFC 7250). Empty where the default, X.509 alone, will do.
    pub(crate) fn client_certificate_types(&self) -> &'static [CertificateType] {
        match &self.client.config.identity {
            Some(identity) if identity.prefers_raw_key() => &[CertificateType::RAW_PUBLIC_KEY, CertificateType::X509],
            _ => &[],
        }
    }

    /// The ClientHello; after a HelloRetryRequest with its cookie, and `transcript`, which ends with it.
    pub(crate) fn hello(&self, cookie: Option<&[u8]>, transcript: Option<&Transcript>, now: Now) -> Result<Vec<u8>, Fault> {
        let config = &self.client.config;
        let mut extensions = Vec::new();
        // RFC 6066, section 3: a name, never an IP literal.
        if let Some(dns) = self.name.as_ref().and_then(ServerName::dns) {
            extensions.push(ClientHelloExtension::ServerName(vec![message::ServerName::HostName(dns)]));
        }
        extensions.push(ClientHelloExtension::SupportedGroups(config.settings.groups.iter().map(|group| group.code_point()).collect()));
        extensions.push(ClientHelloExtension::SignatureAlgorithms(vec![SignatureScheme::ED25519]));
        if !config.settings.alpn.is_empty() {
            extensions.push(ClientHelloExtension::Alpn(config.settings.alpn.iter().map(Vec::as_slice).collect()));
        }
        if !self.client_certificate_types().is_empty() {
            extensions.push(ClientHelloExtension::ClientCertificateType(self.client_certificate_types().to_vec()));
        }
        if !self.server_certificate_types().is_empty() {
            extensions.push(ClientHelloExtension::ServerCertificateType(self.server_certificate_types().to_vec()));
        }
        extensions.push(ClientHelloExtension::RecordSizeLimit(config.settings.record_size_limit));
        if self.keeps_sessions() {
            let (new_session_count, resumption_count) = self.tickets;
            extensions.push(ClientHelloExtension::TicketRequest { new_session_count, resumption_count });
            // RFC 9846, 4.3.9: without it the server sends no tickets. psk_ke is never offered: it would give up forward secrecy.
            extensions.push(ClientHelloExtension::PskKeyExchangeModes(vec![PskKeyExchangeMode::PSK_DHE_KE]));
        }
        extensions.push(ClientHelloExtension::SupportedVersions(vec![ProtocolVersion::TLS1_3]));
        extensions.push(ClientHelloExtension::KeyShare(
            self.shares.iter().map(|share| KeyShareEntry { group: share.group().code_point(), key_exchange: share.public() }).collect(),
        ));
        if let Some(cookie) = cookie {
            extensions.push(ClientHelloExtension::Cookie(cookie));
        }
        // RFC 9846, 4.3.11.2: all lengths are as if the binder were there, so it stands there as zeros first. The extension is the last (4.3.11).
        let no_binder = self.session.as_ref().map(|offered| vec![0; offered.session.suite.hash().output_len()]);
        if let (Some(offered), Some(binder)) = (&self.session, &no_binder) {
            extensions.push(ClientHelloExtension::PreSharedKey(OfferedPsks {
                identities: vec![PskIdentity { identity: &offered.ticket, obfuscated_ticket_age: offered.obfuscated_age(now) }],
                binders: vec![binder],
            }));
        }
        let hello = ClientHello {
            legacy_version: ProtocolVersion::TLS1_2,
            random: self.random,
            session_id: &self.session_id,
            cipher_suites: config.settings.suites.iter().map(|suite| suite.code_point()).collect(),
            compression_methods: &[0],
            extensions: Some(extensions),
        };
        let mut bytes = hello.encode()?;
        if let Some(offered) = &self.session {
            let covered = bytes.len().saturating_sub(hello.binders_len());
            let covered = bytes.get(..covered).unwrap_or_default();
            let digest = match transcript {
                Some(transcript) => transcript.digest_with(covered),
                // RFC 9846, 4.3.11.2: "this hash will be computed using the hash associated with the PSK".
                None => offered.session.suite.hash().hash(covered),
            };
            let binder = psk::binder(&offered.session, &digest);
            let place = bytes.len().saturating_sub(binder.len());
            bytes.truncate(place);
            bytes.extend_from_slice(&binder);
        }
        Ok(bytes)
    }
}
