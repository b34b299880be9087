//! Keeps alerts on disk until the broker has them.
