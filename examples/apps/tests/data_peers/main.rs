//! Our clients against PostgreSQL, Redis and Mosquitto. Debian: `apt-get install postgresql
//! redis-server mosquitto openssl`.

mod mosquitto;
mod postgres;
mod redis;

#[path = "../support/mod.rs"]
mod support;

use std::error::Error;
use std::io;
use std::sync::Arc;

/// Returns our error at the bottom of another library's.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> &'a fleeting::Error {
    if let Some(ours) = error.downcast_ref() {
        return ours;
    }
    // These two return the source of what is in them, and leave out what is in them.
    if let Some(inner) = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        return cause(inner);
    }
    if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        return cause(&**shared);
    }
    match error.source() {
        Some(source) => cause(source),
        None => panic!("not an error of ours: {error:?}"),
    }
}
