//! One node: its constants, its attributes, and what it makes of what comes in.

use std::sync::Arc;

use super::super::proto::{AttributeType, NodeProto};

use super::super::chain::{Dense, Finish, Layer, Quantisation, Step};
use super::super::error::{NodeFault, Quoted};
use super::super::metadata::Kind as ModelKind;
use super::super::tensor::{Constant, Constants, Elements};
use super::range::Range;
use super::{MAX_WIDTH, TREES, ensemble};

/// What runs along the chain.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    /// float `[N, columns]`.
    Real(Range),
    /// int8 `[N, columns]`.
    Codes(Quantisation),
    /// int8 `[N, columns, 1]`.
    Deep(Quantisation),
    /// float `[N, columns]`, still to be turned into probabilities.
    BeforeSoftmax,
    /// float `[N, columns]`, each a probability already, which may go on.
    Shares(Range),
    /// float `[N, columns]`, still to be raised.
    BeforeExp,
    /// float `[N, 1]`, how far a row is from what was made of it.
    Distance,
}

/// What runs along the chain, and how wide it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) columns: usize,
    kind: Kind,
}

impl Flow {
    /// The graph's input: any finite numbers. The scorer lets no others in.
    pub(super) const fn start(columns: usize) -> Self {
        Self { columns, kind: Kind::Real(Range::FINITE) }
    }

    /// Whether it is float and can go on.
    pub(super) const fn is_real(&self) -> bool {
        matches!(self.kind, Kind::Real(_) | Kind::Shares(_))
    }

    /// What is left to be done at the end of a model of this kind; `None` when the graph does not end in what it must.
    pub(super) const fn finish(&self, model: ModelKind) -> Option<Finish> {
        match (model, self.kind) {
            (ModelKind::Classifier, Kind::BeforeSoftmax) => Some(Finish::Softmax),
            (ModelKind::Classifier, Kind::Shares(_)) | (ModelKind::Anomaly, Kind::Distance) => {
                Some(Finish::Plain)
            }
            (ModelKind::Anomaly, Kind::BeforeExp) => Some(Finish::Exp),
            _ => None,
        }
    }

    /// The columns are followed by their squares.
    pub(super) fn append_squares(&mut self) -> Result<(), NodeFault> {
        let range = self.real()?;
        if 2 * self.columns > MAX_WIDTH {
            return Err(NodeFault::Wide(2 * self.columns));
        }
        self.columns *= 2;
        self.kind = Kind::Real(range.joined(range.squared()?));
        Ok(())
    }

    /// The mean squared difference from what came before.
    pub(super) fn compare(&mut self, before: &Self) -> Result<(), NodeFault> {
        let difference = self.real()?.difference(before.real()?)?;
        // Its columns are added up before they are divided.
        difference.squared()?.times(&[self.columns as f32])?;
        self.columns = 1;
        self.kind = Kind::Distance;
        Ok(())
    }

    pub(super) const fn real(&self) -> Result<Range, NodeFault> {
        match self.kind {
            Kind::Real(range) | Kind::Shares(range) => Ok(range),
            _ => Err(self.incoming("float [N, columns]")),
        }
    }

    const fn codes(&self) -> Result<Quantisation, NodeFault> {
        match self.kind {
            Kind::Codes(quantisation) => Ok(quantisation),
            _ => Err(self.incoming("int8 [N, columns]")),
        }
    }

    const fn deep(&self) -> Result<Quantisation, NodeFault> {
        match self.kind {
            Kind::Deep(quantisation) => Ok(quantisation),
            _ => Err(self.incoming("int8 [N, columns, 1]")),
        }
    }

    const fn incoming(&self, wanted: &'static str) -> NodeFault {
        let found = match self.kind {
            Kind::Real(_) | Kind::Shares(_) => "float [N, columns]",
            Kind::Codes(_) => "int8 [N, columns]",
            Kind::Deep(_) => "int8 [N, columns, 1]",
            Kind::BeforeSoftmax | Kind::BeforeExp | Kind::Distance => {
                return NodeFault::AfterEnd;
            }
        };
        NodeFault::Incoming { wanted, found }
    }
}

