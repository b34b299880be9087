//! The connect flags and the fields they announce.

use picket::alert::Severity::Medium;
use picket::mqtt::violation::Violation as V;

use super::MALFORMED;
use crate::case::{Case, Cases};
use crate::support::mqtt::Will;

const RESERVED: u8 = 0x01;
const WILL: u8 = 0x04;
const WILL_QOS_1: u8 = 0x08;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

pub fn add(list: &mut Vec<Case>) {
    Cases::both(V::ConnectReserved, Medium, ["mqtt311:3.1.2-3", "mqtt5:3.1.2-3"])
        .closed(|s, _| s.opens().connects(|c| c.flip(RESERVED)).server_closes())
        .also(MALFORMED)
        .answered(|s, _| s.session_of(|c| c.flip(RESERVED)).leaves())
        .also(MALFORMED)
        .ignored(|s, _| s.opens().connects(|c| c.flip(RESERVED)).waits(6).client_closes())
        .also(MALFORMED)
        .legal(|s, _| s.session().leaves())
        .into(list);
    will(list);
    login(list);
}

fn will(list: &mut Vec<Case>) {
    Cases::both(V::WillFieldsMissing, Medium, ["mqtt311:3.1.2-9", "mqtt5:3.1.2-9"])
        .closed(|s, _| s.opens().connects(|c| c.will(Will::new("a", "").without_message())).server_closes())
        .also(MALFORMED)
        // An empty message is one.
        .legal(|s, _| s.session_of(|c| c.will(Will::new("a", ""))).leaves())
        .into(list);
    Cases::v311(V::WillFlagsWithoutWill, Medium, "mqtt311:3.1.2-11")
        .closed(|s, _| s.opens().connects(|c| c.flip(WILL_QOS_1 | WILL_RETAIN)).server_closes())
        .also(["mqtt311:3.1.2-13"])
        .also(["mqtt311:3.1.2-15"])
        .also(["cve:CVE-2017-7654"])
        .legal(|s, _| s.session_of(|c| c.will(Will::new("a", "b").qos(1).retain())).leaves())
        .into(list);
    Cases::both(V::WillQosWithoutWill, Medium, ["mqtt311:3.1.2-13", "mqtt5:3.1.2-11"])
        .closed(|s, _| s.opens().connects(|c| c.flip(WILL_QOS_1)).server_closes())
        .also(["mqtt311:3.1.2-11", ""])
        .also(MALFORMED)
        .legal(|s, _| s.session_of(|c| c.will(Will::new("a", "b").qos(1))).leaves())
        .into(list);
    Cases::both(V::WillRetainWithoutWill, Medium, ["mqtt311:3.1.2-15", "mqtt5:3.1.2-13"])
        .closed(|s, _| s.opens().connects(|c| c.flip(WILL_RETAIN)).server_closes())
        .also(["mqtt311:3.1.2-11", ""])
        .also(MALFORMED)
        .legal(|s, _| s.session_of(|c| c.will(Will::new("a", "b").retain())).leaves())
        .into(list);
    Cases::both(V::WillQos3, Medium, ["mqtt311:3.1.2-14", "mqtt5:3.1.2-12"])
        .closed(|s, _| s.opens().connects(|c| c.will(Will::new("a", "b").qos(3))).server_closes())
        .also(MALFORMED)
        .legal(|s, _| s.session_of(|c| c.will(Will::new("a", "b").qos(2))).leaves())
        .into(list);
    // The flag alone: what follows the client identifier is no will.
    Cases::v311(V::WillFieldsMissing, Medium, "mqtt311:3.1.2-9")
        .closed(|s, _| s.opens().connects(|c| c.flip(WILL)).server_closes())
        .also(["cve:CVE-2017-7654"])
        .into(list);
}

fn login(list: &mut Vec<Case>) {
    Cases::both(V::UserNameUnannounced, Medium, ["mqtt311:3.1.2-18", "mqtt5:3.1.2-16"])
        .closed(|s, _| s.opens().connects(|c| c.user_name("user").flip(USER_NAME)).server_closes())
        .also(MALFORMED)
        .legal(|s, _| s.session_of(|c| c.user_name("user")).leaves())
        .into(list);
    Cases::both(V::UserNameMissing, Medium, ["mqtt311:3.1.2-19", "mqtt5:3.1.2-17"])
        .closed(|s, _| s.opens().connects(|c| c.flip(USER_NAME)).server_closes())
        .also(MALFORMED)
        // An empty user name is one.
        .legal(|s, _| s.session_of(|c| c.user_name("")).leaves())
        .into(list);
    Cases::both(V::PasswordUnannounced, Medium, ["mqtt311:3.1.2-20", "mqtt5:3.1.2-18"])
        .closed(|s, _| s.opens().connects(|c| c.login("user", "sesame").flip(PASSWORD)).server_closes())
        .also(MALFORMED)
        .legal(|s, _| s.session_of(|c| c.login("user", "sesame")).leaves())
        .into(list);
    Cases::both(V::PasswordMissing, Medium, ["mqtt311:3.1.2-21", "mqtt5:3.1.2-19"])
        .closed(|s, _| s.opens().connects(|c| c.user_name("user").flip(PASSWORD)).server_closes())
        .also(MALFORMED)
        // An empty password is one.
        .legal(|s, _| s.session_of(|c| c.login("user", "")).leaves())
        .into(list);
    Cases::v311(V::PasswordWithoutUser, Medium, "mqtt311:3.1.2-22")
        .closed(|s, _| s.opens().connects(|c| c.password("sesame")).server_closes())
        .also(["cve:CVE-2017-7654"])
        .answered(|s, _| s.session_of(|c| c.password("sesame")).leaves())
        .also(["cve:CVE-2017-7654"])
        .legal(|s, _| s.session_of(|c| c.login("user", "sesame")).leaves())
        .into(list);
    // Version 5 allows a password alone.
    Cases::v5(V::PasswordMissing, Medium, "mqtt5:3.1.2-19")
        .legal(|s, _| s.session_of(|c| c.password("sesame")).leaves())
        .into(list);
}
