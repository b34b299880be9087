//! `picket run`.

use super::args::Run;
use super::configuration;
use crate::config::Overrides;
use crate::error::ExitError;
use crate::{daemon, logging};

pub(super) fn run(args: &Run) -> Result<(), ExitError> {
    let Run { interfaces, models, broker, .. } = args;
    let overrides =
        Overrides { interfaces: interfaces.clone(), models: models.clone(), broker: broker.clone() };
    let config = configuration(&args.config, &overrides)?;
    logging::init(config.log_level());
    daemon::run(&config)
}
