//! From a decoded graph to a [`Chain`], or a reason why not.
//!
//! The validator does not look for what is known to be harmful. It follows the graph with the exact shape,
//! type and range of values after every node, and accepts what it can follow to the end. A chain that passes
//! cannot make tract allocate, loop, divide by zero, overflow or yield NaN for finite rows.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::proto::{
    DataType, DimensionValue as Dimension, GraphProto, ModelProto, NodeProto, TypeValue, ValueInfoProto,
};

use super::chain::{Chain, Step};
use super::error::{GraphFault, NodeFault, Quoted, Refusal, TensorFault};
use super::metadata::Kind;
use super::tensor::{self, Constants};

mod ensemble;
mod node;
mod range;
mod wiring;

/// The operators that a model may use, all of the default domain but the last.
pub const OPERATORS: [&str; 17] = [
    "Add",
    "Clip",
    "Concat",
    "DequantizeLinear",
    "Exp",
    "Log",
    "MatMul",
    "Mul",
    "QLinearConv",
    "QuantizeLinear",
    "ReduceMean",
    "Relu",
    "Softmax",
    "Squeeze",
    "Sub",
    "Unsqueeze",
    TREES,
];
/// The one operator of [`ML_DOMAIN`].
const TREES: &str = "TreeEnsembleClassifier";
/// The domain of ONNX for other models than networks.
const ML_DOMAIN: &str = "ai.onnx.ml";

/// Most nodes of a graph. A network of ten layers has 22.
pub const MAX_NODES: usize = 64;
/// Most columns of a layer: keeps every int8 dot product far from the limits of 32 bits.
pub const MAX_WIDTH: usize = 1024;
/// Versions of the default operator set whose operators mean what is written here: from 13 on axes are inputs, but
/// for `ReduceMean`, which follows with 18, and `Softmax` works on one axis.
pub const OPSETS: RangeInclusive<i64> = 13..=18;
/// Versions of the operator set of [`ML_DOMAIN`] whose one operator means what is written here.
pub const ML_OPSETS: RangeInclusive<i64> = 1..=3;

/// Checks the graph of `model`, which takes `width` columns and yields `columns` outputs of this kind.
///
/// # Errors
///
/// The first fault in the order of the file, with the node or tensor named.
pub fn chain(model: &ModelProto, width: usize, kind: Kind, columns: usize) -> Result<Chain, Refusal> {
    if !(4..=13).contains(&model.ir_version) {
        return Err(GraphFault::IrVersion(model.ir_version).into());
    }
    let graph = model.graph.as_ref().ok_or(GraphFault::Missing)?;
    check_operator_sets(model, graph)?;
    if graph.node.is_empty() {
        return Err(GraphFault::Empty.into());
    }
    if graph.node.len() > MAX_NODES {
        return Err(GraphFault::TooManyNodes(graph.node.len()).into());
    }
    let output = output_name(kind);
    check_port("input", "X", &graph.input, width)?;
    check_port("output", output, &graph.output, columns)?;
    let constants = tensor::decode_all(&graph.initializer)?;
    let (steps, end) = follow(graph, &constants, width, output)?;
    if end.columns != columns {
        return Err(GraphFault::Columns { wanted: columns, found: end.columns }.into());
    }
    let finish = end.finish(kind).ok_or(match kind {
        Kind::Classifier => GraphFault::NoProbability,
        Kind::Anomaly => GraphFault::NoScore,
    })?;
    Ok(Chain { width, columns, steps, finish })
}

/// What the output of a model is called.
const fn output_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Classifier => "probs",
        Kind::Anomaly => "score",
    }
}

