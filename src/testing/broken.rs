//! Useless random number generators: [`Broken`] fails, [`Zeros`] returns zeros and reports no
//! failure.

use rand_core::{TryCryptoRng, TryRng};

/// A generator that fails, as in a sandbox without `getrandom`. It has no state, so it passes for
/// the system's generator where that is required.
pub(crate) struct Broken;

impl TryRng for Broken {
    type Error = getrandom::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Err(getrandom::Error::UNSUPPORTED)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Err(getrandom::Error::UNSUPPORTED)
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
        Err(getrandom::Error::UNSUPPORTED)
    }
}

impl TryCryptoRng for Broken {}

/// A generator that returns only zeros and reports success.
pub(crate) struct Zeros;

impl TryRng for Zeros {
    type Error = getrandom::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        out.fill(0);
        Ok(())
    }
}

impl TryCryptoRng for Zeros {}
