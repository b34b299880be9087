//! Initialisers: the constants of a model, by name, with type and shape checked against their octets.

use std::collections::BTreeMap;

use super::proto::{DataType, TensorProto};

use super::error::{Quoted, Refusal, TensorFault};

/// Most elements of one constant.
const MAX_ELEMENTS: usize = super::MAX_FILE_BYTES;

/// The elements of a constant.
#[derive(Debug)]
pub(super) enum Elements {
    Float(Vec<f32>),
    Int8(Vec<i8>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
}

/// A constant.
#[derive(Debug)]
pub(super) struct Constant {
    pub shape: Vec<usize>,
    pub elements: Elements,
}

impl Constant {
    /// Decodes `tensor`, of which only dims, type and `raw_data` can be present by now.
    fn decode(tensor: &TensorProto) -> Result<Self, TensorFault> {
        if tensor.dims.len() > 3 {
            return Err(TensorFault::Rank(tensor.dims.len()));
        }
        let mut count = 1usize;
        let mut shape = Vec::with_capacity(3);
        for &dim in &tensor.dims {
            let size =
                usize::try_from(dim).ok().filter(|&size| size > 0).ok_or(TensorFault::Dimension(dim))?;
            count = count.checked_mul(size).filter(|&n| n <= MAX_ELEMENTS).ok_or(TensorFault::Huge)?;
            shape.push(size);
        }
        let kind = DataType::try_from(tensor.data_type).unwrap_or(DataType::Undefined);
        let size = match kind {
            DataType::Float | DataType::Int32 => 4,
            DataType::Int8 => 1,
            DataType::Int64 => 8,
            _ => return Err(TensorFault::Type(tensor.data_type)),
        };
        let raw = tensor.raw_data.as_slice();
        // `count` is bounded by `MAX_ELEMENTS`, so this cannot overflow.
        if raw.len() != count * size {
            return Err(TensorFault::Size { expected: count * size, found: raw.len() });
        }
        let elements = match kind {
            DataType::Float => {
                let values: Vec<f32> = words(raw).map(f32::from_le_bytes).collect();
                if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                    return Err(TensorFault::NotFinite { index });
                }
                Elements::Float(values)
            }
            DataType::Int8 => Elements::Int8(raw.iter().map(|byte| byte.cast_signed()).collect()),
            DataType::Int32 => Elements::Int32(words(raw).map(i32::from_le_bytes).collect()),
            _ => Elements::Int64(words(raw).map(i64::from_le_bytes).collect()),
        };
        Ok(Self { shape, elements })
    }

    /// The type's name in ONNX.
    pub(super) const fn type_name(&self) -> &'static str {
        match self.elements {
            Elements::Float(_) => "float",
            Elements::Int8(_) => "int8",
            Elements::Int32(_) => "int32",
            Elements::Int64(_) => "int64",
        }
    }
}

/// The octets in little-endian words of `N`; the caller made sure that they come out even.
fn words<const N: usize>(raw: &[u8]) -> impl Iterator<Item = [u8; N]> {
    raw.as_chunks::<N>().0.iter().copied()
}

/// Every constant of a graph by name.
pub(super) type Constants<'a> = BTreeMap<&'a str, Constant>;

/// Decodes all initialisers.
pub(super) fn decode_all(tensors: &[TensorProto]) -> Result<Constants<'_>, Refusal> {
    let mut constants = Constants::new();
    for tensor in tensors {
        let refuse = |fault| Refusal::Tensor { tensor: Quoted::new(&tensor.name), fault };
        let constant = Constant::decode(tensor).map_err(refuse)?;
        if constants.insert(&tensor.name, constant).is_some() {
            return Err(refuse(TensorFault::Twice));
        }
    }
    Ok(constants)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(dims: &[i64], kind: DataType, raw: &[u8]) -> TensorProto {
        TensorProto {
            dims: dims.to_vec(),
            data_type: kind.into(),
            raw_data: raw.to_vec(),
            ..TensorProto::default()
        }
    }

    #[test]
    fn octets_become_elements() {
        let constant =
            Constant::decode(&tensor(&[2], DataType::Float, &[0, 0, 128, 63, 0, 0, 0, 192])).unwrap();
        assert_eq!(constant.shape, [2]);
        assert!(matches!(constant.elements, Elements::Float(v) if v == [1.0, -2.0]));
        let constant = Constant::decode(&tensor(&[], DataType::Int8, &[0x80])).unwrap();
        assert!(matches!(constant.elements, Elements::Int8(v) if v == [-128]));
    }

    #[test]
    fn sizes_must_agree() {
        let fault = Constant::decode(&tensor(&[3], DataType::Int32, &[0; 8])).unwrap_err();
        assert_eq!(fault, TensorFault::Size { expected: 12, found: 8 });
        let fault = Constant::decode(&tensor(&[1 << 40, 1 << 40], DataType::Int8, &[])).unwrap_err();
        assert_eq!(fault, TensorFault::Huge);
        let fault = Constant::decode(&tensor(&[-1], DataType::Int8, &[])).unwrap_err();
        assert_eq!(fault, TensorFault::Dimension(-1));
    }
}
