//! OpenSSL verifies what we issue, and issues what we load.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{as_server, chain, now};
use crate::error::CertificateError;
use crate::identity::{Authority, Identity, RevocationLists, Trust};

const MISSING: &str = "needs openssl: apt-get install openssl";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fleeting-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn openssl(folder: &Folder, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(&folder.0)
        .output()
        .expect(MISSING);
    (
        output.status.success(),
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
    )
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
#[ignore = "needs openssl"]
fn openssl_accepts_what_we_issue() {
    let folder = Folder::new("issued");
    let root = Authority::new("Root, with a comma").unwrap();
    let below = Authority::builder("Below")
        .permit(["internal", "10.0.0.1", "2001:db8::1"])
        .build_under(&root)
        .unwrap();
    let ca = folder.write("ca.pem", pem_of(&root, 0));
    let middle = folder.write("middle.pem", pem_of(&below, 0));
    let long = format!("{}.internal", "a".repeat(60));
    let server = below
        .issue_server([
            "db.internal",
            "*.db.internal",
            "10.0.0.1",
            "2001:db8::1",
            long.as_str(),
        ])
        .unwrap();
    let unnamed = below.issue_server([long.as_str()]).unwrap();
    let client = below.issue_client("alice.internal").unwrap();
    for (identity, purpose, more) in [
        (
            &server,
            "sslserver",
            &["-verify_hostname", "x.db.internal"][..],
        ),
        (&server, "sslserver", &["-verify_ip", "10.0.0.1"]),
        (&unnamed, "sslserver", &["-verify_hostname", &long]),
        (&client, "sslclient", &[]),
    ] {
        let leaf = folder.write("leaf.pem", identity.chain_pem());
        let mut arguments = vec![
            "verify",
            "-x509_strict",
            "-check_ss_sig",
            "-purpose",
            purpose,
            "-CAfile",
            text(&ca),
            "-untrusted",
            text(&middle),
        ];
        arguments.extend(more);
        arguments.push(text(&leaf));
        let (good, output) = openssl(&folder, &arguments);
        assert!(good, "{arguments:?}: {output}");
    }
    // Also verified by a party that trusts only the middle authority, and for what an authority
    // below it issues, which repeats the permitted names.
    let below = Authority::builder("Below")
        .path_length(1)
        .permit(["internal"])
        .build_under(&root)
        .unwrap();
    let lowest = Authority::builder("Lowest").build_under(&below).unwrap();
    let (middle_only, lowest_only) = (
        folder.write("below.pem", below.certificate_pem()),
        folder.write("lowest.pem", lowest.certificate_pem()),
    );
    let leaf = folder.write(
        "leaf.pem",
        lowest.issue_server(["db.internal"]).unwrap().chain_pem(),
    );
    for (anchor, untrusted) in [(&middle_only, &lowest_only), (&lowest_only, &leaf)] {
        let anchored = [
            "verify",
            "-x509_strict",
            "-check_ss_sig",
            "-partial_chain",
            "-purpose",
            "sslserver",
            "-verify_hostname",
            "db.internal",
        ];
        let (good, output) = openssl(
            &folder,
            &[
                &anchored[..],
                &[
                    "-CAfile",
                    text(anchor),
                    "-untrusted",
                    text(untrusted),
                    text(&leaf),
                ],
            ]
            .concat(),
        );
        assert!(good, "{output}");
    }
    // It also refuses what it should: here the wrong purpose.
    let wrong = folder.write("client.pem", client.chain_pem());
    let (good, _) = openssl(
        &folder,
        &[
            "verify",
            "-purpose",
            "sslserver",
            "-CAfile",
            text(&ca),
            "-untrusted",
            text(&middle),
            text(&wrong),
        ],
    );
    assert!(!good);
    // These are the root itself, and self-signed leaves.
    for own in [
        Identity::self_signed(["db.internal"]).unwrap(),
        Identity::generate().unwrap(),
    ] {
        let own = folder.write("own.pem", own.chain_pem());
        let (good, output) = openssl(
            &folder,
            &[
                "verify",
                "-x509_strict",
                "-check_ss_sig",
                "-CAfile",
                text(&own),
                text(&own),
            ],
        );
        assert!(good, "{output}");
    }
    let (good, output) = openssl(
        &folder,
        &[
            "verify",
            "-x509_strict",
            "-check_ss_sig",
            "-CAfile",
            text(&ca),
            text(&ca),
        ],
    );
    assert!(good, "{output}");
}

fn pem_of(authority: &Authority, index: usize) -> String {
    crate::identity::pem::write_certificates([authority.certificates()[index].as_slice()])
}

#[test]
#[ignore = "needs openssl"]
fn openssl_goes_by_our_revocation_lists_and_we_by_its() {
    let folder = Folder::new("revoked");
    let root = Authority::new("Root").unwrap();
    let below = Authority::builder("Below").build_under(&root).unwrap();
    folder.write("ca.pem", root.certificate_pem());
    folder.write("middle.pem", below.certificate_pem());
    let (kept, revoked) = (
        below.issue_server(["a.example"]).unwrap(),
        below.issue_server(["b.example"]).unwrap(),
    );
    folder.write("kept.pem", kept.chain_pem());
    folder.write("revoked.pem", revoked.chain_pem());
    let check = |upper: &str, lower: &str, leaf: &str| {
        folder.write("crl.pem", [upper, lower].concat());
        let checks = [
            "verify",
            "-x509_strict",
            "-crl_check_all",
            "-CRLfile",
            "crl.pem",
            "-CAfile",
            "ca.pem",
            "-untrusted",
            "middle.pem",
            leaf,
        ];
        openssl(&folder, &checks)
    };
    let none = root.revocation_list().issue_pem().unwrap();
    let empty = below.revocation_list().issue_pem().unwrap();
    let list = below
        .revocation_list()
        .following(&empty)
        .revoke(&revoked)
        .issue_pem()
        .unwrap();
    for (lower, leaf) in [
        (&empty, "kept.pem"),
        (&empty, "revoked.pem"),
        (&list, "kept.pem"),
    ] {
        let (good, output) = check(&none, lower, leaf);
        assert!(good, "{leaf}: {output}");
    }
    let (good, output) = check(&none, &list, "revoked.pem");
    assert!(!good && output.contains("certificate revoked"), "{output}");
    let middle = root
        .revocation_list()
        .revoke_certificate(&below.certificates()[0])
        .issue_pem()
        .unwrap();
    let (good, output) = check(&middle, &list, "kept.pem");
    assert!(!good && output.contains("certificate revoked"), "{output}");

    // Its list, signed with the lower authority's key.
    folder.write("middle.key", below.key_pem().expose());
    folder.write(
        "openssl.cnf",
        "[ca]\n\
         default_ca=ca\n\
         [ca]\n\
         database=index.txt\n\
         crlnumber=number\n\
         default_md=default\n\
         default_crl_days=3\n\
         crl_extensions=crl\n\
         [crl]\n\
         authorityKeyIdentifier=keyid\n",
    );
    folder.write("index.txt", "");
    folder.write("number", "1000\n");
    let with = [
        "ca",
        "-config",
        "openssl.cnf",
        "-cert",
        "middle.pem",
        "-keyfile",
        "middle.key",
    ];
    for arguments in [
        &["-revoke", "revoked.pem", "-crl_reason", "keyCompromise"][..],
        &["-gencrl", "-out", "theirs.pem"],
    ] {
        let (good, output) = openssl(&folder, &[&with, arguments].concat());
        assert!(good, "{arguments:?}: {output}");
    }
    let theirs = std::fs::read_to_string(folder.0.join("theirs.pem")).unwrap();
    let trust = root.trust().with_revocation_lists(
        RevocationLists::from_pem([none.as_str(), &theirs].concat()).unwrap(),
    );
    as_server(&trust, &chain(&kept), "a.example").unwrap();
    assert_eq!(
        as_server(&trust, &chain(&revoked), "b.example").map(drop),
        Err(CertificateError::Revoked)
    );
}

#[test]
#[ignore = "needs openssl"]
fn openssl_reads_our_keys_and_we_read_its() {
    let folder = Folder::new("keys");
    let own = Identity::generate().unwrap();
    folder.write("own.key", own.key_pem().unwrap().expose());
    let (good, public) = openssl(&folder, &["pkey", "-in", "own.key", "-pubout"]);
    assert!(good, "{public}");
    assert_eq!(public.parse(), Ok(own.public_key()));

    for arguments in [
        &["genpkey", "-algorithm", "ed25519", "-out", "their.key"][..],
        &[
            "req",
            "-x509",
            "-key",
            "their.key",
            "-subj",
            "/CN=Their CA",
            "-addext",
            "keyUsage=critical,keyCertSign",
            "-days",
            "2",
            "-out",
            "ca.pem",
        ],
        &["genpkey", "-algorithm", "ed25519", "-out", "leaf.key"],
        &[
            "req",
            "-new",
            "-key",
            "leaf.key",
            "-subj",
            "/CN=leaf",
            "-addext",
            "subjectAltName=DNS:a.example",
            "-out",
            "leaf.csr",
        ],
        &[
            "x509",
            "-req",
            "-in",
            "leaf.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "their.key",
            "-copy_extensions",
            "copy",
            "-days",
            "1",
            "-out",
            "leaf.pem",
        ],
    ] {
        let (good, output) = openssl(&folder, arguments);
        assert!(good, "{arguments:?}: {output}");
    }
    let leaf =
        Identity::from_pem_files(folder.0.join("leaf.pem"), folder.0.join("leaf.key")).unwrap();
    let trust = Trust::roots_from_pem_file(folder.0.join("ca.pem")).unwrap();
    as_server(&trust, &chain(&leaf), "a.example").unwrap();

    // Its authority is loaded by us.
    let authority = Authority::from_pem(
        std::fs::read(folder.0.join("ca.pem")).unwrap(),
        std::fs::read(folder.0.join("their.key")).unwrap(),
    )
    .unwrap();
    let client = authority.issue_client("alice").unwrap();
    trust.verify_client(&chain(&client), now()).unwrap();
    folder.write("client.pem", client.chain_pem());
    let (good, output) = openssl(
        &folder,
        &[
            "verify",
            "-x509_strict",
            "-purpose",
            "sslclient",
            "-CAfile",
            "ca.pem",
            "client.pem",
        ],
    );
    assert!(good, "{output}");
}

#[test]
#[ignore = "needs openssl"]
fn openssl_says_the_same_of_a_certificate() {
    let folder = Folder::new("info");
    let identity = Authority::new("Info")
        .unwrap()
        .issue_client("alice")
        .unwrap();
    let path = folder.write("leaf.pem", identity.chain_pem());
    let info = identity.certificate_info().unwrap();
    let said = |option: &str| openssl(&folder, &["x509", "-in", text(&path), "-noout", option]).1;
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect::<String>()
    };
    assert_eq!(
        said("-serial").trim(),
        format!("serial={}", hex(info.serial_number()))
    );
    let (ok, fingerprint) = openssl(
        &folder,
        &[
            "x509",
            "-in",
            text(&path),
            "-noout",
            "-fingerprint",
            "-sha256",
        ],
    );
    assert!(
        ok && fingerprint
            .replace(':', "")
            .trim()
            .ends_with(&hex(info.fingerprint()))
    );
}
