//! The border of the laboratory: it talks to loopback, or inside a namespace that it made, and to nothing else.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use thiserror::Error;

/// Every namespace of the laboratory has a name that starts with this.
pub const NAMESPACE_PREFIX: &str = "picketlab-";

/// Where iproute2 keeps named network namespaces.
pub const NAMESPACE_DIR: &str = "/run/netns";

/// The first two octets of every address inside the laboratory's namespaces.
pub const SANDBOX_NET: [u8; 2] = [10, 77];

/// A target that the laboratory will not touch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Refusal {
    /// Neither loopback nor an address of the sandboxes.
    #[error(
        "refusing {0}: only loopback, or 10.77.0.0/16 inside a namespace that picket-lab made, may be a target"
    )]
    Outside(IpAddr),
    /// An address of the sandboxes, but this process is not inside one.
    #[error("refusing {0}: this process is not inside a namespace that picket-lab made")]
    NotInSandbox(IpAddr),
    /// Packets of its own making never leave the sandboxes, not even for loopback.
    #[error(
        "refusing {0}: this attack makes its own packets, and does so only in a namespace that picket-lab made"
    )]
    RawOutside(IpAddr),
}

/// An address that has been checked. The only way to get one is [`Target::check`], and nothing connects without one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target(SocketAddr);

impl Target {
    /// Checks an address against the namespace that this process runs in.
    ///
    /// # Errors
    /// A [`Refusal`] that names the address.
    pub fn check(address: SocketAddr) -> Result<Self, Refusal> {
        decide(address.ip(), in_own_namespace(Path::new(NAMESPACE_DIR))).map(|()| Self(address))
    }

    /// The checked address.
    #[must_use]
    pub const fn address(self) -> SocketAddr {
        self.0
    }

    /// The source address that the system takes for this target when none is bound. Asks the routing table by
    /// connecting a UDP socket, which sends nothing.
    #[must_use]
    pub fn default_source(self) -> IpAddr {
        let any = if self.0.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        UdpSocket::bind(any)
            .and_then(|socket| {
                socket.connect(self.0)?;
                socket.local_addr()
            })
            .map_or(self.0.ip(), |local| local.ip())
    }

    /// A multicast group, to look for neighbours, if the target is in a sandbox: what is sent to a group stays in
    /// the namespaces of this sandbox. On loopback it might leave the machine, and there is none.
    #[must_use]
    pub fn group(self, group: Ipv4Addr, port: u16) -> Option<SocketAddr> {
        match self.0.ip() {
            IpAddr::V4(own) if in_sandbox_net(own) && group.is_multicast() => {
                Some(SocketAddr::new(group.into(), port))
            }
            _ => None,
        }
    }

    /// The address as one that may get packets of our own making: version 4, in the sandboxes' network, from inside a
    /// sandbox. Asked anew each time.
    ///
    /// # Errors
    /// [`Refusal::RawOutside`].
    pub fn raw(self) -> Result<Ipv4Addr, Refusal> {
        raw(self.0.ip(), in_own_namespace(Path::new(NAMESPACE_DIR)))
    }

    /// Another host of the same /24, at the same port. Loopback stays loopback, and a sandbox the same sandbox.
    #[must_use]
    pub const fn neighbour(self, last: u8) -> Self {
        match self.0.ip() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, last)), self.0.port()))
            }
            IpAddr::V6(_) => self,
        }
    }

    /// The same host at another port: what a scan needs.
    #[must_use]
    pub const fn at_port(self, port: u16) -> Self {
        Self(SocketAddr::new(self.0.ip(), port))
    }
}

/// The rule itself. An IPv4-mapped IPv6 address counts as the IPv4 address that it is.
fn decide(ip: IpAddr, in_sandbox: bool) -> Result<(), Refusal> {
    match ip.to_canonical() {
        own if own.is_loopback() => Ok(()),
        IpAddr::V4(v4) if in_sandbox_net(v4) => {
            if in_sandbox {
                Ok(())
            } else {
                Err(Refusal::NotInSandbox(ip))
            }
        }
        _ => Err(Refusal::Outside(ip)),
    }
}

