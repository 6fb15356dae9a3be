//! The extended key update (draft-ietf-tls-extended-key-update): a key exchange inside a
//! connection, from which the next epoch's keys come.
//!
//! ```text
//! Initiator                                                    Responder
//!
//! begin():  request, with our share      ------->
//!                                        <-------  response, with our share
//!                                                  K_send = next epoch
//! K_recv = next epoch
//! finish                                 ------->
//! K_send = next epoch                              K_recv = next epoch
//! ```
//!
//! Each message is sent under the old keys. Data flows in both directions meanwhile. If the
//! requests of both sides cross, the one whose share is greater goes on.
//!
//! Both directions of a connection take part, and two threads may have one each. So the state is
//! shared, behind a lock that is held to compute, and to log secrets if there is a key log. It is
//! never held while something waits for the transport. What is to be sent is left in it, and
//! whoever sends takes it from there ([`take`](ExtendedKeyUpdates::take)).

use core::cmp::Ordering;
use core::time::Duration;
use std::sync::Arc;

use crate::crypto::key_exchange::{self, EphemeralKey, Group};
use crate::crypto::random::Rng;
use crate::crypto::suite::Suite;
use crate::error::{ConfigError, Fault, Illegal, Side};
use crate::handshake::key_log::SecretLog;
use crate::key_schedule::{Epoch, EpochSecrets, ExporterSecret, TrafficSecret};
use crate::message::{ExtendedKeyUpdate, KeyShareEntry};
use crate::record::Aligned;
use crate::secret::Secret;
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// How many requests of the peer are answered, besides those that time allows.
const MAX_REQUESTS: u32 = 64;

/// The time that allows the peer one more request.
const REQUEST_PERIOD: Duration = Duration::from_millis(100);

/// The extended key updates of one connection.
#[derive(Clone)]
pub(crate) struct ExtendedKeyUpdates(Arc<Mutex<Inner>>);

struct Inner {
    side: Side,
    suite: Suite,
    group: Group,
    /// `None` once no update is possible any more.
    epoch: Option<Epoch>,
    phase: Phase,
    /// What is to be sent next.
    owed: Option<Owed>,
    /// False once this side sends no more.
    sends: bool,
    exporters: Exporters,
    limit: RequestLimit,
    log: SecretLog,
}

/// How far an update is. A message that no row of [`ExtendedKeyUpdates::on_message`] allows is
/// unexpected.
enum Phase {
    /// No update is running.
    Idle,
    /// Our request was sent.
    AwaitResponse {
        key: EphemeralKey,
        request: Vec<u8>,
        /// The peer's request came after that, and was ignored.
        crossed: bool,
    },
    /// The response came, and our finish is owed.
    OweFinish { exporter: ExporterSecret },
    /// The peer's request came. Our response is owed or was sent.
    AwaitFinish {
        receive: TrafficSecret,
        exporter: ExporterSecret,
    },
}

/// A message to be sent under the current key, and the secret of the key that follows it.
pub(crate) struct Owed {
    pub(crate) message: Vec<u8>,
    pub(crate) suite: Suite,
    pub(crate) secret: TrafficSecret,
}

/// What a message of the peer's led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExtendedStep {
    /// It requests an update. A response is owed.
    Requested,
    /// It requests an update, but ours goes on.
    Ignored,
    /// It responds. A finish is owed.
    Responded,
    /// It finishes.
    Finished,
}

/// What a message of the peer's led to, and the new key that we receive under from now on, if it
/// brought one.
pub(crate) struct Outcome {
    pub(crate) step: ExtendedStep,
    pub(crate) receive: Option<(Aligned, Suite, TrafficSecret)>,
}

/// The exporters of the current epoch and of the one before.
struct Exporters {
    epoch: u64,
    current: ExporterSecret,
    previous: Option<ExporterSecret>,
}

/// Limits how often the peer may request an update, each of which costs us a key exchange.
#[derive(Default)]
struct RequestLimit {
    used: u32,
    since: Duration,
}

