"""Calibration, figures and the whole command."""

import contextlib
import io
import json
import tarfile
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from made_up import write_corpus  # First: it pins the threads before numpy is loaded.

import numpy as np
import onnx

import pipeline
from build import build, run_onnx
from calibrate import best_temperature, choose_sure, choose_thresholds, tempered
from configuration import read_configuration
from data import Data, read_data
from metrics import Scores, area, decided, likeliest, verdicts
from quantized import equalised
from rows import BENIGN, Rows

MLP = pipeline.HERE / "configs" / "mlp.toml"
CLASSES = (BENIGN, "a", "b")


class Calibrating(unittest.TestCase):
    def test_thresholds_keep_benign_rows_quiet(self):
        probabilities = np.asarray([[0.05, 0.95, 0.0], [0.9, 0.1, 0.0], [0.0, 0.1, 0.9]])
        labels = np.asarray([BENIGN, BENIGN, "b"])
        self.assertEqual(choose_thresholds(CLASSES, probabilities, labels, []), {"a": 0.96, "b": 0.85})
        quiet = [np.asarray([[0.1, 0.2, 0.849]])]
        self.assertEqual(choose_thresholds(CLASSES, probabilities, labels, quiet), {"a": 0.96, "b": 0.9})

    def test_no_benign_row_is_certain(self):
        tables = [np.asarray([[0.1, 0.9, 0.0]]), np.asarray([[0.003, 0.997, 0.0], [0.0, 0.0, 0.999995]])]
        self.assertEqual(choose_sure(CLASSES, {"a": 0.8, "b": 0.8}, tables), {"a": 0.998})

    def test_the_temperature_undoes_overconfidence(self):
        rng = np.random.default_rng(4)
        honest = rng.dirichlet([1.0, 1.0, 1.0], size=20_000)
        targets = np.asarray([rng.choice(3, p=row) for row in honest])
        self.assertAlmostEqual(best_temperature(tempered(honest, 0.5), targets), 2.0, delta=0.1)
        np.testing.assert_allclose(tempered(tempered(honest, 0.5), 2.0), honest, atol=1e-9)


class Figures(unittest.TestCase):
    def test_scores_of_a_hand_counted_matrix(self):
        labels = np.asarray([BENIGN, BENIGN, "a", "a", "b"])
        reported = np.asarray([BENIGN, "a", "a", BENIGN, "b"])
        scores = Scores.of(CLASSES, labels, reported)
        self.assertEqual(scores.matrix.tolist(), [[1, 1, 0], [1, 1, 0], [0, 0, 1]])
        self.assertEqual(scores.per_class(), [(0.5, 0.5, 0.5), (0.5, 0.5, 0.5), (1.0, 1.0, 1.0)])
        self.assertAlmostEqual(scores.macro_f1(), 2 / 3)
        self.assertAlmostEqual(scores.accuracy(), 0.6)
        self.assertEqual(scores.false_alarms(), (1, 2))

    def test_verdicts_are_those_of_the_daemon(self):
        probabilities = np.asarray([[0.1, 0.5, 0.4], [0.1, 0.4, 0.5], [0.8, 0.1, 0.1]], dtype=np.float32)
        found = verdicts(CLASSES, probabilities, {"a": 0.5, "b": 0.6})
        self.assertEqual(found.tolist(), ["a", BENIGN, BENIGN])

    def test_votes_are_those_of_the_daemon(self):
        # The cases of `src/detect/vote.rs`.
        flood, scan, no = "flood", "scan", BENIGN
        rows = np.asarray([flood, no, flood, flood, scan, flood])
        never = np.zeros(6, dtype=bool)
        self.assertEqual(decided(rows, never, (2, 2)).tolist(), [False, False, False, True, False, False])
        self.assertEqual(decided(rows, never, (2, 3)).tolist(), [False, False, True, True, False, True])
        self.assertEqual(decided(rows, never, (1, 1)).tolist(), [True, False, True, True, True, True])
        self.assertEqual(decided(rows, never, (3, 16)).tolist(), [False, False, False, True, False, True])
        sure = np.asarray([False, True, False, False])
        some = np.asarray([flood, scan, scan, flood])
        self.assertEqual(decided(some, sure, (2, 2)).tolist(), [False, True, True, False])
        first = np.asarray([True, False, False, False])
        others = np.asarray([scan, flood, scan, flood])
        self.assertEqual(decided(others, first, (3, 4)).tolist(), [True, False, True, False])

    def test_the_area_under_the_curve_counts_ties_half(self):
        scores = np.asarray([0.1, 0.4, 0.4, 0.9])
        self.assertAlmostEqual(area(scores, np.asarray([False, False, True, True])), 0.875)


