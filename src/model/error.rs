//! Why a model is refused: each reason with the place it was found at, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::MAX_FILE_BYTES;
use super::trees::TreeFault;
use super::validate::{MAX_NODES, MAX_WIDTH, ML_OPSETS, OPERATORS, OPSETS};
use super::wire::WireFault;
use crate::limits::MODELS;

/// A model file that is not served.
#[derive(Debug, thiserror::Error)]
#[error("model {}: {fault}", path.display())]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Box<Fault>,
}

impl LoadError {
    /// What the operator can do, in one line.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        self.fault.hint()
    }

    /// The `sysexits.h` code: 66 unreadable, 65 refused, 70 a fault of our own or of tract.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match *self.fault {
            Fault::Read(_) | Fault::NotAFile => 66,
            Fault::Build(_) | Fault::Panicked => 70,
            _ => 65,
        }
    }
}

/// What is wrong with a model.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// A directory, a pipe or a device.
    #[error("is not a regular file")]
    NotAFile,
    /// Above [`MAX_FILE_BYTES`].
    #[error("has {0} octets, at most {MAX_FILE_BYTES} are accepted")]
    TooLarge(u64),
    /// There are as many as can be asked.
    #[error("is one too many: at most {MODELS} models are asked at once")]
    TooMany,
    /// Alerts could not tell the two apart.
    #[error("has the name of another: {0}")]
    Twice(String),
    /// The file is empty.
    #[error("is empty")]
    Empty,
    /// Not the encoding of an ONNX model of ours.
    #[error("encoding: {0}")]
    Wire(#[from] WireFault),
    /// The decoder found what the walk did not.
    #[error("encoding: {0}")]
    Decode(String),
    /// The metadata are missing or wrong, or belong to another schema.
    #[error("metadata: {0}")]
    Metadata(#[from] MetadataFault),
    /// The graph is not one that Picket serves.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// tract refused the plan although the validator accepted the graph.
    #[error("tract cannot build it: {0}")]
    Build(String),
    /// tract panicked.
    #[error("tract panicked while building it")]
    Panicked,
}

impl Fault {
    /// What the operator can do, in one line.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Read(_) | Self::NotAFile => "check the path and its permissions, or run without a model",
            Self::TooLarge(_) | Self::Empty | Self::Wire(_) | Self::Decode(_) => {
                "the file is damaged or not made for Picket: copy it again, or export it with models/train/make_model.sh"
            }
            Self::TooMany | Self::Twice(_) => "name it once, and no more than are needed",
            Self::Metadata(MetadataFault::SchemaHash { .. } | MetadataFault::UnknownSchema(_)) => {
                "train a model on the columns of this version: models/train/make_model.sh"
            }
            Self::Metadata(_) | Self::Refused(_) => {
                "export it with models/train/make_model.sh, which writes only what Picket accepts"
            }
            Self::Build(_) | Self::Panicked => {
                "use the model shipped with Picket and report this file as a defect"
            }
        }
    }
}

/// What is wrong with the metadata.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum MetadataFault {
    /// A required key is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A key of ours that this version does not know.
    #[error("the key {0} is not known")]
    UnknownKey(Quoted),
    /// A key is there twice.
    #[error("{0} is there twice")]
    Twice(Quoted),
    /// A value does not have the form that the key asks for.
    #[error("{key}: {value} is not {wanted}")]
    Form {
        /// The key.
        key: &'static str,
        /// The value or the part of it that is wrong.
        value: Quoted,
        /// What was expected.
        wanted: &'static str,
    },
    /// The schema is none of the built-in ones.
    #[error("schema {0} is not known")]
    UnknownSchema(Quoted),
    /// The model was trained on other columns of the same name.
    #[error("schema {schema} has the hash {wanted}, the model was trained with {found}")]
    SchemaHash {
        /// Such as `picket-host/1`.
        schema: String,
        /// The hash of this version's columns.
        wanted: String,
        /// The hash in the file.
        found: Quoted,
    },
    /// The first class must be `benign`.
    #[error("the first class is {0}, not \"benign\"")]
    FirstClass(Quoted),
    /// A class that the vocabulary does not have.
    #[error("class {0} is not in the vocabulary")]
    UnknownClass(Quoted),
    /// A class that is listed twice.
    #[error("class {0} is listed twice")]
    ClassTwice(Quoted),
    /// A threshold that no output reaches, or all do.
    #[error("the threshold of {class} is {value}, not between {least} and {greatest}")]
    Threshold {
        /// The class.
        class: &'static str,
        /// The value.
        value: f32,
        /// The least it may be.
        least: f32,
        /// The greatest it may be.
        greatest: f32,
    },
    /// The thresholds do not name the hostile classes in their order.
    #[error("the thresholds must be of {wanted} in this order, and name {found}")]
    ThresholdOrder {
        /// The class expected at this place, or the end.
        wanted: &'static str,
        /// What is there.
        found: Quoted,
    },
    /// The novelty bounds are not one for each column.
    #[error("{found} novelty bounds for {wanted} columns")]
    NoveltyWidth {
        /// Columns of the schema.
        wanted: usize,
        /// Bounds in the file.
        found: usize,
    },
}