fn raw(ip: IpAddr, in_sandbox: bool) -> Result<Ipv4Addr, Refusal> {
    match ip {
        IpAddr::V4(v4) if in_sandbox && in_sandbox_net(v4) => Ok(v4),
        _ => Err(Refusal::RawOutside(ip)),
    }
}

/// Whether an address belongs to the sandboxes.
#[must_use]
pub fn in_sandbox_net(ip: Ipv4Addr) -> bool {
    ip.octets()[..2] == SANDBOX_NET
}

/// Whether this process's network namespace is one of the laboratory's by name. Compared by inode, as
/// `ip netns identify` does, so that neither an environment variable nor an option can claim it.
fn in_own_namespace(dir: &Path) -> bool {
    let Ok(own) = fs::metadata("/proc/thread-self/ns/net") else {
        return false;
    };
    let Ok(entries) = fs::read_dir(dir) else {
        return false;
    };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(NAMESPACE_PREFIX))
        .filter_map(|entry| fs::metadata(entry.path()).ok())
        .any(|named| named.ino() == own.ino() && named.dev() == own.dev())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn loopback_is_always_allowed() {
        for own in ["127.0.0.1", "127.66.7.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(decide(ip(own), false), Ok(()), "{own}");
        }
    }

    #[test]
    fn the_world_is_never_a_target() {
        for other in
            ["192.168.1.10", "10.76.0.1", "8.8.8.8", "0.0.0.0", "224.0.0.1", "fe80::1", "::ffff:8.8.8.8"]
        {
            for in_sandbox in [false, true] {
                assert_eq!(decide(ip(other), in_sandbox), Err(Refusal::Outside(ip(other))), "{other}");
            }
        }
    }

    #[test]
    fn sandbox_addresses_only_from_inside() {
        assert_eq!(decide(ip("10.77.3.1"), true), Ok(()));
        assert_eq!(decide(ip("10.77.3.1"), false), Err(Refusal::NotInSandbox(ip("10.77.3.1"))));
        assert_eq!(
            Target::check("10.77.3.1:1883".parse().unwrap()),
            Err(Refusal::NotInSandbox(ip("10.77.3.1"))),
            "the tests do not run inside a sandbox"
        );
    }

    #[test]
    fn packets_of_our_own_making_stay_in_the_sandboxes() {
        assert_eq!(raw(ip("10.77.3.1"), true), Ok(Ipv4Addr::new(10, 77, 3, 1)));
        for (other, in_sandbox) in
            [("10.77.3.1", false), ("127.0.0.1", true), ("8.8.8.8", true), ("::1", true)]
        {
            assert_eq!(raw(ip(other), in_sandbox), Err(Refusal::RawOutside(ip(other))), "{other}");
        }
        let target = Target::check("127.5.6.7:99".parse().unwrap()).unwrap();
        assert_eq!(target.neighbour(9).address().to_string(), "127.5.6.9:99");
        assert_eq!(target.raw(), Err(Refusal::RawOutside(ip("127.5.6.7"))));
    }

    #[test]
    fn a_namespace_is_recognised_by_inode_not_by_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("picketlab-1-1"), "").unwrap();
        assert!(!in_own_namespace(dir.path()), "a file of the right name is not our namespace");
        assert!(!in_own_namespace(&dir.path().join("absent")));
        std::os::unix::fs::symlink("/proc/thread-self/ns/net", dir.path().join("other-1")).unwrap();
        assert!(!in_own_namespace(dir.path()), "our namespace under a foreign name does not count");
        std::os::unix::fs::symlink("/proc/thread-self/ns/net", dir.path().join("picketlab-1-2")).unwrap();
        assert!(in_own_namespace(dir.path()));
    }
}
