//! How many distinct values were seen lately, in fixed memory.

/// What is told apart per source host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Sketch {
    /// Destination ports of failed connections.
    FailedPorts,
    /// Hosts to which connections were opened.
    Hosts,
    /// Client ids connected as.
    ClientIds,
    /// Keyed hashes of user name and password.
    Credentials,
    /// Topics published to.
    Topics,
}
