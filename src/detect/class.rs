//! The one vocabulary of what can be reported. Rules, models, alerts and topics all use these names.

macro_rules! classes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// What an alert says is going on.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Class { $($(#[$doc])* $variant),+ }

        impl Class {
            /// Every class, in the order of the vocabulary.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name used in alerts, topics, models and configuration.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

classes! {
    /// Guessing of user names or passwords at a broker.
    MqttBruteforce = "mqtt_bruteforce",
    /// More connection attempts at a broker than any honest client makes.
    MqttConnectFlood = "mqtt_connect_flood",
    /// Messages published faster than any honest client does.
    MqttPublishFlood = "mqtt_publish_flood",
    /// Many sessions held open and idle to use up the broker's connections (SlowITe, SlowTT).
    MqttSlowDos = "mqtt_slow_dos",
    /// Control packets that break the standard or abuse it.
    MqttMalformed = "mqtt_malformed",
    /// Reading out what a broker offers: wildcard and `$SYS` subscriptions, probing of rights.
    MqttRecon = "mqtt_recon",
    /// Acting in another client's name: taking over its session, forging, keeping or wiping messages on its topics.
    MqttTampering = "mqtt_tampering",
    /// One source tries many TCP ports.
    TcpScan = "tcp_scan",
    /// One source tries many UDP ports.
    UdpScan = "udp_scan",
    /// One source tries many hosts.
    HostScan = "host_scan",
    /// Guessing at SSH.
    SshBruteforce = "ssh_bruteforce",
    /// Guessing at Telnet.
    TelnetBruteforce = "telnet_bruteforce",
    /// Half-open connections in great number.
    SynFlood = "syn_flood",
    /// UDP datagrams in great number towards one destination.
    UdpFlood = "udp_flood",
    /// Bare acknowledgements in great number.
    AckFlood = "ack_flood",
    /// HTTP requests in great number.
    HttpFlood = "http_flood",
    /// An address claimed by another station than before.
    ArpSpoof = "arp_spoof",
    /// A device does what its learned process does not contain.
    ProcessDeviation = "process_deviation",
    /// Unlike anything seen in training; no better name.
    Anomaly = "anomaly",
}

impl Class {
    /// The class of that name, if the vocabulary has it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|class| class.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_round_trip() {
        for class in Class::ALL {
            assert_eq!(Class::from_name(class.name()), Some(*class));
        }
        assert_eq!(Class::from_name("benign"), None);
        assert_eq!(Class::ALL.len(), 19);
    }
}
