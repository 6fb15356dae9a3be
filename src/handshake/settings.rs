//! The settings that a client's and a server's configuration share, and the checks of `build()`.

use core::time::Duration;
use std::sync::Arc;

use crate::code_point::{CipherSuite, NamedGroup};
use crate::crypto::key_exchange::Group;
use crate::crypto::suite::Suite;
use crate::error::{ConfigError, Error, Fault, NameError};
use crate::handshake::connections::Connections;
use crate::handshake::key_log::ChosenKeyLog;
use crate::handshake::lifetime::TimeLimits;
use crate::handshake::rekey_policy::RekeyPolicy;
#[cfg(feature = "key-log")]
use crate::handshake::{key_log::KeyLog, key_log_file::KeyLogFile};
use crate::identity::Peer;
use crate::record::Padding;

/// The default time for a handshake: long enough for a bad mobile link, short enough that a silent
/// peer does not hold a connection for long.
pub(crate) const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// The default maximum length of a handshake message in bytes: room for a ClientHello whose
/// extensions are as long as they can be (64 KiB), beside a long list of cipher suites. The memory
/// is taken only as the bytes arrive.
pub(crate) const DEFAULT_MAX_HANDSHAKE_SIZE: usize = 80 * 1024;

/// The minimum of `max_handshake_size` in bytes. A ClientHello with the shares of two groups has
/// 1500, and a ticket some hundreds to thousands.
const MIN_HANDSHAKE_SIZE: usize = 4096;

/// The default record_size_limit in bytes: the longest possible TLSInnerPlaintext (RFC 8449,
/// section 4).
pub(crate) const DEFAULT_RECORD_SIZE_LIMIT: u16 = 16385;

/// The minimum record_size_limit in bytes. RFC 8449, section 4: "An endpoint MUST treat receipt of
/// a smaller value as a fatal error".
pub(crate) const MIN_RECORD_SIZE_LIMIT: u16 = 64;

/// The hook given to `authorize`: decides whether a peer whose certificate is valid is admitted.
pub(crate) type Authorize =
    dyn Fn(&Peer) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Send + Sync;

/// The settings that both sides have.
#[derive(Clone)]
pub(crate) struct Settings {
    /// In order of preference; not empty.
    pub(crate) suites: Vec<Suite>,
    /// In order of preference; not empty.
    pub(crate) groups: Vec<Group>,
    /// In order of preference; empty if ALPN is not used.
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) padding: Padding,
    pub(crate) rekey_policy: RekeyPolicy,
    pub(crate) extended_key_update: bool,
    /// The first setting that resumes sessions, if one was asked for.
    resumes_by: Option<&'static str>,
    /// The longest TLSInnerPlaintext that the peer may send, in bytes: content, content type and
    /// padding.
    pub(crate) record_size_limit: u16,
    pub(crate) handshake_timeout: Duration,
    /// The maximum length of one message, in bytes.
    pub(crate) max_handshake_size: usize,
    pub(crate) time_limits: TimeLimits,
    /// `None` if running connections are not listed.
    pub(crate) connections: Option<Connections>,
    pub(crate) key_log: ChosenKeyLog,
    authorize: Option<Arc<Authorize>>,
    /// The first invalid setting, kept for `build()` to report.
    refused: Option<Error>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            suites: Suite::ALL.to_vec(),
            groups: Group::ALL
                .into_iter()
                .filter(|group| group.is_available())
                .collect(),
            alpn: Vec::new(),
            padding: Padding::None,
            rekey_policy: RekeyPolicy::default(),
            extended_key_update: false,
            resumes_by: None,
            record_size_limit: DEFAULT_RECORD_SIZE_LIMIT,
            handshake_timeout: DEFAULT_HANDSHAKE_TIMEOUT,
            max_handshake_size: DEFAULT_MAX_HANDSHAKE_SIZE,
            time_limits: TimeLimits::default(),
            connections: None,
            key_log: ChosenKeyLog::default(),
            authorize: None,
            refused: None,
        }
    }
}

impl Settings {
    pub(crate) fn set_suites(&mut self, suites: impl IntoIterator<Item = CipherSuite>) {
        self.suites = Vec::new();
        for code_point in suites {
            match Suite::from_code_point(code_point) {
                Some(suite) if self.suites.contains(&suite) => {
                    self.refuse("cipher_suites", "it names a suite twice")
                }
                Some(suite) => self.suites.push(suite),
                None => self.refuse("cipher_suites", "it names a suite that is not implemented"),
            }
        }
        if self.suites.is_empty() {
            self.refuse("cipher_suites", "it names no suite");
        }
    }

    pub(crate) fn set_groups(&mut self, groups: impl IntoIterator<Item = NamedGroup>) {
        self.groups = self.known_groups("groups", groups);
        if self.groups.is_empty() {
            self.refuse("groups", "it names no group");
        }
    }

