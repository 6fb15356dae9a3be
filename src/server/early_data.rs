//! Early data: whether it is accepted (RFC 9846, 4.3.10 and section 8). Its end is in
//! `client_flight.rs`.
//!
//! ```text
//! offered, under a ticket that allows it, which is the client's first PSK
//!   ─> judge: the same suite and ALPN protocol, a group that is still accepted, the zone of our
//!      replay guard, a fresh age, a client that `authorize` admits
//!   ─> not seen before: the ReplayGuard answers, or the application (Question::Replay)
//!   ─> accepted: ... EndOfEarlyData (client_flight.rs)
//! ```
//!
//! Rejected early data is skipped, and the handshake continues without it. No reason is given.

use core::time::Duration;

use crate::crypto::suite::Suite;
use crate::error::Fault;
use crate::handshake::{Context, EarlyData, Event};
use crate::message::ClientHello;
use crate::server::config::Server;
use crate::server::parameters::Parameters;
use crate::server::psk::{OfferedPsk, Permit};
use crate::server::ticket;
use crate::session::{ReplayEntry, ReplayVerdict};
use crate::time::Now;

/// How many bytes of early data records are skipped for any client whose early data is rejected. A
/// client may send as much as a ticket from another server of this name allowed. rustls and OpenSSL
/// skip 16 KiB.
const SKIPPED: usize = 64 * 1024;

/// Returns how many bytes are skipped for this client. RFC 9846, 4.3.10: "up to the configured
/// max_early_data_size", which counts neither headers nor padding.
///
/// The client goes by its ticket, which is of the first PSK. If that is one of ours, it may be from
/// before a change of the configuration. The ticket is opened again for this, in the rare case that
/// early data is rejected.
pub(crate) fn skipped(
    server: &Server,
    hello: &ClientHello<'_>,
    parameters: &Parameters,
    now: Now,
) -> usize {
    let configured = server
        .config
        .early_data
        .as_ref()
        .map(|config| config.max_size);
    let allowed = hello
        .pre_shared_key()
        .and_then(|offered| offered.identities.first())
        .and_then(|psk| ticket::early_data_size(server, psk.identity, parameters, now));
    let size = configured.max(allowed).unwrap_or_default();
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    SKIPPED.saturating_add(size.saturating_mul(2))
}

/// What happens to the early data that a ClientHello offers.
#[derive(Clone, Copy)]
pub(crate) enum Decision {
    /// No early data is offered.
    NotOffered,
    /// The early data is skipped.
    Rejected,
    /// The early data is accepted, up to this many bytes.
    Accepted { max_size: u32 },
}

impl Decision {
    /// Returns what the application is told.
    pub(crate) fn outcome(self) -> EarlyData {
        match self {
            Self::NotOffered => EarlyData::NotOffered,
            Self::Rejected => EarlyData::Rejected,
            Self::Accepted { .. } => EarlyData::Accepted,
        }
    }
}

/// What is known about early data once the PSK is selected.
pub(crate) enum Judgement {
    Decided(Decision),
    /// The decision holds if this entry has not been seen before.
    Ask(ReplayEntry, Decision),
}

