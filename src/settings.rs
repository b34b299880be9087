//! From the configuration to the engine's settings.

use crate::config::Config;
use crate::detect::incident::Pace;
use crate::detect::rules::Thresholds;
use crate::engine::Settings;
use crate::flow::table::HashKey;

/// What the engine is told of the configuration. The hash key stays the fixed one of replays; who captures live
/// replaces it by [`random_key`].
#[must_use]
pub fn of(config: &Config) -> Settings {
    let rules = config.rules();
    let micros = |duration: std::time::Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let secs = |duration: std::time::Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    Settings {
        mqtt_ports: config.mqtt_ports().iter().copied().collect(),
        idle_timeout: secs(config.flow().idle_timeout),
        active_timeout: secs(config.flow().active_timeout),
        rules: rules.enabled,
        thresholds: Thresholds {
            bruteforce_refused: rules.bruteforce_refused.into(),
            bruteforce_credentials: rules.bruteforce_credentials.into(),
            connect_flood_connects: rules.connect_flood_connects.into(),
            publish_flood_messages: rules.publish_flood_messages.into(),
            publish_flood_retained: rules.publish_flood_retained.into(),
            slow_dos_sessions: rules.slow_dos_sessions.into(),
            malformed_events: rules.malformed_events.into(),
            recon_refused: rules.recon_refused.into(),
            tampering_wiped: rules.tampering_wiped.into(),
            tcp_scan_ports: rules.tcp_scan_ports.into(),
            udp_scan_ports: rules.udp_scan_ports.into(),
            host_scan_hosts: rules.host_scan_hosts.into(),
            login_bruteforce_ssh: rules.login_bruteforce_ssh.into(),
            login_bruteforce_telnet: rules.login_bruteforce_telnet.into(),
            flood_packets: rules.flood_packets.into(),
            arp_spoof_claims: rules.arp_spoof_claims.into(),
        },
        pace: Pace {
            update_every: micros(config.alert().update_every),
            close_after: micros(config.alert().close_after),
        },
        ..Settings::default()
    }
}

/// A key that nobody can guess, for live capture.
///
/// # Errors
/// The system has no random numbers to give.
pub fn random_key() -> Result<HashKey, getrandom::Error> {
    Ok(HashKey(getrandom::u64()?, getrandom::u64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_both_sides_agree() {
        let settings = of(&Config::default());
        let core = Settings::default();
        assert_eq!(settings.thresholds, core.thresholds);
        assert_eq!(settings.pace, core.pace);
        assert_eq!(settings.mqtt_ports, core.mqtt_ports);
        assert_eq!(
            (settings.idle_timeout, settings.active_timeout),
            (core.idle_timeout, core.active_timeout)
        );
    }
}