/// The default set once, and that of the trees once where there are trees.
fn check_operator_sets(model: &ModelProto, graph: &GraphProto) -> Result<(), GraphFault> {
    let is_for_trees = |domain: &str| domain == ML_DOMAIN;
    let (trees, default): (Vec<_>, Vec<_>) =
        model.opset_import.iter().partition(|set| is_for_trees(&set.domain));
    let has = |op: &str| graph.node.iter().any(|node| node.op_type == op);
    let [set] = default.as_slice() else {
        return Err(GraphFault::OperatorSet);
    };
    let last = if has("ReduceMean") { *OPSETS.end() - 1 } else { *OPSETS.end() };
    if !is_default_domain(&set.domain) || !(*OPSETS.start()..=last).contains(&set.version) {
        return Err(GraphFault::OperatorSet);
    }
    match trees.as_slice() {
        [] if !has(TREES) => Ok(()),
        [set] if has(TREES) && ML_OPSETS.contains(&set.version) => Ok(()),
        _ => Err(GraphFault::TreeOperatorSet),
    }
}

/// The default domain has two spellings.
fn is_default_domain(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

/// There must be one port, of this name, `float [N, columns]`.
fn check_port(
    what: &'static str,
    name: &'static str,
    ports: &[ValueInfoProto],
    columns: usize,
) -> Result<(), GraphFault> {
    let [port] = ports else {
        return Err(GraphFault::Ports { what, found: ports.len() });
    };
    if port.name != name {
        return Err(GraphFault::PortName { what, found: Quoted::new(&port.name), wanted: name });
    }
    let tensor =
        port.r#type.as_ref().and_then(|t| t.value.as_ref()).map(|TypeValue::TensorType(tensor)| tensor);
    let fits = tensor.is_some_and(|tensor| {
        let dims = tensor.shape.as_ref().map_or(&[][..], |shape| shape.dim.as_slice());
        let sizes: Vec<_> = dims.iter().map(|dim| dim.value.as_ref()).collect();
        tensor.elem_type == i32::from(DataType::Float)
            && matches!(
                sizes.as_slice(),
                [Some(Dimension::DimParam(rows)), Some(Dimension::DimValue(size))]
                    if rows == "N" && usize::try_from(*size) == Ok(columns)
            )
    });
    if fits { Ok(()) } else { Err(GraphFault::PortShape { what, name, columns }) }
}

/// Follows the chain from `X` to the output, and says what comes out.
fn follow<'a>(
    graph: &'a GraphProto,
    constants: &Constants<'a>,
    width: usize,
    output: &'static str,
) -> Result<(Vec<Step>, node::Flow), Refusal> {
    if constants.contains_key("X") {
        return Err(Refusal::Tensor { tensor: Quoted::new("X"), fault: TensorFault::HidesInput });
    }
    let mut wiring = wiring::Wiring::new(constants);
    let mut steps = Vec::with_capacity(graph.node.len());
    let mut used = BTreeSet::new();
    let mut flow = node::Flow::start(width);
    let mut nodes = graph.node.iter().enumerate();
    while let Some((index, proto)) = nodes.next() {
        wiring.note(steps.len(), flow);
        used.extend(proto.input.iter().skip(1).map(String::as_str));
        let step = match wiring.pattern(proto) {
            None => {
                wiring.link(proto).map_err(refuse(index, proto))?;
                node::step(proto, constants, &mut flow).map_err(refuse(index, proto))?
            }
            Some(pattern) => {
                wiring.open(proto, &pattern, &flow).map_err(refuse(index, proto))?;
                for part in pattern.rest() {
                    let Some((index, proto)) = nodes.next() else {
                        return Err(GraphFault::OutputUnmade(Quoted::new(wiring.made())).into());
                    };
                    wiring.go_on(proto, part, &pattern).map_err(refuse(index, proto))?;
                }
                pattern.step(&mut flow).map_err(refuse(index, proto))?
            }
        };
        steps.extend(step);
    }
    if wiring.made() != output {
        return Err(GraphFault::OutputUnmade(Quoted::new(wiring.made())).into());
    }
    if let Some(name) = constants.keys().find(|name| !used.contains(*name)) {
        return Err(Refusal::Tensor { tensor: Quoted::new(name), fault: TensorFault::Unused });
    }
    Ok((steps, flow))
}

/// That node `index` is refused.
fn refuse(index: usize, proto: &NodeProto) -> impl FnOnce(NodeFault) -> Refusal {
    move |fault| Refusal::Node {
        index,
        name: Quoted::new(&proto.name),
        op: Quoted::new(&proto.op_type),
        fault,
    }
}
