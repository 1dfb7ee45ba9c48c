//! Files: rotation, retention, compression, faults of the disk, durability.

#[cfg(unix)]
pub(crate) mod attacks;
pub(crate) mod attributes;
pub(crate) mod child_process;
#[cfg(feature = "gzip")]
pub(crate) mod compression;
pub(crate) mod damaged_logs;
pub(crate) mod dated_paths;
pub(crate) mod durability;
pub(crate) mod failed_sync;
pub(crate) mod following;
mod following_limits;
pub(crate) mod full_disk;
pub(crate) mod hostile_directory;
pub(crate) mod impossible_rotation;
pub(crate) mod jail;
pub(crate) mod moved_files;
pub(crate) mod newest_link;
pub(crate) mod numbered;
pub(crate) mod permissions;
pub(crate) mod reading;
pub(crate) mod retention;
pub(crate) mod rotation;
pub(crate) mod routes;
pub(crate) mod several_processes;
pub(crate) mod start;
pub(crate) mod torn_lines;
