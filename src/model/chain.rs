//! What is left of a graph once it is validated: a chain of steps with every shape and constant known.
//!
//! Rows are independent by construction: every step works on one row, and every constant belongs to columns.

use std::sync::Arc;

use super::trees::Trees;

/// Scale and zero point of an int8 tensor: `real = (code - zero_point) * scale`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Quantisation {
    /// Real value of one code step; finite and above zero.
    pub scale: f32,
    /// Code of the real value zero.
    pub zero_point: i8,
}

/// A fully connected int8 layer, in ONNX a `QLinearConv` with a kernel of one.
#[derive(Clone, PartialEq, Debug)]
pub struct Layer {
    /// Columns in.
    pub inputs: usize,
    /// Columns out.
    pub outputs: usize,
    /// `outputs` rows of `inputs` weights each; their zero point is 0.
    pub weights: Vec<i8>,
    /// Real value of one weight step.
    pub weight_scale: f32,
    /// One for each output, in units of `from.scale * weight_scale`.
    pub bias: Vec<i32>,
    /// How the input is quantised.
    pub from: Quantisation,
    /// How the output is quantised. A zero point of -128 makes saturation a `Relu`.
    pub to: Quantisation,
}

/// A fully connected float layer, in ONNX a `MatMul`.
#[derive(Clone, PartialEq, Debug)]
pub struct Dense {
    /// Columns in.
    pub inputs: usize,
    /// Columns out.
    pub outputs: usize,
    /// `inputs` rows of `outputs` weights each.
    pub weights: Vec<f32>,
}

impl Dense {
    /// Adds the layer's result for one row to `sums`.
    ///
    /// The sums run over the columns in their order, on every machine and in every batch: tract's kernels add in an order
    /// that depends on the processor and on the number of rows.
    pub(super) fn add_to(&self, sums: &mut [f32], row: &[f32]) {
        for (value, weights) in row.iter().zip(self.weights.chunks_exact(self.outputs)) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += value * weight;
            }
        }
    }
}

/// One operator. Constants hold one value for all columns or one for each.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// `max(x, 0)`.
    Relu,
    /// `x + c`.
    Add(Vec<f32>),
    /// `x - c`.
    Sub(Vec<f32>),
    /// `x * c`.
    Mul(Vec<f32>),
    /// Natural logarithm; what comes in is known to be positive.
    Log,
    /// Into `min..=max`.
    Clip {
        /// Lower bound.
        min: f32,
        /// Upper bound.
        max: f32,
    },
    /// Real to int8, rounding half to even, saturating.
    Quantise(Quantisation),
    /// `[N, columns]` to `[N, columns, 1]`.
    Unsqueeze,
    /// int8 layer.
    Layer(Layer),
    /// `[N, columns, 1]` to `[N, columns]`.
    Squeeze,
    /// int8 to real.
    Dequantise(Quantisation),
    /// Float layer.
    Dense(Arc<Dense>),
    /// The columns, then their squares: `Mul` of a value with itself, and `Concat`.
    Squares,
    /// Decision trees.
    Trees(Arc<Trees>),
    /// The mean over the columns of the squared difference from what came after the first `since` steps.
    Error {
        /// Steps before the value that is compared with.
        since: usize,
    },
}

/// What is done to the outputs of each row at last, by ourselves: tract's kernels work along memory alignment, so that the
/// last bits of a row's result would depend on its place in the batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finish {
    /// Nothing: they are probabilities or a score already.
    Plain,
    /// Probabilities along the columns.
    Softmax,
    /// e to the power of each.
    Exp,
}

impl Finish {
    /// Turns the outputs of one row into what they say, in place.
    pub(super) fn apply(self, row: &mut [f32]) {
        match self {
            Self::Plain => {}
            Self::Softmax => softmax(row),
            Self::Exp => row.iter_mut().for_each(|value| *value = value.exp()),
        }
    }
}

fn softmax(row: &mut [f32]) {
    let greatest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for value in row.iter_mut() {
        *value = (*value - greatest).exp();
        sum += *value;
    }
    for value in row {
        *value /= sum;
    }
}

/// What a model consists of.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Size {
    /// Weights of int8 layers.
    pub int8_weights: usize,
    /// Weights of float layers.
    pub float_weights: usize,
    /// Decision trees.
    pub trees: usize,
    /// Their nodes, leaves among them.
    pub nodes: usize,
}

/// A validated model.
#[derive(Clone, PartialEq, Debug)]
pub struct Chain {
    /// Columns of the input `X`.
    pub width: usize,
    /// Columns of the output.
    pub columns: usize,
    /// From `X` to the output, but for what [`Chain::finish`] does.
    pub steps: Vec<Step>,
    /// The last operator.
    pub finish: Finish,
}

impl Chain {
    /// What the model consists of.
    #[must_use]
    pub fn size(&self) -> Size {
        let mut size = Size::default();
        for step in &self.steps {
            match step {
                Step::Layer(layer) => size.int8_weights += layer.weights.len(),
                Step::Dense(dense) => size.float_weights += dense.weights.len(),
                Step::Trees(trees) => {
                    size.trees += trees.count();
                    size.nodes += trees.nodes();
                }
                _ => {}
            }
        }
        size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_adds_up_to_one_and_survives_large_logits() {
        let mut row = [1000.0, 1000.0, -1000.0];
        Finish::Softmax.apply(&mut row);
        assert_eq!(row.map(f32::to_bits), [0.5f32, 0.5, 0.0].map(f32::to_bits));
    }

    #[test]
    fn a_float_layer_is_a_matrix_product() {
        let layer = Dense { inputs: 2, outputs: 3, weights: vec![1.0, 2.0, 3.0, 10.0, 20.0, 30.0] };
        let mut sums = [0.0; 3];
        layer.add_to(&mut sums, &[2.0, 0.5]);
        assert_eq!(sums.map(f32::to_bits), [7.0f32, 14.0, 21.0].map(f32::to_bits));
    }
}
