//! The log in a file: what a file can say, which value wins, which mistakes are found, and that the model is complete.

mod explain;
mod keys;
mod mistakes;
mod model;
mod pages;
mod precedence;
mod reload;
mod reload_load;
mod sinks;
mod sources;
