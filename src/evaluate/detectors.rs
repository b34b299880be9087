//! The detectors that are evaluated: all together, and each alone where there are several.

use std::path::PathBuf;

use super::Setup;
use crate::detect::class::Class;
use crate::detect::rules;
use crate::model::{LoadError, ModelSet, OnnxScorer};

/// The detectors. The first is what would watch live.
pub(super) struct Detectors {
    list: Vec<Detector>,
    models: Vec<PathBuf>,
}

/// One of them.
struct Detector {
    name: String,
    rules: bool,
    models: Vec<PathBuf>,
    /// What it can report.
    classes: Vec<Class>,
}

impl Detectors {
    pub(super) fn new(setup: &Setup) -> Result<Self, LoadError> {
        let mut alone = Vec::new();
        if setup.settings.rules || setup.models.is_empty() {
            let classes = rules::CLASSES.to_vec();
            alone.push(Detector { name: "rules".into(), rules: true, models: Vec::new(), classes });
        }
        for path in &setup.models {
            let model = OnnxScorer::load(path)?;
            alone.push(Detector {
                name: model.info().detector(),
                rules: false,
                models: vec![path.clone()],
                classes: model.info().reported.iter().map(|reported| reported.class).collect(),
            });
        }
        let mut list = Vec::new();
        if alone.len() > 1 {
            let classes = alone.iter().flat_map(|detector| detector.classes.iter().copied()).collect();
            let rules = setup.settings.rules;
            list.push(Detector { name: "all".into(), rules, models: setup.models.clone(), classes });
        }
        list.append(&mut alone);
        Ok(Self { list, models: setup.models.clone() })
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|detector| detector.name.as_str())
    }

    /// Whether the detector at this place has the rules.
    pub(super) fn has_rules(&self, place: usize) -> bool {
        self.list.get(place).is_some_and(|detector| detector.rules)
    }

    /// What the detector at this place can report.
    pub(super) fn classes(&self, place: usize) -> &[Class] {
        self.list.get(place).map_or(&[], |detector| &detector.classes)
    }

    /// The models of the detector at this place, fresh.
    pub(super) fn models(&self, place: usize) -> Result<ModelSet, LoadError> {
        let mut models = ModelSet::empty();
        for path in self.list.get(place).into_iter().flat_map(|detector| &detector.models) {
            models.add(path)?;
        }
        Ok(models)
    }

    /// Every model by its name, for single rows.
    pub(super) fn for_rows(&self) -> Result<Vec<(String, OnnxScorer)>, LoadError> {
        let mut models = Vec::new();
        for path in &self.models {
            let model = OnnxScorer::load(path)?;
            models.push((model.info().detector(), model));
        }
        Ok(models)
    }
}
