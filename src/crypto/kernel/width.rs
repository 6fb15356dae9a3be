//! [`Width`]: the three widths of the kernel.

/// How wide the kernel works.
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
    /// The widest last.
    pub(crate) const ALL: [Self; 3] = [Self::AesNi, Self::Avx2, Self::Avx512];

    /// By this a test names the width it wants.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AesNi => "aes-ni",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}
