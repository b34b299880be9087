//! Files whose trees, float layers, or patterns that reach back are wrong. The lists of trees against each other are
//! tested where they are checked, in `src/model/trees`.

use picket::features::schema::HOST;
use prost::Message as _;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, ModelProto, NodeProto, OperatorSetIdProto};

use crate::case::{Case, bytes, constant, of};
use crate::model_support::kinds::{autoencoder, boosting, error, forest, isolation, logistic, naive_bayes};
use crate::model_support::{floats, graph, int, ints, node, set_metadata};

fn from(
    mut model: ModelProto,
    what: &'static str,
    reason: &'static str,
    change: impl FnOnce(&mut ModelProto),
) -> Case {
    change(&mut model);
    bytes(what, reason, model.encode_to_vec())
}

/// The attribute of that name of the trees.
fn list<'a>(model: &'a mut ModelProto, name: &str) -> &'a mut AttributeProto {
    let trees = of(model, "TreeEnsembleClassifier");
    trees.attribute.iter_mut().find(|attribute| attribute.name == name).unwrap()
}

/// Trees.
pub(crate) fn tree_cases() -> Vec<Case> {
    let case = |what, reason, change: fn(&mut ModelProto)| from(forest(), what, reason, change);
    vec![
        case("a tree that goes round", "not a later node of its tree", |m| {
            list(m, "nodes_truenodeids").ints[1] = 0;
        }),
        case("a branch to itself", "not a later node of its tree", |m| {
            list(m, "nodes_falsenodeids").ints[2] = 2;
        }),
        case("a child out of range", "has the child 1000000", |m| {
            list(m, "nodes_truenodeids").ints[0] = 1_000_000;
        }),
        case("a child in another tree", "has the child 7", |m| list(m, "nodes_truenodeids").ints[0] = 7),
        case("a child below zero", "has the child -1", |m| list(m, "nodes_truenodeids").ints[0] = -1),
        case("two branches to one leaf", "is the child of", |m| list(m, "nodes_falsenodeids").ints[1] = 5),
        case("a node twice", "must be numbered", |m| list(m, "nodes_nodeids").ints[3] = 2),
        case("a tree twice", "must be numbered", |m| list(m, "nodes_treeids").ints[7] = 0),
        case("a column that does not come in", "looks at column 99", |m| {
            list(m, "nodes_featureids").ints[0] = 99;
        }),
        case("a column below zero", "looks at column -1", |m| list(m, "nodes_featureids").ints[0] = -1),
        case("a threshold of NaN", "has the threshold NaN", |m| list(m, "nodes_values").floats[0] = f32::NAN),
        case("an infinite threshold", "has the threshold inf", |m| {
            list(m, "nodes_values").floats[0] = f32::INFINITY;
        }),
        case("a leaf's value of NaN", "has the threshold NaN", |m| {
            list(m, "nodes_values").floats[4] = f32::NAN;
        }),
        case("BRANCH_GTE", "BRANCH_LEQ, BRANCH_LT and LEAF alone", |m| {
            list(m, "nodes_modes").strings[0] = b"BRANCH_GTE".into();
        }),
        case("BRANCH_NEQ", "BRANCH_LEQ, BRANCH_LT and LEAF alone", |m| {
            list(m, "nodes_modes").strings[0] = b"BRANCH_NEQ".into();
        }),
        case("a mode of no name", "BRANCH_LEQ, BRANCH_LT and LEAF alone", |m| {
            list(m, "nodes_modes").strings[0].clear();
        }),
        case("a mode of a hundred octets", "at most 16 are accepted", |m| {
            list(m, "nodes_modes").strings[0] = vec![b'L'; 100];
        }),
        case("a class id out of range", "is for class 1000 of 3", |m| list(m, "class_ids").ints[0] = 1000),
        case("a class id below zero", "is for class -1 of 3", |m| list(m, "class_ids").ints[0] = -1),
        case("a weight of NaN", "class_weights hold NaN", |m| list(m, "class_weights").floats[0] = f32::NAN),
        case("a weight of a branch", "not a leaf, or not in the order", |m| {
            list(m, "class_nodeids").ints[0] = 0;
        }),
        case("weights out of order", "not a leaf, or not in the order", |m| {
            list(m, "class_nodeids").ints.swap(0, 1);
        }),
        case("a list too short", "nodes_falsenodeids has", |m| {
            list(m, "nodes_falsenodeids").ints.pop();
        }),
        case("weights without classes", "class_ids has 0 values", |m| list(m, "class_ids").ints.clear()),
        case("no node", "it has no node", |m| list(m, "nodes_treeids").ints.clear()),
        case("labels from one on", "its labels must be 0, 1, 2", |m| {
            list(m, "classlabels_int64s").ints = vec![1, 2, 3];
        }),
        case("a thousand labels", "1000 labels, at most 64", |m| {
            list(m, "classlabels_int64s").ints = (0..1000).collect();
        }),
        case("a million nodes", "its lists would take more than", |m| {
            list(m, "nodes_modes").strings = vec![b"LEAF".to_vec(); 500_000];
        }),
        case("two hundred thousand nodes", "200000 nodes, at most 131072", |m| {
            list(m, "nodes_treeids").ints = vec![0; 200_000];
        }),
        case("a list of another type", "wanted: a list of whole numbers", |m| {
            list(m, "nodes_treeids").r#type = AttributeType::Floats.into();
        }),
        case("floats of another type", "wanted: a list of floats", |m| {
            list(m, "nodes_values").r#type = AttributeType::Ints.into();
        }),
        case("modes of another type", "wanted: a list of texts", |m| {
            list(m, "nodes_modes").r#type = AttributeType::Ints.into();
        }),
        case("a list twice", "wanted: once", |m| {
            let twice = list(m, "class_ids").clone();
            of(m, "TreeEnsembleClassifier").attribute.push(twice);
        }),
        case("what happens where values are missing", "wanted: none of this name", |m| {
            let tracks = ints("nodes_missing_value_tracks_true", &[1; 35]);
            of(m, "TreeEnsembleClassifier").attribute.push(tracks);
        }),
        case("another transform", "wanted: NONE or SOFTMAX", |m| {
            list(m, "post_transform").s = b"PROBIT".into();
        }),
        case("leaves that add up to two", "its output is no probability", |m| {
            list(m, "class_weights").floats.iter_mut().for_each(|weight| *weight *= 2.0);
        }),
        case("a leaf that takes away", "its output is no probability", |m| {
            list(m, "class_weights").floats[0] = -0.1;
        }),
        case("trees of the default domain", "operator domain \"\" is not accepted", |m| {
            of(m, "TreeEnsembleClassifier").domain.clear();
        }),
        case("another operator of the domain of trees", "domain \"ai.onnx.ml\" is not accepted", |m| {
            of(m, "TreeEnsembleClassifier").op_type = "Relu".into();
            m.opset_import.pop();
        }),
        case("trees without their operator set", "ai.onnx.ml must be imported once", |m| {
            m.opset_import.pop();
        }),
        case("a later operator set of trees", "ai.onnx.ml must be imported once", |m| {
            m.opset_import[1].version = 5;
        }),
        case("trees of one output", "1 outputs with names instead of 2", |m| {
            of(m, "TreeEnsembleClassifier").output.remove(0);
        }),
        case("a label that hides the input", "its output \"X\" exists already", |m| {
            of(m, "TreeEnsembleClassifier").output[0] = "X".into();
        }),
        case("trees of two inputs", "2 inputs instead of 1", |m| {
            of(m, "TreeEnsembleClassifier").input.push("X".into());
        }),
        from(boosting(), "something after the trees' softmax", "nothing may follow", |m| {
            of(m, "TreeEnsembleClassifier").output[1] = "p".into();
            graph(m).node.push(node("Softmax", "p", "probs"));
        }),
        from(isolation(), "an exponent that overflows", "the result would not be finite", |m| {
            list(m, "class_weights").floats.fill(1e8);
            constant(m, "factor").raw_data[..4].copy_from_slice(&1f32.to_le_bytes());
        }),
    ]
}

