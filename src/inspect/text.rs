//! The report for reading.

use std::io::{self, Write};

use super::report::{Client, Event, List, Report, Topic};
use super::table::Align::{Left, Right};
use super::table::Table;

/// Longest text of a cell, in characters.
const CELL: usize = 48;

/// Writes the report.
///
/// # Errors
/// `out` cannot be written.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    head(report, out)?;
    let messages: u64 = report.control_packets.values().sum::<u64>() + report.reserved_packets;
    if messages == 0 && report.brokers.count == 0 {
        writeln!(out, "\nNo MQTT.")?;
    } else {
        control_packets(report, messages, out)?;
        brokers(report, out)?;
        clients(&report.clients, out)?;
        topics(&report.topics, out)?;
    }
    events(report, out)?;
    hosts(report, out)?;
    losses(report, out)
}

fn head(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", report.files.join(", "))?;
    writeln!(out, "  packets      {} ({})", report.packets, size(report.octets))?;
    if let Some(span) = &report.span {
        writeln!(out, "  span         {} to {} ({})", span.start, span.end, duration(span.seconds))?;
    }
    writeln!(out, "  link types   {}", pairs(report.link_types.iter().map(|(name, n)| (name.as_str(), *n))))?;
    writeln!(out, "  transport    tcp {}, udp {}", report.tcp_segments, report.udp_datagrams)?;
    let skipped = report.frames_skipped.iter().map(|(name, n)| (*name, *n)).filter(|(_, n)| *n > 0);
    let skipped = pairs(skipped);
    writeln!(out, "  skipped      {}", if skipped.is_empty() { "none" } else { &skipped })
}

fn control_packets(report: &Report, messages: u64, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nControl packets ({messages})")?;
    let versions = report.versions.iter().map(|(name, version)| {
        let connects = version.connects;
        format!("{name} {} ({connects} {})", version.packets, plural(connects, "connect"))
    });
    writeln!(out, "  versions     {}", versions.collect::<Vec<_>>().join(", "))?;
    let carriers = &report.carriers;
    let counts = [("tcp", carriers.tcp), ("websocket", carriers.websocket), ("tls", carriers.tls)];
    let counts = pairs(counts.into_iter().filter(|(_, count)| *count > 0));
    let share = carriers.encrypted_share.unwrap_or_default() * 100.0;
    writeln!(out, "  connections  {counts} ({share:.1} % encrypted)")?;
    // In the order of the standard, not of the alphabet.
    let named = crate::mqtt::packet::PacketType::ALL.iter().skip(1).map(|packet_type| packet_type.name());
    if messages == 0 {
        return Ok(());
    }
    let mut table = Table::new([("type", Left), ("packets", Right)]);
    let counts = named.filter_map(|name| report.control_packets.get(name).map(|count| (name, *count)));
    let reserved = ("type 0, forbidden", report.reserved_packets);
    for (name, count) in counts.chain([reserved]).filter(|(_, count)| *count > 0) {
        table.row([name.into(), count.to_string()]);
    }
    table.write(out)
}

fn brokers(report: &Report, out: &mut impl Write) -> io::Result<()> {
    heading("Brokers", &report.brokers, out)?;
    let columns = ["clients", "packets"].map(|name| (name, Right));
    let mut table = Table::new(
        [&[("address", Left), ("carriers", Left), ("versions", Left)][..], &columns, &[("size", Right)]]
            .concat(),
    );
    for broker in &report.brokers.top {
        table.row([
            std::net::SocketAddr::new(broker.address, broker.port).to_string(),
            broker.carriers.join(" "),
            broker.versions.join(" "),
            count(broker.clients, broker.at_least),
            count(broker.packets, broker.at_least),
            size(broker.octets),
        ]);
    }
    table.write(out)
}

fn clients(clients: &List<Client>, out: &mut impl Write) -> io::Result<()> {
    heading("Clients", clients, out)?;
    if clients.top.is_empty() {
        return Ok(());
    }
    let mut columns =
        vec![("client id", Left), ("from", Left), ("version", Left), ("login", Left), ("keep alive", Right)];
    columns.extend([("will", Left)]);
    columns.extend(["connects", "refused", "published", "delivered", "packets"].map(|name| (name, Right)));
    columns.push(("size", Right));
    let mut table = Table::new(columns);
    for client in &clients.top {
        let mut from = client.addresses.first().map(ToString::to_string).unwrap_or_default();
        if client.addresses.len() > 1 || client.more_addresses {
            let more = client.addresses.len() - 1;
            from += &format!(" +{more}{}", if client.more_addresses { " or more" } else { "" });
        }
        let login = match (&client.user_name, client.user, client.password) {
            (Some(name), _, password) => format!("{}{}", cut(name), if password { " *" } else { "" }),
            (None, true, true) => "user *".into(),
            (None, true, false) => "user".into(),
            (None, false, true) => "*".into(),
            (None, false, false) => "-".into(),
        };
        table.row([
            client.client_id.as_deref().map_or("-".into(), cut),
            from,
            client.version.into(),
            login,
            client.keep_alive.map_or("-".into(), |seconds| format!("{seconds} s")),
            if client.will { "yes" } else { "-" }.into(),
            count(client.connects, client.at_least),
            count(client.refused, client.at_least),
            count(client.published, client.at_least),
            count(client.delivered, client.at_least),
            count(client.packets, client.at_least),
            size(client.octets),
        ]);
    }
    table.write(out)
}