/// Why the graph is refused.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The model as a whole.
    #[error("{0}")]
    Graph(#[from] GraphFault),
    /// One node.
    #[error("node {index} {name} ({op}): {fault}")]
    Node {
        /// Its place in the file, from 0.
        index: usize,
        /// Its name.
        name: Quoted,
        /// Its operator.
        op: Quoted,
        /// What is wrong.
        fault: NodeFault,
    },
    /// One initialiser.
    #[error("initialiser {tensor}: {fault}")]
    Tensor {
        /// Its name.
        tensor: Quoted,
        /// What is wrong.
        fault: TensorFault,
    },
}

/// What is wrong with the model as a whole.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GraphFault {
    /// No graph in the file.
    #[error("the model has no graph")]
    Missing,
    /// Not exactly one import of the default operator set in the range.
    #[error("the model must import the operator set of ONNX once, version {} to {}", OPSETS.start(), OPSETS.end())]
    OperatorSet,
    /// Trees without exactly one import of their operator set in the range, or an import without trees.
    #[error("the operator set ai.onnx.ml must be imported once, version {} to {}, where there are trees, and nowhere else", ML_OPSETS.start(), ML_OPSETS.end())]
    TreeOperatorSet,
    /// An intermediate representation from before initialisers were no inputs.
    #[error("IR version {0} is not accepted, only 4 to 13")]
    IrVersion(i64),
    /// No node.
    #[error("the graph has no node")]
    Empty,
    /// More nodes than any model of ours.
    #[error("the graph has {0} nodes, at most {MAX_NODES} are accepted")]
    TooManyNodes(usize),
    /// Not exactly one input or output.
    #[error("the graph has {found} {what}, not one")]
    Ports {
        /// Inputs or outputs.
        what: &'static str,
        /// How many.
        found: usize,
    },
    /// Input or output of another name.
    #[error("the {what} is {found}, not \"{wanted}\"")]
    PortName {
        /// Input or output.
        what: &'static str,
        /// Its name in the file.
        found: Quoted,
        /// The name it must have.
        wanted: &'static str,
    },
    /// Input or output of another type or shape.
    #[error("the {what} {name} is not float [N, {columns}]")]
    PortShape {
        /// Input or output.
        what: &'static str,
        /// Its name.
        name: &'static str,
        /// Columns it must have.
        columns: usize,
    },
    /// The last node does not make the output.
    #[error("nothing makes the output: the last node makes {0}")]
    OutputUnmade(Quoted),
    /// The output has another number of columns than the metadata ask for.
    #[error("the graph ends with {found} columns instead of {wanted}")]
    Columns {
        /// Columns that the metadata ask for.
        wanted: usize,
        /// Columns of the last node.
        found: usize,
    },
    /// The output of a classifier is no probability.
    #[error(
        "the graph does not end with Softmax or with trees whose leaves add up to at most one, so its output is no probability"
    )]
    NoProbability,
    /// The output of an anomaly model is no score.
    #[error("the graph does not end with the mean squared error or with Exp, so its output is no score")]
    NoScore,
}

