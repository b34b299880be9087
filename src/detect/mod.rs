//! What counts as hostile: the vocabulary, the rules, the models' place and their votes, incidents.

pub mod class;
pub mod incident;
pub mod plausible;
pub mod rules;
pub mod scorer;
pub mod vote;
