//! [`KeyLogFile`]: a key log in the format of RFC 9850, one line for each secret.
//!
//! ```text
//! CLIENT_HANDSHAKE_TRAFFIC_SECRET <client random, 64 digits> <secret, 64 or 96 digits>
//! ```

use core::sync::atomic::{AtomicBool, Ordering};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::error::{ConfigError, Error};
use crate::handshake::key_log::KeyLog;
use crate::secret::Secret;

/// The environment variable that names the file (RFC 9850).
const VARIABLE: &str = "SSLKEYLOGFILE";

/// A file in the format of RFC 9850, which Wireshark and others read: for
/// [`ClientBuilder::key_log`](crate::ClientBuilder::key_log) and
/// [`ServerBuilder::key_log`](crate::ServerBuilder::key_log).
///
/// Each secret is one line, which is appended by a single write. So any number of connections,
/// configurations and processes can log to the same file.
///
/// If a line cannot be written, for example because the disk is full, it is lost and the connection
/// goes on. Later lines are written if that is possible again.
///
/// ```no_run
/// use fleeting::{Authority, Client, KeyLogFile};
///
/// # fn main() -> Result<(), fleeting::Error> {
/// let authority = Authority::new("my services")?;
/// let client = Client::builder()
///     .trust(authority.trust())
///     .key_log(KeyLogFile::open("keys.txt")?)
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct KeyLogFile {
    file: File,
    /// Whether the last line may have been cut, so that the next one begins with a line break.
    cut: AtomicBool,
}

impl KeyLogFile {
    /// Opens a file for appending, or creates it.
    ///
    /// On Unix, a new file can be read and written by its owner alone (mode 0600), and the file
    /// must be a regular one on which neither its group nor others have permissions. The path must
    /// not end in a symbolic link. On other systems, the permissions of a new file are those of its
    /// folder, and none of this is checked.
    ///
    /// # Errors
    /// Returns [`ConfigError::KeyLogFile`] if the file cannot be opened or is refused. It says what
    /// to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        match open(path) {
            Ok(file) => Ok(Self {
                file,
                cut: AtomicBool::new(false),
            }),
            Err(reason) => Err(ConfigError::KeyLogFile {
                path: path.display().to_string(),
                reason,
            }
            .into()),
        }
    }

    /// Opens the file that the environment names. `None` if it names none.
    pub(crate) fn from_env() -> Result<Option<Self>, Error> {
        Self::named_by(std::env::var_os(VARIABLE))
    }

    fn named_by(variable: Option<OsString>) -> Result<Option<Self>, Error> {
        variable
            .filter(|path| !path.is_empty())
            .map(Self::open)
            .transpose()
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &Secret) {
        let line = line(label, client_random, secret);
        let cut = self.cut.swap(false, Ordering::Relaxed);
        let bytes = line.expose().get(usize::from(!cut)..).unwrap_or_default();
        // Not `write_all`: between two writes, another process could append a line of its own.
        let written = loop {
            match (&self.file).write(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result.unwrap_or_default(),
            }
        };
        if written < bytes.len() {
            self.cut.store(true, Ordering::Relaxed);
        }
    }
}

/// Returns a line with a line break before and after it. RFC 9850: empty lines are ignored.
fn line(label: &str, client_random: &[u8; 32], secret: &Secret) -> Secret {
    let (client_random, secret) = (&client_random[..], secret.expose());
    let length = label.len() + 2 * (client_random.len() + secret.len()) + 4;
    let bytes = b"\n".iter().copied().chain(label.bytes());
    let bytes = bytes.chain(*b" ").chain(hex(client_random));
    let mut bytes = bytes.chain(*b" ").chain(hex(secret)).chain(*b"\n");
    Secret::filled(length, |out| {
        out.iter_mut()
            .zip(&mut bytes)
            .for_each(|(out, byte)| *out = byte);
    })
}

fn hex(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let digit = |number| match number {
        0..=9 => b'0' + number,
        _ => b'a' - 10 + number,
    };
    bytes
        .iter()
        .flat_map(move |byte| [digit(byte >> 4), digit(byte & 15)])
}

#[cfg(unix)]
fn open(path: &Path) -> Result<File, String> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    let opened = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        // Without O_NONBLOCK, opening a pipe would wait for its reader.
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path);
    let file = opened.map_err(|error| {
        // The file was not opened. This only chooses the words: the error for a symbolic link
        // differs between systems.
        match path.symlink_metadata() {
            Ok(link) if link.is_symlink() => {
                "it is a symbolic link, which may lead anywhere: name the file itself".to_owned()
            }
            _ => error.to_string(),
        }
    })?;
    // Of the opened file, so that it cannot be replaced between the check and its use.
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a regular file: name another one, or write a KeyLog for it".into());
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "its mode is {mode:o}, so its group or others may use it: remove it, or keep it to its \
             owner by `chmod 600`"
        ));
    }
    Ok(file)
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<File, String> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_by_the_book() {
        // RFC 9850: the three values, "separated by a single space character".
        let random = core::array::from_fn(|at| u8::try_from(at * 8).unwrap());
        let digits = "0008101820283038404850586068707880889098a0a8b0b8c0c8d0d8e0e8f0f8";
        let line = line("EXPORTER_SECRET", &random, &Secret::copy_of(&[0xfe; 48]));
        let expected = format!("\nEXPORTER_SECRET {digits} {}\n", "fe".repeat(48));
        assert_eq!(core::str::from_utf8(line.expose()).unwrap(), expected);
    }

    #[test]
    fn an_unset_or_empty_variable_names_no_file() {
        assert!(KeyLogFile::named_by(None).unwrap().is_none());
        assert!(KeyLogFile::named_by(Some("".into())).unwrap().is_none());
        assert!(KeyLogFile::named_by(Some("/nowhere/at/all".into())).is_err());
    }

    /// A device on which every write fails, and which `open` refuses.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_line_that_cannot_be_written_is_lost_and_the_next_is_whole() {
        let secret = Secret::copy_of(&[1; 32]);
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let mut log = KeyLogFile {
            file: full,
            cut: AtomicBool::new(false),
        };
        log.log("LOST", &[2; 32], &secret);
        log.log("LOST", &[2; 32], &secret);

        let path = std::env::temp_dir().join(format!("fleeting-cut-{}", std::process::id()));
        log.file = open(&path).unwrap();
        // What a write that was cut leaves behind.
        log.file.write_all(b"LOST 02").unwrap();
        log.log("WHOLE", &[2; 32], &secret);
        log.log("WHOLE", &[2; 32], &secret);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let whole = format!("WHOLE {} {}\n", "02".repeat(32), "01".repeat(32));
        assert_eq!(text, format!("LOST 02\n{whole}{whole}"));
    }
}
