//! [`CredentialFiles`]: which files are watched. [`Reloading`]: the configuration that is made of
//! them, replaced while it is in use.

use core::fmt;
use core::time::Duration;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::Instant;

use crate::error::{ConfigError, Error};
use crate::identity::reload::credentials::Credentials;
use crate::identity::reload::event::ReloadEvent;
use crate::identity::reload::watch::{Check, INTERVAL, Settings, Watch};
use crate::time::Now;

/// The files that an identity and a trust are loaded from, again when they change.
///
/// [`watch`](Self::watch) loads them and makes a configuration of them, a [`Server`](crate::Server)
/// or a [`Client`](crate::Client), with a function of the program's own. The resulting
/// [`Reloading`] does so again when a file changes.
///
/// ```no_run
/// use std::{net::TcpListener, thread, time::Duration};
/// use fleeting::{ClientAuth, CredentialFiles, Server, TicketKeys};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tickets = TicketKeys::rotating(); // the same for every configuration
/// let server = CredentialFiles::new()
///     .identity("server.pem", "server-key.pem")
///     .roots("ca.pem")
///     .revocation_lists("crl.pem")
///     .check_server("db.internal")
///     .watch(move |files| {
///         Server::builder()
///             .identity(files.identity()?)
///             .client_auth(ClientAuth::Required(files.trust()?))
///             .ticket_keys(tickets.clone())
///             .build()
///     })?;
///
/// // A thread that watches. An accept loop or a timer can call `check` instead.
/// let watched = server.clone();
/// thread::spawn(move || {
///     loop {
///         for event in watched.check() {
///             eprintln!("{event}");
///         }
///         thread::sleep(Duration::from_secs(10));
///     }
/// });
///
/// for tcp in TcpListener::bind("127.0.0.1:9846")?.incoming() {
///     let mut tls = server.current().accept(tcp?)?;
///     // ...
/// }
/// # Ok(())
/// # }
/// ```
///
/// Keep what must survive a change outside of the function, and clone it into each configuration:
/// the [`TicketKeys`](crate::TicketKeys) and the [`ReplayGuard`](crate::ReplayGuard) of a server,
/// the [`SessionCache`](crate::SessionCache) of a client. [`LiveServer`](crate::LiveServer) says
/// why.
///
/// # When a change counts
///
/// Files are compared by content, and each check opens the paths anew. So it makes no difference
/// whether a tool writes a file in place, renames another over it, or moves a symbolic link to a
/// folder, as Kubernetes and certbot do. A change counts when two checks in a row have found the
/// same content. So a file that is half written, or a key that does not belong to the certificate
/// yet, is left alone until the rest has arrived. [`Reloading::reload`] does not wait.
///
/// Each part is replaced by itself: the identity, the roots and the revocation lists. Whatever
/// cannot be used is reported, and what was loaded before stays in use.
///
/// The files must be regular files: a pipe is read once. They are read in full at each check.
#[derive(Clone, Debug)]
#[must_use]
pub struct CredentialFiles {
    settings: Settings,
}

impl Default for CredentialFiles {
    fn default() -> Self {
        Self::new()
    }
}

impl CredentialFiles {
    /// Begins with no files.
    pub fn new() -> Self {
        Self {
            settings: Settings {
                identity: Vec::new(),
                roots: Vec::new(),
                domains: Vec::new(),
                peer_roots: Vec::new(),
                lists: Vec::new(),
                unknown_allowed: false,
                expired_allowed: false,
                checks: Vec::new(),
                warn_before: None,
                interval: INTERVAL,
            },
        }
    }

    /// Watches the files of an identity: its certificates and its key, as
    /// [`Identity::from_pem_files`](crate::Identity::from_pem_files) reads them. Replaces an
    /// earlier call.
    pub fn identity(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.settings.identity = vec![chain.into(), key.into()];
        self
    }

    /// Watches a file of roots to trust, as
    /// [`Trust::roots_from_pem_file`](crate::Trust::roots_from_pem_file) reads it. It can be called
    /// several times.
    pub fn roots(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.roots.push(path.into());
        self.settings.domains.push(None);
        self
    }

