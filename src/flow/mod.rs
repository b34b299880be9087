//! Connections: who talks to whom, in what order the octets came, how long it lasted.

pub mod anomaly;
pub mod carrier;
pub mod connection;
pub mod duplicate;
pub mod exchange;
pub mod fragment;
pub mod journal;
pub mod key;
pub mod moments;
pub mod record;
pub mod ring;
pub mod schedule;
pub mod stream;
pub mod table;
