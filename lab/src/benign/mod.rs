//! Honest devices: kinds, habits, plans, and how they are played; and hosts that do other things than MQTT.

pub mod behaviour;
pub mod device;
pub mod errand;
pub mod fleet;
pub mod pages;
pub mod profile;
mod second_stack;
pub mod speech;
pub mod stack;
pub mod topics;