fn topics(topics: &List<Topic>, out: &mut impl Write) -> io::Result<()> {
    heading("Topics", topics, out)?;
    if topics.top.is_empty() {
        return Ok(());
    }
    let mut columns = vec![("topic", Left)];
    columns.extend(["messages", "a second", "published", "delivered"].map(|name| (name, Right)));
    columns.extend(["retained", "qos 0", "qos 1", "qos 2", "size"].map(|name| (name, Right)));
    let mut table = Table::new(columns);
    for topic in &topics.top {
        let [qos_0, qos_1, qos_2, _] = topic.qos;
        table.row([
            cut(&topic.topic),
            count(topic.messages, topic.at_least),
            topic.rate.map_or("-".into(), |rate| format!("{rate:.3}")),
            topic.published.to_string(),
            topic.delivered.to_string(),
            topic.retained.to_string(),
            qos_0.to_string(),
            qos_1.to_string(),
            qos_2.to_string(),
            size(topic.octets),
        ]);
    }
    table.write(out)
}

fn events(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.events.top.is_empty() {
        return writeln!(out, "\nEvents (0)");
    }
    writeln!(out, "\nEvents ({} {})", report.events.count, plural(report.events.count, "name"))?;
    let mut table =
        Table::new([("name", Left), ("severity", Left), ("count", Right), ("who", Left), ("what", Left)]);
    for Event { name, severity, count, who, more, what, .. } in &report.events.top {
        let mut shown: Vec<String> = who.iter().take(3).map(ToString::to_string).collect();
        if *more || who.len() > 3 {
            shown.push("and others".into());
        }
        table.row([
            (*name).to_owned(),
            (*severity).to_owned(),
            count.to_string(),
            shown.join(" "),
            (*what).to_owned(),
        ]);
    }
    table.write(out)
}

fn hosts(report: &Report, out: &mut impl Write) -> io::Result<()> {
    heading("Hosts", &report.hosts, out)?;
    if report.hosts.top.is_empty() {
        return Ok(());
    }
    let mut table = Table::new([
        ("address", Left),
        ("mac", Left),
        ("sent", Right),
        ("size", Right),
        ("received", Right),
        ("size", Right),
    ]);
    for host in &report.hosts.top {
        table.row([
            host.address.to_string(),
            host.mac.clone().unwrap_or_else(|| "-".into()),
            count(host.packets_sent, host.at_least),
            size(host.octets_sent),
            count(host.packets_received, host.at_least),
            size(host.octets_received),
        ]);
    }
    table.write(out)
}

fn losses(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let losses = &report.losses;
    writeln!(out, "\nDrops and gaps")?;
    writeln!(out, "  gaps         {} of {} octets", losses.gaps, losses.gap_octets)?;
    writeln!(out, "  fragments    {} datagrams incomplete", losses.incomplete_datagrams)?;
    writeln!(out, "  copies       {} frames, {} with another content", losses.duplicates, losses.conflicts)?;
    writeln!(out, "  unframed     {} octets, {} bad lengths", losses.unframed_octets, losses.bad_lengths)?;
    writeln!(out, "  segments     {} retransmitted, {} stray", losses.retransmitted, losses.stray)?;
    writeln!(out, "  capture      {} dropped, {} not read", losses.capture_dropped, losses.frames_unread)?;
    writeln!(out, "  damaged      {} places of {} octets", losses.damaged_places, losses.damaged_octets)?;
    writeln!(
        out,
        "  evicted      {} {}",
        losses.connections_evicted,
        plural(losses.connections_evicted, "connection")
    )
}

/// `Topics (12, the 10 most frequent)`.
fn heading<T>(name: &str, list: &List<T>, out: &mut impl Write) -> io::Result<()> {
    let of = if list.complete { list.count.to_string() } else { format!("more than {}", list.count) };
    if list.complete && list.count == list.top.len() as u64 {
        return writeln!(out, "\n{name} ({of})");
    }
    writeln!(out, "\n{name} ({of}; the {} most frequent)", list.top.len())
}

fn plural(n: u64, noun: &str) -> String {
    if n == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// A number, with `>=` where it is a lower bound.
fn count(n: u64, at_least: bool) -> String {
    if at_least { format!(">={n}") } else { n.to_string() }
}

/// Text that fits a cell.
fn cut(text: &str) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    if text.chars().count() <= CELL {
        return text.to_owned();
    }
    text.chars().take(CELL - 3).chain("...".chars()).collect()
}

/// Octets in units of a thousand.
fn size(octets: u64) -> String {
    let mut size = octets as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if size < 999.95 {
            return if unit == "B" { format!("{octets} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1000.0;
    }
    format!("{size:.1} TB")
}

/// Seconds in words.
fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.3} s");
    }
    let mut minutes = (seconds / 60.0).floor();
    let rest = (seconds - minutes * 60.0).floor();
    let hours = (minutes / 60.0).floor();
    minutes -= hours * 60.0;
    let days = (hours / 24.0).floor();
    match (days, hours) {
        (0.0, 0.0) => format!("{minutes} min {rest} s"),
        (0.0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {} h", hours - days * 24.0),
    }
}

/// `a 1, b 2`.
fn pairs<'a>(pairs: impl Iterator<Item = (&'a str, u64)>) -> String {
    pairs.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(
            [0, 999, 1000, 999_949, 1_000_000].map(size),
            ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB"]
        );
        assert_eq!(size(u64::MAX), "18446744.1 TB");
        assert_eq!(
            [0.5, 59.0, 61.5, 3700.0, 200_000.0].map(duration),
            ["0.500 s", "59.000 s", "1 min 1 s", "1 h 1 min", "2 d 7 h"]
        );
        assert_eq!(cut(&"x".repeat(60)).len(), CELL);
    }
}
