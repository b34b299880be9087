//! From a validated [`Chain`] to tract's plan.
//!
//! The steps become tract's typed operators directly: no ONNX importer and no shape inference runs on
//! what a file says, and the linker drops both.
//! Float layers, decision trees and the error of an autoencoder are operators of our own: [`RowOp`].

use std::sync::Arc;

#[allow(clippy::wildcard_imports, reason = "tract's prelude for builders of operators")]
use tract_core::internal::*;
use tract_core::knobs;
use tract_core::ops::array::TypedConcat;
use tract_core::ops::cnn::{Conv, KernelFormat, PaddingSpec, PoolSpec};
use tract_core::ops::math;
use tract_core::ops::nn::DataFormat;
use tract_core::ops::quant::{DequantizeLinearF32, quantize_linear_i8};

use super::chain::{Chain, Layer, Step};
use super::ops::RowOp;
use super::prepare;

/// An executable plan for batches of any number of rows.
pub(super) type Plan = Arc<TypedRunnableModel>;

/// Builds and optimises the plan of `chain`, from float `[N, width]` to float `[N, columns]`.
pub(super) fn plan(chain: &Chain) -> TractResult<Plan> {
    leave_amx_out()?;
    let mut model = TypedModel::default();
    let rows = model.symbols.sym("N").to_dim();
    let mut wires = vec![model.add_source("X", f32::fact(tvec![rows, chain.width.to_dim()]))?];
    let prepared = prepared(chain);
    if prepared > 0 {
        let steps = chain.steps.iter().take(prepared).cloned().collect();
        let row = model.wire_node("prepare", RowOp::Prepare(steps, chain.width), &wires)?;
        // What came after each of these steps is of use only at their end.
        wires.extend(std::iter::repeat_n(row[0], prepared));
    }
    for (index, step) in chain.steps.iter().enumerate().skip(prepared) {
        let wire = add(&mut model, &format!("step{index}"), step, &wires)?;
        wires.push(wire);
    }
    let last = wires.last().context("X is always there")?;
    model.select_output_outlets(&[*last])?;
    model.into_optimized()?.into_runnable()
}

/// How many steps, from the first, are worked off in one pass: none beyond a value that a later step goes back to.
fn prepared(chain: &Chain) -> usize {
    let run = chain.steps.iter().take_while(|step| prepare::is_part(step)).count();
    let back = chain.steps.iter().filter_map(|step| match step {
        Step::Error { since } => Some(*since),
        _ => None,
    });
    back.fold(run, usize::min)
}

/// Keeps tract from its kernels for AMX, the matrix unit of some server processors.
///
/// `avx512amx_mmm_i32_16x16` of tract-linalg 0.23.9 read far outside its operands and ended the process (signal 11)
/// while small batches of changing size were scored. The AVX-512 kernels give the same bits.
fn leave_amx_out() -> TractResult<()> {
    if cfg!(target_arch = "x86_64") {
        let known = knobs::set_str("TRACT_CPU_ISA", "-amx-int8,-amx-bf16");
        ensure!(known, "tract cannot be told to leave AMX out");
    }
    Ok(())
}

/// Appends one step to those that made `wires`, and returns its output.
fn add(model: &mut TypedModel, name: &str, step: &Step, wires: &[OutletId]) -> TractResult<OutletId> {
    let wire = *wires.last().context("X is always there")?;
    let outputs = match step {
        Step::Relu => binary(model, name, math::max(), wire, &[0.0])?,
        Step::Add(constants) => binary(model, name, math::add(), wire, constants)?,
        Step::Sub(constants) => binary(model, name, math::sub(), wire, constants)?,
        Step::Mul(constants) => binary(model, name, math::mul(), wire, constants)?,
        Step::Log => model.wire_node(name, math::ln(), &[wire])?,
        Step::Clip { min, max } => {
            let low = binary(model, &format!("{name}.min"), math::max(), wire, &[*min])?;
            binary(model, &format!("{name}.max"), math::min(), low[0], &[*max])?
        }
        Step::Quantise(to) => {
            model.wire_node(name, quantize_linear_i8(to.scale.recip(), to.zero_point), &[wire])?
        }
        Step::Unsqueeze => model.wire_node(name, AxisOp::Add(2), &[wire])?,
        Step::Layer(layer) => conv(model, name, layer, wire)?,
        Step::Squeeze => model.wire_node(name, AxisOp::Rm(2), &[wire])?,
        Step::Dequantise(from) => model.wire_node(
            name,
            DequantizeLinearF32::new(from.scale, i32::from(from.zero_point)),
            &[wire],
        )?,
        Step::Dense(layer) => model.wire_node(name, RowOp::Dense(Arc::clone(layer)), &[wire])?,
        Step::Trees(trees) => model.wire_node(name, RowOp::Trees(Arc::clone(trees)), &[wire])?,
        Step::Squares => {
            let squares = model.wire_node(format!("{name}.squares"), math::mul(), &[wire, wire])?;
            model.wire_node(name, TypedConcat::new(1), &[wire, squares[0]])?
        }
        Step::Error { since } => {
            let before = *wires.get(*since).context("the validator found it")?;
            model.wire_node(name, RowOp::Error, &[wire, before])?
        }
    };
    outputs.first().copied().context("every step has one output")
}

/// An operator on the rows and a constant `[1, 1]` or `[1, columns]`.
fn binary(
    model: &mut TypedModel,
    name: &str,
    op: impl Into<Box<dyn TypedOp>>,
    wire: OutletId,
    constants: &[f32],
) -> TractResult<TVec<OutletId>> {
    let constant = Tensor::from_shape(&[1, constants.len()], constants)?;
    let constant = model.add_const(format!("{name}.constant"), constant)?;
    model.wire_node(name, op, &[wire, constant])
}

/// An int8 layer as a one-dimensional convolution of kernel one.
fn conv(model: &mut TypedModel, name: &str, layer: &Layer, wire: OutletId) -> TractResult<TVec<OutletId>> {
    let weights = Tensor::from_shape(&[layer.outputs, layer.inputs, 1], &layer.weights)?;
    let constants = [
        ("weights", weights),
        ("bias", tensor1(&layer.bias)),
        ("x_zero_point", tensor0(i32::from(layer.from.zero_point))),
        ("x_scale", tensor0(layer.from.scale)),
        ("w_zero_point", tensor0(0i32)),
        ("w_scale", tensor0(layer.weight_scale)),
        ("y_zero_point", tensor0(i32::from(layer.to.zero_point))),
        ("y_scale", tensor0(layer.to.scale)),
    ];
    let mut inputs = tvec![wire];
    for (role, constant) in constants {
        inputs.push(model.add_const(format!("{name}.{role}"), constant)?);
    }
    let pool = PoolSpec {
        data_format: DataFormat::NCHW,
        kernel_shape: tvec![1],
        padding: PaddingSpec::Valid,
        dilations: None,
        strides: None,
        input_channels: layer.inputs,
        output_channels: layer.outputs,
    };
    model.wire_node(name, Conv::new(pool, KernelFormat::OIHW, 1, Some(i8::datum_type())), &inputs)
}
