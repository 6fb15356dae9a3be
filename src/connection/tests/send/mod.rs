//! Records that go out.

pub(super) mod corking;
pub(super) mod key_updates;
