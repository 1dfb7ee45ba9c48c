//! Sealed files through the library: rotation, retention, restarts, forks, faults.
