//! `picket run`.

use super::args::Run;
use super::configuration;
use crate::config::Overrides;
use crate::error::ExitError;
use crate::{daemon, logging};

pub(super) fn run(args: &Run) -> Result<(), ExitError> {
    let overrides = Overrides { interfaces: args.interfaces.clone(), broker: args.broker.clone() };
    let config = configuration(&args.config, &overrides)?;
    logging::init(config.log_level());
    daemon::run(&config)
}
