//! Files whose graph is wrong.

use picket::features::schema::HOST;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension;
use tract_onnx::pb::{AttributeProto, ModelProto, OperatorSetIdProto};

use crate::case::{Case, case, constant, input_type, of, replace};
use crate::model_support::{floats, graph, int, ints, node, port, raw};

/// The graph as a whole and its ports.
pub(crate) fn graph_cases() -> Vec<Case> {
    vec![
        case("no graph", "the model has no graph", |m| m.graph = None),
        case("no node", "the graph has no node", |m| graph(m).node.clear()),
        case("a chain of 200 nodes", "the graph has 200 nodes", |m| {
            graph(m).node = (0..200).map(|_| node("Relu", "X", "Y")).collect();
        }),
        case("a chain of 20 000 nodes", "protobuf fields", |m| {
            graph(m).node =
                (0..20_000).map(|i| node("Relu", &format!("t{i}"), &format!("t{}", i + 1))).collect();
        }),
        case("no operator set", "operator set", |m| m.opset_import.clear()),
        case("two operator sets", "operator set", |m| {
            m.opset_import.push(OperatorSetIdProto { domain: "ai.onnx.ml".into(), version: 3 });
        }),
        case("an old operator set", "operator set", |m| m.opset_import[0].version = 9),
        case("a future operator set", "operator set", |m| m.opset_import[0].version = i64::MAX),
        case("another IR version", "IR version -1", |m| m.ir_version = -1),
        case("no input", "0 input, not one", |m| graph(m).input.clear()),
        case("two inputs", "2 input, not one", |m| graph(m).input.push(port("Y", "N", 3))),
        case("an input of another name", "the input is \"Z\"", |m| graph(m).input[0].name = "Z".into()),
        case("an input without type", "the input X is not float", |m| graph(m).input[0].r#type = None),
        case("an input of doubles", "the input X is not float", |m| {
            input_type(m).elem_type = DataType::Double.into();
        }),
        case("an input without shape", "the input X is not float", |m| input_type(m).shape = None),
        case("an input one column too wide", "the input X is not float", |m| {
            graph(m).input = vec![port("X", "N", i64::try_from(HOST.width()).unwrap() + 1)];
        }),
        case("an input of negative width", "the input X is not float", |m| {
            graph(m).input = vec![port("X", "N", -1)];
        }),
        case("another symbol than N", "the input X is not float", |m| {
            graph(m).input = vec![port("X", "N*N", i64::try_from(HOST.width()).unwrap())];
        }),
        case("a fixed batch", "the input X is not float", |m| {
            input_type(m).shape.as_mut().unwrap().dim[0].value = Some(dimension::Value::DimValue(1));
        }),
        case("two outputs", "2 output, not one", |m| {
            let first = graph(m).output[0].clone();
            graph(m).output.push(first);
        }),
        case("an output that nothing makes", "nothing makes the output", |m| {
            of(m, "Softmax").output = vec!["other".into()];
        }),
        case("an output of another name", "the output is \"label\"", |m| {
            graph(m).output[0].name = "label".into();
        }),
        case("no softmax", "does not end with Softmax", |m| {
            graph(m).node.pop();
            of(m, "DequantizeLinear").output = vec!["probs".into()];
        }),
        case("something after softmax", "nothing may follow what is a probability", |m| {
            of(m, "Softmax").output = vec!["p".into()];
            graph(m).node.push(node("Relu", "p", "probs"));
        }),
    ]
}

/// Initialisers.
pub(crate) fn tensor_cases() -> Vec<Case> {
    vec![
        case("a missing constant", "\"one\" is not an initialiser", |m| {
            graph(m).initializer.retain(|tensor| tensor.name != "one");
        }),
        case("a constant twice", "initialiser \"one\": exists twice", |m| {
            graph(m).initializer.push(floats("one", &[], &[2.0]));
        }),
        case("a constant that hides the input", "has the name of the input", |m| {
            graph(m).initializer.push(floats("X", &[], &[2.0]));
        }),
        case("an unused constant", "initialiser \"ballast\": no node uses it", |m| {
            graph(m).initializer.push(raw("ballast", &[1000], DataType::Int8, vec![0; 1000]));
        }),
        case("huge dims", "dimensions are larger than the file", |m| {
            constant(m, "one").dims = vec![i64::MAX, i64::MAX];
        }),
        case("dims whose product wraps to zero", "dimensions are larger than the file", |m| {
            constant(m, "one").dims = vec![1 << 32, 1 << 32];
        }),
        case("negative dims", "dimension -3 is not above zero", |m| constant(m, "one").dims = vec![-3]),
        case("a dimension of zero", "dimension 0 is not above zero", |m| constant(m, "one").dims = vec![0]),
        case("a tensor of nine dimensions", "9 dimensions", |m| constant(m, "one").dims = vec![1; 9]),
        case("raw data too short", "octets where its dimensions ask for", |m| {
            constant(m, "weights0").raw_data.pop();
        }),
        case("raw data too long", "octets where its dimensions ask for", |m| {
            constant(m, "weights0").raw_data.push(0);
        }),
        case("a tensor of doubles", "element type 11 of ONNX", |m| {
            constant(m, "one").data_type = DataType::Double.into();
        }),
        case("a tensor of strings", "element type 8 of ONNX", |m| {
            constant(m, "one").data_type = DataType::String.into();
        }),
        case("a tensor of no known type", "element type 9999 of ONNX", |m| {
            constant(m, "one").data_type = 9999;
        }),
        case("a weight of NaN", "initialiser \"mean\": element 0 is not finite", |m| {
            constant(m, "mean").raw_data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        }),
        case("an infinite weight", "initialiser \"mean\": element 1 is not finite", |m| {
            constant(m, "mean").raw_data[4..8].copy_from_slice(&f32::NEG_INFINITY.to_le_bytes());
        }),
    ]
}

/// Operators and wiring.
pub(crate) fn wiring_cases() -> Vec<Case> {
    let op = |name: &'static str| move |m: &mut ModelProto| of(m, "Relu").op_type = name.into();
    vec![
        case("a loop", "(\"Loop\"): the operator is not accepted", op("Loop")),
        case("a conditional", "(\"If\"): the operator is not accepted", op("If")),
        case("trees without their operator set", "ai.onnx.ml must be imported", op("TreeEnsembleClassifier")),
        case(
            "dynamic quantisation",
            "(\"DynamicQuantizeLinear\"): the operator is not accepted",
            op("DynamicQuantizeLinear"),
        ),
        case("an operator of spaces", "the operator is not accepted", op("   ")),
        case("an operator of another domain", "domain \"com.microsoft\" is not accepted", |m| {
            of(m, "Relu").domain = "com.microsoft".into();
        }),
        case("a cycle", "the graph is not a chain", |m| of(m, "Relu").input = vec!["above_one".into()]),
        case("a node that feeds itself", "the graph is not a chain", |m| {
            of(m, "Relu").input = vec!["counts".into()];
        }),
        case("nodes out of order", "the graph is not a chain", |m| graph(m).node.swap(0, 1)),
        case("a node without input", "its input \"\" is not", |m| of(m, "Relu").input.clear()),
        case("a node without output", "0 outputs with names instead of 1", |m| of(m, "Relu").output.clear()),
        case("an output without name", "0 outputs with names instead of 1", |m| {
            of(m, "Relu").output = vec![String::new()];
        }),
        case("a node of two outputs", "2 outputs with names instead of 1", |m| {
            of(m, "Relu").output.push("more".into());
        }),
        case("duplicate outputs", "its output \"counts\" exists already", |m| {
            of(m, "Add").output = vec!["counts".into()];
        }),
        case("an output that hides a constant", "its output \"one\" exists already", |m| {
            of(m, "Relu").output = vec!["one".into()];
        }),
        case("an output that hides the input", "its output \"X\" exists already", |m| {
            of(m, "Relu").output = vec!["X".into()];
        }),
        case("a row added to itself", "its input \"counts\" is not an initialiser", |m| {
            of(m, "Add").input = vec!["counts".into(), "counts".into()];
        }),
        case("an input too many", "2 inputs instead of 1", |m| of(m, "Log").input.push("one".into())),
        case("an input too few", "1 inputs instead of 2", |m| {
            of(m, "Add").input.pop();
        }),
        case("a layer without zero points", "3 inputs instead of 9", |m| {
            of(m, "QLinearConv").input.truncate(3);
        }),
        case("a missing zero point", "2 inputs instead of 3", |m| of(m, "QuantizeLinear").input.truncate(2)),
        case("an empty name for a zero point", "its input \"\" is not an initialiser", |m| {
            of(m, "QuantizeLinear").input[2] = String::new();
        }),
        case("a layer on floats", "float [N, columns] comes in", |m| {
            of(m, "Relu").op_type = "QLinearConv".into();
        }),
        case("a logarithm of codes", "int8 [N, columns] comes in", |m| {
            let at = graph(m).node.iter().position(|node| node.op_type == "Unsqueeze").unwrap();
            graph(m).node.insert(at, node("Log", "codes", "deep"));
        }),
    ]
}

/// Constants of nodes.
pub(crate) fn node_cases() -> Vec<Case> {
    vec![
        case("a scale of zero", "its scale is 0, not between", |m| replace(m, floats("scale0", &[], &[0.0]))),
        case("a negative scale", "its scale is -1, not between", |m| {
            replace(m, floats("scale0", &[], &[-1.0]));
        }),
        case("a denormal scale", "not between 1e-9 and 1e9", |m| replace(m, floats("scale0", &[], &[1e-40]))),
        case("a weight scale of zero", "its weight scale is 0", |m| {
            replace(m, floats("weight_scale", &[], &[0.0]));
        }),
        case("scales whose product vanishes", "its rescaling is", |m| {
            replace(m, floats("weight_scale", &[], &[1e-8]));
            replace(m, floats("scale1", &[], &[1e8]));
        }),
        case("scales of more than one value", "its scale has the shape [2]", |m| {
            replace(m, floats("scale0", &[2], &[0.1, 0.1]));
        }),
        case("a zero point of another type", "its zero point is int32, not int8", |m| {
            replace(m, raw("zero_point0", &[], DataType::Int32, vec![0; 4]));
        }),
        case("a zero point of floats", "its zero point is float, not int8", |m| {
            replace(m, floats("zero_point0", &[], &[0.0]));
        }),
        case("a weight zero point", "its weight zero point is 5, not 0", |m| {
            constant(m, "weight_zero_point").raw_data = vec![5];
        }),
        case("another input scale than was written", "its input scale differs", |m| {
            graph(m).initializer.push(floats("other", &[], &[0.5]));
            of(m, "QLinearConv").input[1] = "other".into();
        }),
        case("another input zero point than was written", "its input zero point differs", |m| {
            graph(m).initializer.push(raw("other", &[], DataType::Int8, vec![9]));
            of(m, "QLinearConv").input[2] = "other".into();
        }),
        case("weights of floats", "its weights is float, not int8", |m| {
            let dims = constant(m, "weights0").dims.clone();
            let count = constant(m, "weights0").raw_data.len();
            replace(m, floats("weights0", &dims, &vec![0.0; count]));
        }),
        case("weights of another width", "its weights has the shape", |m| {
            constant(m, "weights0").dims.swap(0, 1);
        }),
        case("a kernel of two", "its weights has the shape", |m| {
            let tensor = constant(m, "weights0");
            let half = tensor.raw_data.len() / 2 * 2;
            tensor.raw_data.truncate(half);
            tensor.dims = vec![i64::try_from(half).unwrap() / 2, 1, 2];
        }),
        case("a layer too wide", "a layer of 2000 columns", |m| {
            let width = i64::try_from(HOST.width()).unwrap();
            replace(m, raw("weights0", &[2000, width, 1], DataType::Int8, vec![0; 2000 * HOST.width()]));
        }),
        case("a bias of another length", "its bias has the shape", |m| {
            replace(m, raw("bias0", &[1], DataType::Int32, vec![0; 4]));
        }),
        case("a bias that overflows", "could overflow the sum", |m| {
            constant(m, "bias0").raw_data[..4].copy_from_slice(&i32::MIN.to_le_bytes());
        }),
        case("axis 99", "its axis is 99, not 2 or -1", |m| {
            constant(m, "axes").raw_data = 99i64.to_le_bytes().to_vec();
        }),
        case("two axes", "its axis list has the shape", |m| {
            let axes = constant(m, "axes");
            axes.dims = vec![2];
            axes.raw_data = [2i64, 2].iter().flat_map(|axis| axis.to_le_bytes()).collect();
        }),
        case("bounds the wrong way round", "its bounds 6 to -6 are empty", |m| {
            of(m, "Clip").input.swap(1, 2);
        }),
        case("a constant per row", "its constant has the shape", |m| {
            constant(m, "mean").dims = vec![i64::try_from(HOST.width()).unwrap(), 1];
        }),
        case("a logarithm of what may be zero", "only positive values have a logarithm", |m| {
            replace(m, floats("one", &[], &[0.0]));
        }),
        case("a product that overflows", "the result would not be finite", |m| {
            of(m, "Add").op_type = "Mul".into();
            replace(m, floats("one", &[], &[2.0]));
        }),
        case("quantisation without clipping", "clip them first", |m| {
            replace(m, floats("high", &[], &[1e30]));
            replace(m, floats("low", &[], &[-1e30]));
            // Without a bound of its own the logarithm bounds the values: take it away.
            of(m, "Log").op_type = "Relu".into();
        }),
    ]
}

/// Attributes of nodes.
pub(crate) fn attribute_cases() -> Vec<Case> {
    let attribute = |attribute: AttributeProto| {
        move |m: &mut ModelProto| of(m, "QLinearConv").attribute = vec![attribute]
    };
    vec![
        case("a stride of zero", "its attribute \"strides\"", attribute(ints("strides", &[0]))),
        case("pads of 2^40", "its attribute \"pads\"", attribute(ints("pads", &[1 << 40, 1 << 40]))),
        case("a group of zero", "its attribute \"group\"", attribute(int("group", 0))),
        case(
            "a kernel shape of 2^40",
            "its attribute \"kernel_shape\"",
            attribute(ints("kernel_shape", &[1 << 40])),
        ),
        case("an empty kernel shape", "its attribute \"kernel_shape\"", attribute(ints("kernel_shape", &[]))),
        case("a dilation", "its attribute \"dilations\"", attribute(ints("dilations", &[7]))),
        case("an attribute of another type", "its attribute \"group\"", attribute(ints("group", &[1]))),
        case("an unknown attribute", "wanted: none of this name", attribute(int("surprise", 1))),
        case("an attribute twice", "wanted: once", |m| {
            of(m, "QLinearConv").attribute = vec![int("group", 1), int("group", 1)];
        }),
        case("softmax over the batch", "wanted: 1 or -1", |m| {
            of(m, "Softmax").attribute = vec![int("axis", 0)];
        }),
    ]
}
