//! Any text is a configuration or a list of faults. A configuration, written out, reads back as the same one.

use picket::config::{Config, Overrides};

/// Holds for any text.
pub fn holds(text: &str) {
    match Config::parse(text, &Overrides::default(), "gateway") {
        Ok(config) => {
            let again = Config::parse(&config.effective_toml(), &Overrides::default(), "gateway");
            assert_eq!(again.as_ref(), Ok(&config));
        }
        Err(faults) => {
            assert!(!faults.is_empty());
            for fault in faults {
                assert!(!fault.why.is_empty());
            }
        }
    }
}
