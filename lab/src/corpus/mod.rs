//! Many scenarios at once, for training and for testing. The two halves differ in rates, styles, keep alives,
//! numbers of devices, ports and networks, so that a test asks for more than memory.

mod draw;
pub mod run;
pub mod scenarios;

use serde::Serialize;

/// Which half of the corpus.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// To train with.
    Train,
    /// To test with.
    Test,
}

impl Split {
    /// The name on the command line and in file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }

    /// One value for each half.
    fn of<T>(self, train: T, test: T) -> T {
        match self {
            Self::Train => train,
            Self::Test => test,
        }
    }
}
