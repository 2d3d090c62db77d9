import json
from pathlib import Path

from vitruvius.verbs.learning_curves import curves_of


def test_curves_by_trial(tmp_path: Path) -> None:
    for number, text in {
        0: json.dumps([{"accuracy": 0.5, "train_loss": 2.0}, {"accuracy": 0.75}]),
        1: "[{",
        2: json.dumps([{"loss": 1.0}]),
        3: "[]",
    }.items():
        folder = tmp_path / "trials" / str(number)
        folder.mkdir(parents=True)
        (folder / "curve.json").write_text(text)
    assert curves_of(tmp_path, range(5), "accuracy") == {0: [0.5, 0.75]}