/// Checks `node` against what comes in, and moves `flow` past it.
pub(super) fn step(
    node: &NodeProto,
    constants: &Constants<'_>,
    flow: &mut Flow,
) -> Result<Option<Step>, NodeFault> {
    let inputs = Inputs { node, constants };
    let (step, kind) = match node.op_type.as_str() {
        "Relu" => {
            let range = flow.real()?;
            inputs.plain(1)?;
            (Step::Relu, Kind::Real(range.clip(0.0, f64::from(f32::MAX))))
        }
        "Add" => {
            let (c, range) = inputs.arithmetic(flow, Range::plus)?;
            (Step::Add(c), Kind::Real(range))
        }
        "Sub" => {
            let (c, range) = inputs.arithmetic(flow, Range::minus)?;
            (Step::Sub(c), Kind::Real(range))
        }
        "Mul" => {
            let (c, range) = inputs.arithmetic(flow, Range::times)?;
            (Step::Mul(c), Kind::Real(range))
        }
        "Log" => {
            let range = flow.real()?.log()?;
            inputs.plain(1)?;
            (Step::Log, Kind::Real(range))
        }
        "Clip" => {
            let range = flow.real()?;
            inputs.plain(3)?;
            let (min, max) = (inputs.float(1, "lower bound")?, inputs.float(2, "upper bound")?);
            if min > max {
                return Err(NodeFault::Bounds { min, max });
            }
            (Step::Clip { min, max }, Kind::Real(range.clip(f64::from(min), f64::from(max))))
        }
        "QuantizeLinear" => {
            let range = flow.real()?;
            inputs.plain(3)?;
            let to = inputs.quantisation(1, "scale", "zero point")?;
            // tract multiplies by the reciprocal, converts to i32 and adds the zero point.
            if range.magnitude() / f64::from(to.scale) > f64::from(1 << 30) {
                let Range { low, high } = range;
                return Err(NodeFault::Range {
                    low,
                    high,
                    wanted: "too large for its scale: clip them first",
                });
            }
            (Step::Quantise(to), Kind::Codes(to))
        }
        "Unsqueeze" => {
            let from = flow.codes()?;
            inputs.plain(2)?;
            inputs.axis(1)?;
            (Step::Unsqueeze, Kind::Deep(from))
        }
        "QLinearConv" => {
            let layer = inputs.layer(flow)?;
            flow.columns = layer.outputs;
            let to = layer.to;
            (Step::Layer(layer), Kind::Deep(to))
        }
        "Squeeze" => {
            let from = flow.deep()?;
            inputs.plain(2)?;
            inputs.axis(1)?;
            (Step::Squeeze, Kind::Codes(from))
        }
        "DequantizeLinear" => {
            let from = flow.codes()?;
            inputs.plain(3)?;
            inputs.same_quantisation(from, 1, "scale", "zero point")?;
            let widest = 256.0 * f64::from(from.scale);
            (Step::Dequantise(from), Kind::Real(Range { low: -widest, high: widest }))
        }
        "Softmax" => {
            flow.real()?;
            inputs.expect(1)?;
            attributes(node, &[("axis", Wanted::Int(&[1, -1]), "1 or -1")])?;
            flow.kind = Kind::BeforeSoftmax;
            return Ok(None);
        }
        "Exp" => {
            flow.real()?.exp()?;
            inputs.plain(1)?;
            flow.kind = Kind::BeforeExp;
            return Ok(None);
        }
        "MatMul" => {
            let (layer, range) = inputs.dense(flow)?;
            flow.columns = layer.outputs;
            (Step::Dense(Arc::new(layer)), Kind::Real(range))
        }
        TREES => {
            flow.real()?;
            inputs.expect(1)?;
            let (trees, softmax) = ensemble::trees(node, flow.columns)?;
            let range = Range::over(trees.ranges())?;
            let kind = match (softmax, trees.is_probability()) {
                (true, _) => Kind::BeforeSoftmax,
                (false, true) => Kind::Shares(range),
                (false, false) => Kind::Real(range),
            };
            flow.columns = trees.columns();
            (Step::Trees(Arc::new(trees)), kind)
        }
        // Parts of a pattern that did not begin.
        "Concat" | "ReduceMean" => return Err(NodeFault::Alone),
        _ => return Err(NodeFault::Operator),
    };
    flow.kind = kind;
    Ok(Some(step))
}

/// A node with the constants it names.
struct Inputs<'a> {
    node: &'a NodeProto,
    constants: &'a Constants<'a>,
}

