//! `picket-lab`: real MQTT traffic, benign and hostile, against a real mosquitto, with labelled captures.
//!
//! It is for developers of Picket and is never shipped to a gateway. It touches loopback and network namespaces
//! that it made itself, and nothing else ([`target`]); everything it does is seeded ([`random`]) and bounded in
//! time and count ([`stop`], [`attack`]).
//!
//! - Ground: [`target`], [`sandbox`], [`child`], [`broker`], [`victim`].
//! - Traffic: [`mqtt`] (a client of its own), [`benign`], [`attack`].
//! - Order: [`scenario`] (plan and run), [`worker`] (one host), [`corpus`] (many scenarios), [`episode`] (labels).
//! - A day in seconds: [`sim`].
//! - Front: [`cli`], [`error`].

#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_methods,
    reason = "it makes traffic in real time and starts programs: it waits, reads clocks and looks at PATH"
)]
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a command-line tool: what it does goes to stderr, results to stdout"
)]
#![expect(clippy::missing_panics_doc, reason = "each `expect` states an invariant that no caller can break")]

pub mod attack;
pub mod benign;
pub mod broker;
pub mod child;
pub mod cli;
pub mod corpus;
pub mod credentials;
pub mod episode;
pub mod error;
pub mod mqtt;
pub mod random;
pub mod sandbox;
pub mod scenario;
pub mod sim;
pub mod stop;
pub mod target;
pub mod victim;
pub mod worker;
