//! Log messages to stderr, one line each, for whoever supervises the process to keep.
//!
//! Under systemd a line begins with the priority that journald understands (`<4>`, sd-daemon(3)); elsewhere
//! with the time and the level. Control characters are escaped: much of what is logged was chosen by others.
//!
//! **Nothing is logged for a packet.** What traffic can cause at all goes through [`limited!`](crate::limited).

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Messages that one call site may log in [`PERIOD`].
const BURST: u32 = 5;
/// See [`BURST`].
const PERIOD: Duration = Duration::from_secs(60);

/// Messages not logged since the start, all call sites together. 32 bits: not all targets have more.
static SUPPRESSED: AtomicU32 = AtomicU32::new(0);

/// Starts logging at `level`. Only the first call has an effect on the format; later ones change the level.
pub fn init(level: LevelFilter) {
    static LOGGER: std::sync::OnceLock<Logger> = std::sync::OnceLock::new();
    // An error says that a logger is in place already, which is then this one.
    let _ = log::set_logger(LOGGER.get_or_init(|| Logger { format: Format::of_stderr() }));
    log::set_max_level(level);
}

/// Messages that [`limited!`](crate::limited) did not log since the start.
#[must_use]
pub fn suppressed() -> u32 {
    SUPPRESSED.load(Ordering::Relaxed)
}

/// How a line begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    /// `<4>module: text`
    Journal,
    /// `2026-01-31T23:59:59Z warn module: text`
    Plain,
}

impl Format {
    /// The format for whoever reads stderr.
    fn of_stderr() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the documented way to recognise journald")]
        let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
        let stderr = std::fs::metadata("/proc/self/fd/2").ok().map(|file| (file.dev(), file.ino()));
        Self::of(&stream, stderr)
    }

    /// Journal if `stream`, the value of `$JOURNAL_STREAM`, is the device and inode of stderr (systemd.exec(5)).
    /// The variable alone says nothing: it is inherited where stderr was led elsewhere.
    fn of(stream: &str, stderr: Option<(u64, u64)>) -> Self {
        match stderr {
            Some((device, inode)) if stream == format!("{device}:{inode}") => Self::Journal,
            _ => Self::Plain,
        }
    }
}

struct Logger {
    format: Format,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let max = log::max_level();
        // The libraries' remarks are for those who look for a fault.
        let ours = metadata.target().starts_with("picket");
        metadata.level() <= if ours || max >= LevelFilter::Debug { max } else { max.min(LevelFilter::Warn) }
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            #[expect(clippy::disallowed_methods, reason = "a log line says when it was written")]
            let line = line(self.format, SystemTime::now(), record);
            // With stderr closed there is nobody to tell. One write, so that lines of threads do not mix.
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

/// The whole line of a record, with its line break.
fn line(format: Format, now: SystemTime, record: &Record<'_>) -> String {
    let (priority, level) = match record.level() {
        Level::Error => (3, "error"),
        Level::Warn => (4, "warn"),
        Level::Info => (6, "info"),
        Level::Debug => (7, "debug"),
        Level::Trace => (7, "trace"),
    };
    let module = record.target();
    let mut line = match format {
        Format::Journal => format!("<{priority}>{module}: "),
        Format::Plain => format!("{} {level} {module}: ", humantime::format_rfc3339_seconds(now)),
    };
    // Writing to a String does not fail.
    let _ = write!(Escaped(&mut line), "{}", record.args());
    line.push('\n');
    line
}

/// Escapes control characters on their way into a line.
struct Escaped<'a>(&'a mut String);

