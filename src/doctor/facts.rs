//! What is known of the machine, without judgement. `None` means that it could not be found out.

use std::net::IpAddr;
use std::path::PathBuf;

/// Everything that is looked at.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Snapshot {
    /// What the configuration says.
    pub config: Wanted,
    /// Every interface of this network namespace.
    pub interfaces: Vec<Interface>,
    /// TCP ports on which something listens.
    pub listeners: Option<Vec<Listener>>,
    /// Packets that pass around the CPU or the stack.
    pub offload: Offload,
    /// What live traffic showed; `None` when none was looked at.
    pub samples: Option<Vec<Sampled>>,
    /// What this process may do.
    pub rights: Rights,
    /// The time of day.
    pub clock: Clock,
    /// The store's file system.
    pub disk: Option<Disk>,
    /// The configured models.
    pub models: Vec<ModelFact>,
    /// The management broker.
    pub uplink: Uplink,
    /// What the configuration will run into, in words.
    pub advice: Vec<String>,
}

/// What the configuration says, as far as it matters here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// `capture.interfaces`.
    pub interfaces: Vec<String>,
    /// `capture.snaplen`, in octets.
    pub snaplen: u32,
    /// `mqtt.ports`.
    pub mqtt_ports: Vec<u16>,
    /// `capture.user`.
    pub user: String,
    /// `store.path`.
    pub store: PathBuf,
    /// `store.byte-budget`.
    pub byte_budget: u64,
    /// Whether a model that does not load keeps the daemon from starting.
    pub refuses_without_model: bool,
}

impl Wanted {
    /// Whether this interface is watched, by name or by `any`.
    #[must_use]
    pub fn watches(&self, name: &str) -> bool {
        self.interfaces.iter().any(|one| one == name || one == "any")
    }
}

/// A network interface.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether it is a loopback device.
    pub loopback: bool,
    /// Largest payload of a frame, in octets.
    pub mtu: Option<u32>,
    /// The ports, where it is a bridge.
    pub ports: Option<Vec<String>>,
    /// The bridge or bond that it belongs to.
    pub master: Option<String>,
    /// Whether it is a port of a switch chip.
    pub switch_port: bool,
    /// Whether the kernel puts received frames together (GRO, LRO).
    pub merges_frames: Option<bool>,
}

/// A TCP port on which something listens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Listener {
    /// The address; `0.0.0.0` or `::` for all.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// Packets that pass around the CPU or the stack.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Offload {
    /// Flow tables of nftables; `None` when they could not be listed.
    pub flowtables: Option<Vec<Flowtable>>,
    /// `flow_offloading` of OpenWrt's firewall; `None` where there is no such firewall.
    pub openwrt_software: Option<bool>,
    /// `flow_offloading_hw` of OpenWrt's firewall.
    pub openwrt_hardware: Option<bool>,
}

/// A flow table of nftables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flowtable {
    /// Its name.
    pub name: String,
    /// Whether flows go on in hardware.
    pub hardware: bool,
    /// The interfaces it takes flows from.
    pub devices: Vec<String>,
}

/// What a short look at the traffic of an interface showed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sampled {
    /// The interface.
    pub interface: String,
    /// How long was looked, in seconds.
    pub seconds: u32,
    /// Why nothing could be looked at.
    pub failed: Option<String>,
    /// Frames seen.
    pub frames: u64,
    /// Frames lost because the buffer was full.
    pub dropped: u64,
    /// Octets of the largest frame on the wire.
    pub largest: u32,
    /// TCP connections of which both directions were seen.
    pub two_sided: usize,
    /// TCP connections with at least [`ENOUGH`](super::sample::ENOUGH) packets, all in one direction.
    pub one_sided: usize,
    /// Packets from or to a port of MQTT.
    pub mqtt_packets: u64,
}

/// What this process may do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rights {
    /// Whether it is root.
    pub root: bool,
    /// Whether it has `CAP_NET_RAW`.
    pub net_raw: bool,
    /// Whether `capture.user` exists.
    pub user_exists: bool,
    /// The modules of the kernel that watch over security, Landlock among them; `None` where it does not tell.
    pub security_modules: Option<Vec<String>>,
}

/// The time of day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Clock {
    /// Seconds since 1970.
    pub now: u64,
    /// Whether it follows a time server.
    pub synchronised: Option<bool>,
    /// Whether there is a clock that runs without power.
    pub rtc: bool,
}

/// A file system.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Disk {
    /// Octets that an ordinary user may still write.
    pub free: u64,
    /// Whether it is mounted read-only.
    pub read_only: bool,
    /// Its type, such as `ext4`.
    pub kind: String,
    /// What it is on, such as `/dev/mmcblk0p2`.
    pub device: String,
    /// The owner of the store's folder; `None` where the folder does not exist yet.
    pub owner: Option<String>,
}

/// What became of loading a model.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModelFact {
    /// The file.
    pub path: PathBuf,
    /// Its label, or why it was refused.
    pub outcome: Result<String, String>,
}

/// What became of asking the management broker.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Uplink {
    /// There is none.
    #[default]
    Off,
    /// It was not asked.
    NotAsked,
    /// The files of secrets or certificates are not usable.
    Unusable(String),
    /// It did not answer.
    Unreachable(String),
    /// It answered and does not want us.
    Refused(String),
    /// It took us; what it said of our own topics.
    Connected {
        /// Refused publications and subscriptions: the topic and the reason.
        denied: Vec<(String, String)>,
        /// Whether its protocol lets it say that it refuses a publication.
        tells: bool,
    },
}
