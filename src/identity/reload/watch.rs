//! [`Watch`]: one check of the files after another.
//!
//! The parts are independent: a root is removed, and a list comes into force, even if the identity
//! cannot be replaced. Only the identity is checked offline, as peers would check it. What we trust
//! is decided by whoever writes the files; to hold it back because of our own certificate would
//! keep a root that was removed for good reason.

use core::time::Duration;
use std::path::PathBuf;

use crate::error::{CertificateError, ConfigError, Error};
use crate::identity::certificate_info::CertificateInfo;
use crate::identity::own::Identity;
use crate::identity::own::identity::read_chain;
use crate::identity::pem::{self, in_file};
use crate::identity::reload::credentials::Credentials;
use crate::identity::reload::event::{ReloadEvent, ReloadPart};
use crate::identity::reload::watched::{Text, Watched};
use crate::identity::trust::{RevocationLists, Trust};
use crate::identity::validity::{Validity, date};
use crate::time::Now;

/// The default time between two checks: short beside the life of any certificate, and a few small
/// files are read in far less.
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

/// By default, a warning comes when a third of the lifetime is left, but at most this long before
/// the end.
const EARLIEST_WARNING: Duration = Duration::from_secs(30 * 86_400);

/// What is watched, and how.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The chain and the key, or nothing.
    pub(crate) identity: Vec<PathBuf>,
    pub(crate) roots: Vec<PathBuf>,
    /// The trust domain of each file of `roots`, if it is for SPIFFE IDs.
    pub(crate) domains: Vec<Option<String>>,
    pub(crate) peer_roots: Vec<PathBuf>,
    pub(crate) lists: Vec<PathBuf>,
    pub(crate) unknown_allowed: bool,
    pub(crate) expired_allowed: bool,
    pub(crate) checks: Vec<Check>,
    pub(crate) warn_before: Option<Duration>,
    pub(crate) interval: Duration,
}

/// As what our peers must accept our identity.
#[derive(Clone, Debug)]
pub(crate) enum Check {
    /// As the server with this name.
    Server(String),
    Client,
}

/// Makes the program's configuration of what was loaded.
pub(crate) type Configure<C> = Box<dyn Fn(&Credentials) -> Result<C, Error> + Send>;

/// The watched files, and what is in use of them.
pub(crate) struct Watch<C> {
    settings: Settings,
    configure: Configure<C>,
    identity: Option<Watched<Identity>>,
    /// Without the lists.
    roots: Option<Watched<Trust>>,
    peer_roots: Option<Watched<Trust>>,
    /// What is in use is always the same handle.
    lists: Option<Watched<RevocationLists>>,
    /// Why `configure` refused the last change.
    unconfigured: Option<Error>,
    /// The problems of the last check, as text, so that each is an event only once.
    reported: Vec<String>,
    /// When the last check was.
    checked: Option<Duration>,
}

impl<C> Watch<C> {
    /// Loads everything for the first time: all of it must be good.
    pub(crate) fn open(
        settings: Settings,
        configure: Configure<C>,
        now: Now,
    ) -> Result<(Self, C), Error> {
        let roots = Watched::open(&settings.roots, Text::read, |paths, texts| {
            load_roots(&settings.domains, paths, texts)
        })?;
        let peer_roots = Watched::open(&settings.peer_roots, Text::read, load_peer_roots)?;
        let lists = Watched::open(&settings.lists, Text::read_list, |paths, texts| {
            let mut lists = RevocationLists::from_der(read_lists(paths, texts)?.ders())?;
            if settings.unknown_allowed {
                lists = lists.allow_unknown();
            }
            if settings.expired_allowed {
                lists = lists.allow_expired();
            }
            Ok(lists)
        })?;
        let identity = Watched::open(&settings.identity, Text::read, load_identity)?;
        let watch = Self {
            settings,
            configure,
            identity,
            roots,
            peer_roots,
            lists,
            unconfigured: None,
            reported: Vec::new(),
            checked: None,
        };
        if let Some(identity) = &watch.identity {
            watch.check_accepted(identity.used(), watch.used_roots(), now)?;
        }
        let configured = (watch.configure)(&watch.credentials(None, None))?;
        Ok((watch, configured))
    }

