//! What is measured and how, the same for every stack, in whichever program it is linked.

pub mod aead;
pub mod clock;
pub mod loopback;
pub mod measure;
pub mod options;
pub mod stack;