impl ExtendedKeyUpdates {
    /// Begins with epoch 0, whose exporter is `exporter_0`.
    pub(crate) fn new(
        side: Side,
        suite: Suite,
        group: Group,
        epoch: Epoch,
        exporter_0: ExporterSecret,
        log: SecretLog,
    ) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            side,
            suite,
            group,
            epoch: Some(epoch),
            phase: Phase::Idle,
            owed: None,
            sends: true,
            exporters: Exporters {
                epoch: 0,
                current: exporter_0,
                previous: None,
            },
            limit: RequestLimit::default(),
            log,
        })))
    }

    /// Returns true if an update could be begun now.
    pub(crate) fn can_begin(&self) -> bool {
        self.lock().can_begin()
    }

    /// Begins an update. Returns the request, which must be sent. `None` if an update is running,
    /// or if none is possible any more.
    pub(crate) fn begin(&self, rng: &mut Rng<'_>) -> Result<Option<Vec<u8>>, Fault> {
        let mut inner = self.lock();
        if !inner.can_begin() {
            return Ok(None);
        }
        let key = EphemeralKey::generate(inner.group, rng)?;
        let request = ExtendedKeyUpdate::Request(inner.share(key.public())).encode()?;
        inner.phase = Phase::AwaitResponse {
            key,
            request: request.clone(),
            crossed: false,
        };
        Ok(Some(request))
    }

    /// Acts on a message of the peer's. `bytes` is the whole message, `aligned` the proof that it
    /// ended its record, and `now` is on the monotonic clock.
    pub(crate) fn on_message(
        &self,
        message: &ExtendedKeyUpdate<'_>,
        bytes: &[u8],
        aligned: Option<Aligned>,
        now: Duration,
        rng: &mut Rng<'_>,
    ) -> Result<Outcome, Fault> {
        let mut inner = self.lock();
        match (core::mem::replace(&mut inner.phase, Phase::Idle), message) {
            (Phase::Idle, ExtendedKeyUpdate::Request(share)) => {
                inner.on_request(share, bytes, now, rng)
            }
            (
                Phase::AwaitResponse {
                    key,
                    request,
                    crossed: false,
                },
                ExtendedKeyUpdate::Request(share),
            ) => {
                inner.check_group(share)?;
                // "If TLS peers independently initiate the extended key update and the requests
                // cross in flight, the ExtendedKeyUpdate(key_update_request) with the lower
                // lexicographic order of the key_exchange value in KeyShareEntry MUST be ignored."
                match share.key_exchange.cmp(key.public()) {
                    Ordering::Less => {
                        inner.phase = Phase::AwaitResponse {
                            key,
                            request,
                            crossed: true,
                        };
                        Ok(Outcome::of(ExtendedStep::Ignored))
                    }
                    Ordering::Greater => inner.on_request(share, bytes, now, rng),
                    // "the endpoint MUST treat this as a protocol violation".
                    Ordering::Equal => Err(Fault::Unexpected {
                        expected: "an ExtendedKeyUpdate with a share of the peer's own",
                        got: "one with ours",
                    }),
                }
            }
            (Phase::AwaitResponse { key, request, .. }, ExtendedKeyUpdate::Response(share)) => {
                inner.on_response(key, &request, share, bytes, aligned)
            }
            (Phase::AwaitFinish { receive, exporter }, ExtendedKeyUpdate::Finish)
                if inner.owed.is_none() =>
            {
                let aligned = aligned.ok_or(NOT_ALIGNED)?;
                inner.exporters.next(exporter);
                Ok(Outcome {
                    step: ExtendedStep::Finished,
                    receive: Some((aligned, inner.suite, receive)),
                })
            }
            (phase, message) => Err(Fault::Unexpected {
                expected: phase.expects(),
                got: message.kind(),
            }),
        }
    }

    /// Takes what is to be sent. It must be sent next, and its secret installed. With a finish, our
    /// side of the update is complete.
    pub(crate) fn take(&self) -> Option<Owed> {
        let mut inner = self.lock();
        match core::mem::replace(&mut inner.phase, Phase::Idle) {
            Phase::OweFinish { exporter } => inner.exporters.next(exporter),
            other => inner.phase = other,
        }
        inner.owed.take()
    }

    /// The peer sends no more: no update is possible, and what one would begin with is wiped.
    pub(crate) fn end(&self) {
        let mut inner = self.lock();
        inner.epoch = None;
        // A finish completes what the peer has said all of.
        if !matches!(inner.phase, Phase::OweFinish { .. }) {
            inner.phase = Phase::Idle;
            inner.owed = None;
        }
    }

    /// This side sends no more: what it owes is wiped, and it answers no request. A response to our
    /// request still renews the key that the peer sends under, and so does a finish.
    pub(crate) fn stop_sending(&self) {
        let mut inner = self.lock();
        inner.sends = false;
        let unsent = inner.owed.take().is_some();
        match inner.phase {
            Phase::AwaitResponse { .. } => {}
            Phase::AwaitFinish { .. } if !unsent => inner.epoch = None,
            _ => {
                inner.phase = Phase::Idle;
                inner.epoch = None;
            }
        }
    }

    /// Returns the number of the current epoch: how many updates are complete.
    pub(crate) fn epoch(&self) -> u64 {
        self.lock().exporters.epoch
    }

    /// Derives keying material of an epoch: the current one, or the one before.
    pub(crate) fn export(
        &self,
        epoch: u64,
        label: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<Secret, ConfigError> {
        let inner = self.lock();
        inner
            .exporters
            .of(epoch)
            .ok_or(ConfigError::Setting {
                name: "export_epoch_keying_material",
                reason: "only the current epoch and the one before it have keying material: see \
                         epoch()",
            })?
            .export(label, context, length)
    }

    /// Returns true if nothing is kept from which this side could send.
    #[cfg(test)]
    pub(crate) fn sends_nothing(&self) -> bool {
        let inner = self.lock();
        !inner.sends && inner.owed.is_none() && inner.epoch.is_none()
    }

    #[cfg(test)]
    pub(crate) fn transcript(&self) -> Vec<u8> {
        let inner = self.lock();
        inner
            .epoch
            .as_ref()
            .unwrap()
            .transcript()
            .as_bytes()
            .to_vec()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Only a key log's sink can panic while it is locked. Then the epoch is gone, so no update
        // is possible any more.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RFC 9846, 5.1: a message before a change of keys ends its record.
const NOT_ALIGNED: Fault = Fault::NotAligned {
    message: ExtendedKeyUpdate::NAME,
};

impl Outcome {
    fn of(step: ExtendedStep) -> Self {
        Self {
            step,
            receive: None,
        }
    }
}

impl Phase {
    fn expects(&self) -> &'static str {
        match self {
            Self::Idle => "an ExtendedKeyUpdate that requests",
            Self::AwaitResponse { .. } => "an ExtendedKeyUpdate that responds",
            Self::OweFinish { .. } => "no ExtendedKeyUpdate before ours that finishes",
            Self::AwaitFinish { .. } => {
                "an ExtendedKeyUpdate that finishes, after ours that responds"
            }
        }
    }
}

impl Inner {
    fn can_begin(&self) -> bool {
        self.sends && self.epoch.is_some() && matches!(self.phase, Phase::Idle)
    }

    fn share<'a>(&self, key_exchange: &'a [u8]) -> KeyShareEntry<'a> {
        KeyShareEntry {
            group: self.group.code_point(),
            key_exchange,
        }
    }

    /// "An implementation that receives an algorithm other than previously negotiated MUST
    /// terminate the connection with an "illegal_parameter" alert."
    fn check_group(&self, share: &KeyShareEntry<'_>) -> Result<(), Fault> {
        let negotiated = self.group.code_point();
        if share.group == negotiated {
            return Ok(());
        }
        Err(Illegal::UpdateGroup {
            negotiated,
            got: share.group,
        }
        .into())
    }

    /// The peer requests an update: the response is owed, with our new sending key after it.
    fn on_request(
        &mut self,
        share: &KeyShareEntry<'_>,
        request: &[u8],
        now: Duration,
        rng: &mut Rng<'_>,
    ) -> Result<Outcome, Fault> {
        self.check_group(share)?;
        if !self.sends {
            return Ok(Outcome::of(ExtendedStep::Ignored));
        }
        self.limit.add(now)?;
        let (own, shared) = key_exchange::respond(self.group, share.key_exchange, rng)?;
        let response = ExtendedKeyUpdate::Response(self.share(&own)).encode()?;
        let (send, receive, exporter) = self.next_epoch(&shared, request, &response)?;
        self.owe(response, send);
        self.phase = Phase::AwaitFinish { receive, exporter };
        Ok(Outcome::of(ExtendedStep::Requested))
    }

    /// The peer responds: our receiving key is renewed, and the finish is owed, with our new
    /// sending key after it.
    fn on_response(
        &mut self,
        key: EphemeralKey,
        request: &[u8],
        share: &KeyShareEntry<'_>,
        response: &[u8],
        aligned: Option<Aligned>,
    ) -> Result<Outcome, Fault> {
        self.check_group(share)?;
        let aligned = aligned.ok_or(NOT_ALIGNED)?;
        let shared = key.agree(share.key_exchange)?;
        let (send, receive, exporter) = self.next_epoch(&shared, request, response)?;
        let step = if self.sends {
            self.owe(ExtendedKeyUpdate::Finish.encode()?, send);
            self.phase = Phase::OweFinish { exporter };
            ExtendedStep::Responded
        } else {
            self.epoch = None;
            ExtendedStep::Finished
        };
        Ok(Outcome {
            step,
            receive: Some((aligned, self.suite, receive)),
        })
    }

    /// Derives the next epoch. Returns our sending secret, our receiving secret and the exporter's.
    fn next_epoch(
        &mut self,
        shared: &Secret,
        request: &[u8],
        response: &[u8],
    ) -> Result<(TrafficSecret, TrafficSecret, ExporterSecret), Fault> {
        let epoch = self.epoch.take().ok_or(Fault::Internal {
            what: "an extended key update after the end",
        })?;
        // transcript_hash_N+1 = Transcript-Hash(transcript_hash_N || EKU(key_update_request) ||
        // EKU(key_update_response))
        let transcript = epoch
            .hash()
            .hash(&[epoch.transcript().as_bytes(), request, response].concat());
        let (next, secrets) = epoch.next(shared, transcript);
        self.epoch = Some(next);
        let EpochSecrets {
            client,
            server,
            exporter,
        } = secrets;
        self.log
            .application(self.exporters.epoch + 1, &client, &server, &exporter);
        Ok(match self.side {
            Side::Client => (client, server, exporter),
            Side::Server => (server, client, exporter),
        })
    }

    fn owe(&mut self, message: Vec<u8>, secret: TrafficSecret) {
        self.owed = Some(Owed {
            message,
            suite: self.suite,
            secret,
        });
    }
}

