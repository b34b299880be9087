//! From a decoded graph to a [`Chain`], or a reason why not.
//!
//! The validator does not look for what is known to be harmful. It follows the graph with the exact shape,
//! type and range of values after every node, and accepts what it can follow to the end. A chain that passes
//! cannot make tract allocate, loop, divide by zero, overflow or yield NaN for finite rows.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value as TypeValue;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, ValueInfoProto};

use super::chain::{Chain, Step};
use super::error::{GraphFault, NodeFault, Quoted, Refusal, TensorFault};
use super::tensor::{self, Constants};

mod node;
mod range;

/// The operators of the default domain that a model may use.
pub const OPERATORS: [&str; 12] = [
    "Add",
    "Clip",
    "DequantizeLinear",
    "Log",
    "Mul",
    "QLinearConv",
    "QuantizeLinear",
    "Relu",
    "Softmax",
    "Squeeze",
    "Sub",
    "Unsqueeze",
];

/// Most nodes of a graph. A network of ten layers has 22.
pub const MAX_NODES: usize = 64;
/// Most columns of a layer: keeps every int8 dot product far from the limits of 32 bits.
pub const MAX_WIDTH: usize = 1024;
/// Versions of the default operator set whose twelve operators mean what is written here:
/// from 13 on axes are inputs and `Softmax` works on one axis.
pub const OPSETS: RangeInclusive<i64> = 13..=18;

/// Checks the graph of `model`, which takes `width` columns and yields `classes` probabilities.
///
/// # Errors
///
/// The first fault in the order of the file, with the node or tensor named.
pub fn chain(model: &ModelProto, width: usize, classes: usize) -> Result<Chain, Refusal> {
    if !(4..=13).contains(&model.ir_version) {
        return Err(GraphFault::IrVersion(model.ir_version).into());
    }
    let [opset] = model.opset_import.as_slice() else {
        return Err(GraphFault::OperatorSet.into());
    };
    if !is_default_domain(&opset.domain) || !OPSETS.contains(&opset.version) {
        return Err(GraphFault::OperatorSet.into());
    }
    let graph = model.graph.as_ref().ok_or(GraphFault::Missing)?;
    if graph.node.is_empty() {
        return Err(GraphFault::Empty.into());
    }
    if graph.node.len() > MAX_NODES {
        return Err(GraphFault::TooManyNodes(graph.node.len()).into());
    }
    check_port("input", "X", &graph.input, width)?;
    check_port("output", "probs", &graph.output, classes)?;
    let constants = tensor::decode_all(&graph.initializer)?;
    let steps = follow(graph, &constants, width, classes)?;
    Ok(Chain { width, classes, steps })
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

/// Follows the chain from `X` to `probs`.
fn follow<'a>(
    graph: &'a GraphProto,
    constants: &Constants<'a>,
    width: usize,
    classes: usize,
) -> Result<Vec<Step>, Refusal> {
    let mut steps = Vec::with_capacity(graph.node.len());
    let mut made = "X";
    if constants.contains_key(made) {
        return Err(Refusal::Tensor { tensor: Quoted::new(made), fault: TensorFault::HidesInput });
    }
    let mut names = BTreeSet::from([made]);
    names.extend(constants.keys().copied());
    let mut used = BTreeSet::new();
    let mut state = node::Flow::start(width);
    for (index, proto) in graph.node.iter().enumerate() {
        let refuse = |fault| Refusal::Node {
            index,
            name: Quoted::new(&proto.name),
            op: Quoted::new(&proto.op_type),
            fault,
        };
        made = check_wiring(proto, made, &mut names).map_err(refuse)?;
        used.extend(proto.input.iter().skip(1).map(String::as_str));
        steps.push(node::step(proto, constants, &mut state).map_err(refuse)?);
    }
    if made != "probs" {
        return Err(GraphFault::OutputUnmade(Quoted::new(made)).into());
    }
    if !matches!(steps.last(), Some(Step::Softmax)) {
        return Err(GraphFault::NoSoftmax.into());
    }
    if state.columns() != classes {
        return Err(GraphFault::Classes { wanted: classes, found: state.columns() }.into());
    }
    if let Some(name) = constants.keys().find(|name| !used.contains(*name)) {
        return Err(Refusal::Tensor { tensor: Quoted::new(name), fault: TensorFault::Unused });
    }
    Ok(steps)
}

/// Checks operator, first input and output of a node, and returns the name of what it makes.
fn check_wiring<'a>(
    node: &'a NodeProto,
    incoming: &str,
    names: &mut BTreeSet<&'a str>,
) -> Result<&'a str, NodeFault> {
    if !is_default_domain(&node.domain) {
        return Err(NodeFault::Domain(Quoted::new(&node.domain)));
    }
    if !OPERATORS.contains(&node.op_type.as_str()) {
        return Err(NodeFault::Operator);
    }
    let [output] = node.output.as_slice() else {
        return Err(NodeFault::Outputs(node.output.len()));
    };
    if output.is_empty() {
        return Err(NodeFault::Outputs(0));
    }
    let first = node.input.first().map_or("", String::as_str);
    if first != incoming {
        return Err(NodeFault::NotAChain { wanted: Quoted::new(incoming), found: Quoted::new(first) });
    }
    if !names.insert(output) {
        return Err(NodeFault::OutputTwice(Quoted::new(output)));
    }
    Ok(output)
}
