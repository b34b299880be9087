"""Tables of the model card."""

from pathlib import Path

import numpy as np

from build import Built, run_onnx
from calibrate import tempered
from data import Data, count, scored
from metrics import Scores, brier, calibration_error, episodes_found, likeliest
from rows import Rows


def marked(path: Path, name: str, text: str) -> None:
    """Replaces what is between the markers `name` of the card."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    card = path.read_text()
    if begin not in card or end not in card:
        raise ValueError(f"{path}: no markers {begin} and {end}")
    head, rest = card.split(begin, 1)
    path.write_text(f"{head}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}")


def figures_of(built: Built, data: Data) -> dict[str, object]:
    """The figures that go into the manifest."""
    rows = Rows.of(data.test)
    int8 = run_onnx(built.model, rows.values)
    real = built.learner.probabilities(rows.values)
    number = {name: index for index, name in enumerate(built.classes)}
    targets = np.asarray([number[name] for name in rows.labels.tolist()])
    limits = built.calibration.thresholds
    scores = {key: scored(built.classes, p, rows.labels, limits) for key, p in (("int8", int8), ("float", real))}
    alarms, benign = scores["int8"].false_alarms()
    episodes = found(built, data)
    return {
        "test_rows": len(targets),
        "macro_f1": round(scores["int8"].macro_f1(), 6),
        "macro_f1_float": round(scores["float"].macro_f1(), 6),
        "accuracy": round(scores["int8"].accuracy(), 6),
        "benign_rows": benign,
        "benign_rows_called_an_attack": alarms,
        "episodes": len(episodes),
        "episodes_found": sum(delay is not None for _, _, _, delay, _ in episodes),
        "calibration_error": round(calibration_error(int8, targets), 6),
        "brier": round(brier(int8, targets), 6),
    }


def found(built: Built, data: Data) -> list[tuple[str, str, str, float | None, float]]:
    """Each test episode: capture, class, attack, seconds to the first decision (or None), length."""
    vote = tuple(int(part) for part in built.metadata.vote.split("/"))
    outcome = []
    for scenario in data.test:
        if not len(scenario.values):
            continue
        probabilities = run_onnx(built.model, scenario.values)
        limits, sure = built.calibration.thresholds, built.calibration.sure
        for label, attack, delay, length in episodes_found(scenario, built.classes, probabilities, limits, sure, vote):
            outcome.append((scenario.name, label, attack, delay, length))
    return outcome


def episode_table(built: Built, data: Data) -> str:
    """Per class: episodes, those found, and how soon."""
    lines = ["| class | attacks | episodes | found | median time | longest time | missed |"]
    lines.append("|---|---|---:|---:|---:|---:|---|")
    outcome = found(built, data)
    for name in built.classes[1:]:
        mine = [row for row in outcome if row[1] == name]
        if not mine:
            continue
        delays = sorted(delay for *_, delay, _ in mine if delay is not None)
        attacks = ", ".join(sorted({attack for _, _, attack, _, _ in mine if attack}))
        missed = ", ".join(f"{attack or name} in {capture}" for capture, _, attack, delay, _ in mine if delay is None)
        middle = f"{np.median(delays):.1f} s" if delays else ""
        longest = f"{delays[-1]:.1f} s" if delays else ""
        lines.append(f"| `{name}` | {attacks} | {len(mine)} | {len(delays)} | {middle} | {longest} | {missed} |")
    return "\n".join(lines)


def default_figures(built: Built, data: Data) -> str:
    """The tables of the shipped model, from captures that training never saw."""
    rows = Rows.of(data.test)
    classes, limits = built.classes, built.calibration.thresholds
    number = {name: index for index, name in enumerate(classes)}
    targets = np.asarray([number[name] for name in rows.labels.tolist()])
    in_int8 = run_onnx(built.model, rows.values)
    in_float = built.learner.probabilities(rows.values)
    uncooled = tempered(in_float, 1.0 / built.calibration.temperature)

    lines = [f"Trained on {count(data.train)}; measured on {count(data.test)}."]
    if data.left_out:
        parts = ", ".join(f"{number} `{name}`" for name, number in sorted(data.left_out.items()))
        lines.append(f"Left out of both, as the row of the attacker does not show the attack: {parts}.")
    lines.append("")
    for title, probabilities in (("int8 (as shipped)", in_int8), ("float (before quantisation)", in_float)):
        scores = scored(classes, probabilities, rows.labels, limits)
        argmax = Scores.of(classes, rows.labels, likeliest(classes, probabilities))
        lines += [f"**{title}**", "", scores.table(), "", summary(scores), ""]
        lines += [f"By the likeliest class, without thresholds: macro F1 {argmax.macro_f1():.4f}.", ""]
    lines += ["The training captures, each by a network that did not see it: " + summary(built.held_out), ""]
    same = (likeliest(classes, in_int8) == likeliest(classes, in_float)).mean()
    lines += [f"int8 and float name the same class for {same:.4%} of the rows.", ""]
    lines += [
        f"Probabilities: temperature {built.calibration.temperature:.3f}; expected calibration error "
        f"{calibration_error(uncooled, targets):.4f} before, {calibration_error(in_float, targets):.4f} after, "
        f"{calibration_error(in_int8, targets):.4f} in int8; Brier score {brier(in_int8, targets):.4f}.",
        "",
    ]
    lines += [f"Attacks found, with a vote of {built.metadata.vote}, model alone:", "", episode_table(built, data), ""]
    text = ", ".join(f"`{name}` {value:g}" for name, value in limits.items())
    sure = ", ".join(f"`{name}` {value:g}" for name, value in built.calibration.sure.items())
    lines += [f"Thresholds: {text}. Certain from: {sure or 'never'}. File: {len(built.model)} octets."]
    return "\n".join(lines)


def summary(scores: Scores) -> str:
    """Macro F1 and false alarms in words."""
    alarms, benign = scores.false_alarms()
    return (
        f"macro F1 {scores.macro_f1():.4f}, accuracy {scores.accuracy():.4f}; benign rows called an attack: "
        f"{alarms} of {benign} ({alarms / max(benign, 1):.4%})."
    )


def class_f1(scores: Scores) -> str:
    """F1 of every class, benign first, for a cell."""
    cells = []
    for row, (_, _, f1) in zip(scores.matrix, scores.per_class(), strict=True):
        cells.append(f"{f1:.3f}".lstrip("0") if row.sum() else "-")
    return " ".join(cells)