/// What is wrong with a node.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum NodeFault {
    /// An operator of another domain.
    #[error("operator domain {0} is not accepted")]
    Domain(Quoted),
    /// Not on the list of allowed operators.
    #[error("the operator is not accepted; these are: {}", OPERATORS.join(", "))]
    Operator,
    /// Wrong number of inputs.
    #[error("{found} inputs instead of {wanted}")]
    Inputs {
        /// How many it must have.
        wanted: usize,
        /// How many it has.
        found: usize,
    },
    /// Wrong number of outputs, or one without a name.
    #[error("{found} outputs with names instead of {wanted}")]
    Outputs {
        /// How many it must have.
        wanted: usize,
        /// How many it has.
        found: usize,
    },
    /// Another operator in the middle of a pattern.
    #[error("the nodes before it ask for {0} here")]
    Pattern(&'static str),
    /// A part of a pattern that has no beginning.
    #[error("it is accepted only after its square or difference: see docs/models.md")]
    Alone,
    /// A difference of values of different width.
    #[error("it compares {wanted} columns with {found}")]
    Compared {
        /// Columns that come in.
        wanted: usize,
        /// Columns of the earlier value.
        found: usize,
    },
    /// Trees that could not be walked, or not safely.
    #[error("{0}")]
    Trees(#[from] TreeFault),
    /// The output's name is taken.
    #[error("its output {0} exists already")]
    OutputTwice(Quoted),
    /// The first input is not what the node before makes.
    #[error("its input {found} is not {wanted}, what the node before makes: the graph is not a chain")]
    NotAChain {
        /// What the node before makes, or the graph's input.
        wanted: Quoted,
        /// What it asks for.
        found: Quoted,
    },
    /// A further input that is no constant.
    #[error("its input {0} is not an initialiser")]
    NotConstant(Quoted),
    /// A constant of another type.
    #[error("its {role} is {found}, not {wanted}")]
    Type {
        /// What the constant is for.
        role: &'static str,
        /// Type it must have.
        wanted: &'static str,
        /// Type it has.
        found: &'static str,
    },
    /// A constant of another shape.
    #[error("its {role} has the shape {found:?}, not {wanted}")]
    Shape {
        /// What the constant is for.
        role: &'static str,
        /// Shape it must have, in words.
        wanted: String,
        /// Shape it has.
        found: Vec<usize>,
    },
    /// The operator cannot take what comes in.
    #[error("it takes {wanted}, and {found} comes in")]
    Incoming {
        /// What it takes.
        wanted: &'static str,
        /// What comes in.
        found: &'static str,
    },
    /// A scale that is zero, negative, tiny or huge.
    #[error("its {role} is {value}, not between 1e-9 and 1e9")]
    Scale {
        /// Which scale.
        role: &'static str,
        /// Its value.
        value: f32,
    },
    /// A zero point or scale that differs from what the node before wrote.
    #[error("its {role} differs from that of the node before")]
    Requantised {
        /// Which parameter.
        role: &'static str,
    },
    /// A weight zero point that is not 0.
    #[error("its weight zero point is {0}, not 0")]
    WeightZeroPoint(i8),
    /// A bias that could overflow the 32-bit sum.
    #[error("its bias {0} could overflow the sum")]
    Bias(i32),
    /// A lower bound above the upper one.
    #[error("its bounds {min} to {max} are empty")]
    Bounds {
        /// Lower bound.
        min: f32,
        /// Upper bound.
        max: f32,
    },
    /// Values may leave the range in which the operator is defined.
    #[error("values from {low} to {high} may reach it, {wanted}")]
    Range {
        /// Least value that may come in or out.
        low: f64,
        /// Greatest value that may come in or out.
        high: f64,
        /// What the operator asks for.
        wanted: &'static str,
    },
    /// Another axis than the last of three.
    #[error("its axis is {0}, not 2 or -1")]
    Axis(i64),
    /// An attribute of another type or value than accepted.
    #[error("its attribute {name} is not accepted; wanted: {wanted}")]
    Attribute {
        /// Its name.
        name: Quoted,
        /// The values it may have.
        wanted: &'static str,
    },
    /// A layer wider than any of ours.
    #[error("a layer of {0} columns, at most {MAX_WIDTH} are accepted")]
    Wide(usize),
    /// Something follows the probabilities or the score.
    #[error("nothing may follow what is a probability or a score")]
    AfterEnd,
}

/// What is wrong with an initialiser.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TensorFault {
    /// Two of the same name.
    #[error("exists twice")]
    Twice,
    /// More than three dimensions.
    #[error("{0} dimensions, at most 3 are accepted")]
    Rank(usize),
    /// A dimension of zero or less.
    #[error("dimension {0} is not above zero")]
    Dimension(i64),
    /// More elements than any file can hold.
    #[error("its dimensions are larger than the file")]
    Huge,
    /// Another type than float, int8, int32 and int64.
    #[error("element type {0} of ONNX is not accepted; only float, int8, int32 and int64 are")]
    Type(i32),
    /// Octets that do not match dimensions and type.
    #[error("{found} octets where its dimensions ask for {expected}")]
    Size {
        /// Octets that dimensions and type ask for.
        expected: usize,
        /// Octets that are there.
        found: usize,
    },
    /// NaN or infinite.
    #[error("element {index} is not finite")]
    NotFinite {
        /// Which one.
        index: usize,
    },
    /// It has the name of the graph's input.
    #[error("has the name of the input")]
    HidesInput,
    /// No node uses it.
    #[error("no node uses it")]
    Unused,
}

/// Text from a model file, made safe to print: cut to 64 characters, control characters escaped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quoted(String);

impl Quoted {
    /// Keeps what is fit to print of `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
        if text.chars().nth(64).is_some() {
            shown.push_str("...");
        }
        Self(shown)
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_reach_the_terminal_raw() {
        assert_eq!(Quoted::new("a\x1b[2J\n").to_string(), "\"a\\u{1b}[2J\\n\"");
        assert_eq!(Quoted::new(&"x".repeat(9000)).to_string().len(), 64 + 3 + 2);
    }

    #[test]
    fn exit_codes_follow_sysexits() {
        let error = |fault| LoadError { path: "m.onnx".into(), fault: Box::new(fault) };
        assert_eq!(error(Fault::Read(io::ErrorKind::NotFound.into())).exit_code(), 66);
        assert_eq!(error(Fault::Empty).exit_code(), 65);
        assert_eq!(error(Fault::Panicked).exit_code(), 70);
    }
}
