//! The tunnel as a program: what it carries, whom it admits, and how it ends.

#![cfg(unix)]

mod carrying;
mod checking;
mod ending;
mod limits;
mod peers;
mod programs;
mod reloading;
mod world;
