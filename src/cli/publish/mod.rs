//! `picket model publish`: says on the broker, or in a folder, what sensors are to install; on the broker it also gives them the
//! blocks and shows how far they are.

mod fleet;
mod serve;
mod show;

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::args::publish::{BrokerArgs, ModelPublish, Until};
use super::offline::stop_by_signal;
use super::trust::{now, read_file, read_root, refused, replace};
use crate::error::{ExitError, sysexits};
use crate::publish::backoff::BackoffPolicy;
use crate::publish::broker_url::BrokerUrl;
use crate::publish::client::{self, Connector, Stop};
use crate::publish::config::{Credentials, PublisherConfig, TlsFiles};
use crate::publish::link::{Down, LinkEvent, Manner, Message, Sender};
use crate::publish::topics::{ROOT, SensorName, Topics};
use crate::publish::window::{Tag, Window};
use crate::update::bundle::{Bundle, MAX_BUNDLE_BYTES};
use crate::update::document::{Desired, Policy, Release, Timestamp};
use crate::update::trust::{Envelope, Kind, verify};
use fleet::{Fleet, Goal};
use serve::Blocks;
use show::Show;

/// Name in client ids.
const NAME: &str = "model-publish";
/// Events of the connection that wait, at most.
const EVENTS: usize = 256;
/// How often the loop looks up: while blocks are due, and otherwise.
const SOON: Duration = Duration::from_millis(20);
const TICK: Duration = Duration::from_millis(250);
/// How long the end waits for the connection to end in order.
const GOODBYE: Duration = Duration::from_millis(500);

pub(super) fn run(args: &ModelPublish) -> Result<(), ExitError> {
    match (&args.folder, &args.bundle, &args.broker.url) {
        (Some(folder), Some(bundle), _) => put(args, bundle, folder),
        (_, _, Some(url)) => publish(args, url),
        // clap asks for one of them.
        _ => Err(ExitError::new(sysexits::USAGE, "model publish: neither a broker nor a folder")),
    }
}

/// Lays a release into a folder. The model comes first: who finds the document finds the model, too.
fn put(args: &ModelPublish, path: &Path, folder: &Path) -> Result<(), ExitError> {
    let release = Ready::read(args, path)?;
    let named = |ending: &str| folder.join(format!("{}.{ending}", release.bundle.manifest.release));
    replace(&named("bundle"), &read_file(path, MAX_BUNDLE_BYTES)?)?;
    let document = named("json");
    replace(&document, &release.message)?;
    // A closed stdout means that nobody reads.
    let _ = writeln!(io::stdout(), "{}", document.display());
    Ok(())
}

fn publish(args: &ModelPublish, url: &BrokerUrl) -> Result<(), ExitError> {
    let (message, blocks, goal) = match &args.bundle {
        Some(path) => {
            let release = Ready::read(args, path)?;
            let blocks = Blocks::new(release.bundle.model.clone(), u64::from(args.rate) * 1024);
            (release.message, Some(blocks), Some(release.goal))
        }
        None => (Vec::new(), None, None),
    };
    let topics: Vec<String> = match &args.channel {
        Some(channel) => vec![Topics::channel(channel)],
        None => args.sensors.iter().map(|sensor| Topics::new(sensor).update_desired()).collect(),
    };
    let fleet = goal.map(|goal| match args.channel {
        Some(_) => Fleet::open(goal, args.expect.and_then(|expected| usize::try_from(expected).ok())),
        None => Fleet::of(goal, args.sensors.iter().map(ToString::to_string)),
    });
    let desk = Desk {
        unsaid: (0..).zip(topics).map(|(number, name)| Topic { number, name, is_given: false }).collect(),
        is_taken: false,
        filters: VecDeque::new(),
        message,
        blocks,
        fleet,
        show: Show::new(args.watch),
        sender: None,
        window: Window::default(),
        detach: args.detach,
    };
    let stop = stop_by_signal()?;
    let (tell, events) = mpsc::sync_channel(EVENTS);
    let name: SensorName = NAME
        .parse()
        .map_err(|error| ExitError::new(sysexits::SOFTWARE, format!("model publish: {error}")))?;
    let connector = Connector::new(connection(&args.broker, url)?, name, None)?;
    let end = Stop::default();
    let thread =
        client::spawn(connector, Box::new(|_| {}), end.clone(), move |event| tell.send(event).is_ok())
            .map_err(|error| {
                ExitError::new(sysexits::SOFTWARE, format!("model publish: no thread: {error}"))
            })?;
    let outcome = desk.work(&events, &stop, args.patience.map(Duration::from_secs));
    end.stop();
    // The disconnect goes out; an attempt to connect that hangs ends with the process.
    while events.recv_timeout(GOODBYE).is_ok() {}
    drop((events, thread));
    outcome
}

/// What is published, read and checked.
struct Ready {
    bundle: Bundle,
    message: Vec<u8>,
    goal: Goal,
}

