//! A valid model of every kind on the current host schema, with weights spread by a linear congruence.

use picket::features::schema::HOST;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto};

use super::{CLASSES, floats, good, graph, int, ints, node, port, set_metadata};

/// What an anomaly model of these reports from.
pub const THRESHOLD: f32 = 0.25;

/// Numbers from -1 to 1, always the same.
pub fn spread(seed: u32, count: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(state.to_be_bytes()[0].cast_signed()) / 128.0
    };
    (0..count).map(|_| next()).collect()
}

pub fn size(count: usize) -> i64 {
    i64::try_from(count).unwrap()
}

/// The nodes and constants that prepare the rows, of the good model.
pub fn prepared() -> ModelProto {
    let mut model = good();
    let graph = graph(&mut model);
    graph.node.truncate(6);
    let used: Vec<String> = graph.node.iter().flat_map(|node| node.input.clone()).collect();
    graph.initializer.retain(|tensor| used.contains(&tensor.name));
    model
}

pub fn with(mut model: ModelProto, constants: Vec<TensorProto>, nodes: Vec<NodeProto>) -> ModelProto {
    let graph = graph(&mut model);
    graph.initializer.extend(constants);
    graph.node.extend(nodes);
    model
}

/// Makes an anomaly model of it.
pub fn detector(mut model: ModelProto) -> ModelProto {
    graph(&mut model).output = vec![port("score", "N", 1)];
    set_metadata(&mut model, "picket.kind", "anomaly");
    set_metadata(&mut model, "picket.classes", "benign,anomaly");
    set_metadata(&mut model, "picket.thresholds", &format!("anomaly={THRESHOLD}"));
    model
}

/// A logistic regression.
pub fn logistic() -> ModelProto {
    let (width, classes) = (HOST.width(), CLASSES.len());
    let weights = floats("weights", &[size(width), size(classes)], &spread(1, width * classes));
    let nodes = vec![
        node("MatMul", "clipped weights", "product"),
        node("Add", "product bias", "logits"),
        node("Softmax", "logits", "probs"),
    ];
    with(prepared(), vec![weights, floats("bias", &[size(classes)], &spread(2, classes))], nodes)
}

/// Gaussian naive Bayes.
pub fn naive_bayes() -> ModelProto {
    let (width, classes) = (2 * HOST.width(), CLASSES.len());
    let weights = floats("weights", &[size(width), size(classes)], &spread(3, width * classes));
    let nodes = vec![
        node("Mul", "clipped clipped", "squares"),
        NodeProto { attribute: vec![int("axis", 1)], ..node("Concat", "clipped squares", "both") },
        node("MatMul", "both weights", "likelihoods"),
        node("Softmax", "likelihoods", "probs"),
    ];
    with(prepared(), vec![weights], nodes)
}

/// The nodes that compare what was restored with what was prepared.
pub fn error(restored: &str) -> Vec<NodeProto> {
    vec![
        node("Sub", &format!("{restored} clipped"), "difference"),
        node("Mul", "difference difference", "error"),
        NodeProto { attribute: vec![ints("axes", &[1])], ..node("ReduceMean", "error", "score") },
    ]
}

/// An autoencoder of float.
pub fn autoencoder() -> ModelProto {
    let width = HOST.width();
    let constants = vec![
        floats("inner", &[size(width), 3], &spread(4, width * 3)),
        floats("outer", &[3, size(width)], &spread(5, width * 3)),
    ];
    let mut nodes = vec![
        node("MatMul", "clipped inner", "hidden"),
        node("Relu", "hidden", "positive"),
        node("MatMul", "positive outer", "restored"),
    ];
    nodes.extend(error("restored"));
    detector(with(prepared(), constants, nodes))
}

/// How large an ensemble is: its trees, and the levels of each, all of whose places are taken.
#[derive(Clone, Copy)]
pub struct Shape {
    pub trees: usize,
    pub levels: u32,
    pub labels: usize,
}

impl Shape {
    /// Five trees with a root, two branches and four leaves.
    const SMALL: Self = Self { trees: 5, levels: 2, labels: CLASSES.len() };

    /// Nodes of a tree that are no leaves; a tree has one leaf more.
    const fn branches(self) -> usize {
        2_usize.pow(self.levels) - 1
    }
}

