//! Early data, which a client sends before the server has said anything (RFC 9846, 4.3.10 and 4.6).
//!
//! ```text
//! ClientHello + early_data ─> Offered ─┬─ EncryptedExtensions with early_data ─────> Accepted
//!  K_send = early traffic              │                           then Finished: EndOfEarlyData
//!                                      └─ HelloRetryRequest; another PSK or none; ─> Rejected
//!                                         EncryptedExtensions without early_data
//! ```
//!
//! What has been sent stays sent: it is sealed when it is written, under keys that protect nothing
//! else. So none of it can go out again as ordinary data by itself, whatever becomes of it. The
//! handshake key for what we send waits in the sink until early data is over.

use crate::client::offer::Offer;
use crate::crypto::suite::Suite;
use crate::error::{Fault, Illegal};
use crate::handshake::{Context, EarlyData, Keys};
use crate::key_schedule::TrafficSecret;
use crate::level::Level;
use crate::message::EndOfEarlyData;

/// What became of early data so far.
pub(crate) enum Early {
    NotOffered,
    Offered(Terms),
    Accepted,
    Rejected,
}

/// What the server must agree on if it accepts: RFC 9846, 4.3.10: the session's own.
pub(crate) struct Terms {
    suite: Suite,
    alpn: Option<Vec<u8>>,
}

impl Early {
    /// Behind the ClientHello, if it offers any.
    pub(crate) fn offer(offer: &Offer, hello: &[u8], cx: &mut Context<'_>) -> Self {
        let Some((suite, terms, secret)) = offer.early_data() else {
            return Self::NotOffered;
        };
        // RFC 9846, E.4: "If offering early data, the record is placed immediately after the first
        // ClientHello."
        if offer.client.config.compatibility_mode {
            cx.sink.change_cipher_spec();
        }
        cx.sink.offer_early_data(
            suite,
            secret.client_early_traffic(&suite.hash().hash(hello)),
            terms.max_size,
        );
        Self::Offered(Terms {
            suite,
            alpn: terms.alpn.clone(),
        })
    }

    /// A HelloRetryRequest came: RFC 9846, 4.3.10: there is no early data in a second flight, and
    /// what was sent is skipped.
    pub(crate) fn reject(self, cx: &mut Context<'_>) -> Self {
        match self {
            Self::Offered(_) => {
                cx.sink.end_early_data();
                Self::Rejected
            }
            other => other,
        }
    }

    /// ServerHello came, with the handshake keys for what we send; `first` is whether it selects
    /// the PSK that early data is under.
    pub(crate) fn go_on(
        self,
        first: bool,
        suite: Suite,
        secret: TrafficSecret,
        cx: &mut Context<'_>,
    ) -> Self {
        match self {
            Self::Offered(terms) => {
                cx.sink.defer_send(suite, secret);
                let early = Self::Offered(terms);
                if first { early } else { early.reject(cx) }
            }
            other => {
                cx.sink.install_send(Level::Handshake, suite, secret);
                other
            }
        }
    }

    /// EncryptedExtensions came, and `accepts` the early data or not.
    pub(crate) fn answered(
        self,
        accepts: bool,
        suite: Suite,
        alpn: Option<&[u8]>,
        cx: &mut Context<'_>,
    ) -> Result<Self, Fault> {
        match self {
            Self::Offered(terms) if accepts => {
                // RFC 9846, 4.3.10: the parameters for the 0-RTT data "are those associated with
                // the PSK in use".
                let field = match terms {
                    terms if terms.suite != suite => "the cipher suite",
                    terms if terms.alpn.as_deref() != alpn => "the ALPN protocol",
                    _ => return Ok(Self::Accepted),
                };
                Err(Illegal::EarlyDataTerms { field }.into())
            }
            // RFC 9846, 4.3.11: "the client MUST verify that the server's selected_identity is 0".
            Self::Rejected if accepts => Err(Illegal::EarlyDataTerms { field: "the PSK" }.into()),
            other => Ok(other.reject(cx)),
        }
    }

    /// The server's Finished is verified: what follows is under the handshake keys.
    ///
    /// RFC 9846, 4.6: the client MUST send EndOfEarlyData if the server accepted the early data,
    /// and MUST NOT if it did not.
    pub(crate) fn end(self, keys: &mut Keys, cx: &mut Context<'_>) -> Result<EarlyData, Fault> {
        Ok(match self {
            Self::NotOffered => EarlyData::NotOffered,
            Self::Accepted => {
                let end = EndOfEarlyData.encode()?;
                keys.transcript.add(&end);
                cx.sink.send(Level::Early, &end);
                cx.sink.end_early_data();
                EarlyData::Accepted
            }
            Self::Rejected => EarlyData::Rejected,
            Self::Offered(_) => {
                return Err(Fault::Internal {
                    what: "deciding about early data",
                });
            }
        })
    }
}
