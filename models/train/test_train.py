"""Tests of the training code on made-up counts: `python -m unittest` in this folder."""

import contextlib
import io
import json
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import train as command  # First: it pins the threads before numpy is loaded.

import numpy as np
import onnx

from evaluate import Scores, choose_thresholds, verdicts
from export import equalised
from network import augment
from rows import BENIGN, Episode, label_of, read_corpus

COLUMNS = ["connections", "refused", "published", "sessions", "ports", "bytes"]
# Mean counts of each kind of host.
KINDS = {
    BENIGN: [1, 0, 10, 1, 0, 20],
    "mqtt_publish_flood": [2, 0, 8000, 2, 0, 9000],
    "tcp_scan": [500, 500, 0, 0, 300, 0],
}


def write_scenario(root: Path, name: str, label: str, seed: int, schema_hash: str = "00112233aabbccdd") -> None:
    """A minute of benign work of three hosts, then the attack of a fourth."""
    rng = np.random.default_rng(seed)
    folder = root / name
    folder.mkdir(parents=True)
    lines = [f"# schema=picket-test/1 hash={schema_hash}", "ts,host," + ",".join(COLUMNS)]
    for second in range(1000, 1060):
        hosts = [("10.0.0.1", BENIGN), ("10.0.0.2", BENIGN), ("10.0.0.3", BENIGN)]
        if label != BENIGN and second > 1030:
            hosts.append(("10.0.0.66", label))
        for host, kind in hosts:
            counts = ",".join(str(count) for count in rng.poisson(KINDS[kind]))
            lines.append(f"{second},{host},{counts}")
    (folder / "features.csv").write_text("\n".join(lines) + "\n")
    labels = "" if label == BENIGN else f'[[episode]]\nclass = "{label}"\nsource = "10.0.0.66"\nstart = 1030.5\nend = 1060.0\n'
    (folder / "labels.toml").write_text(labels)


def write_corpus(root: Path, seed: int) -> None:
    """Two scenarios of each kind."""
    for index, label in enumerate([*KINDS, *KINDS]):
        write_scenario(root, f"{index}-{label}", label, seed + index)


class Labelling(unittest.TestCase):
    def test_a_row_belongs_to_the_attack_of_its_host_at_its_time(self):
        episodes = (Episode("tcp_scan", "10.0.0.66", 100.5, 120.0),)
        label = lambda time, host="10.0.0.66": label_of(time, host, episodes)
        self.assertEqual(label(110), "tcp_scan")
        self.assertEqual(label(130), "tcp_scan")
        self.assertIsNone(label(101), "the second in which it begins")
        self.assertIsNone(label(131), "the 60 s windows still hold it")
        self.assertIsNone(label(180))
        self.assertEqual(label(181), BENIGN)
        self.assertEqual(label(99), BENIGN)
        self.assertEqual(label(110, "10.0.0.1"), BENIGN)

    def test_mixed_schemas_are_refused(self):
        with tempfile.TemporaryDirectory() as name:
            write_scenario(Path(name), "a", BENIGN, 1)
            write_scenario(Path(name), "b", BENIGN, 2, schema_hash="ffffffffffffffff")
            with self.assertRaisesRegex(ValueError, "different schemas"):
                read_corpus(Path(name))


class Augmentation(unittest.TestCase):
    def test_added_rows_are_sums_and_multiples_of_rates(self):
        columns = ("published", "distinct_topics", "distinct_hosts_60s")
        values = np.asarray([[8, 3, 1], [1, 1, 1], [800, 1, 1]], dtype=np.float32)
        labels = np.asarray([BENIGN, BENIGN, "flood"])
        hosts = np.asarray(["a", "b", "c"])
        grown, names = augment(columns, values, labels, hosts, seed=1)
        self.assertEqual(names.tolist(), [*labels, *[BENIGN] * 6, "flood", "flood"])
        np.testing.assert_array_equal(grown[:3], values)
        for row in grown[3:5]:
            self.assertTrue(2 <= row[1] <= 24 and row[2] == 1, row)
        self.assertIn(grown[5].tolist(), [[8 * n, 3 * n, 1] for n in range(2, 9)])
        self.assertIn(grown[6].tolist(), [[n, n, 1] for n in range(2, 9)])
        self.assertTrue(2 <= grown[7][0] <= 32 and grown[7][1] == 3, grown[7])
        self.assertIn(grown[9].tolist(), [[808, 4, 1], [801, 2, 1]])
        self.assertTrue(400 <= grown[10][0] <= 3200 and grown[10][1] == 1, grown[10])


