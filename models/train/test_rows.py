"""Tests of reading, labelling, folds and added rows: `python -m unittest` in this folder."""

import tempfile
import unittest
from pathlib import Path

from made_up import write_corpus, write_scenario  # First: it pins the threads before numpy is loaded.

import numpy as np

from augment import augment
from data import read_data
from rows import BENIGN, Episode, Rows, Scenario, distinct, folds, label_of, read_corpus


def scenario(name: str, hosts: list[str], labels: list[str] | None = None, episodes: tuple = ()) -> Scenario:
    """One row for each host named."""
    count = len(hosts)
    return Scenario(
        name,
        "s",
        "h",
        ("published",),
        np.zeros((count, 1), np.float32),
        np.asarray(labels or [BENIGN] * count),
        np.asarray(hosts),
        np.arange(count, dtype=float),
        episodes,
    )


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

    def test_a_broken_row_is_named(self):
        with tempfile.TemporaryDirectory() as name:
            write_scenario(Path(name), "a", BENIGN, 1)
            path = Path(name) / "a" / "features.csv"
            path.write_text(path.read_text() + "1060,10.0.0.1,1,2\n")
            with self.assertRaisesRegex(ValueError, "features.csv"):
                read_corpus(Path(name))

    def test_a_capture_cannot_train_and_test(self):
        with tempfile.TemporaryDirectory() as name:
            write_corpus(Path(name), 1, 1000)
            with self.assertRaisesRegex(ValueError, "both trained on and tested"):
                read_data([Path(name)], None, None, Path(name))

    def test_of_equal_rows_one_is_kept(self):
        lines = ["1,a,5,6\n", "2,a,5,6\n", "3,b,5,6\n", "4,b,5,7\n", "5,b,5,8\n", "6,b,5,9\n"]
        self.assertEqual(list(distinct(lines, 1)), [lines[0], *lines[3:]])
        self.assertEqual(list(distinct(lines, 2)), [lines[3], lines[5]])


class Folds(unittest.TestCase):
    def test_no_two_folds_share_a_host_and_each_has_every_class(self):
        parts = []
        for index in range(8):
            label = "mqtt_malformed" if index < 4 else "tcp_scan"
            parts.append(scenario(f"s{index}", ["a", "a", "x"], [BENIGN, BENIGN, label], (Episode(label, "x", 0, 9),)))
        rows = Rows.of(parts)
        fold = folds(rows, 4)
        for host in np.unique(rows.hosts):
            self.assertEqual(len(set(fold[rows.hosts == host].tolist())), 1, host)
        for number in range(4):
            self.assertEqual({*rows.labels[fold == number].tolist()}, {BENIGN, "mqtt_malformed", "tcp_scan"})

    def test_a_long_benign_capture_is_dealt_out_by_host(self):
        rows = Rows.of([scenario("day", [f"h{number % 8}" for number in range(8 * 3600)])])
        fold = folds(rows, 4)
        self.assertEqual({*fold.tolist()}, {0, 1, 2, 3})
        for host in np.unique(rows.hosts):
            self.assertEqual(len(set(fold[rows.hosts == host].tolist())), 1, host)


class Augmentation(unittest.TestCase):
    def test_added_rows_are_sums_and_multiples_of_rates(self):
        columns = ("published", "distinct_topics", "distinct_hosts_60s")
        values = np.asarray([[8, 3, 1], [1, 1, 1], [800, 1, 1]], dtype=np.float32)
        labels = np.asarray([BENIGN, BENIGN, "flood"])
        hosts = np.asarray(["a", "b", "c"])
        grown, names = augment(Rows(columns, values, labels, hosts, hosts), seed=1, share=1.0)
        self.assertEqual(names[:11].tolist(), [*labels, *[BENIGN] * 6, "flood", "flood"])
        np.testing.assert_array_equal(grown[:3], values)
        for row in grown[3:5]:
            self.assertTrue(2 <= row[1] <= 24 and row[2] == 1, row)
        self.assertIn(grown[5].tolist(), [[8 * n, 3 * n, 1] for n in range(2, 9)])
        self.assertIn(grown[6].tolist(), [[n, n, 1] for n in range(2, 9)])
        self.assertTrue(2 <= grown[7][0] <= 12 and grown[7][1] == 3, grown[7])
        self.assertIn(grown[9].tolist(), [[808, 4, 1], [801, 2, 1]])
        self.assertTrue(400 <= grown[10][0] <= 3200 and grown[10][1] == 1, grown[10])


if __name__ == "__main__":
    unittest.main()