impl Inputs<'_> {
    /// There must be this many inputs.
    const fn expect(&self, wanted: usize) -> Result<(), NodeFault> {
        let found = self.node.input.len();
        if found == wanted { Ok(()) } else { Err(NodeFault::Inputs { wanted, found }) }
    }

    /// There must be this many inputs and no attribute.
    fn plain(&self, wanted: usize) -> Result<(), NodeFault> {
        self.expect(wanted)?;
        attributes(self.node, &[])
    }

    /// The constant at place `index`; the arity is checked already.
    fn constant(&self, index: usize) -> Result<&Constant, NodeFault> {
        let name = self.node.input.get(index).map_or("", String::as_str);
        self.constants.get(name).ok_or_else(|| NodeFault::NotConstant(Quoted::new(name)))
    }

    /// A float that stands alone.
    fn float(&self, index: usize, role: &'static str) -> Result<f32, NodeFault> {
        let constant = self.constant(index)?;
        match &constant.elements {
            Elements::Float(values) => single(constant, values, role),
            _ => Err(wrong_type(role, "float", constant)),
        }
    }

    /// A scale: finite, and far from where its reciprocal or its products leave the floats.
    fn scale(&self, index: usize, role: &'static str) -> Result<f32, NodeFault> {
        let value = self.float(index, role)?;
        if (1e-9..=1e9).contains(&value) { Ok(value) } else { Err(NodeFault::Scale { role, value }) }
    }

    /// A zero point.
    fn zero_point(&self, index: usize, role: &'static str) -> Result<i8, NodeFault> {
        let constant = self.constant(index)?;
        match &constant.elements {
            Elements::Int8(values) => single(constant, values, role),
            _ => Err(wrong_type(role, "int8", constant)),
        }
    }

    /// A scale and the zero point that follows it.
    fn quantisation(
        &self,
        index: usize,
        scale: &'static str,
        zero_point: &'static str,
    ) -> Result<Quantisation, NodeFault> {
        Ok(Quantisation {
            scale: self.scale(index, scale)?,
            zero_point: self.zero_point(index + 1, zero_point)?,
        })
    }

    /// The same, which must be what the tensor coming in was made with.
    fn same_quantisation(
        &self,
        from: Quantisation,
        index: usize,
        scale: &'static str,
        zero_point: &'static str,
    ) -> Result<(), NodeFault> {
        let own = self.quantisation(index, scale, zero_point)?;
        if own.scale.to_bits() != from.scale.to_bits() {
            return Err(NodeFault::Requantised { role: scale });
        }
        if own.zero_point != from.zero_point {
            return Err(NodeFault::Requantised { role: zero_point });
        }
        Ok(())
    }

    /// The axis list of `Squeeze` and `Unsqueeze`: the last of three.
    fn axis(&self, index: usize) -> Result<(), NodeFault> {
        let constant = self.constant(index)?;
        let Elements::Int64(axes) = &constant.elements else {
            return Err(wrong_type("axis list", "int64", constant));
        };
        match (constant.shape.as_slice(), axes.as_slice()) {
            ([1], [2 | -1]) => Ok(()),
            ([1], [other]) => Err(NodeFault::Axis(*other)),
            (found, _) => {
                Err(NodeFault::Shape { role: "axis list", wanted: "[1]".into(), found: found.to_vec() })
            }
        }
    }

    /// The constant of `Add`, `Sub` and `Mul`, and the range of the result.
    fn arithmetic(
        &self,
        flow: &Flow,
        result: fn(Range, &[f32]) -> Result<Range, NodeFault>,
    ) -> Result<(Vec<f32>, Range), NodeFault> {
        let range = flow.real()?;
        self.plain(2)?;
        let constant = self.constant(1)?;
        let Elements::Float(values) = &constant.elements else {
            return Err(wrong_type("constant", "float", constant));
        };
        let columns = flow.columns;
        let fits = match constant.shape.as_slice() {
            [] | [1] | [1, 1] => true,
            [n] | [1, n] => *n == columns,
            _ => false,
        };
        if !fits {
            let wanted = format!("[], [{columns}] or [1, {columns}]");
            return Err(NodeFault::Shape { role: "constant", wanted, found: constant.shape.clone() });
        }
        Ok((values.clone(), result(range, values)?))
    }

    /// A `MatMul` with constant weights, and the range of its result.
    fn dense(&self, flow: &Flow) -> Result<(Dense, Range), NodeFault> {
        let range = flow.real()?;
        self.plain(2)?;
        let constant = self.constant(1)?;
        let Elements::Float(weights) = &constant.elements else {
            return Err(wrong_type("weights", "float", constant));
        };
        let inputs = flow.columns;
        let outputs = match constant.shape.as_slice() {
            &[found, outputs] if found == inputs => outputs,
            _ => {
                let wanted = format!("[{inputs}, columns out]");
                return Err(NodeFault::Shape { role: "weights", wanted, found: constant.shape.clone() });
            }
        };
        if outputs > MAX_WIDTH {
            return Err(NodeFault::Wide(outputs));
        }
        let range = range.through(weights, outputs)?;
        Ok((Dense { inputs, outputs, weights: weights.clone() }, range))
    }

    /// A `QLinearConv` with a kernel of one: x, `x_scale`, `x_zero_point`, w, `w_scale`, `w_zero_point`,
    /// `y_scale`, `y_zero_point`, B.
    fn layer(&self, flow: &Flow) -> Result<Layer, NodeFault> {
        let from = flow.deep()?;
        self.expect(9)?;
        attributes(
            self.node,
            &[
                ("auto_pad", Wanted::Text("NOTSET"), "NOTSET"),
                ("dilations", Wanted::Ints(&[1]), "[1]"),
                ("group", Wanted::Int(&[1]), "1"),
                ("kernel_shape", Wanted::Ints(&[1]), "[1]"),
                ("pads", Wanted::Ints(&[0, 0]), "[0, 0]"),
                ("strides", Wanted::Ints(&[1]), "[1]"),
            ],
        )?;
        self.same_quantisation(from, 1, "input scale", "input zero point")?;
        let kernel = self.constant(3)?;
        let Elements::Int8(weights) = &kernel.elements else {
            return Err(wrong_type("weights", "int8", kernel));
        };
        let inputs = flow.columns;
        let outputs = match kernel.shape.as_slice() {
            &[outputs, found, 1] if found == inputs => outputs,
            _ => {
                let wanted = format!("[columns out, {inputs}, 1]");
                return Err(NodeFault::Shape { role: "weights", wanted, found: kernel.shape.clone() });
            }
        };
        if outputs > MAX_WIDTH {
            return Err(NodeFault::Wide(outputs));
        }
        let weight_scale = self.scale(4, "weight scale")?;
        let weight_zero_point = self.zero_point(5, "weight zero point")?;
        if weight_zero_point != 0 {
            return Err(NodeFault::WeightZeroPoint(weight_zero_point));
        }
        let to = self.quantisation(6, "output scale", "output zero point")?;
        // tract folds the three scales into one.
        let rescale = from.scale * weight_scale / to.scale;
        if !(1e-9..=1e9).contains(&rescale) {
            return Err(NodeFault::Scale { role: "rescaling", value: rescale });
        }
        let bias = self.constant(8)?;
        let Elements::Int32(biases) = &bias.elements else {
            return Err(wrong_type("bias", "int32", bias));
        };
        if bias.shape != [outputs] {
            return Err(NodeFault::Shape {
                role: "bias",
                wanted: format!("[{outputs}]"),
                found: bias.shape.clone(),
            });
        }
        // A dot product of MAX_WIDTH codes stays below 2^26: 1024 * 255 * 128.
        if let Some(&large) = biases.iter().find(|bias| bias.unsigned_abs() > 1 << 30) {
            return Err(NodeFault::Bias(large));
        }
        Ok(Layer { inputs, outputs, weights: weights.clone(), weight_scale, bias: biases.clone(), from, to })
    }
}