class Figures(unittest.TestCase):
    classes = (BENIGN, "a", "b")

    def test_thresholds_keep_benign_rows_quiet(self):
        probabilities = np.asarray([[0.05, 0.95, 0.0], [0.9, 0.1, 0.0], [0.0, 0.1, 0.9]])
        labels = np.asarray([BENIGN, BENIGN, "b"])
        thresholds = choose_thresholds(self.classes, probabilities, labels)
        self.assertEqual(thresholds["a"], 0.96)
        self.assertEqual(thresholds["b"], 0.9)

    def test_scores_of_a_hand_counted_matrix(self):
        labels = np.asarray([BENIGN, BENIGN, "a", "a", "b"])
        reported = np.asarray([BENIGN, "a", "a", BENIGN, "b"])
        scores = Scores.of(self.classes, labels, reported)
        self.assertEqual(scores.matrix.tolist(), [[1, 1, 0], [1, 1, 0], [0, 0, 1]])
        self.assertEqual(scores.per_class(), [(0.5, 0.5, 0.5), (0.5, 0.5, 0.5), (1.0, 1.0, 1.0)])
        self.assertAlmostEqual(scores.macro_f1(), 2 / 3)
        self.assertEqual(scores.false_alarms(), (1, 2))

    def test_verdicts_are_those_of_the_daemon(self):
        probabilities = np.asarray([[0.1, 0.5, 0.4], [0.1, 0.4, 0.5], [0.8, 0.1, 0.1]], dtype=np.float32)
        found = verdicts(self.classes, probabilities, {"a": 0.5, "b": 0.6})
        self.assertEqual(found.tolist(), ["a", BENIGN, BENIGN])


class Pipeline(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        write_corpus(self.root / "train", 10)
        write_corpus(self.root / "test", 20)
        environment = mock.patch.dict(os.environ, {"SOURCE_DATE_EPOCH": "1700000000"})
        environment.start()
        self.addCleanup(environment.stop)

    def test_the_same_input_gives_the_same_octets(self):
        scenarios = read_corpus(self.root / "train")
        first, second = (command.build(scenarios, "test", "1", 3).model for _ in range(2))
        self.assertEqual(first, second)

    def test_equalisation_keeps_the_function(self):
        scenarios = read_corpus(self.root / "train")
        network = command.build(scenarios, "test", "1", 3).network
        values, _ = command.stack(scenarios)
        np.testing.assert_allclose(
            equalised(network).probabilities(values), network.probabilities(values), rtol=0, atol=1e-4
        )

    def test_int8_agrees_with_float_on_unseen_scenarios(self):
        built = command.build(read_corpus(self.root / "train"), "test", "1", 3)
        network, thresholds = built.network, built.thresholds
        values, labels = command.stack(read_corpus(self.root / "test"))
        in_int8 = verdicts(network.classes, command.run_onnx(built.model, values), thresholds)
        in_float = verdicts(network.classes, network.probabilities(values), thresholds)
        self.assertEqual((in_int8 == in_float).mean(), 1.0)
        self.assertEqual((in_int8 == labels).mean(), 1.0)

    def test_the_command_writes_model_golden_vectors_and_card(self):
        card = self.root / "card.md"
        card.write_text(f"before\n{command.BEGIN}\nold\n{command.END}\nafter\n")
        arguments = ["train.py", "--name", "test"]
        for option, name in [("train", "train"), ("test", "test"), ("out", "m.onnx"), ("golden", "g.json"), ("card", "card.md")]:
            arguments += [f"--{option}", str(self.root / name)]
        with mock.patch("sys.argv", arguments), contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(command.main(), 0)
        properties = {entry.key: entry.value for entry in onnx.load(self.root / "m.onnx").metadata_props}
        self.assertEqual(properties["picket.schema_hash"], "00112233aabbccdd")
        self.assertEqual(properties["picket.classes"], "benign,mqtt_publish_flood,tcp_scan")
        golden = json.loads((self.root / "g.json").read_text())
        self.assertEqual(golden["model"], "test@0.1.0")
        self.assertEqual(len(golden["rows"]), 2 + 3 * command.GOLDEN_PER_CLASS)
        text = card.read_text()
        self.assertIn("Macro F1", text)
        self.assertNotIn("\nold\n", text)
        self.assertTrue(text.startswith("before\n") and text.endswith("after\n"))


if __name__ == "__main__":
    unittest.main()
