//! What is in a capture, as a person wants to read it: `picket inspect`.
//!
//! [`summary`] collects while the engine reads, in bounded tables ([`top`]); [`report`] is the document made of it,
//! printed as JSON or by [`text`]. [`packet`] and [`line`] print single control packets instead.
//!
//! Passwords and payloads are never shown, only their lengths; user names only when asked for.

pub mod line;
mod make;
pub mod packet;
pub mod report;
pub mod summary;
pub(crate) mod table;
pub mod text;
pub mod top;
pub mod value;
