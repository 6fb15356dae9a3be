//! Randomness is an argument, so that a whole conversation can be replayed from a seed.

use rand_core::{TryCryptoRng, TryRng};

use crate::error::Fault;
use crate::secret::Secret;

/// The generator that a caller passes in.
pub(crate) type Rng<'a> = dyn TryCryptoRng<Error = getrandom::Error> + 'a;

/// The operating system's random number generator.
///
/// For ML-KEM, a generator without state (of size zero), such as this one, counts as the system's:
/// the faster implementation asks the system itself. A generator with state, such as a seeded one,
/// is asked for everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl TryRng for SystemRandom {
    type Error = getrandom::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        getrandom::SysRng.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        getrandom::SysRng.try_next_u64()
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        getrandom::SysRng.try_fill_bytes(out)
    }
}

impl TryCryptoRng for SystemRandom {}

/// Returns true if this generator counts as the system's: it has no state, so nobody can have
/// seeded it, and asking the system instead is as good. (A generator that hides its state elsewhere
/// counts too; the system is then asked in its place.)
pub(crate) fn is_system(rng: &Rng<'_>) -> bool {
    size_of_val(rng) == 0
}

/// Fills `out`.
pub(crate) fn fill(rng: &mut Rng<'_>, out: &mut [u8]) -> Result<(), Fault> {
    rng.try_fill_bytes(out).map_err(|_| Fault::Random)
}

/// Returns random bytes that will be public: a `random` field, a session id, a nonce.
pub(crate) fn array<const N: usize>(rng: &mut Rng<'_>) -> Result<[u8; N], Fault> {
    let mut out = [0; N];
    fill(rng, &mut out)?;
    Ok(out)
}

/// Returns random bytes that stay secret.
pub(crate) fn secret(rng: &mut Rng<'_>, len: usize) -> Result<Secret, Fault> {
    Secret::try_filled(len, |out| fill(rng, out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::broken::Broken;

    #[test]
    fn a_generator_that_fails_is_an_error_and_not_zeros() {
        assert!(matches!(array::<32>(&mut Broken), Err(Fault::Random)));
        assert!(matches!(secret(&mut Broken, 32), Err(Fault::Random)));
    }

    #[test]
    fn the_system_does_not_repeat_itself() {
        assert_ne!(
            array::<32>(&mut SystemRandom).unwrap(),
            array::<32>(&mut SystemRandom).unwrap()
        );
        assert!(secret(&mut SystemRandom, 32).unwrap().expose() != [0; 32]);
    }
}
