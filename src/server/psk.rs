//! Which of a client's PSKs is selected (RFC 9846, 4.3.11): one of our tickets (`ticket.rs`), or an
//! external PSK.

use core::time::Duration;

use crate::code_point::NamedGroup;
use crate::crypto::hash::{Digest, HashAlgorithm};
use crate::crypto::suite::Suite;
use crate::error::Fault;
use crate::handshake::Transcript;
use crate::handshake::psk::{Psk, SelectedPsk};
use crate::key_schedule::{EarlySecret, PskKind};
use crate::message::{ClientHello, PskIdentity};
use crate::secret::Secret;
use crate::server::config::Server;
use crate::server::parameters::Parameters;
use crate::server::ticket;
use crate::session::{EarlyTerms, ExternalPsk, OpenedTicket, WirePsk};
use crate::time::Now;

/// How many of a client's PSKs are tried. A ClientHello has room for thousands, and each that names
/// one of our ticket keys costs a decryption.
const MAX_IDENTITIES: usize = 8;

/// A PSK that the client offers, and has proven to hold.
pub(crate) struct OfferedPsk<'a> {
    pub(crate) taken: TakenPsk,
    /// The binder that proved it.
    pub(crate) binder: &'a [u8],
    /// The generation of the session. Only tickets have one.
    pub(crate) generation: Option<u64>,
    /// The permit for early data. Only tickets have one.
    pub(crate) early_data: Option<Permit>,
}

/// The PSK that the handshake uses.
pub(crate) struct TakenPsk {
    /// Its position in the client's list.
    pub(crate) index: u16,
    pub(crate) early: EarlySecret,
    pub(crate) selected: SelectedPsk,
}

/// What a ticket says about early data.
pub(crate) struct Permit {
    pub(crate) terms: EarlyTerms,
    /// The zone of the replay guard that issued it.
    pub(crate) zone: [u8; 16],
    /// The suite and the group of the connection on which it was issued.
    pub(crate) suite: Suite,
    pub(crate) group: NamedGroup,
    /// The unix time at which the ticket was sealed.
    pub(crate) issued: Duration,
    /// The ticket's age according to the client: obfuscated_ticket_age less ticket_age_add, modulo
    /// 2^32 (RFC 9846, 4.3.10).
    pub(crate) age: Duration,
}

/// A PSK of the client that we know.
enum Known<'s> {
    Ticket(OpenedTicket),
    External(&'s ExternalPsk, &'s WirePsk),
}

/// Finds the PSK to use, if there is one, and verifies its binder. `before` is the transcript
/// before this ClientHello.
pub(crate) fn select<'a>(
    server: &Server,
    hello: &ClientHello<'a>,
    bytes: &[u8],
    before: &Transcript,
    suite: Suite,
    parameters: &Parameters,
    now: Now,
) -> Result<Option<OfferedPsk<'a>>, Fault> {
    // RFC 9846, 4.3.9: only an offered mode may be used. psk_ke would give up forward secrecy.
    let (Some(offered), true) = (hello.pre_shared_key(), hello.offers_psk_dhe_ke()) else {
        return Ok(None);
    };
    let known = |psk: &PskIdentity<'_>| {
        let ticket = ticket::open(server, psk.identity, suite, parameters, now).map(Known::Ticket);
        ticket.or_else(|| {
            let (psk, wire) = server
                .config
                .external_psks
                .find(psk.identity)
                .filter(|(_, wire)| wire.hash == suite.hash())?;
            Some(Known::External(psk, wire))
        })
    };
    // RFC 9846, 4.3.11: "Any unknown PSKs ... SHOULD simply be ignored."
    let mut identities = (0_u16..)
        .zip(offered.identities.iter().zip(&offered.binders))
        .take(MAX_IDENTITIES);
    let found = identities
        .find_map(|(index, (identity, binder))| Some((index, identity, *binder, known(identity)?)));
    // RFC 9846, 4.3.11: "they SHOULD select a single PSK and validate solely the binder that
    // corresponds to that PSK".
    let covered = bytes
        .get(..bytes.len().saturating_sub(hello.binders_len()))
        .unwrap_or_default();
    let transcript = before.digest_with(covered);
    let Some((index, identity, binder, known)) = found else {
        spend_a_binder(&transcript, suite, &offered.binders);
        return Ok(None);
    };
    Ok(Some(match known {
        Known::Ticket(OpenedTicket {
            session,
            generation,
            issued,
            age_add,
            early,
        }) => {
            let early_secret = Psk::from(&session).verify(&transcript, binder)?;
            let age =
                Duration::from_millis(identity.obfuscated_ticket_age.wrapping_sub(age_add).into());
            let (suite, group) = (session.suite, session.group);
            let early_data = early.map(|(terms, zone)| Permit {
                terms,
                zone,
                suite,
                group,
                issued,
                age,
            });
            OfferedPsk {
                taken: TakenPsk {
                    index,
                    early: early_secret,
                    selected: SelectedPsk::session(session),
                },
                binder,
                generation: Some(generation),
                early_data,
            }
        }
        Known::External(psk, wire) => {
            let early = Psk::from(wire).verify(&transcript, binder)?;
            OfferedPsk {
                taken: TakenPsk {
                    index,
                    early,
                    selected: SelectedPsk::external(psk, now),
                },
                binder,
                generation: None,
                early_data: None,
            }
        }
    }))
}

/// RFC 9846, F.6: a server that accepts only PSKs treats "the cases where there is no valid PSK
/// identity and where there is an identity but it has an invalid binder identically". So an unknown
/// PSK must take as long as a wrong binder.
fn spend_a_binder(transcript: &Digest, suite: Suite, binders: &[&[u8]]) {
    let nobodys = Secret::filled(suite.hash().output_len(), |_| {});
    let psk = Psk::new(PskKind::External, suite.hash(), &nobodys);
    let _wrong = psk.verify(transcript, binders.first().copied().unwrap_or_default());
}

/// Returns true if the client offers an external PSK with this hash that we know, or if it offers
/// none that we know.
///
/// RFC 9846, 4.3.11: "client-provided, externally established PSKs SHOULD influence cipher suite
/// selection".
pub(crate) fn suits_external_psks(
    server: &Server,
    hello: &ClientHello<'_>,
    hash: HashAlgorithm,
) -> bool {
    let offered = hello
        .pre_shared_key()
        .filter(|_| hello.offers_psk_dhe_ke())
        .map(|offered| offered.identities.as_slice())
        .unwrap_or_default();
    let mut known = offered
        .iter()
        .take(MAX_IDENTITIES)
        .filter_map(|psk| server.config.external_psks.find(psk.identity))
        .peekable();
    known.peek().is_none() || known.any(|(_, wire)| wire.hash == hash)
}
