//! The protobuf encoding of a model, checked before it is decoded.
//!
//! A decoder turns two octets into a whole empty message, some two hundred octets of memory, and follows
//! nested graphs as deep as they go. This walk therefore comes first: it allows exactly the fields of
//! `onnx.proto3` that a Picket model has, bounds their number, and allocates nothing.

use std::fmt;

/// Most fields of all messages together, but for the values of lists. An exported model of four layers has about 400.
pub const MAX_FIELDS: usize = 4096;
/// Most memory that the values of lists may decode to, in words of eight octets: 24 MiB, for the largest forest.
pub const MAX_WORDS: usize = 3 << 20;
/// Words of a text in a list: its place, its own memory, and what the allocator adds.
const TEXT_WORDS: usize = 8;

/// What a field may hold.
#[derive(Clone, Copy)]
enum Kind {
    /// A number.
    Number,
    /// Whole numbers, each a field or packed one after another.
    Integers,
    /// Floats, each a field or packed one after another.
    Floats,
    /// Texts of at most this many octets, each a field.
    Texts(usize),
    /// Text or octets of at most this many.
    Octets(usize),
    /// A message.
    Message(&'static Message),
}

/// A message of `onnx.proto3` with the fields that are allowed in it.
struct Message {
    name: &'static str,
    fields: &'static [(u32, Kind)],
    /// Fields that are refused by name, as their presence says what the file tries.
    refused: &'static [(u32, &'static str)],
}

/// Longest name of a node or tensor.
const NAME: usize = 128;
/// Longest text in a list: what a node of a tree does.
const MODE: usize = 16;
/// Longest text of the metadata and of the documentation strings.
const TEXT: usize = 4096;

const MODEL: Message = Message {
    name: "ModelProto",
    fields: &[
        (1, Kind::Number),
        (2, Kind::Octets(NAME)),
        (3, Kind::Octets(NAME)),
        (4, Kind::Octets(NAME)),
        (5, Kind::Number),
        (6, Kind::Octets(TEXT)),
        (7, Kind::Message(&GRAPH)),
        (8, Kind::Message(&OPERATOR_SET)),
        (14, Kind::Message(&ENTRY)),
    ],
    refused: &[(20, "training information"), (25, "functions")],
};
const OPERATOR_SET: Message = Message {
    name: "OperatorSetIdProto",
    fields: &[(1, Kind::Octets(NAME)), (2, Kind::Number)],
    refused: &[],
};
const ENTRY: Message = Message {
    name: "StringStringEntryProto",
    fields: &[(1, Kind::Octets(NAME)), (2, Kind::Octets(TEXT))],
    refused: &[],
};
const GRAPH: Message = Message {
    name: "GraphProto",
    fields: &[
        (1, Kind::Message(&NODE)),
        (2, Kind::Octets(NAME)),
        (5, Kind::Message(&TENSOR)),
        (10, Kind::Octets(TEXT)),
        (11, Kind::Message(&VALUE_INFO)),
        (12, Kind::Message(&VALUE_INFO)),
    ],
    refused: &[
        (13, "value_info"),
        (14, "quantization annotations"),
        (15, "sparse initialisers"),
        (16, "graph metadata"),
    ],
};
const NODE: Message = Message {
    name: "NodeProto",
    fields: &[
        (1, Kind::Octets(NAME)),
        (2, Kind::Octets(NAME)),
        (3, Kind::Octets(NAME)),
        (4, Kind::Octets(NAME)),
        (5, Kind::Message(&ATTRIBUTE)),
        (6, Kind::Octets(TEXT)),
        (7, Kind::Octets(NAME)),
    ],
    refused: &[(8, "overloads"), (9, "node metadata")],
};
const ATTRIBUTE: Message = Message {
    name: "AttributeProto",
    fields: &[
        (1, Kind::Octets(NAME)),
        (3, Kind::Number),
        (4, Kind::Octets(NAME)),
        (7, Kind::Floats),
        (8, Kind::Integers),
        (9, Kind::Texts(MODE)),
        (20, Kind::Number),
    ],
    refused: &[
        (2, "float attributes"),
        (5, "tensor attributes"),
        (6, "subgraphs"),
        (10, "tensor attributes"),
        (11, "subgraphs"),
        (14, "type attributes"),
        (15, "type attributes"),
        (21, "function attributes"),
        (22, "sparse tensors"),
        (23, "sparse tensors"),
    ],
};
const TENSOR: Message = Message {
    name: "TensorProto",
    fields: &[(1, Kind::Integers), (2, Kind::Number), (8, Kind::Octets(NAME)), (9, Kind::Octets(usize::MAX))],
    refused: &[
        (3, "tensor segments"),
        (4, "float_data (write raw_data)"),
        (5, "int32_data (write raw_data)"),
        (6, "string tensors"),
        (7, "int64_data (write raw_data)"),
        (10, "double_data (write raw_data)"),
        (11, "uint64_data (write raw_data)"),
        (13, "external data"),
        (14, "external data"),
    ],
};
const VALUE_INFO: Message = Message {
    name: "ValueInfoProto",
    fields: &[(1, Kind::Octets(NAME)), (2, Kind::Message(&TYPE)), (3, Kind::Octets(TEXT))],
    refused: &[],
};
const TYPE: Message = Message {
    name: "TypeProto",
    fields: &[(1, Kind::Message(&TENSOR_TYPE))],
    refused: &[(4, "sequence types"), (5, "map types"), (8, "sparse tensor types"), (9, "optional types")],
};
const TENSOR_TYPE: Message = Message {
    name: "TypeProto.Tensor",
    fields: &[(1, Kind::Number), (2, Kind::Message(&SHAPE))],
    refused: &[],
};
const SHAPE: Message =
    Message { name: "TensorShapeProto", fields: &[(1, Kind::Message(&DIMENSION))], refused: &[] };
