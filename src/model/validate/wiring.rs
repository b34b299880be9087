//! How the nodes hang together: each takes what the node before made, but for two patterns that reach further back.

use std::collections::{BTreeMap, BTreeSet};

use super::super::proto::NodeProto;

use super::super::chain::Step;
use super::super::error::{NodeFault, Quoted};
use super::super::tensor::Constants;
use super::node::{Flow, Wanted, attributes};
use super::{ML_DOMAIN, OPERATORS, TREES, is_default_domain};

/// The names that are taken, and what the nodes so far have made.
pub(super) struct Wiring<'a> {
    names: BTreeSet<&'a str>,
    made: &'a str,
    /// Float values, each with the number of steps before it and its columns.
    earlier: BTreeMap<&'a str, (usize, Flow)>,
}

/// Nodes that mean one step together.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pattern<'a> {
    /// `Mul` (x, x), `Concat` (x, q).
    Squares {
        /// x.
        of: &'a str,
    },
    /// `Sub` (r, z), `Mul` (d, d), `ReduceMean` (e).
    Error {
        /// z.
        since: usize,
        /// Its values.
        before: Flow,
    },
}

/// A node of a pattern after its first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// `Concat` (x, q).
    Concat,
    /// `Mul` (d, d).
    Square,
    /// `ReduceMean` (e).
    Mean,
}

impl Pattern<'_> {
    /// The nodes that follow the first.
    pub(super) const fn rest(&self) -> &'static [Part] {
        match self {
            Self::Squares { .. } => &[Part::Concat],
            Self::Error { .. } => &[Part::Square, Part::Mean],
        }
    }

    /// The step, past which `flow` is moved.
    pub(super) fn step(&self, flow: &mut Flow) -> Result<Option<Step>, NodeFault> {
        match self {
            Self::Squares { .. } => {
                flow.append_squares()?;
                Ok(Some(Step::Squares))
            }
            Self::Error { since, before } => {
                flow.compare(before)?;
                Ok(Some(Step::Error { since: *since }))
            }
        }
    }
}

impl<'a> Wiring<'a> {
    pub(super) fn new(constants: &Constants<'a>) -> Self {
        let mut names = BTreeSet::from(["X"]);
        names.extend(constants.keys().copied());
        Self { names, made: "X", earlier: BTreeMap::new() }
    }

    /// The name of what the latest node made.
    pub(super) const fn made(&self) -> &'a str {
        self.made
    }

    /// Remembers what the latest node made, after so many steps.
    pub(super) fn note(&mut self, steps: usize, flow: Flow) {
        if flow.is_real() {
            self.earlier.insert(self.made, (steps, flow));
        }
    }

    /// The pattern that begins with `node`.
    pub(super) fn pattern(&self, node: &'a NodeProto) -> Option<Pattern<'a>> {
        let [first, second] = node.input.as_slice() else {
            return None;
        };
        match node.op_type.as_str() {
            "Mul" if first == second => Some(Pattern::Squares { of: first }),
            "Sub" => {
                let (since, before) = self.earlier.get(second.as_str())?;
                Some(Pattern::Error { since: *since, before: *before })
            }
            _ => None,
        }
    }

    /// Checks a node that stands for itself.
    pub(super) fn link(&mut self, node: &'a NodeProto) -> Result<(), NodeFault> {
        check_operator(node)?;
        let outputs = if node.op_type == TREES { 2 } else { 1 };
        self.check_first(node)?;
        self.take_outputs(node, outputs)
    }

    /// Checks the first node of a pattern.
    pub(super) fn open(
        &mut self,
        node: &'a NodeProto,
        pattern: &Pattern<'_>,
        flow: &Flow,
    ) -> Result<(), NodeFault> {
        check_operator(node)?;
        self.check_first(node)?;
        flow.real()?;
        if let Pattern::Error { before, .. } = pattern
            && before.columns != flow.columns
        {
            return Err(NodeFault::Compared { wanted: flow.columns, found: before.columns });
        }
        attributes(node, &[])?;
        self.take_outputs(node, 1)
    }

    /// Checks a later node of a pattern.
    pub(super) fn go_on(
        &mut self,
        node: &'a NodeProto,
        part: &Part,
        pattern: &Pattern<'_>,
    ) -> Result<(), NodeFault> {
        check_operator(node)?;
        let (wanted, inputs): (&'static str, &[&str]) = match (part, pattern) {
            (Part::Concat, Pattern::Squares { of }) => ("Concat", &[of, self.made]),
            (Part::Square, _) => ("Mul", &[self.made, self.made]),
            _ => ("ReduceMean", &[self.made]),
        };
        if node.op_type != wanted {
            return Err(NodeFault::Pattern(wanted));
        }
        if node.input.len() != inputs.len() {
            return Err(NodeFault::Inputs { wanted: inputs.len(), found: node.input.len() });
        }
        if let Some((found, wanted)) = node.input.iter().zip(inputs).find(|(found, wanted)| found != *wanted)
        {
            return Err(NodeFault::NotAChain { wanted: Quoted::new(wanted), found: Quoted::new(found) });
        }
        match part {
            Part::Concat => {
                let axis = node.attribute.iter().any(|attribute| attribute.name == "axis");
                attributes(node, &[("axis", Wanted::Int(&[1, -1]), "1 or -1")])?;
                // It has no default.
                if !axis {
                    return Err(NodeFault::Attribute { name: Quoted::new("axis"), wanted: "1 or -1" });
                }
            }
            Part::Square => attributes(node, &[])?,
            Part::Mean => {
                let axes = node.attribute.iter().any(|attribute| attribute.name == "axes");
                attributes(
                    node,
                    &[("axes", Wanted::OneOf(&[1, -1]), "[1] or [-1]"), ("keepdims", Wanted::Int(&[1]), "1")],
                )?;
                // Without them it is the mean of everything.
                if !axes {
                    return Err(NodeFault::Attribute { name: Quoted::new("axes"), wanted: "[1] or [-1]" });
                }
            }
        }
        self.take_outputs(node, 1)
    }

    /// The first input is what the node before made.
    fn check_first(&self, node: &NodeProto) -> Result<(), NodeFault> {
        let first = node.input.first().map_or("", String::as_str);
        if first == self.made {
            return Ok(());
        }
        Err(NodeFault::NotAChain { wanted: Quoted::new(self.made), found: Quoted::new(first) })
    }

    /// Takes the names of the outputs, of which the last goes on.
    fn take_outputs(&mut self, node: &'a NodeProto, wanted: usize) -> Result<(), NodeFault> {
        let found = node.output.len();
        if found != wanted {
            return Err(NodeFault::Outputs { wanted, found });
        }
        for output in &node.output {
            if output.is_empty() {
                return Err(NodeFault::Outputs { wanted, found: 0 });
            }
            if !self.names.insert(output) {
                return Err(NodeFault::OutputTwice(Quoted::new(output)));
            }
            self.made = output;
        }
        Ok(())
    }
}

fn check_operator(node: &NodeProto) -> Result<(), NodeFault> {
    if !OPERATORS.contains(&node.op_type.as_str()) {
        return Err(NodeFault::Operator);
    }
    let fits = if node.op_type == TREES { node.domain == ML_DOMAIN } else { is_default_domain(&node.domain) };
    if fits { Ok(()) } else { Err(NodeFault::Domain(Quoted::new(&node.domain))) }
}
