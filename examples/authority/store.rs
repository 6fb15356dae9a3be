//! The folder of an authority: files that a person can read, and that are never half written.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fleeting::{Authority, CertificateInfo, Secret};

use crate::common::Failure;

const INDEX: &str = "index.tsv";
const HEAD: &str = "serial\tuntil\trevoked\tprofile\tfile\tnames\n";

/// A line of the index.
#[derive(Clone)]
pub struct Entry {
    /// In hexadecimal digits.
    pub serial: String,
    pub until: String,
    /// When it was revoked.
    pub revoked: Option<String>,
    pub profile: String,
    /// The name of its file, without `.pem`.
    pub file: String,
    pub names: Vec<String>,
}

impl Entry {
    pub fn new(info: &CertificateInfo, profile: &str, file: &str, names: &[String]) -> Self {
        let serial = info.serial_number().iter();
        Self {
            serial: serial.map(|byte| format!("{byte:02x}")).collect(),
            until: date(info.validity().not_after()),
            revoked: None,
            profile: profile.to_owned(),
            file: file.to_owned(),
            names: names.to_vec(),
        }
    }

    pub fn serial_bytes(&self) -> Result<Vec<u8>, Failure> {
        let digits = self.serial.as_bytes().chunks(2);
        digits
            .map(|two| Ok(u8::from_str_radix(std::str::from_utf8(two)?, 16)?))
            .collect()
    }

    fn line(&self) -> String {
        let revoked = self.revoked.as_deref().unwrap_or("-");
        let Self {
            serial,
            until,
            profile,
            file,
            names,
            ..
        } = self;
        // No name has a tab in it: the library refuses control characters.
        let names = names.join("\t");
        format!("{serial}\t{until}\t{revoked}\t{profile}\t{file}\t{names}\n")
    }

    fn read(line: &str) -> Option<Self> {
        let mut fields = line.split('\t').map(str::to_owned);
        let mut next = || fields.next();
        Some(Self {
            serial: next()?,
            until: next()?,
            revoked: next().map(|when| (when != "-").then_some(when))?,
            profile: next()?,
            file: next()?,
            names: fields.collect(),
        })
    }
}

/// An authority's folder. No other process changes it meanwhile.
pub struct Store {
    dir: PathBuf,
    entries: Vec<Entry>,
    /// Locked until it is dropped.
    _lock: File,
}

impl Store {
    /// Opens the folder of an authority.
    pub fn open(dir: &Path) -> Result<Self, Failure> {
        if !dir.join("ca-key.pem").exists() {
            let dir = dir.display();
            return Err(
                format!("{dir} is no authority's: create one with `authority init`").into(),
            );
        }
        Self::create(dir)
    }

    /// Opens a folder, and creates it if there is none.
    pub fn create(dir: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(dir)?;
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .open(dir.join(".lock"))?;
        lock.lock()?;
        let mut store = Self {
            dir: dir.to_owned(),
            entries: Vec::new(),
            _lock: lock,
        };
        if store.path(INDEX).exists() {
            let text = store.read(INDEX)?;
            for (number, line) in text.lines().enumerate().skip(1) {
                let failed = || format!("{INDEX}, line {}: it is not an entry", number + 1);
                store.entries.push(Entry::read(line).ok_or_else(failed)?);
            }
        }
        Ok(store)
    }