const DIMENSION: Message = Message {
    name: "TensorShapeProto.Dimension",
    fields: &[(1, Kind::Number), (2, Kind::Octets(NAME))],
    refused: &[],
};

/// Why an encoding is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WireFault {
    /// A field, length or number reaches beyond the end of its message.
    Truncated {
        /// The message it is in.
        message: &'static str,
    },
    /// A number of more than ten octets, or a tag that protobuf does not have.
    Malformed {
        /// The message it is in.
        message: &'static str,
    },
    /// A field that no Picket model has.
    UnknownField {
        /// The message it is in.
        message: &'static str,
        /// Its number in `onnx.proto3`.
        field: u32,
    },
    /// A field that ONNX has and Picket never accepts.
    Forbidden {
        /// What the field is for.
        what: &'static str,
    },
    /// A text longer than allowed.
    TooLong {
        /// The message it is in.
        message: &'static str,
        /// Its number in `onnx.proto3`.
        field: u32,
        /// Octets found.
        octets: usize,
        /// Octets allowed.
        limit: usize,
    },
    /// More than [`MAX_FIELDS`] fields.
    TooManyFields,
    /// Lists of more than [`MAX_WORDS`].
    TooLongLists,
}

impl fmt::Display for WireFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { message } => write!(f, "{message} is cut short"),
            Self::Malformed { message } => write!(f, "{message} is not valid protobuf"),
            Self::UnknownField { message, field } => {
                write!(f, "{message} has a field {field}, which no Picket model has")
            }
            Self::Forbidden { what } => write!(f, "holds {what}, which Picket never accepts"),
            Self::TooLong { message, field, octets, limit } => {
                write!(f, "field {field} of {message} has {octets} octets, at most {limit} are accepted")
            }
            Self::TooManyFields => write!(f, "more than {MAX_FIELDS} protobuf fields"),
            Self::TooLongLists => write!(f, "its lists would take more than {} octets", 8 * MAX_WORDS),
        }
    }
}

impl std::error::Error for WireFault {}

/// Checks that `bytes` is the encoding of a `ModelProto` with none but the allowed fields.
///
/// # Errors
///
/// The first fault in the order of the file.
pub fn check(bytes: &[u8]) -> Result<(), WireFault> {
    let mut budget = Budget { fields: MAX_FIELDS, words: MAX_WORDS };
    walk(&MODEL, bytes, &mut budget)
}

/// What is left of the limits.
struct Budget {
    fields: usize,
    words: usize,
}

impl Budget {
    /// Takes the field and what it decodes to.
    fn take(&mut self, kind: Kind, payload: Option<&[u8]>) -> Result<(), WireFault> {
        let words = match (kind, payload) {
            (Kind::Integers | Kind::Floats, None) => 1,
            // The last octet of each packed number has no continuation bit.
            (Kind::Integers, Some(packed)) => packed.iter().filter(|byte| **byte < 0x80).count(),
            (Kind::Floats, Some(packed)) => packed.len() / 4,
            (Kind::Texts(_), _) => TEXT_WORDS,
            (Kind::Number | Kind::Octets(_) | Kind::Message(_), _) => {
                self.fields = self.fields.checked_sub(1).ok_or(WireFault::TooManyFields)?;
                return Ok(());
            }
        };
        self.words = self.words.checked_sub(words).ok_or(WireFault::TooLongLists)?;
        Ok(())
    }
}