impl Exporters {
    /// The next epoch has begun.
    fn next(&mut self, exporter: ExporterSecret) {
        self.epoch += 1;
        self.previous = Some(core::mem::replace(&mut self.current, exporter));
    }

    fn of(&self, epoch: u64) -> Option<&ExporterSecret> {
        match self.epoch.checked_sub(epoch) {
            Some(0) => Some(&self.current),
            Some(1) => self.previous.as_ref(),
            _ => None,
        }
    }
}

impl RequestLimit {
    /// Counts one request.
    fn add(&mut self, now: Duration) -> Result<(), Fault> {
        let periods = now.saturating_sub(self.since).as_millis() / REQUEST_PERIOD.as_millis();
        if let Ok(periods) = u32::try_from(periods) {
            self.used = self.used.saturating_sub(periods);
            self.since += REQUEST_PERIOD.saturating_mul(periods);
        } else {
            (self.used, self.since) = (0, now);
        }
        if self.used >= MAX_REQUESTS {
            return Err(Fault::TooMany {
                what: "ExtendedKeyUpdates that request",
                limit: usize::try_from(MAX_REQUESTS).unwrap_or(usize::MAX),
            });
        }
        self.used += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_limited_in_a_burst_and_by_time() {
        let mut limit = RequestLimit::default();
        let mut spend = |millis| {
            let mut count = 0;
            while limit.add(Duration::from_millis(millis)).is_ok() {
                count += 1;
            }
            count
        };
        assert_eq!(spend(0), 64);
        assert_eq!(spend(99), 0);
        assert_eq!(spend(100), 1);
        assert_eq!(spend(1_150), 10);
        assert_eq!(spend(1_200), 1);
        // A clock that goes back gives nothing.
        assert_eq!(spend(0), 0);
        assert_eq!(spend(60_000_000), 64);
        assert_eq!(spend(u64::MAX), 64);
    }
}
