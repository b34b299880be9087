//! Files whose encoding or metadata are wrong.

use picket::model::MAX_FILE_BYTES;
use prost::Message as _;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_shape_proto::dimension;
use tract_onnx::pb::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, SparseTensorProto,
    StringStringEntryProto, TensorAnnotation, TensorProto, TrainingInfoProto,
};

use crate::case::{Case, bytes, case, constant, input_type, of};
use crate::model_support::{good, graph, port, set_metadata};

/// The file and its encoding.
pub(crate) fn encoding_cases() -> Vec<Case> {
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
        bytes("too large", "at most 4194304", vec![0; MAX_FILE_BYTES + 1]),
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
            of(m, "Relu")
                .attribute
                .push(AttributeProto { t: Some(TensorProto::default()), ..AttributeProto::default() });
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
            tensor
                .external_data
                .push(StringStringEntryProto { key: "location".into(), value: "/etc/passwd".into() });
        }),
        case("a data location", "holds external data", |m| constant(m, "weights0").data_location = Some(1)),
        case("weights not as raw data", "holds float_data (write raw_data)", |m| {
            constant(m, "one").float_data = vec![1.0];
        }),
        case("string tensors", "holds string tensors", |m| {
            constant(m, "one").string_data = vec![b"x".to_vec()];
        }),
    ]
}

/// What the model says of itself.
pub(crate) fn metadata_cases() -> Vec<Case> {
    let set = |key: &'static str, value: &'static str| move |m: &mut ModelProto| set_metadata(m, key, value);
    vec![
        case("no metadata", "picket.schema is missing", |m| m.metadata_props.clear()),
        case("a key twice", "\"picket.name\" is there twice", |m| {
            let first = m.metadata_props[0].clone();
            m.metadata_props.push(first);
        }),
        case("an unknown key of ours", "\"picket.novelties\" is not known", set("picket.novelties", "")),
        case(
            "an unknown schema",
            "schema \"picket-host/99\" is not known",
            set("picket.schema", "picket-host/99"),
        ),
        case(
            "a foreign schema hash",
            "the model was trained with \"0123456789abcdef\"",
            set("picket.schema_hash", "0123456789abcdef"),
        ),
        case("a schema hash that is none", "is not 16 hexadecimal digits", set("picket.schema_hash", "XYZ")),
        case(
            "an unknown class",
            "class \"worm\" is not in the vocabulary",
            set("picket.classes", "benign,worm,tcp_scan"),
        ),
        case(
            "benign not first",
            "the first class is \"tcp_scan\"",
            set("picket.classes", "tcp_scan,benign,udp_scan"),
        ),
        case(
            "benign twice",
            "class \"benign\" is not in the vocabulary",
            set("picket.classes", "benign,benign,tcp_scan"),
        ),
        case(
            "a class twice",
            "class \"tcp_scan\" is listed twice",
            set("picket.classes", "benign,tcp_scan,tcp_scan"),
        ),
        case("only benign", "is not benign and at least one class", set("picket.classes", "benign")),
        case(
            "a threshold above one",
            "threshold of tcp_scan is 1.5",
            set("picket.thresholds", "tcp_scan=1.5,mqtt_publish_flood=0.5"),
        ),
        case(
            "a threshold below zero",
            "threshold of tcp_scan is -0.5",
            set("picket.thresholds", "tcp_scan=-0.5,mqtt_publish_flood=0.5"),
        ),
        case(
            "a threshold of NaN",
            "threshold of tcp_scan is NaN",
            set("picket.thresholds", "tcp_scan=NaN,mqtt_publish_flood=0.5"),
        ),
        case(
            "a threshold that is no number",
            "\"much\" is not a number",
            set("picket.thresholds", "tcp_scan=much,mqtt_publish_flood=0.5"),
        ),
        case(
            "a threshold too few",
            "must be of mqtt_publish_flood",
            set("picket.thresholds", "tcp_scan=0.5"),
        ),
        case(
            "a threshold too many",
            "no further class",
            set("picket.thresholds", "tcp_scan=0.5,mqtt_publish_flood=0.5,udp_scan=0.5"),
        ),
        case("a name with escape codes", "picket.name: \"\\u{1b}[2J\"", set("picket.name", "\x1b[2J")),
        case("an empty version", "picket.version: \"\"", set("picket.version", "")),
        case("a date that is none", "is not a time in RFC 3339", set("picket.created", "yesterday")),
        case("a provenance of two lines", "is not one line", set("picket.training", "one\ntwo")),
        case(
            "novelty bounds too few",
            "1 novelty bounds for",
            set("picket.novelty", "factor=4 columns=1 bounds=1"),
        ),
        case(
            "a novelty factor of zero",
            "is not factor= and a number",
            set("picket.novelty", "factor=0 columns=1 bounds=1"),
        ),
        case("more classes than columns", "the output probs is not float [N, 4]", |m| {
            set_metadata(m, "picket.classes", "benign,tcp_scan,mqtt_publish_flood,udp_scan");
            set_metadata(m, "picket.thresholds", "tcp_scan=0.5,mqtt_publish_flood=0.5,udp_scan=0.5");
        }),
    ]
}
