//! What the tests of several floors share. It stands outside of the floors: any test may import from it, nothing else may.

pub(crate) mod rfc8448;