    /// Returns the groups of a list, each of which must be implemented, available and named once.
    pub(crate) fn known_groups(
        &mut self,
        setting: &'static str,
        groups: impl IntoIterator<Item = NamedGroup>,
    ) -> Vec<Group> {
        let mut known = Vec::new();
        for code_point in groups {
            match Group::from_code_point(code_point) {
                Some(group) if known.contains(&group) => {
                    self.refuse(setting, "it names a group twice")
                }
                Some(group) if !group.is_available() => self.refuse(
                    setting,
                    "it names secp256r1, which this build does not have on this CPU: turn the \
                     crate feature `secp256r1` on",
                ),
                Some(group) => known.push(group),
                None => self.refuse(setting, "it names a group that is not implemented"),
            }
        }
        known
    }

    /// Returns the cipher suites as on the wire, in order of preference.
    pub(crate) fn suite_code_points(&self) -> Vec<CipherSuite> {
        self.suites.iter().map(|suite| suite.code_point()).collect()
    }

    /// Returns the groups as on the wire, in order of preference.
    pub(crate) fn group_code_points(&self) -> Vec<NamedGroup> {
        self.groups.iter().map(|group| group.code_point()).collect()
    }

    /// Returns true if this group is allowed.
    pub(crate) fn allows_group(&self, group: NamedGroup) -> bool {
        self.groups
            .iter()
            .any(|allowed| allowed.code_point() == group)
    }

    pub(crate) fn set_record_size_limit(&mut self, bytes: u16) {
        self.record_size_limit = bytes;
        if !(MIN_RECORD_SIZE_LIMIT..=DEFAULT_RECORD_SIZE_LIMIT).contains(&bytes) {
            self.refuse("record_size_limit", "it must be 64 to 16385 bytes");
        }
    }

    pub(crate) fn set_alpn(&mut self, protocols: impl IntoIterator<Item = impl Into<Vec<u8>>>) {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        // RFC 7301, 3.1: "opaque ProtocolName<1..2^8-1>; ... ProtocolName
        // protocol_name_list<2..2^16-1>".
        if self
            .alpn
            .iter()
            .any(|name| name.is_empty() || name.len() > 255)
        {
            self.refuse("alpn", "a protocol's name has 1 to 255 bytes");
        }
        if self
            .alpn
            .iter()
            .map(|name| name.len().saturating_add(1))
            .sum::<usize>()
            > 65535
        {
            self.refuse("alpn", "the list is longer than 65535 bytes");
        }
    }

    pub(crate) fn set_rekey_policy(&mut self, policy: RekeyPolicy) {
        self.rekey_policy = policy;
        if let Err(reason) = policy.check() {
            self.refuse("rekey_policy", reason);
        }
    }

    pub(crate) fn set_max_handshake_size(&mut self, bytes: usize) {
        self.max_handshake_size = bytes;
        if bytes < MIN_HANDSHAKE_SIZE {
            self.refuse(
                "max_handshake_size",
                "below 4096 bytes a ClientHello with a hybrid share and a ticket does not fit",
            );
        }
    }

    pub(crate) fn set_max_connection_age(&mut self, age: Duration) {
        self.time_limits.age = Some(age);
        if age.is_zero() {
            self.refuse("max_connection_age", "it must be longer than zero");
        }
    }

    pub(crate) fn set_idle_timeout(&mut self, limit: Duration) {
        self.time_limits.idle = Some(limit);
        if limit.is_zero() {
            self.refuse("idle_timeout", "it must be longer than zero");
        }
    }

    pub(crate) fn set_authorize<E>(
        &mut self,
        hook: impl Fn(&Peer) -> Result<(), E> + Send + Sync + 'static,
    ) where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.authorize = Some(Arc::new(move |peer| hook(peer).map_err(Into::into)));
    }

    /// Asks the application whether to admit a peer that has authenticated.
    pub(crate) fn authorize(&self, peer: &Peer) -> Result<(), Fault> {
        match &self.authorize {
            Some(hook) => hook(peer).map_err(|reason| Fault::Denied(reason.into())),
            None => Ok(()),
        }
    }

    /// The program asked for resumption, by this setting.
    pub(crate) fn resumes_by(&mut self, name: &'static str) {
        self.resumes_by.get_or_insert(name);
    }

    #[cfg(feature = "key-log")]
    pub(crate) fn set_key_log(&mut self, sink: impl KeyLog + 'static) {
        self.key_log = ChosenKeyLog::new(sink);
    }

    #[cfg(feature = "key-log")]
    pub(crate) fn set_key_log_from_env(&mut self) {
        match KeyLogFile::from_env() {
            Ok(Some(file)) => self.set_key_log(file),
            Ok(None) => {}
            Err(error) => {
                self.refused.get_or_insert(error);
            }
        }
    }

    pub(crate) fn refuse(&mut self, name: &'static str, reason: &'static str) {
        self.refused
            .get_or_insert(ConfigError::Setting { name, reason }.into());
    }

    pub(crate) fn refuse_name(&mut self, error: NameError) {
        self.refused.get_or_insert(error.into());
    }

    /// Reports an invalid setting, for `build()`.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        // draft-ietf-tls-extended-key-update: "endpoints that enable EKU MUST disable resumption
        // using PSKs established via the NewSessionTicket mechanism".
        match self.resumes_by {
            Some(name) if self.extended_key_update => Err(ConfigError::Setting {
                name,
                reason: "it needs tickets, which extended_key_update() turns off: leave out one \
                         of the two",
            }
            .into()),
            _ => Ok(()),
        }
    }
}
