//! One binary for all integration tests, a file for each promise or group of them.

mod inherit;