impl std::fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for c in text.chars() {
            if c.is_control() {
                self.0.extend(c.escape_default());
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

/// Limits how often one call site logs: 5 messages in 60 s, the rest is counted.
#[derive(Debug)]
pub struct Limit {
    state: Mutex<Window>,
}

/// The current period of a [`Limit`].
#[derive(Debug)]
struct Window {
    began: Option<Instant>,
    logged: u32,
    held: u32,
}

impl Limit {
    /// A limit with nothing logged yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: Mutex::new(Window { began: None, logged: 0, held: 0 }) }
    }

    /// Whether to log now; if so, how many messages were held back since the last one.
    pub fn admit(&self) -> Option<u32> {
        #[expect(clippy::disallowed_methods, reason = "it limits the log of a living process")]
        let now = Instant::now();
        self.admit_at(now)
    }

    fn admit_at(&self, now: Instant) -> Option<u32> {
        // A thread that panicked here has left plain counters; they are good enough to go on with.
        let mut window = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if window.began.is_none_or(|began| now.saturating_duration_since(began) >= PERIOD) {
            window.began = Some(now);
            window.logged = 0;
        }
        if window.logged < BURST {
            window.logged += 1;
            return Some(std::mem::take(&mut window.held));
        }
        window.held = window.held.saturating_add(1);
        SUPPRESSED.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self::new()
    }
}

/// Logs at the given [`log::Level`], at most 5 times in 60 s at this place. For all that traffic, or a broker,
/// can cause; a message says how many before it were held back.
///
/// ```
/// picket::limited!(log::Level::Warn, "{} clients were evicted", 3);
/// ```
#[macro_export]
macro_rules! limited {
    ($level:expr, $($text:tt)+) => {{
        static LIMIT: $crate::logging::Limit = $crate::logging::Limit::new();
        match LIMIT.admit() {
            Some(0) => ::log::log!($level, $($text)+),
            Some(held) => ::log::log!($level, "{} ({held} similar messages held back)", format_args!($($text)+)),
            None => {}
        }
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format, level: Level, text: &str) -> String {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        line(
            format,
            at,
            &Record::builder().level(level).target("picket::x").args(format_args!("{text}")).build(),
        )
    }

    #[test]
    fn lines_carry_priority_or_time() {
        assert_eq!(written(Format::Journal, Level::Warn, "a"), "<4>picket::x: a\n");
        assert_eq!(written(Format::Plain, Level::Error, "a"), "2023-11-14T22:13:20Z error picket::x: a\n");
    }

    #[test]
    fn the_journal_is_recognised_by_device_and_inode() {
        assert_eq!(Format::of("8:1234", Some((8, 1234))), Format::Journal);
        for (stream, stderr) in [("8:1234", Some((8, 1235))), ("8:1234", None), ("", Some((8, 1234)))] {
            assert_eq!(Format::of(stream, stderr), Format::Plain);
        }
    }

    #[test]
    fn a_message_cannot_break_its_line() {
        assert_eq!(
            written(Format::Journal, Level::Info, "a\n<0>b\x1b[2J"),
            "<6>picket::x: a\\n<0>b\\u{1b}[2J\n"
        );
    }

    #[test]
    fn a_site_is_limited_and_says_what_was_held_back() {
        let limit = Limit::new();
        let start = Instant::now();
        let before = suppressed();
        let admitted = (0..1000).filter(|_| limit.admit_at(start).is_some()).count();
        assert_eq!(admitted, 5);
        assert!(suppressed().wrapping_sub(before) >= 995);
        assert_eq!(limit.admit_at(start + PERIOD), Some(995));
        assert_eq!(limit.admit_at(start + PERIOD), Some(0));
    }

    #[test]
    fn libraries_are_quiet_unless_looked_at() {
        let logger = Logger { format: Format::Plain };
        let of = |target, level| Metadata::builder().target(target).level(level).build();
        log::set_max_level(LevelFilter::Info);
        assert!(logger.enabled(&of("picket::store", Level::Info)));
        assert!(!logger.enabled(&of("sled::pagecache", Level::Info)));
        assert!(logger.enabled(&of("sled::pagecache", Level::Warn)));
        log::set_max_level(LevelFilter::Debug);
        assert!(logger.enabled(&of("sled::pagecache", Level::Debug)));
    }
}
