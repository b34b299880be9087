//! Models as large as the training makes them (models/README.md), for measuring: their answers mean nothing.

use picket::detect::class::Class;
use picket::features::schema::HOST;
use tract_onnx::pb::ModelProto;
use tract_onnx::pb::tensor_proto::DataType;

use super::kinds::{Shape, detector, ensemble, error, isolation_of, of_trees, prepared, size, spread, with};
use super::{STAGES, WEIGHT_SCALE, floats, graph, layer, node, port, raw, set_metadata};

/// Classes of the large classifiers, the benign one among them.
const CLASSES: usize = 18;

/// Gives a model that many classes.
fn classifier(mut model: ModelProto) -> ModelProto {
    let attacks: Vec<&str> = Class::ALL.iter().take(CLASSES - 1).map(|class| class.name()).collect();
    let thresholds: Vec<String> = attacks.iter().map(|class| format!("{class}=0.5")).collect();
    set_metadata(&mut model, "picket.classes", &format!("benign,{}", attacks.join(",")));
    set_metadata(&mut model, "picket.thresholds", &thresholds.join(","));
    graph(&mut model).output = vec![port("probs", "N", size(CLASSES))];
    model
}

/// A random forest of 40 trees with 511 nodes each; a leaf gives to two classes.
pub fn forest() -> ModelProto {
    let shape = Shape { trees: 40, levels: 8, labels: CLASSES };
    let part = 0.5 / shape.trees as f32;
    let share = |_, place: usize, label: usize| {
        if [place % CLASSES, (place + 5) % CLASSES].contains(&label) { part } else { 0.0 }
    };
    classifier(of_trees(Vec::new(), vec![ensemble("probs", shape, false, share)]))
}

/// Gradient boosting with 40 rounds of a tree for each class, 31 nodes each.
pub fn boosting() -> ModelProto {
    let shape = Shape { trees: 40 * CLASSES, levels: 4, labels: CLASSES };
    let margins = spread(7, 255);
    let margin = |tree: usize, place: usize, label: usize| {
        if tree % CLASSES == label { 0.1 * margins[place % margins.len()] } else { 0.0 }
    };
    classifier(of_trees(Vec::new(), vec![ensemble("probs", shape, true, margin)]))
}

/// An isolation forest of 100 trees with 127 nodes each.
pub fn isolation() -> ModelProto {
    let shape = Shape { trees: 100, levels: 6, labels: 3 };
    let path = |_, place: usize, label: usize| if label == 0 { 0.1 + (place % 9) as f32 / 90.0 } else { 0.0 };
    isolation_of(ensemble("paths", shape, false, path))
}

/// An autoencoder of int8 with hidden layers of 32, 12 and 32.
pub fn autoencoder() -> ModelProto {
    let widths = [HOST.width(), 32, 12, 32, HOST.width()];
    let mut constants = vec![
        raw("axes", &[1], DataType::Int64, 2i64.to_le_bytes().to_vec()),
        floats("weight_scale", &[], &[WEIGHT_SCALE]),
        raw("weight_zero_point", &[], DataType::Int8, vec![0]),
    ];
    let mut nodes = vec![
        node("QuantizeLinear", "clipped scale0 zero_point0", "codes"),
        node("Unsqueeze", "codes axes", "deep0"),
    ];
    for (index, layers) in widths.windows(2).enumerate() {
        let (inputs, outputs) = (layers[0], layers[1]);
        // Any octets, by a rule.
        let weights = (0..inputs * outputs).map(|at| u8::try_from(at * 37 % 251).unwrap()).collect();
        let shape = [size(outputs), size(inputs), 1];
        constants.push(raw(&format!("weights{index}"), &shape, DataType::Int8, weights));
        let biases = vec![0; 4 * outputs];
        constants.push(raw(&format!("bias{index}"), &[size(outputs)], DataType::Int32, biases));
        nodes.push(layer(index, &format!("deep{index}"), &format!("deep{}", index + 1)));
    }
    let last = widths.len() - 1;
    for index in 0..=last {
        let (scale, zero_point) = STAGES[if index == 0 { 0 } else { 1 + index / last }];
        constants.push(floats(&format!("scale{index}"), &[], &[scale]));
        let zero_point = vec![zero_point.cast_unsigned()];
        constants.push(raw(&format!("zero_point{index}"), &[], DataType::Int8, zero_point));
    }
    nodes.push(node("Squeeze", &format!("deep{last} axes"), "flat"));
    nodes.push(node("DequantizeLinear", &format!("flat scale{last} zero_point{last}"), "restored"));
    nodes.extend(error("restored"));
    detector(with(prepared(), constants, nodes))
}