/// An ensemble; `leaf` says what a leaf gives to a label, by tree, place among all leaves, and label.
pub fn ensemble(
    output: &str,
    shape: Shape,
    softmax: bool,
    leaf: impl Fn(usize, usize, usize) -> f32,
) -> NodeProto {
    let Shape { trees, labels, .. } = shape;
    let branches = shape.branches();
    let branch = |node: usize| if node < branches { "BRANCH_LEQ" } else { "LEAF" };
    let column = |tree: usize, node: usize| {
        // Any column, by a rule.
        if node < branches { size((tree * branches + node) * 7 % HOST.width()) } else { 0 }
    };
    let nodes = || (0..trees).flat_map(|tree| (0..2 * branches + 1).map(move |node| (tree, node)));
    let child = |step: usize| {
        move |(_, node): (usize, usize)| if node < branches { size(2 * node + step) } else { 0 }
    };
    let weights = || {
        nodes()
            .filter(|(_, node)| *node >= branches)
            .flat_map(|place| (0..labels).map(move |label| (place, label)))
            .map(|((tree, node), label)| (tree, node, label, leaf(tree, tree * (branches + 1) + node, label)))
            .filter(|(.., weight)| *weight != 0.0)
    };
    let list = |name: &str, values: Vec<i64>| ints(name, &values);
    let real = |name: &str, values: Vec<f32>| AttributeProto {
        name: name.into(),
        r#type: AttributeType::Floats.into(),
        floats: values,
        ..AttributeProto::default()
    };
    let attribute = vec![
        list("classlabels_int64s", (0..labels).map(size).collect()),
        list("nodes_treeids", nodes().map(|(tree, _)| size(tree)).collect()),
        list("nodes_nodeids", nodes().map(|(_, node)| size(node)).collect()),
        list("nodes_featureids", nodes().map(|(tree, node)| column(tree, node)).collect()),
        real("nodes_values", nodes().map(|(_, node)| if node < branches { 3.0 } else { 0.0 }).collect()),
        AttributeProto {
            name: "nodes_modes".into(),
            r#type: AttributeType::Strings.into(),
            strings: nodes().map(|(_, node)| branch(node).into()).collect(),
            ..AttributeProto::default()
        },
        list("nodes_truenodeids", nodes().map(child(1)).collect()),
        list("nodes_falsenodeids", nodes().map(child(2)).collect()),
        list("class_treeids", weights().map(|(tree, ..)| size(tree)).collect()),
        list("class_nodeids", weights().map(|(_, node, ..)| size(node)).collect()),
        list("class_ids", weights().map(|(_, _, label, _)| size(label)).collect()),
        real("class_weights", weights().map(|(.., weight)| weight).collect()),
        AttributeProto {
            name: "post_transform".into(),
            r#type: AttributeType::String.into(),
            s: if softmax { b"SOFTMAX".into() } else { b"NONE".into() },
            ..AttributeProto::default()
        },
    ];
    NodeProto {
        domain: "ai.onnx.ml".into(),
        output: vec!["label".into(), output.into()],
        attribute,
        ..node("TreeEnsembleClassifier", "X", output)
    }
}

/// A model of trees: `nodes` alone.
pub fn of_trees(constants: Vec<TensorProto>, nodes: Vec<NodeProto>) -> ModelProto {
    let mut model = good();
    model.opset_import.push(OperatorSetIdProto { domain: "ai.onnx.ml".into(), version: 3 });
    graph(&mut model).node.clear();
    graph(&mut model).initializer.clear();
    with(model, constants, nodes)
}

/// A random forest: each of its five trees gives a fifth to one class.
pub fn forest() -> ModelProto {
    let share = |_, place: usize, label: usize| if place % CLASSES.len() == label { 0.2 } else { 0.0 };
    of_trees(Vec::new(), vec![ensemble("probs", Shape::SMALL, false, share)])
}

/// Gradient boosting.
pub fn boosting() -> ModelProto {
    let margins = spread(7, 100);
    let margin = |_, place: usize, label: usize| 4.0 * margins[place * 3 + label];
    of_trees(Vec::new(), vec![ensemble("probs", Shape::SMALL, true, margin)])
}

/// An isolation forest.
pub fn isolation() -> ModelProto {
    let path = |_, place: usize, label: usize| if label == 0 { 0.1 + place as f32 / 20.0 } else { 0.0 };
    isolation_of(ensemble("paths", Shape::SMALL, false, path))
}

/// An isolation forest whose ensemble gives the lengths of paths to the first of three labels.
pub fn isolation_of(paths: NodeProto) -> ModelProto {
    let factor = floats("factor", &[3, 1], &[-0.1, 0.0, 0.0]);
    let nodes = vec![paths, node("MatMul", "paths factor", "exponent"), node("Exp", "exponent", "score")];
    detector(of_trees(vec![factor], nodes))
}

/// A valid model of every kind, with its name.
pub fn every_kind() -> [(&'static str, ModelProto); 7] {
    [
        ("int8", good()),
        ("logistic", logistic()),
        ("naive Bayes", naive_bayes()),
        ("autoencoder", autoencoder()),
        ("forest", forest()),
        ("boosting", boosting()),
        ("isolation", isolation()),
    ]
}
