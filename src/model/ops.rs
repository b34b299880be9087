//! Operators of our own in tract's plan, each from rows to rows.

use std::sync::Arc;

#[allow(clippy::wildcard_imports, reason = "tract's prelude for builders of operators")]
use tract_core::internal::*;

use super::chain::{Dense, Step};
use super::prepare;
use super::trees::Trees;

/// An operator on float `[N, columns]`, which treats every row alike and alone.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum RowOp {
    /// The preparation of rows with so many columns.
    Prepare(Arc<[Step]>, usize),
    /// A float layer.
    Dense(Arc<Dense>),
    /// Decision trees.
    Trees(Arc<Trees>),
    /// The mean squared difference of two inputs, in one column.
    Error,
}

// Its constants are finite, so that each equals itself.
impl Eq for RowOp {}

impl RowOp {
    fn columns(&self) -> usize {
        match self {
            Self::Prepare(_, columns) => *columns,
            Self::Dense(layer) => layer.outputs,
            Self::Trees(trees) => trees.columns(),
            Self::Error => 1,
        }
    }
}

impl Op for RowOp {
    fn name(&self) -> StaticName {
        match self {
            Self::Prepare(..) => "PicketPrepare",
            Self::Dense(_) => "PicketDense",
            Self::Trees(_) => "PicketTrees",
            Self::Error => "PicketError",
        }
        .into()
    }

    op_as_typed_op!();
}

impl EvalOp for RowOp {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = inputs.first().context("an operator on rows has an input")?;
        let &[rows, width] = input.shape() else {
            bail!("rows have two axes");
        };
        ensure!(width > 0, "rows have columns");
        let view = input.try_as_plain_ram()?;
        let values = view.as_slice::<f32>()?.chunks_exact(width);
        let columns = self.columns();
        let mut output = Tensor::zero::<f32>(&[rows, columns])?;
        let mut target = output.try_as_plain_ram_mut()?;
        let results = target.as_slice_mut::<f32>()?.chunks_exact_mut(columns);
        match self {
            Self::Prepare(steps, _) => results.zip(values).for_each(|(target, row)| {
                target.copy_from_slice(row);
                prepare::apply(steps, target);
            }),
            Self::Dense(layer) => results.zip(values).for_each(|(sums, row)| layer.add_to(sums, row)),
            Self::Trees(trees) => results.zip(values).for_each(|(sums, row)| trees.add_to(sums, row)),
            Self::Error => {
                let before = inputs.get(1).context("a difference has two sides")?.try_as_plain_ram()?;
                let before = before.as_slice::<f32>()?.chunks_exact(width);
                for ((result, row), before) in results.zip(values).zip(before) {
                    let sum: f32 = row.iter().zip(before).map(|(a, b)| (a - b) * (a - b)).sum();
                    result.fill(sum / width as f32);
                }
            }
        }
        Ok(tvec!(output.into_tvalue()))
    }
}

impl TypedOp for RowOp {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let rows = inputs.first().and_then(|fact| fact.shape.first()).context("rows have two axes")?;
        Ok(tvec!(f32::fact([rows.clone(), self.columns().to_dim()])))
    }

    as_op!();
}
