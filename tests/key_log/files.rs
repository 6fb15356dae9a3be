//! The file: who may read it, which files are refused, that lines are whole, and the variable.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use fleeting::{Client, ConfigError, Error, KeyLogFile, Server};

use crate::support::{Pair, pki};

/// A folder that is removed with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("key-log-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Opens a file that must be refused. Returns what the error says.
#[track_caller]
fn refused(path: &Path) -> String {
    let error = KeyLogFile::open(path).map(drop).unwrap_err();
    match &error {
        Error::Config(ConfigError::KeyLogFile { path: named, .. }) => {
            assert_eq!(*named, path.display().to_string());
        }
        other => panic!("{other:?}"),
    }
    assert!(error.is_configuration());
    error.to_string()
}

/// Makes a handshake of which the client logs to this file.
fn visit(client: &Client) {
    let server = Server::builder().identity(pki().server.clone());
    let mut pair = Pair::between(client, &server.build().unwrap(), 1);
    pair.settle();
    pair.assert_same_view();
}

fn client_with(log: KeyLogFile) -> Client {
    let client = Client::builder().trust(pki().authority.trust());
    client.key_log(log).build().unwrap()
}

fn assert_whole_lines(text: &str, count: usize) {
    assert!(text.ends_with('\n'));
    assert_eq!(text.lines().count(), count);
    for line in text.lines() {
        let [label, random, secret] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        assert!(label.contains("SECRET"), "{line}");
        assert_eq!((random.len(), secret.len()), (64, 64), "{line}");
        let digits = [random, secret].concat();
        assert!(digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    }
}

#[test]
fn a_new_file_is_its_owners_alone_and_is_appended_to() {
    let folder = Folder::new();
    let path = folder.path("keys.txt");
    for visits in 1..=3 {
        let client = client_with(KeyLogFile::open(&path).unwrap());
        visit(&client);
        assert_eq!(mode(&path), 0o600);
        assert_whole_lines(&fs::read_to_string(&path).unwrap(), 5 * visits);
    }
}

#[test]
fn an_existing_file_for_others_is_refused_and_left_alone() {
    let folder = Folder::new();
    let path = folder.path("keys.txt");
    for bits in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666, 0o644] {
        fs::write(&path, "before\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
        let said = refused(&path);
        assert!(said.contains(&format!("{bits:o}")), "{said}");
        assert!(said.contains("chmod 600"), "{said}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\n");
        assert_eq!(mode(&path), bits);
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    visit(&client_with(KeyLogFile::open(&path).unwrap()));
    let text = fs::read_to_string(&path).unwrap();
    assert_whole_lines(text.strip_prefix("before\n").unwrap(), 5);
}

#[test]
fn a_symbolic_link_is_refused_wherever_it_leads() {
    let folder = Folder::new();
    let (own, link) = (folder.path("own"), folder.path("link"));
    drop(KeyLogFile::open(&own).unwrap());
    for target in [
        own,
        folder.path("nothing"),
        link.clone(),
        "/dev/null".into(),
    ] {
        symlink(&target, &link).unwrap();
        let said = refused(&link);
        assert!(said.contains("symbolic link"), "{said}");
        fs::remove_file(&link).unwrap();
    }
    assert!(!folder.path("nothing").exists());
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let folder = Folder::new();
    refused(&folder.0);
    refused(&folder.path("no such folder/keys.txt"));
    refused(Path::new(""));
    let said = refused(Path::new("/dev/null"));
    assert!(said.contains("regular file"), "{said}");
    // A pipe without a reader, on which a plain open would wait, and one with a reader.
    let pipe = folder.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    refused(&pipe);
    let mut reading = OpenOptions::new();
    reading.read(true).custom_flags(libc::O_NONBLOCK);
    let _reader = reading.open(&pipe).unwrap();
    let said = refused(&pipe);
    assert!(said.contains("regular file"), "{said}");
}

#[test]
fn many_threads_append_whole_lines() {
    let folder = Folder::new();
    let path = folder.path("keys.txt");
    let (threads, visits) = (8, 25);
    let shared = client_with(KeyLogFile::open(&path).unwrap());
    let barrier = Arc::new(Barrier::new(threads));
    let writing: Vec<_> = (0..threads)
        .map(|number| {
            // Half of them share one open file; the others have one each.
            let client = match number % 2 {
                0 => shared.clone(),
                _ => client_with(KeyLogFile::open(&path).unwrap()),
            };
            let barrier = barrier.clone();
            thread::spawn(move || {
                barrier.wait();
                (0..visits).for_each(|_| visit(&client));
            })
        })
        .collect();
    writing
        .into_iter()
        .for_each(|writing| writing.join().unwrap());
    let text = fs::read_to_string(&path).unwrap();
    assert_whole_lines(&text, 5 * threads * visits);
}

#[test]
fn a_file_that_is_emptied_meanwhile_goes_on_from_its_start() {
    let folder = Folder::new();
    let path = folder.path("keys.txt");
    let client = client_with(KeyLogFile::open(&path).unwrap());
    visit(&client);
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&path)
        .unwrap()
        .flush()
        .unwrap();
    visit(&client);
    assert_whole_lines(&fs::read_to_string(&path).unwrap(), 5);
}

const VARIABLE: &str = "SSLKEYLOGFILE";

/// Tells the program that another test starts what to do.
const TASK: &str = "FLEETING_TEST_KEY_LOG";

/// Runs [`in_a_process_with_the_variable`] in a process of its own, which alone has the variable.
fn run(task: &str, file: Option<&Path>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "files::in_a_process_with_the_variable"])
        .env_remove(VARIABLE)
        .env(TASK, task);
    if let Some(file) = file {
        command.env(VARIABLE, file);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{task}: {said}");
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
fn in_a_process_with_the_variable() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let client = || Client::builder().trust(pki().authority.trust());
    let server = || Server::builder().identity(pki().server.clone());
    let (client, server) = match task.as_str() {
        "nobody asks" => (client().build(), server().build()),
        "the client asks" => (client().key_log_from_env().build(), server().build()),
        "the server asks" => (client().build(), server().key_log_from_env().build()),
        "both are refused" => {
            let (client, server) = (
                client().key_log_from_env().build().map(drop),
                server().key_log_from_env().build().map(drop),
            );
            for refused in [client, server] {
                let error = refused.unwrap_err();
                assert!(matches!(
                    error,
                    Error::Config(ConfigError::KeyLogFile { .. })
                ));
            }
            return;
        }
        other => panic!("{other}"),
    };
    let mut pair = Pair::between(&client.unwrap(), &server.unwrap(), 1);
    pair.settle();
    pair.assert_same_view();
}

#[test]
fn the_variable_is_read_only_if_asked() {
    let folder = Folder::new();
    let path = folder.path("keys.txt");
    run("nobody asks", Some(&path));
    assert!(!path.exists());
    run("the client asks", Some(&path));
    assert_whole_lines(&fs::read_to_string(&path).unwrap(), 5);
    run("the server asks", Some(&path));
    let text = fs::read_to_string(&path).unwrap();
    assert_whole_lines(&text, 10);
    // No file is named.
    run("the client asks", None);
    run("the server asks", Some(Path::new("")));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    run("both are refused", Some(&path));
}
