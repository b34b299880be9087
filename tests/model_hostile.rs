//! Hostile model files: each is refused with its own reason, at once, without a panic.
//!
//! Every file is the valid one of `model_support` with one thing changed, so that nothing else can be the
//! reason.

#[allow(dead_code, reason = "shared with model_scorer.rs, which uses other parts")]
mod model_support;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use model_support::{changed, floats, good, graph, node, port, raw, set_metadata};
use picket::detect::scorer::{Scorer as _, Verdict};
use picket::features::FeatureVector;
use picket::features::schema::HOST;
use picket::model::{Fault, MAX_FILE_BYTES, OnnxScorer};
use prost::Message as _;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension;
use tract_onnx::pb::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, SparseTensorProto,
    StringStringEntryProto, TensorAnnotation, TensorProto, TrainingInfoProto, type_proto,
};

/// Longest that any file may keep the loader busy.
const LIMIT: Duration = Duration::from_secs(1);

/// A file and words that its refusal must contain.
struct Case {
    what: &'static str,
    bytes: Vec<u8>,
    reason: &'static str,
}

fn case(what: &'static str, reason: &'static str, change: impl FnOnce(&mut ModelProto)) -> Case {
    Case { what, bytes: changed(change), reason }
}

fn bytes(what: &'static str, reason: &'static str, bytes: Vec<u8>) -> Case {
    Case { what, bytes, reason }
}

/// The node of that operator, the first of them.
fn of<'a>(model: &'a mut ModelProto, op: &str) -> &'a mut NodeProto {
    graph(model).node.iter_mut().find(|node| node.op_type == op).unwrap()
}

/// The initialiser of that name.
fn constant<'a>(model: &'a mut ModelProto, name: &str) -> &'a mut TensorProto {
    graph(model).initializer.iter_mut().find(|tensor| tensor.name == name).unwrap()
}

/// Replaces an initialiser.
fn replace(model: &mut ModelProto, tensor: TensorProto) {
    let place = constant(model, &tensor.name);
    *place = tensor;
}

/// The type of the graph's input.
fn input_type(model: &mut ModelProto) -> &mut type_proto::Tensor {
    let value = graph(model).input[0].r#type.as_mut().unwrap().value.as_mut().unwrap();
    let type_proto::Value::TensorType(tensor) = value;
    tensor
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints.into(),
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int.into(), i: value, ..AttributeProto::default() }
}

