//! The keys that both sides have once the two hellos agree on a suite and a shared secret.

use crate::code_point::NamedGroup;
use crate::crypto::key_exchange::Group;
use crate::crypto::suite::Suite;
use crate::error::{Fault, Side};
use crate::handshake::extended_key_update::ExtendedKeyUpdates;
use crate::handshake::key_log::SecretLog;
use crate::handshake::transcript::Transcript;
use crate::key_schedule::{EarlySecret, ExporterSecret, FinishedKey, MainSecret, TrafficSecret};
use crate::secret::Secret;

/// The suite, the running transcript, and the secrets from which the rest of the handshake derives.
pub(crate) struct Keys {
    pub(crate) suite: Suite,
    pub(crate) group: NamedGroup,
    pub(crate) transcript: Transcript,
    pub(crate) main: MainSecret,
    pub(crate) client_finished: FinishedKey,
    pub(crate) server_finished: FinishedKey,
    /// Where the secrets that follow are logged.
    pub(crate) log: SecretLog,
}

/// The two secrets that protect the rest of the handshake, for the sink to install.
pub(crate) struct HandshakeTraffic {
    pub(crate) client: TrafficSecret,
    pub(crate) server: TrafficSecret,
}

impl Keys {
    /// Makes what extended key updates begin with. The transcript ends with the client's Finished.
    pub(crate) fn into_extended(
        self,
        side: Side,
        exporter_0: ExporterSecret,
    ) -> Result<ExtendedKeyUpdates, Fault> {
        let group = Group::from_code_point(self.group).ok_or(Fault::Internal {
            what: "finding the group that was used",
        })?;
        let epoch = self.main.into_epoch(self.transcript.digest());
        Ok(ExtendedKeyUpdates::new(
            side, self.suite, group, epoch, exporter_0, self.log,
        ))
    }

    /// Runs the key schedule (RFC 9846, 7.1) down to the Main Secret. `early` is for the selected
    /// PSK, or for none. `transcript` ends with ServerHello. The secrets are logged.
    pub(crate) fn derive(
        suite: Suite,
        group: NamedGroup,
        early: EarlySecret,
        shared: Secret,
        transcript: Transcript,
        log: SecretLog,
    ) -> (Self, HandshakeTraffic) {
        let handshake = early.into_handshake(shared);
        let digest = transcript.digest();
        let traffic = HandshakeTraffic {
            client: handshake.client_traffic(&digest),
            server: handshake.server_traffic(&digest),
        };
        log.handshake(&traffic.client, &traffic.server);
        let keys = Self {
            suite,
            group,
            transcript,
            client_finished: traffic.client.finished_key(),
            server_finished: traffic.server.finished_key(),
            main: handshake.into_main(),
            log,
        };
        (keys, traffic)
    }
}
