//! Keep alive: the client's duty to speak, and the server's to close.

use picket::alert::Severity::Low;
use picket::mqtt::violation::Violation as V;

use crate::case::{Case, Cases};
use crate::support::mqtt::{Properties, id, pingreq};

pub fn add(list: &mut Vec<Case>) {
    Cases::both(V::KeepAliveExceeded, Low, ["mqtt311:3.1.2-23", "mqtt5:3.1.2-20"])
        .not_due(|s, _| s.session_of(|c| c.keep_alive(10)).waits(13).pings().leaves())
        // The server closes in time, so the fault is the client's alone.
        .not_due(|s, _| s.session_of(|c| c.keep_alive(10)).waits(15).server_closes())
        .legal(|s, _| s.session_of(|c| c.keep_alive(10)).waits(9).pings().waits(9).pings().leaves())
        .into(list);
    Cases::both(V::KeepAliveTolerated, Low, ["mqtt311:3.1.2-24", "mqtt5:3.1.2-22"])
        .not_due(|s, _| s.session_of(|c| c.keep_alive(10)).waits(30).pings().leaves())
        .also(["mqtt311:3.1.2-23", "mqtt5:3.1.2-20"])
        .legal(|s, _| s.session_of(|c| c.keep_alive(10)).waits(9).up(pingreq()).waits(9).leaves())
        .into(list);
    // The server may set another time.
    Cases::v5(V::KeepAliveTolerated, Low, "mqtt5:3.1.2-22")
        .legal(|s, _| {
            let longer = Properties::new().two(id::SERVER_KEEP_ALIVE, 60);
            let s = s.opens().connects(|c| c.keep_alive(10)).accepts(|a| a.properties(longer));
            s.waits(40).pings().leaves()
        })
        .into(list);
}
