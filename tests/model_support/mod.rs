//! A small valid model, built here from the current host schema, so that no file has to follow the schema.
//!
//! Its shape is that of an exported one: log1p, standardise, clip, int8, two layers, softmax.
#![allow(unreachable_pub, reason = "shared by test binaries, none of which exports anything")]

pub mod kinds;
pub mod sized;

use picket::features::schema::{HOST, Schema};
use prost::Message as _;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// Columns of the hidden layer.
pub const HIDDEN: usize = 8;
/// Classes of the model.
pub const CLASSES: [&str; 3] = ["benign", "tcp_scan", "mqtt_publish_flood"];

/// Scale and zero point after the standardisation, the hidden layer and the last one.
pub const STAGES: [(f32, i8); 3] = [(6.0 / 127.0, 0), (0.05, -128), (0.1, 0)];
/// Scale of the weights of both layers.
pub const WEIGHT_SCALE: f32 = 0.02;
/// What is subtracted and multiplied to standardise.
pub const MEAN: f32 = 1.5;
pub const INVERSE_DEVIATION: f32 = 0.8;

/// Weights `[outputs, inputs]` and biases of layer `layer`, spread by a linear congruence.
pub fn weights(layer: usize) -> (Vec<i8>, Vec<i16>) {
    weights_of(HOST.width(), layer)
}

fn weights_of(width: usize, layer: usize) -> (Vec<i8>, Vec<i16>) {
    let (inputs, outputs) = if layer == 0 { (width, HIDDEN) } else { (HIDDEN, CLASSES.len()) };
    let mut state = 0x2545_f491u32 + u32::try_from(layer).unwrap();
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0].cast_signed()
    };
    let weights = (0..inputs * outputs).map(|_| next()).collect();
    let biases = (0..outputs).map(|_| i16::from(next()) * 20).collect();
    (weights, biases)
}

/// The valid model.
pub fn good() -> ModelProto {
    good_of(&HOST)
}

/// The valid model for rows of another schema.
pub fn good_of(schema: &Schema) -> ModelProto {
    let width = i64::try_from(schema.width()).unwrap();
    let hidden = i64::try_from(HIDDEN).unwrap();
    let classes = i64::try_from(CLASSES.len()).unwrap();
    let mut initializer = vec![
        floats("one", &[], &[1.0]),
        floats("mean", &[width], &vec![MEAN; schema.width()]),
        floats("inverse_deviation", &[width], &vec![INVERSE_DEVIATION; schema.width()]),
        floats("low", &[], &[-6.0]),
        floats("high", &[], &[6.0]),
        raw("axes", &[1], DataType::Int64, 2i64.to_le_bytes().to_vec()),
        floats("weight_scale", &[], &[WEIGHT_SCALE]),
        raw("weight_zero_point", &[], DataType::Int8, vec![0]),
    ];
    for (index, (scale, zero_point)) in STAGES.iter().enumerate() {
        initializer.push(floats(&format!("scale{index}"), &[], &[*scale]));
        initializer.push(raw(
            &format!("zero_point{index}"),
            &[],
            DataType::Int8,
            vec![zero_point.cast_unsigned()],
        ));
    }
    for (index, (outputs, inputs)) in [(hidden, width), (classes, hidden)].into_iter().enumerate() {
        let (weights, biases) = weights_of(schema.width(), index);
        let weights = weights.into_iter().map(i8::cast_unsigned).collect();
        initializer.push(raw(&format!("weights{index}"), &[outputs, inputs, 1], DataType::Int8, weights));
        let biases = biases.into_iter().flat_map(|bias| i32::from(bias).to_le_bytes()).collect();
        initializer.push(raw(&format!("bias{index}"), &[outputs], DataType::Int32, biases));
    }
    let graph = GraphProto {
        name: "test".into(),
        node: vec![
            node("Relu", "X", "counts"),
            node("Add", "counts one", "above_one"),
            node("Log", "above_one", "logs"),
            node("Sub", "logs mean", "centred"),
            node("Mul", "centred inverse_deviation", "standard"),
            node("Clip", "standard low high", "clipped"),
            node("QuantizeLinear", "clipped scale0 zero_point0", "codes"),
            node("Unsqueeze", "codes axes", "deep"),
            layer(0, "deep", "hidden"),
            layer(1, "hidden", "last"),
            node("Squeeze", "last axes", "flat"),
            node("DequantizeLinear", "flat scale2 zero_point2", "logits"),
            node("Softmax", "logits", "probs"),
        ],
        initializer,
        input: vec![port("X", "N", width)],
        output: vec![port("probs", "N", classes)],
        ..GraphProto::default()
    };
    let thresholds: Vec<String> = CLASSES[1..].iter().map(|class| format!("{class}=0.5")).collect();
    let metadata_props = [
        ("picket.name", "test"),
        ("picket.version", "1.0"),
        ("picket.created", "2026-01-01T00:00:00Z"),
        ("picket.training", "not trained: weights from a linear congruence"),
        ("picket.schema", &format!("{}/{}", schema.name, schema.version)),
        ("picket.schema_hash", &schema.hash().to_string()),
        ("picket.classes", &CLASSES.join(",")),
        ("picket.thresholds", &thresholds.join(",")),
        ("picket.novelty", &bounds(schema.width(), 1e6, schema.width() - 1)),
    ]
    .map(|(key, value)| StringStringEntryProto { key: key.into(), value: value.into() })
    .to_vec();
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
        graph: Some(graph),
        metadata_props,
        ..ModelProto::default()
    }
}

