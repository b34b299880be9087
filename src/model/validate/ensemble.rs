//! `TreeEnsembleClassifier`: its attributes by name and type.

use super::super::proto::{AttributeProto, AttributeType, NodeProto};

use super::super::error::{NodeFault, Quoted};
use super::super::trees::{Attributes, Mode, Trees};

/// The trees of `node`, into which `columns` come, and whether `Softmax` follows.
pub(super) fn trees(node: &NodeProto, columns: usize) -> Result<(Trees, bool), NodeFault> {
    let mut lists = Attributes::default();
    let mut softmax = false;
    for (place, attribute) in node.attribute.iter().enumerate() {
        let name = attribute.name.as_str();
        if node.attribute.iter().take(place).any(|earlier| earlier.name == name) {
            return Err(NodeFault::Attribute { name: Quoted::new(name), wanted: "once" });
        }
        match name {
            "classlabels_int64s" => lists.labels = integers(attribute)?,
            "nodes_treeids" => lists.tree_ids = integers(attribute)?,
            "nodes_nodeids" => lists.node_ids = integers(attribute)?,
            "nodes_featureids" => lists.columns = integers(attribute)?,
            "nodes_values" => lists.thresholds = floats(attribute)?,
            "nodes_modes" => lists.modes = modes(attribute)?,
            "nodes_truenodeids" => lists.yes = integers(attribute)?,
            "nodes_falsenodeids" => lists.no = integers(attribute)?,
            "class_treeids" => lists.weight_trees = integers(attribute)?,
            "class_nodeids" => lists.weight_nodes = integers(attribute)?,
            "class_ids" => lists.weight_labels = integers(attribute)?,
            "class_weights" => lists.weights = floats(attribute)?,
            "base_values" => lists.base = floats(attribute)?,
            "post_transform" => {
                softmax = match (is(attribute, AttributeType::String), attribute.s.as_slice()) {
                    (true, b"NONE") => false,
                    (true, b"SOFTMAX") => true,
                    _ => return Err(wrong(attribute, "NONE or SOFTMAX")),
                }
            }
            _ => return Err(wrong(attribute, "none of this name")),
        }
    }
    Ok((Trees::new(&lists, columns)?, softmax))
}

fn is(attribute: &AttributeProto, wanted: AttributeType) -> bool {
    attribute.r#type == i32::from(wanted)
}

fn wrong(attribute: &AttributeProto, wanted: &'static str) -> NodeFault {
    NodeFault::Attribute { name: Quoted::new(&attribute.name), wanted }
}

fn integers(attribute: &AttributeProto) -> Result<&[i64], NodeFault> {
    if is(attribute, AttributeType::Ints) {
        Ok(&attribute.ints)
    } else {
        Err(wrong(attribute, "a list of whole numbers"))
    }
}

fn floats(attribute: &AttributeProto) -> Result<&[f32], NodeFault> {
    if is(attribute, AttributeType::Floats) {
        Ok(&attribute.floats)
    } else {
        Err(wrong(attribute, "a list of floats"))
    }
}

fn modes(attribute: &AttributeProto) -> Result<Vec<Mode>, NodeFault> {
    if !is(attribute, AttributeType::Strings) {
        return Err(wrong(attribute, "a list of texts"));
    }
    let mode = |text: &Vec<u8>| match text.as_slice() {
        b"BRANCH_LEQ" => Ok(Mode::Leq),
        b"BRANCH_LT" => Ok(Mode::Lt),
        b"LEAF" => Ok(Mode::Leaf),
        _ => Err(wrong(attribute, "BRANCH_LEQ, BRANCH_LT and LEAF alone")),
    };
    attribute.strings.iter().map(mode).collect()
}