impl Ready {
    fn read(args: &ModelPublish, path: &Path) -> Result<Self, ExitError> {
        const WHAT: &str = "model publish";
        let data = |text: String| ExitError::new(sysexits::DATAERR, format!("{WHAT}: {text}"));
        let bundle = Bundle::read(&read_file(path, MAX_BUNDLE_BYTES)?)
            .map_err(|refusal| refused(WHAT, path, &refusal))?;
        let file = args.timestamp.as_deref().unwrap_or(Path::new(""));
        let octets = read_file(file, Kind::Timestamp.max_envelope() as u64)?;
        let envelope = Envelope::read(Kind::Timestamp, &octets).map_err(|r| refused(WHAT, file, &r))?;
        let timestamp = Timestamp::read(&envelope.payload).map_err(|r| refused(WHAT, file, &r))?;
        if timestamp.release != bundle.manifest.release || timestamp.manifest_sha256 != bundle.sha256 {
            return Err(data(format!("{}: not the timestamp of {}", file.display(), path.display()))
                .hint("make one by picket trust timestamp"));
        }
        for (what, expires) in [(file, timestamp.expires), (path, bundle.manifest.expires)] {
            if expires <= now() {
                return Err(data(format!("{}: expired at {expires}", what.display())));
            }
        }
        let roots = args.roots.iter().map(|path| read_root(path)).collect::<Result<Vec<_>, _>>()?;
        if let (Some(root), Some(name)) = (roots.last(), args.roots.last()) {
            for (envelope, kind, file) in
                [(&bundle.envelope, Kind::Manifest, path), (&envelope, Kind::Timestamp, file)]
            {
                verify(envelope, kind, &root.root).map_err(|refusal| refused(WHAT, file, &refusal))?;
            }
            if timestamp.root_version != root.root.version {
                let version = timestamp.root_version;
                return Err(data(format!(
                    "{}: made for root {version}, not {}",
                    file.display(),
                    name.display()
                )));
            }
        }
        let request = args.request.clone().unwrap_or_else(|| format!("release-{}", bundle.manifest.release));
        let desired = Desired {
            schema: Desired::SCHEMA.to_owned(),
            request: request.clone(),
            roots: roots.into_iter().map(|root| root.envelope).collect(),
            timestamp: envelope,
            manifest: bundle.envelope.clone(),
            policy: Policy {
                not_before: args.not_before,
                window: args.window,
                transport: args.transport.into(),
            },
        };
        let message = serde_json::to_vec(&desired).map_err(|error| data(error.to_string()))?;
        // What sensors would refuse is not sent.
        Desired::read(&message).map_err(|refusal| data(refusal.to_string()))?;
        let target = Release { release: bundle.manifest.release, sha256: bundle.manifest.artifact.sha256 };
        let goal = Goal { request, target, probation_suffices: args.until == Until::Active };
        Ok(Self { bundle, message, goal })
    }
}

fn connection(args: &BrokerArgs, url: &BrokerUrl) -> Result<PublisherConfig, ExitError> {
    let backoff = BackoffPolicy {
        first: Duration::from_millis(500),
        most: Duration::from_secs(10),
        refused: Duration::from_secs(5),
    };
    Ok(PublisherConfig {
        protocol: args.version.into(),
        credentials: Credentials::of(args.user.as_deref(), args.password_file.as_deref())?,
        tls: TlsFiles { ca: args.ca_file.clone(), client: args.cert_file.clone().zip(args.key_file.clone()) },
        backoff,
        ..PublisherConfig::new(url.clone())
    })
}

/// A topic for the message.
struct Topic {
    number: u64,
    name: String,
    /// Whether the present connection has it.
    is_given: bool,
}

/// The command at work.
struct Desk {
    /// Where the broker does not have the message yet.
    unsaid: Vec<Topic>,
    /// Whether it has it somewhere.
    is_taken: bool,
    /// What is still to be subscribed on this connection.
    filters: VecDeque<String>,
    message: Vec<u8>,
    blocks: Option<Blocks>,
    fleet: Option<Fleet>,
    show: Show,
    sender: Option<Sender>,
    window: Window,
    detach: bool,
}

