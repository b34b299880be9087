//! The cases, by the part of the protocol they are about.

mod authentication;
mod connack;
mod connect;
mod connect_flags;
mod fixed_header;
mod keep_alive;
mod packet_id;
mod property;
mod publish;
mod qos2;
mod string;
mod subscribe;
mod version5;
mod websocket;

use crate::case::Case;

/// What a malformed CONNECT of either version gives besides: reports of flaws that such packets exploit.
const MALFORMED: [&str; 2] = ["cve:CVE-2017-7654", "cve:CVE-2021-34431"];

/// All of them.
pub fn all() -> Vec<Case> {
    let mut list = Vec::new();
    for add in [
        fixed_header::add,
        string::add,
        connect::add,
        connect_flags::add,
        authentication::add,
        connack::add,
        keep_alive::add,
        publish::add,
        packet_id::add,
        qos2::add,
        subscribe::add,
        version5::add,
        property::add,
        websocket::add,
    ] {
        add(&mut list);
    }
    list
}