/// The file and its encoding.
fn encoding_cases() -> Vec<Case> {
    let whole = good().encode_to_vec();
    let half = whole[..whole.len() / 2].to_vec();
    let mut state = 7u32;
    let noise = (0..4096)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .collect();
    let mut trailing = whole.clone();
    trailing.extend([0x3a, 0xff]);
    vec![
        bytes("nothing", "is empty", Vec::new()),
        bytes("too large", "at most 1048576", vec![0; usize::try_from(MAX_FILE_BYTES).unwrap() + 1]),
        bytes("zeros", "ModelProto has a field 0", vec![0; 64]),
        bytes("truncated", "is cut short", half),
        bytes("random octets", "encoding: ", noise),
        bytes("text", "encoding: ", b"this is no model\n".to_vec()),
        bytes("trailing octets", "is cut short", trailing),
        bytes("an endless number", "is not valid protobuf", vec![0xff; 64]),
        bytes("invalid UTF-8", "encoding: ", {
            let mut broken = whole;
            let at = broken.windows(5).position(|w| w == b"probs").unwrap();
            broken[at] = 0xff;
            broken
        }),
        case("half a million empty nodes", "protobuf fields", |m| {
            graph(m).node = vec![NodeProto::default(); 500_000];
        }),
        case("a node's name of 200 kB", "at most 128", |m| of(m, "Relu").name = "n".repeat(200_000)),
        case("a deep dim_param", "at most 128", |m| {
            let shape = input_type(m).shape.as_mut().unwrap();
            shape.dim[0].value = Some(dimension::Value::DimParam("(".repeat(200_000)));
        }),
        case("a subgraph", "holds subgraphs", |m| {
            of(m, "Relu").attribute.push(AttributeProto {
                name: "body".into(),
                r#type: AttributeType::Graph.into(),
                g: Some(GraphProto::default()),
                ..AttributeProto::default()
            });
        }),
        case("graphs nested a thousand times", "holds subgraphs", |m| {
            let mut inner = NodeProto::default();
            // As deep as the encoder itself can go without exhausting the stack of a test.
            for _ in 0..1000 {
                let body = GraphProto { node: vec![inner], ..GraphProto::default() };
                let attribute = AttributeProto { g: Some(body), ..AttributeProto::default() };
                inner = NodeProto { attribute: vec![attribute], ..NodeProto::default() };
            }
            graph(m).node.push(inner);
        }),
        case("a tensor attribute", "holds tensor attributes", |m| {
            of(m, "Relu").attribute.push(AttributeProto { t: Some(TensorProto::default()), ..AttributeProto::default() });
        }),
        case("functions", "holds functions", |m| m.functions.push(FunctionProto::default())),
        case("training information", "holds training information", |m| {
            m.training_info.push(TrainingInfoProto::default());
        }),
        case("sparse initialisers", "holds sparse initialisers", |m| {
            graph(m).sparse_initializer.push(SparseTensorProto::default());
        }),
        case("quantization annotations", "holds quantization annotations", |m| {
            graph(m).quantization_annotation.push(TensorAnnotation::default());
        }),
        case("value_info", "holds value_info", |m| graph(m).value_info.push(port("codes", "N", 3))),
        case("external data", "holds external data", |m| {
            let tensor = constant(m, "weights0");
            tensor.raw_data.clear();
            tensor.external_data.push(StringStringEntryProto { key: "location".into(), value: "/etc/passwd".into() });
        }),
        case("a data location", "holds external data", |m| constant(m, "weights0").data_location = Some(1)),
        case("weights not as raw data", "holds float_data (write raw_data)", |m| {
            constant(m, "one").float_data = vec![1.0];
        }),
        case("string tensors", "holds string tensors", |m| constant(m, "one").string_data = vec![b"x".to_vec()]),
    ]
}

/// What the model says of itself.
fn metadata_cases() -> Vec<Case> {
    let set = |key: &'static str, value: &'static str| move |m: &mut ModelProto| set_metadata(m, key, value);
    vec![
        case("no metadata", "picket.schema is missing", |m| m.metadata_props.clear()),
        case("a key twice", "\"picket.name\" is there twice", |m| {
            let first = m.metadata_props[0].clone();
            m.metadata_props.push(first);
        }),
        case("an unknown key of ours", "\"picket.novelties\" is not known", set("picket.novelties", "")),
        case("an unknown schema", "schema \"picket-host/99\" is not known", set("picket.schema", "picket-host/99")),
        case("a foreign schema hash", "the model was trained with \"0123456789abcdef\"", set("picket.schema_hash", "0123456789abcdef")),
        case("a schema hash that is none", "is not 16 hexadecimal digits", set("picket.schema_hash", "XYZ")),
        case("an unknown class", "class \"worm\" is not in the vocabulary", set("picket.classes", "benign,worm,tcp_scan")),
        case("benign not first", "the first class is \"tcp_scan\"", set("picket.classes", "tcp_scan,benign,udp_scan")),
        case("benign twice", "class \"benign\" is not in the vocabulary", set("picket.classes", "benign,benign,tcp_scan")),
        case("a class twice", "class \"tcp_scan\" is listed twice", set("picket.classes", "benign,tcp_scan,tcp_scan")),
        case("only benign", "is not benign and at least one class", set("picket.classes", "benign")),
        case("a threshold above one", "threshold of tcp_scan is 1.5", set("picket.thresholds", "tcp_scan=1.5,mqtt_publish_flood=0.5")),
        case("a threshold below zero", "threshold of tcp_scan is -0.5", set("picket.thresholds", "tcp_scan=-0.5,mqtt_publish_flood=0.5")),
        case("a threshold of NaN", "threshold of tcp_scan is NaN", set("picket.thresholds", "tcp_scan=NaN,mqtt_publish_flood=0.5")),
        case("a threshold that is no number", "\"much\" is not a number", set("picket.thresholds", "tcp_scan=much,mqtt_publish_flood=0.5")),
        case("a threshold too few", "must be of mqtt_publish_flood", set("picket.thresholds", "tcp_scan=0.5")),
        case("a threshold too many", "no further class", set("picket.thresholds", "tcp_scan=0.5,mqtt_publish_flood=0.5,udp_scan=0.5")),
        case("a name with escape codes", "picket.name: \"\\u{1b}[2J\"", set("picket.name", "\x1b[2J")),
        case("an empty version", "picket.version: \"\"", set("picket.version", "")),
        case("a date that is none", "is not a time in RFC 3339", set("picket.created", "yesterday")),
        case("a provenance of two lines", "is not one line", set("picket.training", "one\ntwo")),
        case("novelty bounds too few", "1 novelty bounds for", set("picket.novelty", "factor=4 columns=1 bounds=1")),
        case("a novelty factor of zero", "is not factor= and a number", set("picket.novelty", "factor=0 columns=1 bounds=1")),
        case("more classes than columns", "the output probs is not float [N, 4]", |m| {
            set_metadata(m, "picket.classes", "benign,tcp_scan,mqtt_publish_flood,udp_scan");
            set_metadata(m, "picket.thresholds", "tcp_scan=0.5,mqtt_publish_flood=0.5,udp_scan=0.5");
        }),
    ]
}

