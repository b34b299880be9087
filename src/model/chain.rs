//! What is left of a graph once it is validated: a chain of steps with every shape and constant known.
//!
//! Rows are independent by construction: every step works on one row, and every constant belongs to columns.

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
    /// Probabilities along the columns.
    Softmax,
}

/// A validated model.
#[derive(Clone, PartialEq, Debug)]
pub struct Chain {
    /// Columns of the input `X`.
    pub width: usize,
    /// Columns of the output `probs`.
    pub classes: usize,
    /// From `X` to `probs`.
    pub steps: Vec<Step>,
}
