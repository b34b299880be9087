//! The detectors that are evaluated: all together, and each alone where there are several.

use super::Setup;
use crate::detect::class::Class;
use crate::detect::rules;
use crate::model::{LoadError, OnnxScorer};

/// The detectors. The first is what would watch live.
pub(super) struct Detectors {
    list: Vec<Detector>,
    model: Option<std::path::PathBuf>,
}

/// One of them.
struct Detector {
    name: String,
    rules: bool,
    model: bool,
    /// What it can report.
    classes: Vec<Class>,
}

impl Detectors {
    pub(super) fn new(setup: &Setup) -> Result<Self, LoadError> {
        let rules =
            Detector { name: "rules".into(), rules: true, model: false, classes: rules::CLASSES.to_vec() };
        let model =
            setup.model.as_ref().map(|path| OnnxScorer::load(path)).transpose()?.map(|model| Detector {
                name: model.info().detector(),
                rules: false,
                model: true,
                classes: model.info().reported.iter().map(|reported| reported.class).collect(),
            });
        let list = match (setup.settings.rules, model) {
            (true, Some(model)) => {
                let classes = rules.classes.iter().chain(&model.classes).copied().collect();
                let all = Detector { name: "all".into(), rules: true, model: true, classes };
                vec![all, rules, model]
            }
            (false, Some(model)) => vec![model],
            (_, None) => vec![rules],
        };
        Ok(Self { list, model: setup.model.clone() })
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

    /// The model of the detector at this place, fresh.
    pub(super) fn model(&self, place: usize) -> Result<Option<OnnxScorer>, LoadError> {
        let wanted = self.list.get(place).is_some_and(|detector| detector.model);
        self.model.as_ref().filter(|_| wanted).map(|path| OnnxScorer::load(path)).transpose()
    }

    /// Every model by its name, for its rows.
    pub(super) fn for_rows(&self) -> Result<Vec<(String, OnnxScorer)>, LoadError> {
        let model = self.model.as_ref().map(|path| OnnxScorer::load(path)).transpose()?;
        Ok(model.into_iter().map(|model| (model.info().detector(), model)).collect())
    }
}
