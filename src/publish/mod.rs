//! Sends alerts, status and metrics to the management broker.
