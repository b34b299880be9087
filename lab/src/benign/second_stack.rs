//! A periodic device with the rumqttc client library, so that not all benign traffic is written by one hand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rumqttc::{Client, ConnectionError, Event, MqttOptions, Packet, QoS};

use super::behaviour::Behaviour;
use super::device::Tally;
use super::profile::Device;
use crate::stop::Stop;
use crate::target::Target;

/// Longest time that rumqttc may take to send its DISCONNECT.
const FAREWELL: Duration = Duration::from_secs(2);

/// Longest wait for an event. A shorter one would break off the attempt to connect over a slow link, and begin another.
const CONNECTED: Duration = Duration::from_secs(2);

/// Plays the device until it is time to stop. rumqttc cannot bind a source address: the system chooses it,
/// which inside a namespace is the first address of that host.
pub(super) fn run(device: &Device, target: Target, stop: &Stop) -> Tally {
    let address = target.address();
    let mut options = MqttOptions::new(&device.client_id, address.ip().to_string(), address.port());
    options.set_keep_alive(Duration::from_secs(u64::from(device.keep_alive.max(5))));
    if let Some(credentials) = &device.credentials {
        options.set_credentials(&credentials.username, &credentials.password);
    }
    let (client, mut connection) = Client::new(options, 64);
    let (sessions, refused, broken) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let mut published = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut end: Option<Instant> = None;
            loop {
                match connection.recv_timeout(CONNECTED) {
                    Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                        sessions.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(Ok(_)) | Err(rumqttc::RecvTimeoutError::Timeout) => {}
                    Ok(Err(ConnectionError::RequestsDone)) | Err(rumqttc::RecvTimeoutError::Disconnected) => {
                        break;
                    }
                    Ok(Err(error)) => {
                        if stop.is_set() {
                            break;
                        }
                        let counter = if matches!(error, ConnectionError::ConnectionRefused(_)) {
                            &refused
                        } else {
                            &broken
                        };
                        counter.fetch_add(1, Ordering::Relaxed);
                        if !stop.sleep(Duration::from_secs(1)) {
                            break;
                        }
                    }
                }
                if stop.is_set() && Instant::now() > *end.get_or_insert_with(|| Instant::now() + FAREWELL) {
                    break;
                }
            }
        });
        let mut behaviour = Behaviour::new(device);
        let _ = behaviour.hello();
        let mut due = Instant::now();
        loop {
            let action = behaviour.step();
            due += action.after;
            if !stop.sleep_until(due) {
                break;
            }
            for message in action.messages {
                // A full queue means that the broker is away: a reading is then lost, as in a small device.
                if client.try_publish(message.topic, qos(device.qos), message.retain, message.payload).is_ok()
                {
                    published += 1;
                }
            }
        }
        // The queue may be full or the connection gone; the receiving thread ends by itself in both cases.
        let _ = client.try_disconnect();
        drop(client);
    });
    Tally {
        sessions: sessions.into_inner(),
        refused: refused.into_inner(),
        broken: broken.into_inner(),
        published,
        received: 0,
    }
}

const fn qos(level: u8) -> QoS {
    match level {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}