/// Decides about the early data that a ClientHello offers. The PSK's binder must have been
/// verified.
pub(crate) fn judge(
    server: &Server,
    hello: &ClientHello<'_>,
    psk: Option<&OfferedPsk<'_>>,
    suite: Suite,
    alpn: Option<&[u8]>,
    cx: &mut Context<'_>,
) -> Result<Judgement, Fault> {
    if !hello.early_data() {
        return Ok(Judgement::Decided(Decision::NotOffered));
    }
    let rejected = Ok(Judgement::Decided(Decision::Rejected));
    // RFC 9846, F.5: "TLS implementations MUST NOT enable 0-RTT (either sending or accepting)
    // unless specifically requested by the application".
    let Some(config) = &server.config.early_data else {
        return rejected;
    };
    // RFC 9846, 4.3.10: "the server MUST have selected the first key offered".
    let Some((psk, permit)) = psk
        .filter(|psk| psk.taken.index == 0)
        .and_then(|psk| Some((psk, psk.early_data.as_ref()?)))
    else {
        return rejected;
    };
    // RFC 9846, 4.3.10: "it MUST verify that the following values are the same as those associated
    // with the selected PSK".
    if permit.suite != suite || permit.terms.alpn.as_deref() != alpn {
        return rejected;
    }
    // Early data has no key exchange of its own, so its secrecy is that of the session's. A resumed
    // handshake exchanges keys again.
    if !server.config.settings.allows_group(permit.group) {
        return rejected;
    }
    // A ticket from another configuration may allow more than this one holds in memory. The client
    // follows its ticket.
    if permit.terms.max_size > config.max_size {
        return rejected;
    }
    // RFC 9846, 8.2: "having a single storage zone be authoritative for a given ticket and refusing
    // 0-RTT for that ticket in any other zone".
    let zone = config.guard.zone(cx.rng)?;
    if permit.zone != zone {
        return rejected;
    }
    let Some(expires) = fresh_until(permit, config.window, cx.now) else {
        return rejected;
    };
    // A client that is no longer admitted learns that when the handshake is complete, and is not
    // served before. The hook is asked again then, as this may be a replay.
    if psk
        .taken
        .selected
        .whose
        .peer()
        .is_some_and(|peer| server.config.settings.authorize(peer).is_err())
    {
        return rejected;
    }
    // RFC 9846, 8.2: "The server MUST derive the storage key only from validated sections of the
    // ClientHello."
    let entry = ReplayEntry::new(&zone, psk.binder, expires);
    let accepted = Decision::Accepted {
        max_size: permit.terms.max_size,
    };
    Ok(match config.guard.check_and_insert(&entry, cx.now) {
        None => Judgement::Ask(entry, accepted),
        Some(verdict) => Judgement::Decided(accepted.unless_seen(verdict, cx)),
    })
}

impl Decision {
    /// Applies the replay guard's verdict. RFC 9846, 8.2: on an apparent replay, the server
    /// "accepts the PSK but rejects 0-RTT". It does the same if the guard cannot tell.
    pub(crate) fn unless_seen(self, verdict: ReplayVerdict, cx: &mut Context<'_>) -> Self {
        match verdict {
            ReplayVerdict::Fresh => self,
            ReplayVerdict::Seen => {
                cx.sink.event(Event::ReplayRefused);
                Self::Rejected
            }
            ReplayVerdict::Unavailable => Self::Rejected,
        }
    }
}

/// Returns the unix time until which the ClientHello counts as fresh, if it is fresh now.
///
/// RFC 9846, 8.3: "expected_arrival_time = adjusted_creation_time + clients_ticket_age", which is
/// compared with the clock. Our tickets do not contain the round-trip time, so the window has to
/// cover it.
fn fresh_until(permit: &Permit, window: Duration, now: Now) -> Option<Duration> {
    let expected_arrival = permit.issued.saturating_add(permit.age);
    (expected_arrival.abs_diff(now.unix) <= window).then(|| expected_arrival.saturating_add(window))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code_point::NamedGroup;
    use crate::session::EarlyTerms;

    /// RFC 9846, 8.3, with seconds counted here: within the window on either side, its ends
    /// included.
    #[test]
    fn a_hello_is_fresh_within_the_window_on_either_side() {
        let seconds = Duration::from_secs;
        let terms = EarlyTerms {
            max_size: 1,
            alpn: None,
        };
        let permit = |age| Permit {
            terms: terms.clone(),
            zone: [0; 16],
            suite: Suite::Aes128GcmSha256,
            group: NamedGroup::X25519,
            issued: seconds(1_000),
            age,
        };
        let at = |unix, age| {
            fresh_until(
                &permit(age),
                seconds(10),
                Now {
                    monotonic: Duration::ZERO,
                    unix,
                },
            )
        };
        assert_eq!(at(seconds(1_100), seconds(100)), Some(seconds(1_110)));
        assert_eq!(at(seconds(1_110), seconds(100)), Some(seconds(1_110)));
        assert_eq!(at(seconds(1_090), seconds(100)), Some(seconds(1_110)));
        assert_eq!(
            at(seconds(1_110) + Duration::from_nanos(1), seconds(100)),
            None
        );
        assert_eq!(
            at(seconds(1_090) - Duration::from_nanos(1), seconds(100)),
            None
        );
        // An age that wrapped around: the client sent nonsense.
        assert_eq!(
            at(seconds(1_100), Duration::from_millis(u32::MAX.into())),
            None
        );
    }
}
