//! Files that change while they are watched: what is taken over, what is left alone, and what is
//! reported.

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{CertificateError, ConfigError, Error};
use crate::identity::{
    Authority, CredentialFiles, Credentials, Identity, ReloadEvent, ReloadPart, Reloading, Trust,
    Validity,
};
use crate::time::Now;

const HOST: &str = "db.internal";

/// The Unix time at which every scene begins.
const BEGIN: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("fleeting-reload-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&path));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    fn put(&self, identity: &Identity) {
        self.write("chain.pem", identity.chain_pem());
        self.write("key.pem", identity.key_pem().unwrap().expose());
    }

    fn files(&self) -> CredentialFiles {
        CredentialFiles::new()
            .identity(self.path("chain.pem"), self.path("key.pem"))
            .roots(self.path("ca.pem"))
            .check_server(HOST)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Time passes only when a check is made.
struct Watched {
    live: Reloading<Credentials>,
    seconds: u64,
}

impl Watched {
    fn new(files: CredentialFiles) -> Self {
        let live = files.watch_at(|all| Ok(all.clone()), at(0)).unwrap();
        Self { live, seconds: 0 }
    }

    /// Checks after ten more seconds.
    fn check(&mut self) -> Vec<ReloadEvent> {
        self.seconds += 10;
        self.live.check_at(at(self.seconds), false)
    }

    /// Checks at once.
    fn reload(&mut self) -> Vec<ReloadEvent> {
        self.live.check_at(at(self.seconds), true)
    }

    fn identity(&self) -> Identity {
        self.live.current().identity().unwrap()
    }

    fn trust(&self) -> Trust {
        self.live.current().trust().unwrap()
    }

    fn uses(&self, identity: &Identity) -> bool {
        self.identity().certificates() == identity.certificates()
    }
}

fn at(seconds: u64) -> Now {
    let monotonic = Duration::from_secs(seconds);
    Now::new(monotonic, Duration::from_secs(BEGIN) + monotonic)
}

fn days(from: u64, to: u64) -> Validity {
    let day = |day| Duration::from_secs(BEGIN - DAY + day * DAY);
    Validity::between(day(from), day(to)).unwrap()
}

fn authority() -> Authority {
    named("CA")
}

fn named(name: &str) -> Authority {
    Authority::builder(name)
        .validity(days(0, 3000))
        .build()
        .unwrap()
}

fn server(authority: &Authority) -> Identity {
    let server = authority.certificate().server([HOST]);
    server.validity(days(0, 300)).issue().unwrap()
}

/// A folder with an identity and its root, and both watched.
fn scene(name: &str) -> (Folder, Authority, Identity, Watched) {
    let (folder, authority) = (Folder::new(name), authority());
    let first = server(&authority);
    folder.put(&first);
    folder.write("ca.pem", authority.certificate_pem());
    let watched = Watched::new(folder.files());
    assert!(watched.uses(&first));
    (folder, authority, first, watched)
}

/// Returns the only event, which says that a part was replaced.
#[track_caller]
fn replaced(events: &[ReloadEvent]) -> ReloadPart {
    match events {
        [ReloadEvent::Replaced { part, .. }] => *part,
        other => panic!("{other:?}"),
    }
}

/// Returns the only event, which says that a change was not taken over, and the error without the
/// file's name.
#[track_caller]
fn kept(events: &[ReloadEvent], file: &Path) -> (ReloadPart, ConfigError) {
    match events {
        [
            event @ ReloadEvent::Kept {
                part,
                error: Error::Config(error),
                ..
            },
        ] => {
            assert!(event.is_problem());
            let text = event.to_string();
            assert!(text.contains(file.to_str().unwrap()), "{text}");
            match error {
                ConfigError::InFile { error, .. } => (*part, (**error).clone()),
                error => (*part, error.clone()),
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_renewed_identity_is_used_when_two_checks_have_seen_it() {
    let (folder, authority, first, mut watched) = scene("renewed");
    assert!(watched.check().is_empty());
    let second = server(&authority);
    folder.put(&second);
    assert!(watched.check().is_empty());
    assert!(watched.uses(&first));
    let events = watched.check();
    assert_eq!(replaced(&events), ReloadPart::Identity);
    assert_eq!(
        events[0].to_string(),
        "identity: now in use: the certificate of CN=db.internal, valid until 2027-11-10T08:00:00Z"
    );
    assert!(!events[0].is_problem());
    assert!(watched.uses(&second));
    assert!(watched.check().is_empty());
    // A signal does not wait.
    folder.put(&first);
    assert_eq!(replaced(&watched.reload()), ReloadPart::Identity);
    assert!(watched.uses(&first));
    assert!(watched.reload().is_empty());
}

#[test]
fn a_check_within_the_interval_reads_nothing() {
    let (folder, authority, first, watched) = scene("interval");
    assert!(watched.live.check_at(at(100), false).is_empty());
    folder.put(&server(&authority));
    for second in [100, 101, 109] {
        assert!(watched.live.check_at(at(second), false).is_empty());
    }
    // The first look, and the second.
    assert!(watched.live.check_at(at(110), false).is_empty());
    assert!(watched.live.check_at(at(119), false).is_empty());
    assert_eq!(
        watched.live.current().identity().unwrap().certificates(),
        first.certificates()
    );
    assert_eq!(
        replaced(&watched.live.check_at(at(120), false)),
        ReloadPart::Identity
    );
}

#[test]
fn a_key_without_its_certificate_is_left_alone() {
    let (folder, authority, first, mut watched) = scene("pair");
    let second = server(&authority);
    // Seen between two writes: no event, and the former identity serves.
    folder.write("key.pem", second.key_pem().unwrap().expose());
    assert!(watched.check().is_empty());
    folder.write("chain.pem", second.chain_pem());
    assert!(watched.check().is_empty());
    assert!(watched.uses(&first));
    assert_eq!(replaced(&watched.check()), ReloadPart::Identity);
    assert!(watched.uses(&second));

    // If it stays so, it is reported, once.
    folder.write("key.pem", first.key_pem().unwrap().expose());
    assert!(watched.check().is_empty());
    let mismatch = (ReloadPart::Identity, ConfigError::KeyMismatch);
    assert_eq!(kept(&watched.check(), &folder.path("key.pem")), mismatch);
    assert!(watched.check().is_empty());
    assert_eq!(
        kept(
            &watched.live.problems_at(at(watched.seconds)),
            &folder.path("key.pem")
        ),
        mismatch
    );
    assert!(watched.uses(&second));
    // What is in use is back: no problem any more, and no event.
    folder.write("key.pem", second.key_pem().unwrap().expose());
    assert!(watched.check().is_empty());
    assert!(watched.reload().is_empty());
    // The problem is reported again if it comes back.
    folder.write("key.pem", first.key_pem().unwrap().expose());
    assert_eq!(kept(&watched.reload(), &folder.path("key.pem")), mismatch);
}

#[test]
fn a_file_that_is_half_written_is_left_alone() {
    let (folder, authority, first, mut watched) = scene("half");
    let below = Authority::builder("below").build_under(&authority).unwrap();
    let second = below.certificate().server([HOST]);
    let second = second.validity(days(0, 200)).issue().unwrap();
    let chain = second.chain_pem();
    folder.write("key.pem", second.key_pem().unwrap().expose());
    let whole = chain.len();
    // Cut inside of a section, and between two: the latter is a well-formed chain for the key.
    let between = chain.find("-----END CERTIFICATE-----\n").unwrap() + 26;
    for length in [0, 10, 100, between, whole - 1] {
        folder.write("chain.pem", &chain[..length]);
        assert!(watched.check().is_empty());
        assert!(watched.uses(&first));
    }
    // Even at rest, no peer would accept it without the certificate in the middle.
    folder.write("chain.pem", &chain[..between]);
    assert!(matches!(
        kept(&watched.reload(), &folder.path("chain.pem")),
        (
            ReloadPart::Identity,
            ConfigError::NotAccepted {
                error: CertificateError::UnknownIssuer { .. }
            }
        )
    ));
    assert!(watched.uses(&first));
    folder.write("chain.pem", &chain);
    assert!(watched.check().is_empty());
    assert_eq!(replaced(&watched.check()), ReloadPart::Identity);
    assert!(watched.uses(&second));
}

#[cfg(unix)]
#[test]
fn links_to_a_folder_are_followed() {
    use std::os::unix::fs::symlink;
    let (folder, authority) = (Folder::new("links"), authority());
    let identities = [server(&authority), server(&authority)];
    folder.write("ca.pem", authority.certificate_pem());
    // As Kubernetes does it: the files are links through `..data`, which is replaced by a rename.
    for (index, identity) in identities.iter().enumerate() {
        let version = folder.path(&format!("..{index}"));
        fs::create_dir(&version).unwrap();
        fs::write(version.join("chain.pem"), identity.chain_pem()).unwrap();
        fs::write(
            version.join("key.pem"),
            identity.key_pem().unwrap().expose(),
        )
        .unwrap();
    }
    symlink("..0", folder.path("..data")).unwrap();
    for name in ["chain.pem", "key.pem"] {
        symlink(Path::new("..data").join(name), folder.path(name)).unwrap();
    }
    let mut watched = Watched::new(folder.files());
    assert!(watched.uses(&identities[0]));
    symlink("..1", folder.path("..data_tmp")).unwrap();
    fs::rename(folder.path("..data_tmp"), folder.path("..data")).unwrap();
    fs::remove_dir_all(folder.path("..0")).unwrap();
    assert!(watched.check().is_empty());
    assert_eq!(replaced(&watched.check()), ReloadPart::Identity);
    assert!(watched.uses(&identities[1]));
}

#[test]
fn a_file_that_is_gone_changes_nothing() {
    let (folder, _, first, mut watched) = scene("gone");
    for name in ["chain.pem", "key.pem", "ca.pem"] {
        let text = fs::read(folder.path(name)).unwrap();
        fs::remove_file(folder.path(name)).unwrap();
        assert!(watched.check().is_empty());
        let (part, error) = kept(&watched.check(), &folder.path(name));
        assert_eq!(part == ReloadPart::Roots, name == "ca.pem");
        assert!(matches!(error, ConfigError::File { .. }), "{error:?}");
        assert!(watched.uses(&first));
        folder.write(name, text);
        assert!(watched.check().is_empty());
        assert!(
            watched
                .live
                .problems()
                .iter()
                .all(|problem| !matches!(problem, ReloadEvent::Kept { .. }))
        );
    }
}

#[test]
fn an_identity_that_peers_would_refuse_is_not_used() {
    let (folder, authority, first, mut watched) = scene("refused");
    let issue = |name, validity| {
        let server = authority.certificate().server([name]);
        server.validity(validity).issue().unwrap()
    };
    let stranger = server(&named("other"));
    let client = authority.certificate().client(HOST);
    let client = client.validity(days(0, 300)).issue().unwrap();
    for (identity, expected) in [
        (&issue("other.internal", days(0, 300)), "WrongName"),
        (&issue(HOST, days(2, 300)), "NotValidYet"),
        (&stranger, "UnknownIssuer"),
        (&client, "ExtendedKeyUsage"),
    ] {
        folder.put(identity);
        let (part, error) = kept(&watched.reload(), &folder.path("chain.pem"));
        let ConfigError::NotAccepted { error } = error else {
            panic!("{error:?}")
        };
        assert_eq!(part, ReloadPart::Identity);
        assert!(format!("{error:?}").starts_with(expected), "{error:?}");
        assert!(watched.uses(&first));
    }
    // A certificate that becomes valid is used then, although its file did not change again.
    let future = issue(HOST, days(2, 300));
    folder.put(&future);
    assert_eq!(watched.reload().len(), 1);
    watched.seconds = DAY - 20;
    assert!(watched.check().is_empty());
    assert_eq!(replaced(&watched.check()), ReloadPart::Identity);
    assert!(watched.uses(&future));
}

#[test]
fn a_client_is_checked_as_a_client() {
    let (folder, authority) = (Folder::new("client"), authority());
    let issue = |name| {
        let client = authority.certificate().client(name);
        client.validity(days(0, 300)).issue().unwrap()
    };
    let first = issue("alice");
    folder.put(&first);
    folder.write("ca.pem", authority.certificate_pem());
    let files = CredentialFiles::new()
        .identity(folder.path("chain.pem"), folder.path("key.pem"))
        .roots(folder.path("ca.pem"))
        .check_client();
    let mut watched = Watched::new(files);
    folder.put(&server(&authority));
    let (_, error) = kept(&watched.reload(), &folder.path("chain.pem"));
    let error_is = CertificateError::ExtendedKeyUsage;
    assert_eq!(error, ConfigError::NotAccepted { error: error_is });
    assert!(watched.uses(&first));
    let second = issue("alice");
    folder.put(&second);
    assert_eq!(replaced(&watched.reload()), ReloadPart::Identity);
}

#[test]
fn roots_are_replaced_even_if_our_own_certificate_is_not_under_them() {
    let (folder, authority, first, mut watched) = scene("roots");
    let other = named("other");
    let theirs = server(&other);
    let accepts = |watched: &Watched, identity: &Identity| {
        let found = watched
            .trust()
            .check_server(identity.chain_pem(), HOST, at(0).unix);
        found.is_ok()
    };
    assert!(accepts(&watched, &first) && !accepts(&watched, &theirs));
    // Both roots, while certificates are renewed.
    folder.write(
        "ca.pem",
        authority.certificate_pem() + &other.certificate_pem(),
    );
    let events = watched.reload();
    assert_eq!(replaced(&events), ReloadPart::Roots);
    assert_eq!(events[0].to_string(), "roots: now in use: 2 root(s)");
    assert!(accepts(&watched, &first) && accepts(&watched, &theirs));
    // The old root is removed too early. It is not trusted any more, and the loud event says what
    // is wrong.
    folder.write("ca.pem", other.certificate_pem());
    let events = watched.reload();
    assert!(matches!(
        &events[..],
        [
            ReloadEvent::Replaced {
                part: ReloadPart::Roots,
                ..
            },
            ReloadEvent::NotAccepted {
                error: Error::Config(ConfigError::NotAccepted {
                    error: CertificateError::UnknownIssuer { .. }
                }),
                ..
            }
        ]
    ));
    assert!(!accepts(&watched, &first) && watched.uses(&first));
    assert!(watched.check().is_empty());
    // The new identity is checked against the new root.
    folder.put(&theirs);
    assert_eq!(replaced(&watched.reload()), ReloadPart::Identity);
    // Both at once.
    folder.write("ca.pem", authority.certificate_pem());
    folder.put(&first);
    let events = watched.reload();
    assert!(matches!(
        &events[..],
        [
            ReloadEvent::Replaced {
                part: ReloadPart::Roots,
                ..
            },
            ReloadEvent::Replaced {
                part: ReloadPart::Identity,
                ..
            },
        ]
    ));
    // What is no root is no reason to trust nobody, or everybody.
    for text in [
        String::new(),
        first.chain_pem(),
        authority.certificate_pem()[..200].to_owned(),
    ] {
        folder.write("ca.pem", text);
        assert_eq!(watched.reload().len(), 1);
        assert!(accepts(&watched, &first));
    }
}

#[test]
fn roots_of_a_trust_domain_are_watched_too() {
    const ID: &str = "spiffe://example.org/db";
    let (folder, authority) = (Folder::new("spiffe"), authority());
    let issue = |id| {
        let both = authority.certificate().server([id]).client(id);
        both.validity(days(0, 300)).issue().unwrap()
    };
    let first = issue(ID);
    folder.put(&first);
    folder.write("ca.pem", authority.certificate_pem());
    let files = |domain| {
        CredentialFiles::new()
            .identity(folder.path("chain.pem"), folder.path("key.pem"))
            .spiffe_roots(domain, folder.path("ca.pem"))
            .check_server(ID)
            .check_client()
    };
    let refused = files("other").watch_at(|all| Ok(all.clone()), at(0));
    assert!(refused.is_err());
    let mut watched = Watched::new(files("example.org"));
    folder.put(&issue("spiffe://example.org/web"));
    let (_, error) = kept(&watched.reload(), &folder.path("chain.pem"));
    assert!(matches!(
        error,
        ConfigError::NotAccepted {
            error: CertificateError::WrongName { .. }
        }
    ));
    assert!(watched.uses(&first));
    // The roots stay those of the domain when they change.
    let both = authority.certificate_pem() + &named("other").certificate_pem();
    folder.write("ca.pem", both);
    folder.put(&first);
    assert_eq!(replaced(&watched.reload()), ReloadPart::Roots);
    let second = issue(ID);
    folder.put(&second);
    assert_eq!(replaced(&watched.reload()), ReloadPart::Identity);
}

#[test]
fn peers_may_trust_other_roots_than_we() {
    let (folder, ours, peers) = (Folder::new("peers"), authority(), named("other"));
    let first = server(&peers);
    folder.put(&first);
    folder.write("ca.pem", ours.certificate_pem());
    folder.write("peers.pem", peers.certificate_pem());
    let refused = folder.files().watch_at(|all| Ok(all.clone()), at(0));
    assert!(matches!(
        refused.map(drop),
        Err(Error::Config(ConfigError::NotAccepted { .. }))
    ));
    let mut watched = Watched::new(folder.files().peer_roots(folder.path("peers.pem")));
    folder.put(&server(&ours));
    kept(&watched.reload(), &folder.path("chain.pem"));
    assert!(watched.uses(&first));
    folder.write("peers.pem", ours.certificate_pem());
    let events = watched.reload();
    assert!(matches!(
        &events[..],
        [
            ReloadEvent::Replaced {
                part: ReloadPart::PeerRoots,
                ..
            },
            ReloadEvent::Replaced {
                part: ReloadPart::Identity,
                ..
            },
        ]
    ));
}

#[test]
fn lists_come_into_force_without_a_new_configuration() {
    let (folder, authority) = (Folder::new("lists"), authority());
    let (first, second) = (server(&authority), server(&authority));
    let list = |from, to| authority.revocation_list().validity(days(from, to));
    let lists = [
        list(0, 40).issue_pem().unwrap(),
        list(1, 41).revoke(&second).issue_pem().unwrap(),
        list(1, 42)
            .revoke(&second)
            .revoke(&first)
            .issue_pem()
            .unwrap(),
    ];
    folder.put(&first);
    folder.write("ca.pem", authority.certificate_pem());
    folder.write("crl.pem", &lists[0]);
    let mut watched = Watched::new(folder.files().revocation_lists(folder.path("crl.pem")));
    let trust = watched.trust();
    let refused = |identity: &Identity| {
        let found = trust.check_server(identity.chain_pem(), HOST, at(0).unix);
        match found.map(drop) {
            Ok(()) => None,
            Err(Error::Config(ConfigError::NotAccepted { error })) => Some(error),
            Err(other) => panic!("{other:?}"),
        }
    };
    assert_eq!((refused(&first), refused(&second)), (None, None));
    folder.write("crl.pem", &lists[1]);
    assert!(watched.check().is_empty());
    assert_eq!(replaced(&watched.check()), ReloadPart::RevocationLists);
    assert_eq!(refused(&second), Some(CertificateError::Revoked));
    // An older list undoes nothing, and neither does what is no list.
    for text in [&lists[0][..], &lists[1][..100], ""] {
        folder.write("crl.pem", text);
        let (part, _) = kept(&watched.reload(), &folder.path("crl.pem"));
        assert_eq!(part, ReloadPart::RevocationLists);
        assert_eq!(refused(&second), Some(CertificateError::Revoked));
    }
    // A revoked certificate does not replace one that is good.
    folder.write("crl.pem", &lists[1]);
    assert!(watched.reload().is_empty());
    folder.put(&second);
    let (_, error) = kept(&watched.reload(), &folder.path("chain.pem"));
    let revoked = CertificateError::Revoked;
    assert_eq!(error, ConfigError::NotAccepted { error: revoked });
    folder.put(&first);
    assert!(watched.reload().is_empty());
    // If our own is revoked, this is reported.
    folder.write("crl.pem", &lists[2]);
    let events = watched.reload();
    assert!(matches!(
        &events[..],
        [
            ReloadEvent::Replaced { .. },
            ReloadEvent::NotAccepted {
                error: Error::Config(ConfigError::NotAccepted {
                    error: CertificateError::Revoked
                }),
                ..
            }
        ]
    ));
}

#[test]
fn lists_of_several_files_are_in_force_together() {
    let (folder, authority) = (Folder::new("several"), authority());
    let below = Authority::builder("below")
        .validity(days(0, 3000))
        .build_under(&authority)
        .unwrap();
    let server = server(&below);
    folder.put(&server);
    folder.write("ca.pem", authority.certificate_pem());
    let list = |authority: &Authority, from| {
        let list = authority.revocation_list().validity(days(from, 100));
        list.issue_pem().unwrap()
    };
    folder.write("one.pem", list(&authority, 0));
    folder.write("two.pem", list(&below, 1));
    let files = || folder.files().revocation_lists(folder.path("one.pem"));
    // One is not enough, unless this is allowed.
    let only = files().watch_at(|all| Ok(all.clone()), at(0)).map(drop);
    assert!(matches!(
        only,
        Err(Error::Config(ConfigError::NotAccepted {
            error: CertificateError::UnknownRevocation
        }))
    ));
    Watched::new(files().allow_unknown());
    let mut watched = Watched::new(files().revocation_lists(folder.path("two.pem")));
    // The error names the file, and the position in it.
    folder.write("two.pem", list(&below, 0));
    let (_, error) = kept(&watched.reload(), &folder.path("two.pem"));
    assert!(matches!(
        error,
        ConfigError::RevocationList { index: 0, .. }
    ));
    // Expired lists are refused, unless this is allowed.
    let late = at(200 * DAY);
    let files = || files().revocation_lists(folder.path("two.pem"));
    assert!(files().watch_at(|all| Ok(all.clone()), late).is_err());
    assert!(
        files()
            .allow_expired()
            .watch_at(|all| Ok(all.clone()), late)
            .is_ok()
    );
}

#[test]
fn what_expires_is_reported_once_and_again_when_it_has() {
    let (folder, authority) = (Folder::new("expiry"), authority());
    let below = Authority::builder("below")
        .validity(days(0, 101))
        .build_under(&authority)
        .unwrap();
    let leaf = below.certificate().server([HOST]);
    let leaf = leaf.validity(days(0, 10)).issue().unwrap();
    folder.put(&leaf);
    folder.write("ca.pem", authority.certificate_pem());
    let list = |authority: &Authority| {
        let list = authority.revocation_list().validity(days(0, 16));
        list.issue_pem().unwrap()
    };
    folder.write("crl.pem", list(&authority) + &list(&below));
    let files = || {
        CredentialFiles::new()
            .identity(folder.path("chain.pem"), folder.path("key.pem"))
            .roots(folder.path("ca.pem"))
            .revocation_lists(folder.path("crl.pem"))
    };
    let live = files().watch_at(|all| Ok(all.clone()), at(0)).unwrap();
    let found = |live: &Reloading<Credentials>, seconds| {
        let events = live.check_at(at(seconds), false);
        let short = |event: &ReloadEvent| match event {
            ReloadEvent::Expiring { part, name, .. } => format!("soon {part:?} {name}"),
            ReloadEvent::Expired { part, name, .. } => format!("past {part:?} {name}"),
            other => panic!("{other:?}"),
        };
        events.iter().map(short).collect::<Vec<_>>()
    };
    // Time began on day 1. A third of ten days is 288,000 seconds.
    let last = 9 * DAY - 10 * DAY / 3;
    assert!(found(&live, last).is_empty());
    assert_eq!(
        found(&live, last + 10),
        ["soon Identity the certificate of CN=db.internal"]
    );
    assert!(found(&live, last + 20).is_empty());
    assert!(found(&live, 9 * DAY).is_empty());
    assert_eq!(
        found(&live, 9 * DAY + 10),
        ["past Identity the certificate of CN=db.internal"]
    );
    assert_eq!(
        found(&live, 10 * DAY),
        [
            "soon RevocationLists the list of CN=CA",
            "soon RevocationLists the list of CN=below",
        ]
    );
    // Never more than 30 days before.
    assert!(
        found(&live, 70 * DAY)
            .iter()
            .all(|event| event.starts_with("past Rev"))
    );
    assert_eq!(
        found(&live, 70 * DAY + 10),
        ["soon Identity the certificate of CN=below"]
    );

    let early = files().warn_before(Duration::from_secs(9 * DAY));
    let live = early.watch_at(|all| Ok(all.clone()), at(0)).unwrap();
    assert!(found(&live, 0).is_empty());
    assert_eq!(
        live.check_at(at(10), false)[0].to_string(),
        "identity: the certificate of CN=db.internal: it expires at 2027-01-24T08:00:00Z: replace \
         the file before"
    );
}

#[test]
fn a_configuration_that_cannot_be_made_changes_nothing() {
    let (folder, authority) = (Folder::new("configure"), authority());
    let first = server(&authority);
    folder.put(&first);
    folder.write("ca.pem", authority.certificate_pem());
    let broken = Arc::new(AtomicBool::new(false));
    let is_broken = Arc::clone(&broken);
    let live = folder
        .files()
        .watch_at(
            move |all| {
                if is_broken.load(Ordering::Relaxed) {
                    return Err(ConfigError::Missing { what: "a setting" }.into());
                }
                Ok(all.clone())
            },
            at(0),
        )
        .unwrap();
    let mut watched = Watched { live, seconds: 0 };
    broken.store(true, Ordering::Relaxed);
    let second = server(&authority);
    folder.put(&second);
    assert!(watched.check().is_empty());
    assert!(matches!(
        &watched.check()[..],
        [ReloadEvent::Kept {
            part: ReloadPart::Configuration,
            error: Error::Config(ConfigError::Missing { what: "a setting" }),
            ..
        }]
    ));
    assert!(watched.uses(&first));
    assert!(watched.check().is_empty());
    broken.store(false, Ordering::Relaxed);
    assert_eq!(replaced(&watched.check()), ReloadPart::Identity);
    assert!(watched.uses(&second));
}

#[test]
fn what_is_missing_at_the_start_is_an_error() {
    let (folder, authority) = (Folder::new("start"), authority());
    folder.put(&server(&authority));
    folder.write("ca.pem", authority.certificate_pem());
    let error = |files: CredentialFiles| {
        let result = files.watch_at(|all| Ok((all.identity()?, all.trust()?)), at(0));
        match result.map(drop) {
            Err(Error::Config(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let identity =
        || CredentialFiles::new().identity(folder.path("chain.pem"), folder.path("key.pem"));
    let missing = |error| matches!(error, ConfigError::Missing { .. });
    assert!(missing(error(CredentialFiles::new())));
    assert!(missing(error(identity())));
    assert!(missing(error(identity().check_client())));
    assert!(missing(error(
        CredentialFiles::new().roots(folder.path("ca.pem"))
    )));
    assert!(matches!(
        error(identity().revocation_lists(folder.path("ca.pem"))),
        ConfigError::Setting {
            name: "revocation_lists",
            ..
        }
    ));
    assert!(matches!(
        error(identity().roots(folder.path("none.pem"))),
        ConfigError::File { .. }
    ));
    assert!(matches!(
        error(identity().roots(folder.path("key.pem"))),
        ConfigError::InFile { .. }
    ));
}