    /// Checks the files: always if `at_once` is set, and otherwise if the last check is long ago.
    /// Returns the new configuration, if there is one, and what is new.
    pub(crate) fn check(&mut self, now: Now, at_once: bool) -> (Option<C>, Vec<ReloadEvent>) {
        let last = self.checked.unwrap_or_default();
        let early = now.monotonic.saturating_sub(last) < self.settings.interval;
        if !at_once && self.checked.is_some() && early {
            return (None, Vec::new());
        }
        self.checked = Some(now.monotonic);

        let mut replaced = Vec::new();
        if let Some(lists) = &mut self.lists {
            let held = lists.used().clone();
            if let Some(same) = lists.look(at_once, |paths, texts| {
                let read = read_lists(paths, texts)?;
                held.reload_der(read.ders())
                    .map_err(|error| read.located(error))?;
                Ok(held)
            }) {
                lists.put_in_use(same);
                replaced.push(ReloadPart::RevocationLists);
            }
        }
        if let Some(peer_roots) = &mut self.peer_roots
            && let Some(new) = peer_roots.look(at_once, load_peer_roots)
        {
            peer_roots.put_in_use(new);
            replaced.push(ReloadPart::PeerRoots);
        }
        let roots = self.roots.as_mut().and_then(|roots| {
            let domains = &self.settings.domains;
            roots.look(at_once, |paths, texts| load_roots(domains, paths, texts))
        });
        let identity = self.look_at_identity(at_once, roots.as_ref(), now);

        self.unconfigured = None;
        let mut configured = None;
        if roots.is_some() || identity.is_some() {
            match (self.configure)(&self.credentials(identity.as_ref(), roots.as_ref())) {
                Ok(new) => {
                    configured = Some(new);
                    if let (Some(watched), Some(new)) = (&mut self.roots, roots) {
                        watched.put_in_use(new);
                        replaced.push(ReloadPart::Roots);
                    }
                    if let (Some(watched), Some(new)) = (&mut self.identity, identity) {
                        watched.put_in_use(new);
                        replaced.push(ReloadPart::Identity);
                    }
                }
                Err(error) => self.unconfigured = Some(error),
            }
        }
        let replaced = replaced.into_iter().map(|part| ReloadEvent::Replaced {
            part,
            in_use: self.in_use(part),
        });
        let mut events: Vec<_> = replaced.collect();
        let problems = self.problems(now);
        let texts: Vec<_> = problems.iter().map(ReloadEvent::to_string).collect();
        let known = core::mem::replace(&mut self.reported, texts);
        events.extend(
            problems
                .into_iter()
                .filter(|problem| !known.contains(&problem.to_string())),
        );
        (configured, events)
    }

    /// Returns everything that is wrong now.
    pub(crate) fn problems(&self, now: Now) -> Vec<ReloadEvent> {
        let mut problems = Vec::new();
        let failures = [
            (ReloadPart::RevocationLists, failure(&self.lists)),
            (ReloadPart::PeerRoots, failure(&self.peer_roots)),
            (ReloadPart::Roots, failure(&self.roots)),
            (ReloadPart::Identity, failure(&self.identity)),
            (ReloadPart::Configuration, self.unconfigured.as_ref()),
        ];
        for (part, error) in failures {
            problems.extend(error.map(|error| ReloadEvent::Kept {
                part,
                in_use: self.in_use(part),
                error: error.clone(),
            }));
        }
        for (part, name, period) in self.periods() {
            let at = period.not_after();
            let before = self.settings.warn_before.unwrap_or_else(|| {
                let lifetime = at.saturating_sub(period.not_before());
                (lifetime / 3).min(EARLIEST_WARNING)
            });
            if now.unix > at {
                problems.push(ReloadEvent::Expired { part, name, at });
            } else if now.unix.saturating_add(before) > at {
                problems.push(ReloadEvent::Expiring { part, name, at });
            }
        }
        if let Some(identity) = &self.identity
            && let Err(error) = self.check_accepted(identity.used(), self.used_roots(), now)
            && !is_expired(&error)
        {
            problems.push(ReloadEvent::NotAccepted {
                in_use: self.in_use(ReloadPart::Identity),
                error,
            });
        }
        problems
    }

