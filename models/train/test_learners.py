"""Every algorithm, with its own configuration: what it learns, and that its ONNX file says the same."""

import unittest
from pathlib import Path

from made_up import CLASSES, table  # First: it pins the threads before numpy is loaded.

import numpy as np
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from xgboost import XGBClassifier

from anomaly import DETECTORS
from build import novelty, run_onnx
from configuration import Configuration, read_configuration
from graph import Metadata, octets
from learners import CLASSIFIERS, Learner

CONFIGS = sorted((Path(__file__).parent / "configs").glob("*.toml"))
# Fewer rounds and trees, and more epochs of fewer rows, than the real ones: the tests want seconds.
SMALL = {"n_estimators": 5, "max_iter": 5}


def configurations() -> list[Configuration]:
    """Every file in `configs/`, made small."""
    found = []
    for path in CONFIGS:
        read = read_configuration(path)
        options = {key: min(value, SMALL[key]) if key in SMALL else value for key, value in read.options.items()}
        options |= {"epochs": 60} if "epochs" in options else {}
        found.append(Configuration(read.algorithm, read.name, read.version, read.vote, options))
    return found


def metadata(kind: str = "classifier") -> Metadata:
    """What a file must say of itself."""
    classes = ("benign", "anomaly") if kind == "anomaly" else CLASSES
    return Metadata(
        "test", "1", "2026-01-01T00:00:00Z", "made up", "picket-test/1", "0" * 16, classes,
        {name: 0.9 for name in classes[1:]}, novelty(table(4, 1)[0]), kind,
    )


def trained(configuration: Configuration, seed: int = 3) -> Learner:
    """A classifier of the made-up rows."""
    values, targets = table(300, 1)
    return CLASSIFIERS[configuration.algorithm](configuration.options, values, targets, np.ones(len(targets)), seed)


class Classifiers(unittest.TestCase):
    def test_all_that_the_card_compares_are_configured(self):
        names = {configuration.algorithm for configuration in configurations()}
        self.assertEqual(names, CLASSIFIERS.keys() | DETECTORS.keys())

    def test_the_file_gives_the_learners_own_probabilities(self):
        values, targets = table(200, 2)
        for configuration in configurations():
            if configuration.is_anomaly:
                continue
            with self.subTest(configuration.name):
                learner = trained(configuration).cooled(1.3)
                own = learner.probabilities(values)
                served = run_onnx(octets(learner.graph(values).finish(metadata())), values)
                # int8 rounds: half a step of the logits is about 0.06.
                limit = 0.04 if configuration.options.get("int8") else 1e-5
                np.testing.assert_allclose(served, own, rtol=0, atol=limit)
                np.testing.assert_allclose(own.sum(axis=1), 1.0, atol=1e-5)
                self.assertGreater((own.argmax(axis=1) == targets).mean(), 0.99)

    def test_the_same_rows_and_seed_give_the_same_octets(self):
        values, _ = table(50, 2)
        for configuration in configurations():
            if configuration.is_anomaly:
                continue
            with self.subTest(configuration.name):
                files = [octets(trained(configuration).graph(values).finish(metadata())) for _ in range(2)]
                self.assertEqual(files[0], files[1])

    def test_probabilities_are_those_of_the_library(self):
        values, targets = table(300, 1)
        noisy = np.random.default_rng(5).poisson(np.abs(table(100, 9)[0]) + 3).astype(np.float32)
        by_name = {configuration.name: configuration for configuration in configurations()}

        even = np.ones(len(targets))
        options = by_name["random-forest"].options
        theirs = RandomForestClassifier(**options, random_state=3).fit(values, targets, even).predict_proba(noisy)
        ours = trained(by_name["random-forest"]).probabilities(noisy)
        np.testing.assert_allclose(ours, theirs, atol=1e-6)

        bayes = trained(by_name["naive-bayes"])
        prepared = bayes.standard.apply(values).astype(float)
        theirs = GaussianNB(var_smoothing=by_name["naive-bayes"].options["floor"]).fit(prepared, targets)
        expected = theirs.predict_proba(bayes.standard.apply(noisy).astype(float))
        np.testing.assert_allclose(bayes.probabilities(noisy), expected, atol=1e-6)

        options = by_name["xgboost"].options
        model = XGBClassifier(**options, objective="multi:softprob", base_score=0.0, random_state=3).fit(values, targets)
        ours = trained(by_name["xgboost"]).probabilities(noisy)
        np.testing.assert_allclose(ours, model.predict_proba(noisy), atol=1e-5)


class Detectors(unittest.TestCase):
    def test_the_file_gives_the_detectors_own_score_and_attacks_are_strange(self):
        values, targets = table(300, 1)
        benign = values[targets == 0]
        seen, kinds = table(100, 2)
        for configuration in configurations():
            if not configuration.is_anomaly:
                continue
            with self.subTest(configuration.name):
                train = DETECTORS[configuration.algorithm]
                detectors = [train(configuration.options, benign, np.ones(len(benign)), 3) for _ in range(2)]
                files = [octets(one.graph(benign).finish(metadata("anomaly"))) for one in detectors]
                self.assertEqual(files[0], files[1])
                own = detectors[0].scores(seen)
                served = run_onnx(files[0], seen, "score")[:, 0]
                # What lies far beyond the benign rows saturates in int8; it stays strange.
                same = kinds == 0 if configuration.options.get("int8") else kinds >= 0
                np.testing.assert_allclose(served[same], own[same], rtol=0.05, atol=0.05)
                self.assertGreater(np.median(served[kinds != 0]), np.quantile(served[kinds == 0], 0.99))
                self.assertGreater(np.median(own[kinds != 0]), np.quantile(own[kinds == 0], 0.99))

    def test_isolation_is_that_of_the_library(self):
        values, targets = table(300, 1)
        options = {"n_estimators": 10, "max_samples": 128}
        ours = DETECTORS["isolation-forest"](options, values[targets == 0], np.ones(300), 3)
        prepared = ours.standard.apply(values)
        theirs = IsolationForest(**options, random_state=3).fit(prepared[targets == 0], sample_weight=np.ones(300))
        np.testing.assert_allclose(ours.scores(values), -theirs.score_samples(prepared), atol=1e-6)


if __name__ == "__main__":
    unittest.main()
