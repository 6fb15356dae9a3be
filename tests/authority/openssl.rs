//! OpenSSL reads what the program writes, and the program signs what OpenSSL asks for.

use super::*;

#[track_caller]
fn openssl(folder: &Folder, arguments: &str) -> (bool, String) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(&folder.0)
        .output()
        .expect("needs openssl: apt-get install openssl");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
#[ignore = "needs openssl"]
fn openssl_verifies_the_files_and_the_lists() {
    let folder = Folder::new("openssl");
    folder.run("init --name Root");
    folder.run("intermediate below --name Below");
    folder.run("--dir pki/below issue server db.internal 10.0.0.7");
    folder.run("--dir pki/below issue client alice");
    folder.run("--dir pki/below issue both spiffe://example.org/db --file db");
    let lists = |folder: &Folder| {
        let lists = folder.text("pki/crl.pem") + &folder.text("pki/below/crl.pem");
        fs::write(folder.path("crl.pem"), lists).unwrap();
    };
    lists(&folder);
    let verify = |name, purpose, more: &str| {
        let file = format!("pki/below/{name}.pem");
        let command = format!(
            "verify -x509_strict -crl_check_all -CRLfile crl.pem -purpose {purpose} -CAfile \
             pki/ca.pem -untrusted {file}{more} {file}"
        );
        openssl(&folder, &command)
    };
    for (name, purpose, more) in [
        ("db.internal", "sslserver", " -verify_hostname db.internal"),
        ("db.internal", "sslserver", " -verify_ip 10.0.0.7"),
        ("alice", "sslclient", ""),
        ("db", "sslclient", ""),
        ("db", "sslserver", ""),
    ] {
        let (good, text) = verify(name, purpose, more);
        assert!(good, "{name} {purpose}: {text}");
    }
    folder.run("--dir pki/below revoke alice");
    lists(&folder);
    let (good, text) = verify("alice", "sslclient", "");
    assert!(!good && text.contains("certificate revoked"), "{text}");
    assert!(verify("db.internal", "sslserver", "").0);
    for (name, issuer) in [
        ("pki/crl.pem", "pki/ca.pem"),
        ("pki/below/crl.pem", "pki/below/ca.pem"),
    ] {
        let (good, text) = openssl(&folder, &format!("crl -in {name} -noout -CAfile {issuer}"));
        assert!(good && text.contains("verify OK"), "{text}");
    }
    let (good, text) = openssl(&folder, "pkey -in pki/below/db-key.pem -noout -check");
    assert!(good, "{text}");
}

#[test]
#[ignore = "needs openssl"]
fn requests_of_openssl_are_signed_and_ours_are_verified() {
    let folder = Folder::new("csr");
    folder.run("init");
    for command in [
        "genpkey -algorithm ed25519 -out key.pem",
        "req -new -key key.pem -subj /CN=db.internal -addext \
         subjectAltName=DNS:db.internal,IP:10.0.0.7 -out db.csr",
    ] {
        let (good, text) = openssl(&folder, command);
        assert!(good, "{text}");
    }
    folder.run("sign db.csr server --as-requested --file db");
    folder.run("sign db.csr client --as-requested --file client");
    let (good, text) = openssl(&folder, "verify -CAfile pki/ca.pem pki/db.pem");
    assert!(good, "{text}");
    let identity =
        Identity::from_pem_files(folder.path("pki/db.pem"), folder.path("key.pem")).unwrap();
    let found = folder
        .trust(&[])
        .check_server(identity.chain_pem(), "10.0.0.7", in_days(1))
        .unwrap();
    assert_eq!(found.names, ["db.internal", "10.0.0.7"]);
    let client = folder.text("pki/client.pem");
    let found = folder.trust(&[]).check_client(client, in_days(1)).unwrap();
    assert_eq!(found.certificate_info.unwrap().subject(), "CN=db.internal");

    folder.run("--dir theirs request db.internal 10.0.0.7 spiffe://example.org/db");
    let (good, text) = openssl(
        &folder,
        "req -in theirs/db.internal.csr -noout -verify -text",
    );
    assert!(good, "{text}");
    for part in [
        "DNS:db.internal",
        "IP Address:10.0.0.7",
        "URI:spiffe://example.org/db",
    ] {
        assert!(text.contains(part), "{text}");
    }
}
