//! A hostile file and what it takes to make one.

use tract_onnx::pb::{ModelProto, NodeProto, TensorProto, type_proto};

use crate::model_support::{changed, graph};

/// A file and words that its refusal must contain.
pub(crate) struct Case {
    pub(crate) what: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) reason: &'static str,
}

pub(crate) fn case(what: &'static str, reason: &'static str, change: impl FnOnce(&mut ModelProto)) -> Case {
    Case { what, bytes: changed(change), reason }
}

pub(crate) fn bytes(what: &'static str, reason: &'static str, bytes: Vec<u8>) -> Case {
    Case { what, bytes, reason }
}

/// The node of that operator, the first of them.
pub(crate) fn of<'a>(model: &'a mut ModelProto, op: &str) -> &'a mut NodeProto {
    graph(model).node.iter_mut().find(|node| node.op_type == op).unwrap()
}

/// The initialiser of that name.
pub(crate) fn constant<'a>(model: &'a mut ModelProto, name: &str) -> &'a mut TensorProto {
    graph(model).initializer.iter_mut().find(|tensor| tensor.name == name).unwrap()
}

/// Replaces an initialiser.
pub(crate) fn replace(model: &mut ModelProto, tensor: TensorProto) {
    let place = constant(model, &tensor.name);
    *place = tensor;
}

/// The type of the graph's input.
pub(crate) fn input_type(model: &mut ModelProto) -> &mut type_proto::Tensor {
    let value = graph(model).input[0].r#type.as_mut().unwrap().value.as_mut().unwrap();
    let type_proto::Value::TensorType(tensor) = value;
    tensor
}
