//! What counts as hostile: the vocabulary, the rules, the model's place, incidents.

pub mod class;
pub mod incident;
pub mod plausible;
pub mod rules;
pub mod scorer;
