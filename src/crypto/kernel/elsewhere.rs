//! Without the feature, or on other targets, there is no kernel, and `aes-gcm` is used.

use crate::crypto::kernel::width::Width;

/// A key that is never made.
pub(crate) enum GcmKey {}

impl GcmKey {
    pub(crate) fn runs(_: Width) -> bool {
        false
    }

    pub(crate) fn new(_: Width, _: &[u8]) -> Option<Self> {
        None
    }

    pub(crate) fn width(&self) -> Width {
        match *self {}
    }

    #[cfg(test)]
    pub(crate) fn blocks(&self) -> Vec<u128> {
        match *self {}
    }

    pub(crate) fn is_aes_128(&self) -> bool {
        match *self {}
    }

    pub(crate) fn seal(&self, _: &[u8; 12], _: &[u8], _: &[u8], _: &mut [u8]) -> Option<[u8; 16]> {
        match *self {}
    }

    pub(crate) fn open(
        &self,
        _: &[u8; 12],
        _: &[u8],
        _: &mut [u8],
        _: &[u8; 16],
        _: &mut [u8],
    ) -> Option<()> {
        match *self {}
    }
}