    /// Returns the periods of our own certificates and of the lists.
    fn periods(&self) -> Vec<(ReloadPart, String, Validity)> {
        let chain = self
            .identity
            .iter()
            .flat_map(|own| own.used().certificates());
        let infos = chain.filter_map(|der| CertificateInfo::read(der));
        let mut periods: Vec<_> = infos
            .map(|info| {
                let name = format!("the certificate of {}", info.subject());
                (ReloadPart::Identity, name, info.validity())
            })
            .collect();
        let lists = self.lists.iter().flat_map(|lists| lists.used().periods());
        periods.extend(lists.map(|(issuer, period)| {
            let name = format!("the list of {issuer}");
            (ReloadPart::RevocationLists, name, period)
        }));
        periods
    }

    /// Loads a changed identity, and checks it against what peers trust, which may be the roots
    /// that were just loaded.
    fn look_at_identity(
        &mut self,
        at_once: bool,
        roots: Option<&Trust>,
        now: Now,
    ) -> Option<Identity> {
        let mut watched = self.identity.take()?;
        let found = watched.look(at_once, |paths, texts| {
            let identity = load_identity(paths, texts)?;
            let checked = self.check_accepted(&identity, roots.or(self.used_roots()), now);
            checked.map_err(|error| match paths.first() {
                Some(path) => in_file(path)(error),
                None => error,
            })?;
            Ok(identity)
        });
        self.identity = Some(watched);
        found
    }

    /// Checks offline whether peers would accept an identity, as everything that it must be. They
    /// trust their own roots, if those are known, and otherwise ours.
    fn check_accepted(
        &self,
        identity: &Identity,
        roots: Option<&Trust>,
        now: Now,
    ) -> Result<(), Error> {
        if self.settings.checks.is_empty() {
            return Ok(());
        }
        let trust = match (&self.peer_roots, roots) {
            (Some(peer_roots), _) => peer_roots.used().clone(),
            (None, Some(roots)) => self.with_lists(roots),
            (None, None) => {
                let what = "roots to check the identity against: call CredentialFiles::peer_roots";
                return Err(ConfigError::Missing { what }.into());
            }
        };
        let chain = identity.chain_pem();
        for check in &self.settings.checks {
            match check {
                Check::Server(name) => trust.check_server(&chain, name, now.unix)?,
                Check::Client => trust.check_client(&chain, now.unix)?,
            };
        }
        Ok(())
    }

    /// Returns what is in use, with the parts in place of it that are about to replace it.
    fn credentials(&self, identity: Option<&Identity>, roots: Option<&Trust>) -> Credentials {
        let used = self.identity.as_ref().map(Watched::used);
        Credentials {
            identity: identity.or(used).cloned(),
            trust: roots
                .or(self.used_roots())
                .map(|roots| self.with_lists(roots)),
        }
    }

    fn used_roots(&self) -> Option<&Trust> {
        self.roots.as_ref().map(Watched::used)
    }

    fn with_lists(&self, roots: &Trust) -> Trust {
        match &self.lists {
            Some(lists) => roots.clone().with_revocation_lists(lists.used().clone()),
            None => roots.clone(),
        }
    }