class Command(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        write_corpus(self.root / "train", 10, 1000)
        write_corpus(self.root / "test", 20, 5000)

    def data(self) -> Data:
        return read_data([self.root / "train"], None, None, self.root / "test")

    def test_int8_agrees_with_float_on_unseen_captures(self):
        built = build(read_configuration(MLP), self.data(), 3)
        rows = Rows.of(self.data().test)
        in_int8 = likeliest(built.classes, run_onnx(built.model, rows.values))
        in_float = likeliest(built.classes, built.learner.probabilities(rows.values))
        figures = [Scores.of(built.classes, rows.labels, names).macro_f1() for names in (in_int8, in_float)]
        self.assertLessEqual(abs(figures[0] - figures[1]), 0.005)
        self.assertGreater(figures[0], 0.99)

    def test_equalisation_keeps_the_function(self):
        data = self.data()
        network = build(read_configuration(MLP), data, 3).learner.network
        values = Rows.of(data.train).values
        np.testing.assert_allclose(equalised(network).outputs(values), network.outputs(values), rtol=0, atol=1e-3)

    def run_command(self, out: str) -> None:
        """Runs `pipeline.py` and writes into the folder `out`."""
        folder = self.root / out
        folder.mkdir()
        (folder / "card.md").write_text("before\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nafter\n")
        arguments = ["pipeline.py", "--train", str(self.root / "train"), "--test", str(self.root / "test")]
        for option, name in [("out", "m.onnx"), ("golden", "g.json"), ("card", "card.md"), ("bundle", "b.tar")]:
            arguments += [f"--{option}", str(folder / name)]
        with mock.patch("sys.argv", arguments), contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(pipeline.main(), 0)

    def test_the_command_writes_model_golden_vectors_card_and_bundle_and_the_same_again(self):
        self.run_command("one")
        self.run_command("two")
        for name in ("m.onnx", "g.json", "card.md", "b.tar"):
            self.assertEqual((self.root / "one" / name).read_bytes(), (self.root / "two" / name).read_bytes(), name)
        folder = self.root / "one"
        properties = {entry.key: entry.value for entry in onnx.load(folder / "m.onnx").metadata_props}
        self.assertEqual(properties["picket.schema_hash"], "00112233aabbccdd")
        self.assertEqual(properties["picket.classes"], "benign,mqtt_publish_flood,tcp_scan")
        golden = json.loads((folder / "g.json").read_text())
        self.assertEqual(golden["model"], "default@" + properties["picket.version"])
        self.assertTrue(20 <= len(golden["rows"]) <= 32)
        text = (folder / "card.md").read_text()
        self.assertIn("macro F1", text)
        self.assertNotIn("\nold\n", text)
        self.assertTrue(text.startswith("before\n") and text.endswith("after\n"))
        with tarfile.open(folder / "b.tar") as tar:
            self.assertEqual(tar.getnames(), ["golden.json", "manifest.json", "model.onnx"])
            manifest = json.load(tar.extractfile("manifest.json"))
            model = tar.extractfile("model.onnx").read()
        self.assertEqual(manifest["artifact"]["length"], len(model))
        self.assertEqual(manifest["self_test"]["rows"], golden["rows"])
        self.assertEqual(manifest["figures"]["episodes_found"], manifest["figures"]["episodes"])


if __name__ == "__main__":
    unittest.main()
