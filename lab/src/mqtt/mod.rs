//! A small MQTT client of the laboratory's own, independent of the product: what the product decodes must not
//! come from the product's own code.

pub mod incoming;
pub mod packet;
pub mod session;
