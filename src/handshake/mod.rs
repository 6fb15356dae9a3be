//! What both sides of a handshake share: the sink, a step, the transcript, proofs of identity,
//! settings.

pub(crate) mod authentication;
pub(crate) mod connections;
pub(crate) mod extended_key_update;
pub(crate) mod finished;
pub(crate) mod key_log;
#[cfg(feature = "key-log")]
mod key_log_file;
pub(crate) mod key_update;
pub(crate) mod keys;
pub(crate) mod lifetime;
pub(crate) mod negotiated;
pub(crate) mod psk;
pub(crate) mod rekey_policy;
pub(crate) mod settings;
pub(crate) mod sink;
pub(crate) mod step;
#[cfg(test)]
mod traces;
pub(crate) mod transcript;

pub(crate) use authentication::{Proof, Role};
pub(crate) use connections::Running;
pub use connections::{Connections, RunningConnection};
pub(crate) use extended_key_update::{ExtendedKeyUpdates, ExtendedStep};
#[cfg(feature = "key-log")]
pub use key_log::KeyLog;
pub(crate) use key_log::SecretLog;
#[cfg(feature = "key-log")]
pub use key_log_file::KeyLogFile;
pub(crate) use key_update::KeyUpdates;
pub(crate) use keys::Keys;
pub(crate) use lifetime::TimeLimits;
pub(crate) use negotiated::Established;
pub use negotiated::{EarlyData, Negotiated};
pub(crate) use rekey_policy::ReachedLimit;
pub use rekey_policy::RekeyPolicy;
pub(crate) use settings::Settings;
pub(crate) use sink::{Event, Sink, SkipMode};
pub use step::{Answer, Question};
pub(crate) use step::{Context, Step, Wire};
pub(crate) use transcript::{ClientHelloTranscript, Transcript};
