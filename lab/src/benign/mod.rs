//! Honest devices of many kinds, and the fleet that runs them.

pub mod behaviour;
pub mod device;
pub mod fleet;
pub mod profile;
pub mod second_stack;