impl Desk {
    #[expect(clippy::disallowed_methods, reason = "an operator's patience goes by the clock on the wall")]
    fn work(
        mut self,
        events: &Receiver<LinkEvent>,
        stop: &std::sync::atomic::AtomicBool,
        patience: Option<Duration>,
    ) -> Result<(), ExitError> {
        let began = Instant::now();
        let outcome = loop {
            let is_asked = self.blocks.as_ref().is_some_and(Blocks::is_asked);
            match events.recv_timeout(if is_asked { SOON } else { TICK }) {
                Ok(event) => self.take(event)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ExitError::new(
                        sysexits::SOFTWARE,
                        "model publish: the connection's thread has ended",
                    ));
                }
            }
            self.feed();
            self.send_blocks(began.elapsed());
            if let Some(fleet) = &self.fleet {
                self.show.draw(fleet, began.elapsed());
            }
            let is_over = stop.load(std::sync::atomic::Ordering::Relaxed)
                || patience.is_some_and(|patience| began.elapsed() >= patience);
            let is_said = self.unsaid.is_empty() && self.window.is_empty();
            let has_ended = self.fleet.as_ref().is_none_or(|fleet| self.detach || fleet.has_ended());
            if (is_said && has_ended) || is_over {
                break self.result(is_said);
            }
        };
        if let (Some(fleet), false) = (&self.fleet, self.detach) {
            self.show.end(fleet, began.elapsed());
        }
        if let Some(sender) = &self.sender {
            sender.disconnect();
        }
        outcome
    }

    fn result(&self, is_said: bool) -> Result<(), ExitError> {
        let error = |code, text: String| Err(ExitError::new(code, format!("model publish: {text}")));
        if !is_said {
            return error(sysexits::UNAVAILABLE, "the broker has not taken the message".to_owned());
        }
        let Some(fleet) = self.fleet.as_ref().filter(|_| !self.detach) else { return Ok(()) };
        match (fleet.count(fleet::Progress::Failed), fleet.has_ended()) {
            (0, true) => Ok(()),
            (failed @ 1.., _) => error(sysexits::DATAERR, format!("the release failed on {failed} sensors")),
            (0, false) => error(sysexits::UNAVAILABLE, "not all sensors have answered".to_owned()),
        }
    }

    fn take(&mut self, event: LinkEvent) -> Result<(), ExitError> {
        match event {
            LinkEvent::Up(sender) => {
                self.show.note("connected");
                self.begin();
                self.sender = Some(sender);
            }
            LinkEvent::Written(packet) => self.window.write(packet),
            LinkEvent::Answered(packet, verdict) => {
                let tag = self.window.answer(packet);
                if let Err(why) = verdict {
                    let what = if matches!(tag, Some(Tag::Document(_))) { "the message" } else { "a block" };
                    let text = format!("model publish: the broker refuses {what}: {why}");
                    return Err(
                        ExitError::new(sysexits::NOPERM, text).hint("see packaging/mosquitto/picket.acl")
                    );
                }
                if let Some(Tag::Document(number)) = tag {
                    self.is_taken = true;
                    self.unsaid.retain(|topic| topic.number != number);
                }
            }
            LinkEvent::NotSubscribed => {
                self.show.note("the broker refuses a subscription: not all will be seen");
            }
            LinkEvent::Message(message) => self.message(&message),
            LinkEvent::Down(down) => {
                self.show.note(&format!("no connection: {down}"));
                self.sender = None;
                self.window.clear();
                if let (Down::Refused(why), false) = (&down, self.is_taken) {
                    let text = format!("model publish: the broker does not take us: {why}");
                    return Err(ExitError::new(sysexits::NOPERM, text));
                }
            }
        }
        Ok(())
    }

    /// Begins anew on a fresh connection.
    fn begin(&mut self) {
        self.window.clear();
        self.unsaid.iter_mut().for_each(|topic| topic.is_given = false);
        let Some(fleet) = &self.fleet else { return };
        let names =
            if fleet.is_open() { vec!["+"] } else { fleet.rows().keys().map(String::as_str).collect() };
        let of = |name: &str| {
            ["update/reported", "update/get", "status"].map(|what| format!("{ROOT}/{name}/{what}"))
        };
        self.filters = names.into_iter().flat_map(of).collect();
    }

    /// Gives the connection what it has room for: subscriptions first, so that nothing is missed, then the message.
    fn feed(&mut self) {
        let Some(sender) = &self.sender else { return };
        while let Some(filter) = self.filters.front() {
            if !sender.subscribe(filter) {
                return;
            }
            self.filters.pop_front();
        }
        for topic in self.unsaid.iter_mut().filter(|topic| !topic.is_given) {
            if !sender.publish(&topic.name, self.message.clone(), Manner::Retained) {
                return;
            }
            topic.is_given = true;
            self.window.give(Tag::Document(topic.number));
        }
    }

    fn message(&mut self, message: &Message) {
        let Message { topic, payload } = message;
        let rest = topic.strip_prefix(ROOT).and_then(|rest| rest.strip_prefix('/'));
        let (Some((sensor, what)), Some(fleet)) =
            (rest.and_then(|rest| rest.split_once('/')), &mut self.fleet)
        else {
            return;
        };
        match what {
            "update/reported" if fleet.reported(sensor, payload) => self.show.changed(sensor, fleet),
            "status" => fleet.online(sensor, payload),
            "update/get" => {
                if let Some(blocks) = self.blocks.as_mut().filter(|_| fleet.serves(sensor)) {
                    blocks.ask(sensor, payload);
                }
            }
            _ => {}
        }
    }

    fn send_blocks(&mut self, elapsed: Duration) {
        let (Some(blocks), Some(sender)) = (&mut self.blocks, &self.sender) else { return };
        let now_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        while let Some(due) = blocks.next(now_ms) {
            let topic = format!("{ROOT}/{}/update/data/{}/{}", due.sensor, due.transfer, due.index);
            if !sender.publish(&topic, due.octets.clone(), Manner::Octets) {
                return blocks.back(&due);
            }
            self.window.give(Tag::Update);
        }
    }
}