/// The graph as a whole and its ports.
fn graph_cases() -> Vec<Case> {
    vec![
        case("no graph", "the model has no graph", |m| m.graph = None),
        case("no node", "the graph has no node", |m| graph(m).node.clear()),
        case("a chain of 200 nodes", "the graph has 200 nodes", |m| {
            graph(m).node = (0..200).map(|_| node("Relu", "X", "Y")).collect();
        }),
        case("a chain of 20 000 nodes", "protobuf fields", |m| {
            graph(m).node = (0..20_000).map(|i| node("Relu", &format!("t{i}"), &format!("t{}", i + 1))).collect();
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
        case("an input of doubles", "the input X is not float", |m| input_type(m).elem_type = DataType::Double.into()),
        case("an input without shape", "the input X is not float", |m| input_type(m).shape = None),
        case("an input one column too wide", "the input X is not float", |m| {
            graph(m).input = vec![port("X", "N", i64::try_from(HOST.width()).unwrap() + 1)];
        }),
        case("an input of negative width", "the input X is not float", |m| graph(m).input = vec![port("X", "N", -1)]),
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
        case("an output that nothing makes", "nothing makes the output", |m| of(m, "Softmax").output = vec!["other".into()]),
        case("an output of another name", "the output is \"label\"", |m| graph(m).output[0].name = "label".into()),
        case("no softmax", "does not end with Softmax", |m| {
            graph(m).node.pop();
            of(m, "DequantizeLinear").output = vec!["probs".into()];
        }),
        case("something after softmax", "nothing may follow Softmax", |m| {
            of(m, "Softmax").output = vec!["p".into()];
            graph(m).node.push(node("Relu", "p", "probs"));
        }),
    ]
}

/// Initialisers.
fn tensor_cases() -> Vec<Case> {
    vec![
        case("a missing constant", "\"one\" is not an initialiser", |m| {
            graph(m).initializer.retain(|tensor| tensor.name != "one");
        }),
        case("a constant twice", "initialiser \"one\": exists twice", |m| graph(m).initializer.push(floats("one", &[], &[2.0]))),
        case("a constant that hides the input", "has the name of the input", |m| {
            graph(m).initializer.push(floats("X", &[], &[2.0]));
        }),
        case("an unused constant", "initialiser \"ballast\": no node uses it", |m| {
            graph(m).initializer.push(raw("ballast", &[1000], DataType::Int8, vec![0; 1000]));
        }),
        case("huge dims", "dimensions are larger than the file", |m| constant(m, "one").dims = vec![i64::MAX, i64::MAX]),
        case("dims whose product wraps to zero", "dimensions are larger than the file", |m| {
            constant(m, "one").dims = vec![1 << 32, 1 << 32];
        }),
        case("negative dims", "dimension -3 is not above zero", |m| constant(m, "one").dims = vec![-3]),
        case("a dimension of zero", "dimension 0 is not above zero", |m| constant(m, "one").dims = vec![0]),
        case("a tensor of nine dimensions", "9 dimensions", |m| constant(m, "one").dims = vec![1; 9]),
        case("raw data too short", "octets where its dimensions ask for", |m| {
            constant(m, "weights0").raw_data.pop();
        }),
        case("raw data too long", "octets where its dimensions ask for", |m| constant(m, "weights0").raw_data.push(0)),
        case("a tensor of doubles", "element type 11 of ONNX", |m| constant(m, "one").data_type = DataType::Double.into()),
        case("a tensor of strings", "element type 8 of ONNX", |m| constant(m, "one").data_type = DataType::String.into()),
        case("a tensor of no known type", "element type 9999 of ONNX", |m| constant(m, "one").data_type = 9999),
        case("a weight of NaN", "initialiser \"mean\": element 0 is not finite", |m| {
            constant(m, "mean").raw_data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        }),
        case("an infinite weight", "initialiser \"mean\": element 1 is not finite", |m| {
            constant(m, "mean").raw_data[4..8].copy_from_slice(&f32::NEG_INFINITY.to_le_bytes());
        }),
    ]
}

/// Operators and wiring.
fn wiring_cases() -> Vec<Case> {
    let op = |name: &'static str| move |m: &mut ModelProto| of(m, "Relu").op_type = name.into();
    vec![
        case("a loop", "(\"Loop\"): the operator is not accepted", op("Loop")),
        case("a conditional", "(\"If\"): the operator is not accepted", op("If")),
        case("a tree ensemble", "(\"TreeEnsembleClassifier\"): the operator is not accepted", op("TreeEnsembleClassifier")),
        case("dynamic quantisation", "(\"DynamicQuantizeLinear\"): the operator is not accepted", op("DynamicQuantizeLinear")),
        case("an operator of spaces", "the operator is not accepted", op("   ")),
        case("an operator of another domain", "domain \"com.microsoft\" is not accepted", |m| {
            of(m, "Relu").domain = "com.microsoft".into();
        }),
        case("a cycle", "the graph is not a chain", |m| of(m, "Relu").input = vec!["above_one".into()]),
        case("a node that feeds itself", "the graph is not a chain", |m| of(m, "Relu").input = vec!["counts".into()]),
        case("nodes out of order", "the graph is not a chain", |m| graph(m).node.swap(0, 1)),
        case("a node without input", "its input \"\" is not", |m| of(m, "Relu").input.clear()),
        case("a node without output", "0 outputs instead of one", |m| of(m, "Relu").output.clear()),
        case("an output without name", "0 outputs instead of one", |m| of(m, "Relu").output = vec![String::new()]),
        case("a node of two outputs", "2 outputs instead of one", |m| of(m, "Relu").output.push("more".into())),
        case("duplicate outputs", "its output \"counts\" exists already", |m| of(m, "Add").output = vec!["counts".into()]),
        case("an output that hides a constant", "its output \"one\" exists already", |m| of(m, "Relu").output = vec!["one".into()]),
        case("an output that hides the input", "its output \"X\" exists already", |m| of(m, "Relu").output = vec!["X".into()]),
        case("a row added to itself", "its input \"counts\" is not an initialiser", |m| {
            of(m, "Add").input = vec!["counts".into(), "counts".into()];
        }),
        case("an input too many", "2 inputs instead of 1", |m| of(m, "Log").input.push("one".into())),
        case("an input too few", "1 inputs instead of 2", |m| {
            of(m, "Add").input.pop();
        }),
        case("a layer without zero points", "3 inputs instead of 9", |m| of(m, "QLinearConv").input.truncate(3)),
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

/// Constants and attributes of nodes.
fn node_cases() -> Vec<Case> {
    let attribute = |attribute: AttributeProto| move |m: &mut ModelProto| of(m, "QLinearConv").attribute = vec![attribute];
    vec![
        case("a scale of zero", "its scale is 0, not between", |m| replace(m, floats("scale0", &[], &[0.0]))),
        case("a negative scale", "its scale is -1, not between", |m| replace(m, floats("scale0", &[], &[-1.0]))),
        case("a denormal scale", "not between 1e-9 and 1e9", |m| replace(m, floats("scale0", &[], &[1e-40]))),
        case("a weight scale of zero", "its weight scale is 0", |m| replace(m, floats("weight_scale", &[], &[0.0]))),
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
        case("a zero point of floats", "its zero point is float, not int8", |m| replace(m, floats("zero_point0", &[], &[0.0]))),
        case("a weight zero point", "its weight zero point is 5, not 0", |m| constant(m, "weight_zero_point").raw_data = vec![5]),
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
        case("weights of another width", "its weights has the shape", |m| constant(m, "weights0").dims.swap(0, 1)),
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
        case("a stride of zero", "its attribute \"strides\"", attribute(ints("strides", &[0]))),
        case("pads of 2^40", "its attribute \"pads\"", attribute(ints("pads", &[1 << 40, 1 << 40]))),
        case("a group of zero", "its attribute \"group\"", attribute(int("group", 0))),
        case("a kernel shape of 2^40", "its attribute \"kernel_shape\"", attribute(ints("kernel_shape", &[1 << 40]))),
        case("an empty kernel shape", "its attribute \"kernel_shape\"", attribute(ints("kernel_shape", &[]))),
        case("a dilation", "its attribute \"dilations\"", attribute(ints("dilations", &[7]))),
        case("an attribute of another type", "its attribute \"group\"", attribute(ints("group", &[1]))),
        case("an unknown attribute", "wanted: none of this name", attribute(int("surprise", 1))),
        case("an attribute twice", "wanted: once", |m| {
            of(m, "QLinearConv").attribute = vec![int("group", 1), int("group", 1)];
        }),
        case("softmax over the batch", "wanted: 1 or -1", |m| of(m, "Softmax").attribute = vec![int("axis", 0)]),
        case("axis 99", "its axis list has the shape", |m| constant(m, "axes").raw_data = 99i64.to_le_bytes().to_vec()),
        case("no axes at all", "its axis list has the shape", |m| {
            let axes = constant(m, "axes");
            axes.dims = vec![2];
            axes.raw_data = [2i64, 2].iter().flat_map(|axis| axis.to_le_bytes()).collect();
        }),
        case("bounds the wrong way round", "its bounds 6 to -6 are empty", |m| of(m, "Clip").input.swap(1, 2)),
        case("a constant per row", "its constant has the shape", |m| constant(m, "mean").dims = vec![i64::try_from(HOST.width()).unwrap(), 1]),
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

#[test]
fn every_hostile_file_is_refused_with_its_own_reason() {
    let groups = [encoding_cases(), metadata_cases(), graph_cases(), tensor_cases(), wiring_cases(), node_cases()];
    let cases: Vec<Case> = groups.into_iter().flatten().collect();
    assert!(cases.len() >= 100, "{}", cases.len());
    OnnxScorer::from_bytes(&good().encode_to_vec()).expect("the model that all cases start from is valid");
    let mut wrong = Vec::new();
    for Case { what, bytes, reason } in &cases {
        let start = Instant::now();
        let outcome = OnnxScorer::from_bytes(bytes);
        let taken = start.elapsed();
        match outcome {
            Ok(_) => wrong.push(format!("{what}: accepted")),
            Err(fault) => {
                if matches!(fault, Fault::Build(_) | Fault::Panicked) {
                    wrong.push(format!("{what}: reached tract"));
                }
                let text = fault.to_string();
                if !text.contains(reason) {
                    wrong.push(format!("{what}: says {text:?}, which lacks {reason:?}"));
                }
                if text.chars().any(char::is_control) || text.len() > 400 {
                    wrong.push(format!("{what}: its message is not fit for a log"));
                }
                if fault.hint().is_empty() {
                    wrong.push(format!("{what}: no remedy"));
                }
            }
        }
        if taken > LIMIT {
            wrong.push(format!("{what}: took {taken:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_refused_by_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let error = |path: &std::path::Path| OnnxScorer::load(path).err().unwrap();

    let missing = error(&dir.path().join("missing.onnx"));
    assert_eq!(missing.exit_code(), 66);
    assert!(missing.to_string().contains("missing.onnx"), "{missing}");

    let folder = error(dir.path());
    assert!(folder.to_string().contains("not a regular file"), "{folder}");

    let large = dir.path().join("large.onnx");
    // Sparse: takes no room.
    fs::File::create(&large).unwrap().set_len(1 << 40).unwrap();
    assert!(error(&large).to_string().contains("has 1099511627776 octets"));

    let pipe = dir.path().join("pipe.onnx");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    assert!(error(&pipe).to_string().contains("not a regular file"));

    let fine = dir.path().join("fine.onnx");
    fs::write(&fine, good().encode_to_vec()).unwrap();
    assert_eq!(OnnxScorer::load(&fine).unwrap().info().name, "test");
}

/// Loads the octets; when they are accepted, scores with them. Must neither panic nor take long.
fn load_and_score(bytes: &[u8], what: &str) -> bool {
    let start = Instant::now();
    let accepted = catch_unwind(AssertUnwindSafe(|| {
        let mut scorer = match OnnxScorer::from_bytes(bytes) {
            Ok(scorer) => scorer,
            // What the validator passes, tract must be able to build.
            Err(fault @ (Fault::Build(_) | Fault::Panicked)) => panic!("{what}: {fault}"),
            Err(_) => return false,
        };
        let mut rows = [FeatureVector::ZERO; 3];
        rows[1].values.fill(f32::MAX);
        rows[2].values.fill(-1e9);
        let mut verdicts = [Verdict::default(); 3];
        scorer.score(&rows, &mut verdicts);
        assert_eq!(scorer.counts().failed, 0, "{what}: an accepted model could not score");
        assert!(verdicts.iter().all(|verdict| (0.0..=1.0).contains(&verdict.confidence)), "{what}: {verdicts:?}");
        true
    }));
    assert!(start.elapsed() < LIMIT, "{what}: took {:?}", start.elapsed());
    accepted.unwrap_or_else(|_| panic!("{what}: panicked"))
}

#[test]
fn mutated_octets_neither_panic_nor_hang() {
    let whole = good().encode_to_vec();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move |below: usize| {
        // xorshift64: repeatable, so that a failure can be found again by its round.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let (mut accepted, mut refused) = (0u32, 0u32);
    for round in 0..4000 {
        let mut bytes = whole.clone();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            match next(5) {
                0 | 1 => bytes[at] ^= 1 << next(8),
                2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][next(5)],
                3 => {
                    bytes.remove(at);
                }
                _ => {
                    let from = next(bytes.len());
                    let piece = bytes[from..bytes.len().min(from + 1 + next(16))].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        if load_and_score(&bytes, &format!("round {round}")) {
            accepted += 1;
        } else {
            refused += 1;
        }
    }
    // Both ways must have been walked: changed weights are still a model, a changed structure is not.
    assert!(accepted > 100 && refused > 1000, "{accepted} accepted, {refused} refused");
}

#[test]
fn every_prefix_is_refused() {
    let whole = good().encode_to_vec();
    for end in 0..whole.len() {
        assert!(!load_and_score(&whole[..end], &format!("the first {end} octets")));
    }
}
