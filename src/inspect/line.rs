//! One line for each control packet: `picket inspect --packets`.

use std::io::{self, Write};
use std::net::SocketAddr;

use serde::ser::{SerializeMap as _, Serializer as _};

use super::packet::{direction_name, fields, octets, version_name};
use super::value::{Json, Text, Value};
use crate::engine::{Observed, Sink};
use crate::escape::escape;
use crate::flow::key::{Direction, Socket};
use crate::mqtt::packet::Body;
use crate::publish::rfc3339::Rfc3339;

/// How lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// For reading and for `grep`.
    Text,
    /// One JSON object a line.
    Json,
}

/// Writes a line for each control packet.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    form: Form,
    user_names: bool,
    outcome: io::Result<()>,
}

impl<W: Write> Lines<W> {
    /// Writes to `out`; user names only if asked for.
    pub const fn new(out: W, form: Form, user_names: bool) -> Self {
        Self { out, form, user_names, outcome: Ok(()) }
    }

    /// Writes out what is waiting to be.
    pub fn flush(&mut self) {
        if self.outcome.is_ok() {
            self.outcome = self.out.flush();
        }
    }

    /// Flushes.
    ///
    /// # Errors
    /// What went wrong first.
    pub fn finish(mut self) -> io::Result<()> {
        self.outcome?;
        self.out.flush()
    }

    fn write(&mut self, seen: &Observed<'_, '_>) -> io::Result<()> {
        let fields = fields(seen, self.user_names);
        match self.form {
            Form::Text => self.write_text(seen, &fields),
            Form::Json => self.write_json(seen, &fields),
        }
    }

    fn write_text(&mut self, seen: &Observed<'_, '_>, fields: &[super::value::Field]) -> io::Result<()> {
        let arrow = match seen.direction {
            Direction::ToServer => "->",
            Direction::ToClient => "<-",
        };
        write!(
            self.out,
            "{} {} {arrow} {} {} v={} octets={}",
            Rfc3339(seen.ts),
            address(seen.client),
            address(seen.server),
            seen.packet.packet_type.name(),
            version_name(seen.version),
            octets(seen),
        )?;
        if let Some(id) = client_id(seen) {
            write!(self.out, " client={}", Value::text(id))?;
        }
        if !fields.is_empty() {
            write!(self.out, " {}", Text(fields))?;
        }
        writeln!(self.out)
    }

    fn write_json(&mut self, seen: &Observed<'_, '_>, fields: &[super::value::Field]) -> io::Result<()> {
        let mut serializer = serde_json::Serializer::new(&mut self.out);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ts", &Rfc3339(seen.ts))?;
        map.serialize_entry("client", &address(seen.client))?;
        map.serialize_entry("server", &address(seen.server))?;
        map.serialize_entry("direction", direction_name(seen.direction))?;
        map.serialize_entry("type", seen.packet.packet_type.name())?;
        map.serialize_entry("version", version_name(seen.version))?;
        map.serialize_entry("octets", &octets(seen))?;
        map.serialize_entry("client_id", &client_id(seen).map(escape))?;
        map.serialize_entry("fields", &Json(fields))?;
        map.end()?;
        writeln!(self.out)
    }
}

impl<W: Write> Sink for Lines<W> {
    const WANTS_PACKETS: bool = true;

    fn control_packet(&mut self, seen: &Observed<'_, '_>) {
        if self.outcome.is_ok() {
            self.outcome = self.write(seen);
        }
    }
}

/// The client identifier: of a CONNECT whole, else as the session keeps it.
fn client_id<'s>(seen: &'s Observed<'_, '_>) -> Option<&'s [u8]> {
    match seen.packet.body {
        Body::Connect(connect) => connect.client_id,
        _ => seen.client_id,
    }
}

/// An address with its port.
#[must_use]
pub fn address(socket: Socket) -> SocketAddr {
    SocketAddr::new(socket.addr.ip(), socket.port)
}
