//! Early data, which a client sends before the server has answered (RFC 9846, 4.3.10 and 4.6).
//!
//! ```text
//! ClientHello + early_data ─> Offered ─┬─ EncryptedExtensions with early_data ─────> Accepted
//!  K_send = early traffic              │                           then Finished: EndOfEarlyData
//!                                      └─ HelloRetryRequest; another PSK or none; ─> Rejected
//!                                         EncryptedExtensions without early_data
//! ```
//!
//! Early data is sealed when it is written, under keys that protect nothing else. So the
//! library cannot send it again as ordinary data, whether it is accepted or not. The handshake key
//! for sending waits in the sink until early data ends.

use crate::client::offer::Offer;
use crate::crypto::suite::Suite;
use crate::error::{Fault, Illegal};
use crate::handshake::{Context, EarlyData, Keys};
use crate::key_schedule::TrafficSecret;
use crate::level::Level;
use crate::message::EndOfEarlyData;

/// The state of early data.
pub(crate) enum Early {
    NotOffered,
    Offered(Terms),
    Accepted,
    Rejected,
}

/// The parameters on which the server must agree if it accepts: the session's own (RFC 9846,
/// 4.3.10).
pub(crate) struct Terms {
    suite: Suite,
    alpn: Option<Vec<u8>>,
}

impl Early {
    /// Begins early data after the ClientHello, if that offers it.
    pub(crate) fn offer(offer: &Offer, hello: &[u8], cx: &mut Context<'_>) -> Self {
        let Some((suite, terms, secret)) = offer.early_data() else {
            return Self::NotOffered;
        };
        // RFC 9846, E.4: "If offering early data, the record is placed immediately after the first
        // ClientHello."
        if offer.client.config.compatibility_mode {
            cx.sink.change_cipher_spec();
        }
        let traffic = secret.client_early_traffic(&suite.hash().hash(hello));
        offer.log().early(&traffic);
        cx.sink.offer_early_data(suite, traffic, terms.max_size);
        Self::Offered(Terms {
            suite,
            alpn: terms.alpn.clone(),
        })
    }

    /// Ends early data that was offered. After a HelloRetryRequest there is none in the second
    /// flight, and the server skips what was sent (RFC 9846, 4.3.10).
    pub(crate) fn reject(self, cx: &mut Context<'_>) -> Self {
        match self {
            Self::Offered(_) => {
                cx.sink.end_early_data();
                Self::Rejected
            }
            other => other,
        }
    }

    /// Handles the ServerHello: takes `secret`, the handshake keys for sending. `first` is whether
    /// the server selected the first PSK, under which early data was sent. If not, early data is
    /// rejected.
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

    /// Handles the EncryptedExtensions. `accepts` is whether they accept the early data.
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

    /// Ends early data after the server's Finished was verified: what follows is sent under the
    /// handshake keys.
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
