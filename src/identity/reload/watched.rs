//! [`Watched`]: a group of files that are used together.
//!
//! Files are compared by their content. Times of modification are too coarse for two changes in
//! one tick, and tools that put a whole folder in place by a symbolic link (Kubernetes, certbot) do
//! not change them at all. Each check opens every path anew, so it follows such links.
//!
//! A change counts when two checks in a row have seen it. So a file that is being written, and a
//! key whose certificate is not there yet, are left alone until they are complete.

use std::path::{Path, PathBuf};

use crate::crypto::hash::{HashAlgorithm, sha256};
use crate::crypto::scrub::scrubbed_hash;
use crate::error::{ConfigError, Error};
use crate::identity::pem;
use crate::identity::trust::revocation_lists;
use crate::secret::Secret;

/// The content of a file.
pub(crate) enum Text {
    /// It may contain a key.
    Secret(Secret),
    /// A revocation list, which may be long.
    Public(Vec<u8>),
}

impl Text {
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        pem::read_file(path).map(Self::Secret)
    }

    pub(crate) fn read_list(path: &Path) -> Result<Self, ConfigError> {
        revocation_lists::read_file(path).map(Self::Public)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Secret(text) => text.expose(),
            Self::Public(text) => text,
        }
    }

    /// Returns the SHA-256 of the content. It says no more about a key than its public key does.
    fn print(&self) -> [u8; 32] {
        match self {
            Self::Secret(text) => scrubbed_hash(HashAlgorithm::Sha256, || sha256(text.expose())),
            Self::Public(text) => sha256(text),
        }
    }
}

type Read = fn(&Path) -> Result<Text, ConfigError>;

/// What a file contained: `None` if it could not be read.
type Print = Option<[u8; 32]>;

/// A group of files, what was seen in them last, and what is in use of them.
pub(crate) struct Watched<T> {
    paths: Vec<PathBuf>,
    read: Read,
    used: T,
    used_prints: Vec<Print>,
    seen: Vec<Print>,
    /// Why the last change was not loaded.
    failure: Option<Error>,
}

impl<T> Watched<T> {
    /// Loads the files for the first time. Returns `None` if there are no paths.
    pub(crate) fn open(
        paths: &[PathBuf],
        read: Read,
        load: impl FnOnce(&[PathBuf], &[Text]) -> Result<T, Error>,
    ) -> Result<Option<Self>, Error> {
        if paths.is_empty() {
            return Ok(None);
        }
        let (prints, texts) = read_all(paths, read);
        Ok(Some(Self {
            used: load(paths, &texts?)?,
            paths: paths.to_vec(),
            read,
            used_prints: prints.clone(),
            seen: prints,
            failure: None,
        }))
    }

    /// Reads the files, and loads them if they differ from what is in use, and from what the last
    /// look saw in no way (unless `at_once` is set).
    pub(crate) fn look(
        &mut self,
        at_once: bool,
        load: impl FnOnce(&[PathBuf], &[Text]) -> Result<T, Error>,
    ) -> Option<T> {
        let (prints, texts) = read_all(&self.paths, self.read);
        let settled = at_once || prints == self.seen;
        self.seen = prints;
        if self.seen == self.used_prints {
            self.failure = None;
            return None;
        }
        if !settled {
            return None;
        }
        match texts.and_then(|texts| load(&self.paths, &texts)) {
            Ok(loaded) => {
                self.failure = None;
                Some(loaded)
            }
            Err(error) => {
                self.failure = Some(error);
                None
            }
        }
    }

    /// Puts in use what the last look returned.
    pub(crate) fn put_in_use(&mut self, loaded: T) {
        self.used = loaded;
        self.used_prints.clone_from(&self.seen);
    }

    pub(crate) fn used(&self) -> &T {
        &self.used
    }

    pub(crate) fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }
}

/// Reads all files, even if one of them cannot be read.
fn read_all(paths: &[PathBuf], read: Read) -> (Vec<Print>, Result<Vec<Text>, Error>) {
    let texts: Vec<_> = paths.iter().map(|path| read(path)).collect();
    let print = |text: &Result<Text, ConfigError>| text.as_ref().ok().map(Text::print);
    let prints = texts.iter().map(print).collect();
    (
        prints,
        texts
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(Error::from),
    )
}
