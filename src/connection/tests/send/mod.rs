//! Records that go out.

pub(super) mod corking;
