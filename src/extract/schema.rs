//! What a schema is: columns with names, kinds, units, meaning and quirks, in order. The single source of all of these,
//! for the writers as for `docs/features.md`.

use crate::features::schema::{SchemaHash, hash_of};

/// What the cells of a column are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Whole numbers.
    Integer,
    /// Numbers in double precision.
    Real,
    /// Numbers in single precision: what a model sees.
    Single,
    /// Text.
    Text,
}

impl Kind {
    /// Its name in the documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Real => "number",
            Self::Single => "number (32 bits)",
            Self::Text => "text",
        }
    }
}

/// One column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name, as the published system spells it.
    pub name: &'static str,
    /// What its cells are.
    pub kind: Kind,
    /// Unit of its values; empty where they have none.
    pub unit: &'static str,
    /// Whether cells may be empty.
    pub optional: bool,
    /// What it says, in one sentence without its full stop.
    pub doc: &'static str,
    /// What is odd about it and kept for comparison's sake; empty if nothing is.
    pub quirk: &'static str,
}

impl Column {
    const fn new(kind: Kind, name: &'static str, unit: &'static str, doc: &'static str) -> Self {
        Self { name, kind, unit, optional: false, doc, quirk: "" }
    }

    /// A column of whole numbers.
    #[must_use]
    pub const fn integer(name: &'static str, unit: &'static str, doc: &'static str) -> Self {
        Self::new(Kind::Integer, name, unit, doc)
    }

    /// A column of numbers.
    #[must_use]
    pub const fn real(name: &'static str, unit: &'static str, doc: &'static str) -> Self {
        Self::new(Kind::Real, name, unit, doc)
    }

    /// A column of numbers that a model sees.
    #[must_use]
    pub const fn single(name: &'static str, unit: &'static str, doc: &'static str) -> Self {
        Self::new(Kind::Single, name, unit, doc)
    }

    /// A column of text.
    #[must_use]
    pub const fn text(name: &'static str, doc: &'static str) -> Self {
        Self::new(Kind::Text, name, "", doc)
    }

    /// The same with cells that may be empty.
    #[must_use]
    pub const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// The same with something odd about it.
    #[must_use]
    pub const fn quirk(self, quirk: &'static str) -> Self {
        Self { quirk, ..self }
    }
}

/// A schema of a published system.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Its name, as `--schema` takes it.
    pub name: &'static str,
    /// Grows whenever a column changes its meaning without changing its name or unit.
    pub version: u16,
    /// Where it comes from.
    pub origin: &'static str,
    /// What one row is about and when it comes, in one sentence.
    pub row: &'static str,
    /// What is odd about the whole, one sentence each.
    pub quirks: &'static [&'static str],
    /// The columns in order.
    pub columns: &'static [Column],
}

impl Definition {
    /// The hash of name, version, column names and units; see [`crate::features::schema::Schema::hash`].
    #[must_use]
    pub fn hash(&self) -> SchemaHash {
        hash_of(self.name, self.version, self.columns.iter().map(|column| (column.name, column.unit)))
    }
}

/// The schemas of published systems, in the order of the documentation.
pub const PUBLISHED: [&Definition; 7] = [
    &super::mqttset::MQTTSET,
    &super::hindy::PACKET,
    &super::hindy::UNIFLOW,
    &super::hindy::BIFLOW,
    &super::siuru::PACKET,
    &super::siuru::HOST,
    &super::siuru::WINDOW,
];

/// A column that says which class a row belongs to, present with `--labels` only.
pub const LABEL: Column =
    Column::text("label", "the label that the file given with `--labels` says").optional();

/// The columns before the features of a schema of ours.
#[must_use]
pub fn subject(schema: &str) -> &'static [Column] {
    const TS: Column = Column::real("ts", "s", "end of the windows or time of the row, since 1970");
    const HOST: [Column; 2] = [TS, Column::text("host", "source host")];
    const CLIENT: Column = Column::text("client", "address and port of who opened the connection");
    const SERVER: Column = Column::text("server", "address and port of who was connected to");
    const BETWEEN: [Column; 4] =
        [TS, CLIENT, SERVER, Column::text("end_reason", "why the flow record ends; empty while it goes on")];
    match schema {
        "picket-host" => &HOST,
        "picket-packet" => &BETWEEN[..3],
        _ => &BETWEEN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_widths_are_those_published() {
        for (definition, width) in PUBLISHED.into_iter().zip([33, 30, 19, 36, 17, 9, 4]) {
            assert_eq!(definition.columns.len(), width, "{}", definition.name);
            for (i, column) in definition.columns.iter().enumerate() {
                assert!(!definition.columns[..i].iter().any(|c| c.name == column.name), "{}", column.name);
                assert!(!column.doc.is_empty() && !column.doc.ends_with('.'), "{}", column.name);
                assert!(!column.quirk.ends_with('.'), "{}", column.name);
            }
        }
    }

    #[test]
    fn hashes_differ() {
        let mut hashes: Vec<u64> = PUBLISHED.iter().map(|definition| definition.hash().0).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), PUBLISHED.len());
    }
}
