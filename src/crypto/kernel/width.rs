//! [`Width`]: the three widths of the kernel.

/// How many bits the kernel works on at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// AES-NI, PCLMULQDQ and AVX: 128 bits.
    AesNi,
    /// VAES, VPCLMULQDQ and AVX2: 256 bits.
    Avx2,
    /// VAES, VPCLMULQDQ and AVX-512: 512 bits.
    Avx512,
}

impl Width {
    /// All widths, the widest last.
    pub(crate) const ALL: [Self; 3] = [Self::AesNi, Self::Avx2, Self::Avx512];

    /// Returns the name by which a test selects this width.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AesNi => "aes-ni",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}