    /// Watches a file of roots to trust for the SPIFFE IDs of one trust domain, as
    /// [`Trust::spiffe_roots_from_pem_file`](crate::Trust::spiffe_roots_from_pem_file) reads it. It
    /// can be called several times, and together with [`roots`](Self::roots).
    pub fn spiffe_roots(mut self, domain: &str, path: impl Into<PathBuf>) -> Self {
        self.settings.roots.push(path.into());
        self.settings.domains.push(Some(domain.to_owned()));
        self
    }

    /// Watches a file of certificate revocation lists, for the certificates under the
    /// [`roots`](Self::roots). It can be called several times: [`RevocationLists`] needs one list
    /// from each authority.
    ///
    /// A changed list comes into force in the configuration that is in use. A list does not replace
    /// a newer one.
    ///
    /// [`RevocationLists`]: crate::RevocationLists
    #[doc(alias = "crl")]
    pub fn revocation_lists(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.lists.push(path.into());
        self
    }

    /// Accepts certificates that no list covers, as
    /// [`RevocationLists::allow_unknown`](crate::RevocationLists::allow_unknown) does.
    pub fn allow_unknown(mut self) -> Self {
        self.settings.unknown_allowed = true;
        self
    }

    /// Uses lists that have expired, as
    /// [`RevocationLists::allow_expired`](crate::RevocationLists::allow_expired) does.
    pub fn allow_expired(mut self) -> Self {
        self.settings.expired_allowed = true;
        self
    }

    /// Checks each new identity offline before it is used: a client must accept it as the server
    /// with this name ([`Trust::check_server`](crate::Trust::check_server)). An identity that would
    /// be refused does not replace the former one. It can be called several times.
    ///
    /// The check assumes that clients trust the [`roots`](Self::roots), with their revocation
    /// lists, unless [`peer_roots`](Self::peer_roots) says otherwise.
    pub fn check_server(mut self, name: &str) -> Self {
        self.settings.checks.push(Check::Server(name.to_owned()));
        self
    }

    /// Checks each new identity offline before it is used: a server must accept it as a client
    /// ([`Trust::check_client`](crate::Trust::check_client)). Otherwise it is like
    /// [`check_server`](Self::check_server).
    pub fn check_client(mut self) -> Self {
        self.settings.checks.push(Check::Client);
        self
    }

    /// Watches a file with the roots that peers trust, if they are not the [`roots`](Self::roots)
    /// that this side trusts. They are used only to check the identity. It can be called several
    /// times.
    pub fn peer_roots(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.peer_roots.push(path.into());
        self
    }

    /// Sets how long before its end a certificate of our own chain, or a revocation list, is
    /// reported as expiring. By default, this is when a third of its lifetime is left, but at most
    /// 30 days before.
    pub fn warn_before(mut self, time: Duration) -> Self {
        self.settings.warn_before = Some(time);
        self
    }

    /// Sets the shortest time between two checks. [`Reloading::check`] does nothing if it is called
    /// more often. Defaults to 10 seconds.
    pub fn interval(mut self, time: Duration) -> Self {
        self.settings.interval = time;
        self
    }

    /// Loads all files, and makes a configuration of them with this function. It is called again
    /// with each change of the identity or of the roots.
    ///
    /// The function must not call the resulting [`Reloading`]. The configuration can be anything
    /// that is cheap to clone. If a program needs several identities in one
    /// [`Server`](crate::Server), it can watch each by itself, as an [`Identity`](crate::Identity).
    ///
    /// # Errors
    ///
    /// Returns [`Error::Config`] if a file cannot be used, if the identity would not be accepted
    /// (see [`check_server`](Self::check_server)), or if no file is given; or the function's error.
    ///
    /// # Panics
    ///
    /// Panics on targets without a clock (`wasm32-unknown-unknown`).
    pub fn watch<C: Clone>(
        self,
        configure: impl Fn(&Credentials) -> Result<C, Error> + Send + 'static,
    ) -> Result<Reloading<C>, Error> {
        self.watch_at(configure, Now::since(Instant::now()))
    }

