//! The columns that `--labels` adds: the label, and before it what the published files have in its place.

use super::schema::{Column, LABEL};
use super::{Cell, hindy, mqttset};
use crate::label::{LabelId, Labels};

/// Which columns a schema gets for its labels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// `label` alone.
    Plain,
    /// `class_id`, `is_attack`, `label`.
    Hindy,
    /// `target`, `label`.
    Mqttset,
}

impl Target {
    /// That of the schema of this name.
    #[must_use]
    pub fn of(schema: &str) -> Self {
        match schema {
            "mqttset" => Self::Mqttset,
            name if name.starts_with("hindy-") => Self::Hindy,
            _ => Self::Plain,
        }
    }

    /// The columns.
    #[must_use]
    pub const fn columns(self) -> &'static [Column] {
        const CLASS_ID: Column =
            Column::integer("class_id", "", "number of the published class; empty for other attacks")
                .optional();
        const IS_ATTACK: Column =
            Column::integer("is_attack", "flag", "1 unless the label is that of honest traffic").optional();
        const TARGET: Column = Column::text("target", "the published name of the class").optional();
        const HINDY: [Column; 3] = [CLASS_ID, IS_ATTACK, LABEL];
        const MQTTSET: [Column; 2] = [TARGET, LABEL];
        const PLAIN: [Column; 1] = [LABEL];
        match self {
            Self::Plain => &PLAIN,
            Self::Hindy => &HINDY,
            Self::Mqttset => &MQTTSET,
        }
    }
}

/// What each label of a file is in these columns.
#[derive(Clone, Debug)]
pub struct Labelled {
    target: Target,
    names: Vec<String>,
}

impl Labelled {
    /// Of the labels of a file.
    #[must_use]
    pub fn new(labels: &Labels, target: Target) -> Self {
        Self { target, names: labels.names().to_vec() }
    }

    /// The columns.
    #[must_use]
    pub const fn columns(&self) -> &'static [Column] {
        self.target.columns()
    }

    /// The cells of a label, in the order of the columns; the first [`Self::columns`] count.
    pub(super) fn cells(&self, label: Option<LabelId>) -> [Cell<'_>; 3] {
        let Some(name) = label.and_then(|label| self.names.get(label.index())) else {
            return [Cell::Empty; 3];
        };
        let cell = Cell::from(name.as_str());
        match self.target {
            Target::Plain => [cell, Cell::Empty, Cell::Empty],
            Target::Hindy => {
                let is_attack = !matches!(name.as_str(), "benign" | "normal");
                [hindy::class_id(name).map_or(Cell::Empty, Cell::Integer), is_attack.into(), cell]
            }
            Target::Mqttset => [mqttset::target(name).into(), cell, Cell::Empty],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_and_names_of_the_published_classes() {
        for (name, id) in hindy::CLASSES {
            assert_eq!(hindy::class_id(name), Some(id));
        }
        assert_eq!(hindy::CLASSES.map(|(_, id)| id), [0, 1, 2, 3, 4]);
        for (ours, id) in
            [("benign", Some(0)), ("tcp_scan", Some(1)), ("udp_scan", Some(2)), ("syn_flood", None)]
        {
            assert_eq!(hindy::class_id(ours), id, "{ours}");
        }
        let published = ["legitimate", "dos", "flood", "slowite", "malformed", "bruteforce"];
        let ours = [
            "benign",
            "mqtt_connect_flood",
            "mqtt_publish_flood",
            "mqtt_slow_dos",
            "mqtt_malformed",
            "mqtt_bruteforce",
        ];
        assert_eq!(ours.map(mqttset::target), published);
        assert_eq!(published.map(mqttset::target), published);
    }
}
