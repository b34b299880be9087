//! A scenario: a broker, a fleet of benign devices, a schedule of attacks, and a labelled capture of it all.

pub mod plan;
pub mod run;
pub mod spec;