    pub fn authority(&self) -> Result<Authority, Failure> {
        let (chain, key) = (self.path("ca-chain.pem"), self.path("ca-key.pem"));
        Ok(Authority::from_pem_files(chain, key)?)
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub fn read(&self, name: &str) -> Result<String, Failure> {
        let path = self.path(name);
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    /// Adds a certificate to the index, and keeps a copy. This comes before the certificate is
    /// handed out: whatever exists can be revoked.
    pub fn record(&mut self, entry: Entry, pem: &str) -> Result<(), Failure> {
        let copy = format!("issued/{}.pem", entry.serial);
        self.entries.push(entry);
        self.write_index()?;
        fs::create_dir_all(self.path("issued"))?;
        self.write_new(&copy, pem)
    }

    /// Marks certificates as revoked, by the name of their file or by serial number. Returns their
    /// serial numbers.
    pub fn revoke(&mut self, certificate: &str, when: &str) -> Result<Vec<String>, Failure> {
        let serial = certificate.replace(':', "").to_lowercase();
        let mut revoked = Vec::new();
        for entry in &mut self.entries {
            let is_meant = entry.file == certificate || entry.serial == serial;
            if is_meant && entry.revoked.is_none() && *entry.until >= *when {
                entry.revoked = Some(when.to_owned());
                revoked.push(entry.serial.clone());
            }
        }
        self.write_index()?;
        Ok(revoked)
    }

    fn write_index(&self) -> Result<(), Failure> {
        let lines = self.entries.iter().map(Entry::line);
        self.replace(INDEX, &(HEAD.to_owned() + &lines.collect::<String>()))
    }

    /// Fails if there is such a file.
    pub fn must_be_new(&self, name: &str) -> Result<(), Failure> {
        let path = self.path(name);
        if path.symlink_metadata().is_ok() {
            return Err(format!("{} already exists, and is kept", path.display()).into());
        }
        Ok(())
    }

    pub fn write_new(&self, name: &str, text: &str) -> Result<(), Failure> {
        self.put_new(name, text.as_bytes(), false)
    }

    /// Writes a file that only its owner can read.
    pub fn write_new_key(&self, name: &str, pem: &Secret) -> Result<(), Failure> {
        self.put_new(name, pem.expose(), true)
    }

    /// Writes a whole file under another name, and then gives it this one, unless it is taken.
    fn put_new(&self, name: &str, content: &[u8], private: bool) -> Result<(), Failure> {
        self.must_be_new(name)?;
        let temporary = self.write_temporary(content, private)?;
        let linked = fs::hard_link(&temporary, self.path(name));
        fs::remove_file(&temporary)?;
        match linked {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.must_be_new(name)?,
            linked => linked?,
        }
        self.sync()
    }

    /// Replaces a file as a whole, if there is one.
    pub fn replace(&self, name: &str, text: &str) -> Result<(), Failure> {
        let temporary = self.write_temporary(text.as_bytes(), false)?;
        fs::rename(temporary, self.path(name))?;
        self.sync()
    }

    fn write_temporary(&self, content: &[u8], private: bool) -> Result<PathBuf, Failure> {
        let path = self.path(".new");
        // A process that ended early can have left one.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if private {
            // The file has these permissions from the beginning.
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        #[cfg(not(unix))]
        let _ = private;
        let mut file = options.open(&path)?;
        file.write_all(content)?;
        file.sync_all()?;
        Ok(path)
    }

    /// Makes the names in the folder durable, where that is possible.
    fn sync(&self) -> Result<(), Failure> {
        #[cfg(unix)]
        File::open(&self.dir)?.sync_all()?;
        Ok(())
    }
}

/// Returns a name of a file for a name of a certificate: "*.db.internal", "::1" and
/// "spiffe://example.org/db" are inconvenient, and "../x" is dangerous.
pub fn file_name(name: &str) -> Result<String, Failure> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let plain = name.replace(|c| !is_plain(c), "_");
    let own = ["ca", "ca-chain", "ca-key", "crl", "issued"];
    if plain.starts_with('.') || own.contains(&plain.as_str()) || plain.is_empty() {
        return Err(format!("{name:?} cannot name a file here: give another with --file").into());
    }
    Ok(plain)
}

/// Returns a moment since 1970 in the form of RFC 3339.
pub fn date(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (mut days, mut year) = (seconds / 86_400, 1970);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!(
        "{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{:02}Z",
        days + 1,
        seconds % 60
    )
}