    pub(crate) fn watch_at<C: Clone>(
        self,
        configure: impl Fn(&Credentials) -> Result<C, Error> + Send + 'static,
        now: Now,
    ) -> Result<Reloading<C>, Error> {
        let settings = self.settings;
        if settings.identity.is_empty() && settings.roots.is_empty() {
            let what = "files to watch: call identity() or roots()";
            return Err(ConfigError::Missing { what }.into());
        }
        if settings.roots.is_empty() && !settings.lists.is_empty() {
            let reason = "there is no root that the lists could belong to: call roots() too";
            return Err(ConfigError::Setting {
                name: "revocation_lists",
                reason,
            }
            .into());
        }
        let (watch, configured) = Watch::open(settings, Box::new(configure), now)?;
        Ok(Reloading(Arc::new(Inner {
            start: Instant::now(),
            current: RwLock::new(configured),
            watch: Mutex::new(watch),
        })))
    }
}

/// A configuration that is made of files, and made again when they change.
///
/// There is no thread in it: the program calls [`check`](Self::check) from time to time, from a
/// timer, from a thread of its own, or where it accepts connections; or [`reload`](Self::reload)
/// when it is told to, for example by SIGHUP. All clones are the same configuration.
///
/// Every connection keeps the configuration with which it began. [`CredentialFiles`] has an
/// example.
pub struct Reloading<C>(Arc<Inner<C>>);

struct Inner<C> {
    /// What the monotonic time counts from.
    start: Instant,
    current: RwLock<C>,
    watch: Mutex<Watch<C>>,
}

impl<C: Clone> Reloading<C> {
    /// Returns the current configuration.
    pub fn current(&self) -> C {
        self.0
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Checks the files, unless the last check was less than the
    /// [interval](CredentialFiles::interval) ago or another thread is checking them. A change that
    /// two checks have found is put in use.
    ///
    /// Returns what is new: what was replaced, and each problem once, for as long as it lasts.
    /// [`problems`](Self::problems) returns those that last.
    #[must_use = "the events say whether a certificate could not be renewed"]
    pub fn check(&self) -> Vec<ReloadEvent> {
        let watch = match self.0.watch.try_lock() {
            Ok(watch) => watch,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Vec::new(),
        };
        self.checked(watch, self.now(), false)
    }

    /// Reads the files now, and puts in use what has changed, without waiting for a second check:
    /// for a signal such as SIGHUP, which says that the files are complete.
    ///
    /// Returns what is new, like [`check`](Self::check).
    #[must_use = "the events say whether the files could be used"]
    pub fn reload(&self) -> Vec<ReloadEvent> {
        self.checked(self.lock(), self.now(), true)
    }

    /// Returns all problems that exist now, for a health check or a metric: files that could not be
    /// used when they were last checked, and what has expired or soon will.
    pub fn problems(&self) -> Vec<ReloadEvent> {
        self.lock().problems(self.now())
    }

    fn now(&self) -> Now {
        Now::since(self.0.start)
    }

    fn lock(&self) -> MutexGuard<'_, Watch<C>> {
        self.0.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn checked(
        &self,
        mut watch: MutexGuard<'_, Watch<C>>,
        now: Now,
        at_once: bool,
    ) -> Vec<ReloadEvent> {
        let (configured, events) = watch.check(now, at_once);
        if let Some(configured) = configured {
            let mut current = self
                .0
                .current
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            let former = core::mem::replace(&mut *current, configured);
            // It is not dropped under the lock, since that could take long.
            drop((current, former));
        }
        events
    }

    #[cfg(test)]
    pub(crate) fn check_at(&self, now: Now, at_once: bool) -> Vec<ReloadEvent> {
        self.checked(self.lock(), now, at_once)
    }

    #[cfg(test)]
    pub(crate) fn problems_at(&self, now: Now) -> Vec<ReloadEvent> {
        self.lock().problems(now)
    }
}

impl<C> Clone for Reloading<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Clone + fmt::Debug> fmt::Debug for Reloading<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reloading").field(&self.current()).finish()
    }
}