/// A novelty test by which `columns` values may exceed `factor` times one.
pub fn novelty(factor: f32, columns: usize) -> String {
    bounds(HOST.width(), factor, columns)
}

fn bounds(width: usize, factor: f32, columns: usize) -> String {
    format!("factor={factor} columns={columns} bounds={}", vec!["1"; width].join(","))
}

/// Layer `index` of int8, from scale and zero point `index` to those after it.
pub fn layer(index: usize, input: &str, output: &str) -> NodeProto {
    let (from, to) = (index, index + 1);
    let names = format!(
        "{input} scale{from} zero_point{from} weights{index} weight_scale weight_zero_point scale{to} zero_point{to} bias{index}"
    );
    NodeProto { attribute: vec![ints("kernel_shape", &[1])], ..node("QLinearConv", &names, output) }
}

/// The valid model after `change`, encoded.
pub fn changed(change: impl FnOnce(&mut ModelProto)) -> Vec<u8> {
    let mut model = good();
    change(&mut model);
    model.encode_to_vec()
}

/// The graph of a model.
pub fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

/// Sets or adds a metadata entry.
pub fn set_metadata(model: &mut ModelProto, key: &str, value: &str) {
    model.metadata_props.retain(|entry| entry.key != key);
    model.metadata_props.push(StringStringEntryProto { key: key.into(), value: value.into() });
}

/// A node whose inputs are the words of `inputs`.
pub fn node(op: &str, inputs: &str, output: &str) -> NodeProto {
    NodeProto {
        name: format!("{}_{output}", op.to_lowercase()),
        op_type: op.into(),
        input: inputs.split_whitespace().map(Into::into).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    }
}

/// A float constant.
pub fn floats(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    raw(name, dims, DataType::Float, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// A constant of these octets.
pub fn raw(name: &str, dims: &[i64], kind: DataType, octets: Vec<u8>) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: kind.into(),
        raw_data: octets,
        ..TensorProto::default()
    }
}

/// An input or output `float [rows, columns]`.
pub fn port(name: &str, rows: &str, columns: i64) -> ValueInfoProto {
    let dim = |value| Dimension { value: Some(value), ..Dimension::default() };
    let shape = TensorShapeProto {
        dim: vec![dim(dimension::Value::DimParam(rows.into())), dim(dimension::Value::DimValue(columns))],
    };
    let tensor = type_proto::Tensor { elem_type: DataType::Float.into(), shape: Some(shape) };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

/// An attribute of one number.
pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Int.into(),
        i: value,
        ..AttributeProto::default()
    }
}

/// An attribute of a list of numbers.
pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints.into(),
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}