/// The tables do not refer back to themselves, so this recursion is at most seven deep.
fn walk(message: &'static Message, mut rest: &[u8], budget: &mut Budget) -> Result<(), WireFault> {
    let name = message.name;
    while !rest.is_empty() {
        let tag = varint(name, &mut rest)?;
        let field = u32::try_from(tag >> 3).map_err(|_| WireFault::Malformed { message: name })?;
        let payload = match tag & 7 {
            0 => {
                varint(name, &mut rest)?;
                None
            }
            1 => {
                take(name, &mut rest, 8)?;
                None
            }
            2 => {
                let length = varint(name, &mut rest)?;
                let length = usize::try_from(length).map_err(|_| WireFault::Truncated { message: name })?;
                Some(take(name, &mut rest, length)?)
            }
            5 => {
                take(name, &mut rest, 4)?;
                None
            }
            // Groups left protobuf before ONNX began.
            _ => return Err(WireFault::Malformed { message: name }),
        };
        if let Some((_, what)) = message.refused.iter().find(|(number, _)| *number == field) {
            return Err(WireFault::Forbidden { what });
        }
        let Some((_, kind)) = message.fields.iter().find(|(number, _)| *number == field) else {
            return Err(WireFault::UnknownField { message: name, field });
        };
        budget.take(*kind, payload)?;
        match (kind, payload) {
            (Kind::Octets(limit) | Kind::Texts(limit), Some(octets)) if octets.len() > *limit => {
                return Err(WireFault::TooLong { message: name, field, octets: octets.len(), limit: *limit });
            }
            (Kind::Number, None)
            | (Kind::Integers | Kind::Floats, _)
            | (Kind::Octets(_) | Kind::Texts(_), Some(_)) => {}
            (Kind::Message(inner), Some(octets)) => walk(inner, octets, budget)?,
            (Kind::Number, Some(_)) | (Kind::Octets(_) | Kind::Texts(_) | Kind::Message(_), None) => {
                return Err(WireFault::Malformed { message: name });
            }
        }
    }
    Ok(())
}

/// Takes a base-128 number off the front.
fn varint(message: &'static str, rest: &mut &[u8]) -> Result<u64, WireFault> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first().ok_or(WireFault::Truncated { message })?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(WireFault::Malformed { message })
}

/// Takes `length` octets off the front.
fn take<'a>(message: &'static str, rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], WireFault> {
    let (head, tail) = rest.split_at_checked(length).ok_or(WireFault::Truncated { message })?;
    *rest = tail;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_fields_pass() {
        // ir_version = 8, producer_name = "x", graph { name = "g" }.
        assert_eq!(check(&[0x08, 8, 0x12, 1, b'x', 0x3a, 3, 0x12, 1, b'g']), Ok(()));
        assert_eq!(check(&[]), Ok(()));
    }

    #[test]
    fn what_reaches_beyond_its_end_is_truncated() {
        assert_eq!(check(&[0x08]), Err(WireFault::Truncated { message: "ModelProto" }));
        assert_eq!(check(&[0x3a, 9, 0]), Err(WireFault::Truncated { message: "ModelProto" }));
        assert_eq!(check(&[0x3a, 2, 0x12, 5]), Err(WireFault::Truncated { message: "GraphProto" }));
    }

    #[test]
    fn endless_numbers_and_groups_are_malformed() {
        let mut endless = vec![0x08];
        endless.extend([0xff; 11]);
        assert_eq!(check(&endless), Err(WireFault::Malformed { message: "ModelProto" }));
        assert_eq!(check(&[0x0b]), Err(WireFault::Malformed { message: "ModelProto" }));
    }

    #[test]
    fn many_empty_messages_are_refused_before_they_are_decoded() {
        // graph { node {} node {} ... }: two octets each.
        let inner = [0x0a, 0x00].repeat(MAX_FIELDS);
        let mut file = vec![0x3a];
        let mut length = inner.len();
        while length >= 0x80 {
            file.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        file.push(u8::try_from(length).unwrap());
        file.extend(inner);
        assert_eq!(check(&file), Err(WireFault::TooManyFields));
    }

    /// A field with a length, of a number below 16.
    fn field(number: u8, payload: &[u8]) -> Vec<u8> {
        let mut field = vec![number << 3 | 2];
        let mut length = payload.len();
        while length >= 0x80 {
            field.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        field.push(u8::try_from(length).unwrap());
        field.extend(payload);
        field
    }

    /// A model of one node with this attribute.
    fn attribute(payload: &[u8]) -> Vec<u8> {
        field(7, &field(1, &field(5, payload)))
    }

    #[test]
    fn lists_are_as_long_as_a_forest_needs_and_no_longer() {
        let packed = |number, words: usize, size| attribute(&field(number, &vec![1; words * size]));
        assert_eq!(check(&packed(8, MAX_WORDS, 1)), Ok(()));
        assert_eq!(check(&packed(8, MAX_WORDS + 1, 1)), Err(WireFault::TooLongLists));
        assert_eq!(check(&packed(7, MAX_WORDS + 1, 4)), Err(WireFault::TooLongLists));
        // One field for each value: integers, floats, texts.
        for (one, words) in [(vec![0x40, 1], 1), (vec![0x3d, 0, 0, 0, 0], 1), (vec![0x4a, 0], TEXT_WORDS)] {
            assert_eq!(check(&attribute(&one.repeat(MAX_WORDS / words))), Ok(()));
            assert_eq!(check(&attribute(&one.repeat(MAX_WORDS / words + 1))), Err(WireFault::TooLongLists));
        }
    }

    #[test]
    fn numbers_are_not_packed_where_there_is_one() {
        assert_eq!(check(&[0x0a, 1, 8]), Err(WireFault::Malformed { message: "ModelProto" }));
    }

    #[test]
    fn subgraphs_are_refused_by_name() {
        // graph { node { attribute { g {} } } }
        assert_eq!(
            check(&[0x3a, 6, 0x0a, 4, 0x2a, 2, 0x32, 0]),
            Err(WireFault::Forbidden { what: "subgraphs" })
        );
    }
}
