//! Files: rotation, full disks, durability.

pub(crate) mod disk;
pub(crate) mod durable;
pub(crate) mod read;
pub(crate) mod rotate;
