//! Honest traffic that looks like an attack to a careless rule. Each starts at `at`.

use std::net::IpAddr;

use super::capture::{Capture, RST, SECOND, SYN_ACK, Socket, segment};
use super::conversation::Conversation;
use super::mqtt::{self, Connect, Version};

/// A sensor that publishes once a second for `seconds` and pings now and then.
pub fn sensor(version: Version, device: IpAddr, broker: Socket, at: u64, seconds: u64) -> Capture {
    let mut talk = Conversation::new((device, 50_000), broker, at).open();
    talk = talk.connect(&Connect::new(version, "sensor").login("sensor", "right"));
    let start = talk.now;
    for n in 1..seconds {
        talk.wait_until(start + n * SECOND);
        if n % 30 == 0 {
            talk.send(&mqtt::pingreq());
            talk.reply(&mqtt::pingresp());
        } else {
            let id = n as u16;
            talk.send(&mqtt::publish_qos1(version, "room/temperature", id, b"21.5"));
            talk.reply(&mqtt::puback(id));
        }
    }
    talk.send(&mqtt::disconnect());
    talk.close()
}

/// A device whose password was changed tries the old one every five seconds for `tries` times.
pub fn wrong_password(version: Version, device: IpAddr, broker: Socket, at: u64, tries: u16) -> Capture {
    let mut capture = Capture::default();
    for n in 0..tries {
        let start = at + u64::from(n) * 5 * SECOND;
        let mut talk = Conversation::new((device, 20_000 + n), broker, start).open();
        talk.send(&Connect::new(version, "thermostat").login("thermostat", "old").encode());
        talk.reply(&mqtt::refused(version));
        capture.frames.extend(talk.closed_by_server().frames);
    }
    capture.sorted()
}

/// `clients` devices behind one address work, the broker closes all at once, and all come back within a second.
pub fn mass_reconnect(version: Version, gateway: IpAddr, broker: Socket, at: u64, clients: u16) -> Capture {
    let mut capture = Capture::default();
    let restart = at + 20 * SECOND;
    for n in 0..clients {
        let connect = Connect::new(version, format!("device{n}"));
        let topic = format!("device/{n}/set");
        let first = at + u64::from(n) * 300_000;
        let mut talk = Conversation::new((gateway, 20_000 + n), broker, first).open();
        talk = talk.connect(&connect).subscribe(version, &topic);
        talk.wait_until(restart + u64::from(n) * 100);
        capture.frames.extend(talk.closed_by_server().frames);
        let again = restart + SECOND + u64::from(n) * 20_000;
        let mut talk = Conversation::new((gateway, 30_000 + n), broker, again).open();
        talk = talk.connect(&connect).subscribe(version, &topic);
        talk.wait_until(again + 30 * SECOND);
        talk.send(&mqtt::pingreq());
        talk.reply(&mqtt::pingresp());
        capture.frames.extend(talk.left_open().frames);
    }
    capture.sorted()
}

/// A bridge that comes back announces `messages` entities with retained messages in one burst.
pub fn discovery_burst(version: Version, bridge: IpAddr, broker: Socket, at: u64, messages: u16) -> Capture {
    let mut talk = Conversation::new((bridge, 50_001), broker, at).open();
    talk = talk.connect(&Connect::new(version, "bridge")).subscribe(version, "bridge/request/+");
    for n in 0..messages {
        let topic = format!("homeassistant/sensor/{n}/config");
        talk.send(&mqtt::publish_retained(version, &topic, br#"{"name":"lamp"}"#));
    }
    talk.close()
}

/// A browser opens `connections` connections to several web servers, and all succeed.
pub fn web_browsing(user: IpAddr, at: u64, connections: u16) -> Capture {
    let mut capture = Capture::default();
    for n in 0..connections {
        let server: IpAddr = [93, 184, 216, (n % 40) as u8].into();
        let port = if n % 3 == 0 { 80 } else { 443 };
        let start = at + u64::from(n) * 50_000;
        let mut talk = Conversation::new((user, 30_000 + n), (server, port), start).open();
        if port == 80 {
            talk.send(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
            talk.reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        } else {
            talk.send(&[0x16, 3, 1, 0, 4, 1, 0, 0, 0]);
            talk.reply(&[0x16, 3, 3, 0, 4, 2, 0, 0, 0]);
        }
        capture.frames.extend(talk.close().frames);
    }
    capture.sorted()
}

/// What `victim` answers to SYN that somebody else sent in the name of hosts here: no scan by anyone.
pub fn backscatter(victim: IpAddr, at: u64, count: u16) -> Capture {
    let mut capture = Capture::default();
    for n in 0..count {
        let here = super::capture::host(n % 50 + 100);
        let flags = if n % 2 == 0 { SYN_ACK } else { RST };
        let frame = segment((victim, 1 + n % 200), (here, 1024 + n), 77, 78, flags, &[]);
        capture.push(at + u64::from(n) * 20_000, frame);
    }
    capture
}