/// The only element of a constant of shape `[]` or `[1]`.
fn single<T: Copy>(constant: &Constant, values: &[T], role: &'static str) -> Result<T, NodeFault> {
    match (constant.shape.as_slice(), values) {
        ([] | [1], [value]) => Ok(*value),
        _ => Err(NodeFault::Shape { role, wanted: "[]".into(), found: constant.shape.clone() }),
    }
}

const fn wrong_type(role: &'static str, wanted: &'static str, constant: &Constant) -> NodeFault {
    NodeFault::Type { role, wanted, found: constant.type_name() }
}

/// What an attribute may be.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// One of these.
    Int(&'static [i64]),
    /// A list of one of these.
    OneOf(&'static [i64]),
    /// This list.
    Ints(&'static [i64]),
    /// This text.
    Text(&'static str),
}

/// Every attribute present must be on the list and have the value there. A missing one has a default that
/// means the same, but for `axis` of `Softmax`, whose default -1 is the same as well.
pub(super) fn attributes(
    node: &NodeProto,
    allowed: &[(&'static str, Wanted, &'static str)],
) -> Result<(), NodeFault> {
    for (place, attribute) in node.attribute.iter().enumerate() {
        let name = Quoted::new(&attribute.name);
        if node.attribute.iter().take(place).any(|earlier| earlier.name == attribute.name) {
            return Err(NodeFault::Attribute { name, wanted: "once" });
        }
        let Some((_, wanted, words)) = allowed.iter().find(|(known, _, _)| *known == attribute.name) else {
            return Err(NodeFault::Attribute { name, wanted: "none of this name" });
        };
        let fits = match wanted {
            Wanted::Int(values) => is(attribute.r#type, AttributeType::Int) && values.contains(&attribute.i),
            Wanted::OneOf(values) => {
                is(attribute.r#type, AttributeType::Ints)
                    && matches!(attribute.ints.as_slice(), [value] if values.contains(value))
            }
            Wanted::Ints(list) => is(attribute.r#type, AttributeType::Ints) && attribute.ints == *list,
            Wanted::Text(text) => {
                is(attribute.r#type, AttributeType::String) && attribute.s == text.as_bytes()
            }
        };
        if !fits {
            return Err(NodeFault::Attribute { name, wanted: words });
        }
    }
    Ok(())
}

fn is(found: i32, wanted: AttributeType) -> bool {
    found == i32::from(wanted)
}