/// Float layers, and the patterns that reach back.
pub(crate) fn pattern_cases() -> Vec<Case> {
    let width = i64::try_from(HOST.width()).unwrap();
    let with_weights = |model: &mut ModelProto, shape: &[i64], value: f32| {
        let count = usize::try_from(shape.iter().product::<i64>()).unwrap();
        *constant(model, "weights") = floats("weights", shape, &vec![value; count]);
    };
    vec![
        from(logistic(), "weights of another height", "its weights has the shape", |m| {
            with_weights(m, &[width + 1, 3], 0.0);
        }),
        from(logistic(), "weights of three dimensions", "its weights has the shape", |m| {
            with_weights(m, &[1, width, 3], 0.0);
        }),
        from(logistic(), "a float layer too wide", "a layer of 2000 columns", |m| {
            with_weights(m, &[width, 2000], 0.0);
        }),
        from(logistic(), "weights whose sums overflow", "the result would not be finite", |m| {
            with_weights(m, &[width, 3], 1e37);
        }),
        from(logistic(), "weights that are made by a node", "is not an initialiser", |m| {
            of(m, "MatMul").input[1] = "logs".into();
        }),
        from(logistic(), "no softmax", "its output is no probability", |m| {
            graph(m).node.pop();
            graph(m).node.last_mut().unwrap().output = vec!["probs".into()];
        }),
        from(naive_bayes(), "squares of something else", "the graph is not a chain", |m| {
            graph(m).node[6].input = vec!["logs".into(), "logs".into()];
        }),
        from(naive_bayes(), "squares without what they are of", "ask for Concat here", |m| {
            graph(m).node.remove(7);
        }),
        from(naive_bayes(), "squares behind something else", "the graph is not a chain", |m| {
            of(m, "Concat").input[0] = "logs".into();
        }),
        from(naive_bayes(), "squares twice", "3 inputs instead of 2", |m| {
            of(m, "Concat").input.push("squares".into());
        }),
        from(naive_bayes(), "rows put under each other", "its attribute \"axis\"", |m| {
            of(m, "Concat").attribute = vec![int("axis", 0)];
        }),
        from(naive_bayes(), "no axis", "its attribute \"axis\"", |m| of(m, "Concat").attribute.clear()),
        from(naive_bayes(), "Concat alone", "accepted only after its square", |m| {
            graph(m).node.remove(6);
            of(m, "Concat").input[1] = "logs".into();
        }),
        from(naive_bayes(), "squares that overflow", "the result would not be finite", |m| {
            graph(m).node.truncate(1);
            let concat =
                NodeProto { attribute: vec![int("axis", 1)], ..node("Concat", "counts squares", "probs") };
            graph(m).node.extend([node("Mul", "counts counts", "squares"), concat]);
        }),
        from(autoencoder(), "a mean over the batch", "its attribute \"axes\"", |m| {
            of(m, "ReduceMean").attribute = vec![ints("axes", &[0])];
        }),
        from(autoencoder(), "a mean over everything", "its attribute \"axes\"", |m| {
            of(m, "ReduceMean").attribute.clear();
        }),
        from(autoencoder(), "a mean without a column", "its attribute \"keepdims\"", |m| {
            of(m, "ReduceMean").attribute.push(int("keepdims", 0));
        }),
        from(autoencoder(), "a mean of an operator set without it", "operator set", |m| {
            m.opset_import[0] = OperatorSetIdProto { domain: String::new(), version: 18 };
        }),
        from(autoencoder(), "a difference of different widths", "it compares 3 columns with", |m| {
            graph(m).node.remove(8);
            graph(m).node.truncate(8);
            graph(m).node.extend(error("positive"));
        }),
        from(autoencoder(), "a difference alone", "ask for Mul here", |m| {
            graph(m).node.truncate(10);
            graph(m).node.push(node("Relu", "difference", "score"));
        }),
        from(autoencoder(), "a graph that ends in a difference", "nothing makes the output", |m| {
            graph(m).node.truncate(10);
        }),
        from(autoencoder(), "a difference that is not squared", "the graph is not a chain", |m| {
            graph(m).node[10].input[1] = "clipped".into();
        }),
        from(autoencoder(), "something after the score", "nothing may follow", |m| {
            graph(m).node.last_mut().unwrap().output = vec!["s".into()];
            graph(m).node.push(node("Relu", "s", "score"));
        }),
        from(autoencoder(), "an anomaly model that says it classifies", "the output is \"score\"", |m| {
            set_metadata(m, "picket.kind", "classifier");
            set_metadata(m, "picket.classes", "benign,tcp_scan");
            set_metadata(m, "picket.thresholds", "tcp_scan=0.5");
        }),
        from(isolation(), "a score without Exp", "its output is no score", |m| {
            graph(m).node.pop();
            graph(m).node.last_mut().unwrap().output = vec!["score".into()];
        }),
    ]
}