    /// Describes what is in use.
    fn in_use(&self, part: ReloadPart) -> String {
        let roots = |trust: &Option<Watched<Trust>>| {
            let count = trust.as_ref().map_or(0, |trust| trust.used().root_count());
            format!("{count} root(s)")
        };
        match part {
            ReloadPart::Identity => self
                .identity
                .as_ref()
                .and_then(|identity| identity.used().certificate_info())
                .map(|info| {
                    let until = date(info.validity().not_after());
                    format!("the certificate of {}, valid until {until}", info.subject())
                })
                .unwrap_or_default(),
            ReloadPart::Roots => roots(&self.roots),
            ReloadPart::PeerRoots => roots(&self.peer_roots),
            ReloadPart::RevocationLists => {
                let until = self
                    .lists
                    .as_ref()
                    .and_then(|lists| lists.used().next_update());
                format!("lists until {}", until.map(date).unwrap_or_default())
            }
            ReloadPart::Configuration => "the former configuration".to_owned(),
        }
    }
}

fn failure<T>(watched: &Option<Watched<T>>) -> Option<&Error> {
    watched.as_ref().and_then(Watched::failure)
}

/// Returns true for an error that an expiry explains, which is a problem of its own.
fn is_expired(error: &Error) -> bool {
    let Error::Config(ConfigError::NotAccepted { error }) = error else {
        return false;
    };
    matches!(
        error,
        CertificateError::Expired { .. } | CertificateError::RevocationListExpired
    )
}

fn load_identity(paths: &[PathBuf], texts: &[Text]) -> Result<Identity, Error> {
    let ([chain_path, key_path], [chain, key]) = (paths, texts) else {
        let what = "two files, the chain and the key";
        return Err(ConfigError::Missing { what }.into());
    };
    let chain = read_chain(chain.bytes()).map_err(in_file(chain_path))?;
    Identity::of_chain(chain, key.bytes()).map_err(in_file(key_path))
}

fn load_roots(
    domains: &[Option<String>],
    paths: &[PathBuf],
    texts: &[Text],
) -> Result<Trust, Error> {
    let roots = paths
        .iter()
        .zip(texts)
        .zip(domains)
        .map(|((path, text), domain)| {
            let roots = match domain {
                Some(domain) => Trust::spiffe_roots_from_pem(domain, text.bytes()),
                None => Trust::roots_from_pem(text.bytes()),
            };
            roots.map_err(in_file(path))
        });
    let all = roots.reduce(|all, roots| Ok(all?.and(roots?)));
    let what = "a file of roots";
    all.unwrap_or(Err(ConfigError::Missing { what }.into()))
}

fn load_peer_roots(paths: &[PathBuf], texts: &[Text]) -> Result<Trust, Error> {
    load_roots(&vec![None; paths.len()], paths, texts)
}

/// Lists with the files that they come from.
struct ReadLists<'a>(Vec<(&'a PathBuf, usize, Vec<u8>)>);

fn read_lists<'a>(paths: &'a [PathBuf], texts: &[Text]) -> Result<ReadLists<'a>, Error> {
    let mut all = Vec::new();
    for (path, text) in paths.iter().zip(texts) {
        let lists =
            pem::revocation_lists(text.bytes()).map_err(|error| in_file(path)(error.into()))?;
        all.extend(
            lists
                .into_iter()
                .enumerate()
                .map(|(index, list)| (path, index, list)),
        );
    }
    Ok(ReadLists(all))
}

impl ReadLists<'_> {
    fn ders(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.0.iter().map(|(_, _, list)| list)
    }

    /// Names the file of an error about one of all lists.
    fn located(&self, error: Error) -> Error {
        match &error {
            Error::Config(ConfigError::RevocationList { index, reason }) => {
                let Some((path, index, _)) = self.0.get(*index) else {
                    return error;
                };
                in_file(path)(
                    ConfigError::RevocationList {
                        index: *index,
                        reason,
                    }
                    .into(),
                )
            }
            _ => error,
        }
    }
}
