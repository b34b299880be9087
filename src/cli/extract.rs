//! `picket extract`: the vectors of a schema, for training.

use std::io::{self, BufWriter, Write};
use std::net::IpAddr;

use super::args::{Extract, SchemaName, VectorFormat};
use super::offline::Output;
use super::{configuration, offline};
use crate::config::Overrides;
use crate::detect::scorer::NoModel;
use crate::engine::{Engine, Sink};
use crate::error::{ExitError, sysexits};
use crate::features::FeatureVector;
use crate::features::connection::CONNECTION;
use crate::features::exchange::EXCHANGE;
use crate::features::schema::{HOST, Schema};
use crate::flow::key::Socket;
use crate::flow::record::EndReason;
use crate::memory::OwnedMemory;
use crate::settings;
use crate::time::Timestamp;

pub(super) fn run(args: &Extract) -> Result<(), ExitError> {
    let config = configuration(&args.config, &Overrides::default())?;
    let mut settings = settings::of(&config);
    settings.rules = false;
    let mut memory = OwnedMemory::new();
    let mut engine = Engine::new(settings, memory.lend(), NoModel);
    let schema = match args.schema {
        SchemaName::PicketHost => &HOST,
        SchemaName::PicketConnection => &CONNECTION,
        SchemaName::PicketExchange => &EXCHANGE,
    };
    let mut writer = Writer::new(BufWriter::new(io::stdout().lock()), schema, args.output);
    let (_, outcome) = offline::drive(&args.captures, &mut engine, &mut writer);
    let written = writer.finish();
    outcome?;
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(ExitError::new(sysexits::IOERR, format!("extract: cannot write vectors: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes the vectors of one schema.
struct Writer<W> {
    out: W,
    schema: &'static Schema,
    format: VectorFormat,
    outcome: io::Result<()>,
}

/// What a vector is about: the names and values of the columns before the features.
type About<'a> = &'a [(&'static str, String)];

impl<W: Write> Writer<W> {
    fn new(out: W, schema: &'static Schema, format: VectorFormat) -> Self {
        let mut writer = Self { out, schema, format, outcome: Ok(()) };
        writer.outcome = writer.head();
        writer
    }

    /// The subject's columns.
    fn subject(&self) -> &'static str {
        if self.schema.name == HOST.name { "ts,host" } else { "ts,client,server,end_reason" }
    }

    fn head(&mut self) -> io::Result<()> {
        if self.format == VectorFormat::Jsonl {
            return Ok(());
        }
        let Schema { name, version, .. } = self.schema;
        writeln!(self.out, "# schema={name}/{version} hash={}", self.schema.hash())?;
        write!(self.out, "{}", self.subject())?;
        for feature in self.schema.features {
            write!(self.out, ",{}", feature.name)?;
        }
        writeln!(self.out)
    }

    fn row(&mut self, about: About<'_>, vector: &FeatureVector) {
        if self.outcome.is_ok() {
            self.outcome = self.write_row(about, vector);
        }
    }

    /// A row about two ends.
    fn between(
        &mut self,
        ts: Timestamp,
        client: Socket,
        server: Socket,
        end: Option<EndReason>,
        vector: &FeatureVector,
    ) {
        let socket = |socket: Socket| std::net::SocketAddr::new(socket.addr.ip(), socket.port).to_string();
        let about = [
            ("ts", ts.to_string()),
            ("client", socket(client)),
            ("server", socket(server)),
            ("end_reason", end.map_or("", EndReason::name).to_owned()),
        ];
        self.row(&about, vector);
    }

    fn write_row(&mut self, about: About<'_>, vector: &FeatureVector) -> io::Result<()> {
        let values = vector.row(self.schema.width());
        match self.format {
            VectorFormat::Csv => {
                let subject: Vec<&str> = about.iter().map(|(_, value)| value.as_str()).collect();
                write!(self.out, "{}", subject.join(","))?;
                for value in values {
                    write!(self.out, ",{value}")?;
                }
            }
            VectorFormat::Jsonl => {
                let Schema { name, version, .. } = self.schema;
                write!(self.out, "{{\"schema\":\"{name}/{version}\",\"hash\":\"{}\"", self.schema.hash())?;
                for (name, value) in about {
                    // Addresses, times and end reasons need no escaping.
                    if *name == "ts" {
                        write!(self.out, ",\"ts\":{value}")?;
                    } else {
                        write!(self.out, ",\"{name}\":\"{value}\"")?;
                    }
                }
                for (feature, value) in self.schema.features.iter().zip(values) {
                    write!(self.out, ",\"{}\":{value}", feature.name)?;
                }
                write!(self.out, "}}")?;
            }
        }
        writeln!(self.out)
    }

    fn finish(mut self) -> io::Result<()> {
        self.outcome?;
        self.out.flush()
    }
}

impl<W: Write> Output for Writer<W> {
    fn flush(&mut self) {
        if self.outcome.is_ok() {
            self.outcome = self.out.flush();
        }
    }
}

impl<W: Write> Sink for Writer<W> {
    const WANTS_VECTORS: bool = true;

    fn host_vector(&mut self, ts: Timestamp, host: IpAddr, vector: &FeatureVector) {
        if self.schema.name == HOST.name {
            self.row(&[("ts", ts.to_string()), ("host", host.to_string())], vector);
        }
    }

    fn connection_vector(
        &mut self,
        ts: Timestamp,
        client: Socket,
        server: Socket,
        end: Option<EndReason>,
        vector: &FeatureVector,
    ) {
        if self.schema.name == CONNECTION.name {
            self.between(ts, client, server, end, vector);
        }
    }

    fn exchange_vector(
        &mut self,
        ts: Timestamp,
        client: Socket,
        server: Socket,
        end: EndReason,
        vector: &FeatureVector,
    ) {
        if self.schema.name == EXCHANGE.name {
            self.between(ts, client, server, Some(end), vector);
        }
    }
}
