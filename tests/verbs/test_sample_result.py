"""How samples show themselves: as text, in a notebook, as a data frame, in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from vitruvius.evaluators.metric import Metric
from vitruvius.generators import load
from vitruvius.spaces import space
from vitruvius.verbs.sample_result import Sample, SampleResult
from vitruvius.verbs.transfer import TransferResult

CELLS = space("nasbench201")
ROWS = [(3, 3, 3, 3, 3, 3), (0, 1, 2, 3, 4, 0)]


@pytest.fixture
def result() -> SampleResult:
    first, second = (CELLS.architecture(row) for row in ROWS)
    guess = {"lat": {"mean": 3.5, "std": 0.5, "probability": 0.9}}
    return SampleResult(
        CELLS,
        [
            Sample(first, {"params": 8e5}, guess, {"lat": 3.0}, True, {"lat": True}),
            Sample(second, {"params": 7e5}, guess, None, None),
        ],
        {"target": "lat<=4", "hit_rate": 1.0, "base_rate": 0.5},
        {"lat": Metric("lat", "ms", "lower")},
        ["Read <this>."],
    )


def moved(result: SampleResult, **summary: Any) -> TransferResult:
    told = {"space": "nasbench201", "data": "mine", "labels": 3, "metric": "lat"}
    best = {"best": str(result.samples[0].architecture), "best_value": 3.0}
    return TransferResult(load("nasbench201"), result, {**told, **best, **summary})


def test_a_result_says_in_a_line_what_it_holds(result: SampleResult) -> None:
    assert repr(result) == f"SampleResult(nasbench201: {result.headline()})"
    assert repr(moved(result)) == ("TransferResult(nasbench201 for mine: 3 labels, best lat 3)")
    unlabelled = moved(result, data="", labels=0, best=None, best_value=None)
    assert repr(unlabelled) == "TransferResult(nasbench201: 0 labels)"


def test_a_notebook_shows_a_table_and_drawings(result: SampleResult) -> None:
    for page in (result._repr_html_(), moved(result)._repr_html_()):
        assert all(str(entry.architecture) in page for entry in result.samples)
        assert "lat [ms]" in page
        assert "<title>2 architectures</title>" in page
        assert "Read &lt;this&gt;." in page


def test_a_data_frame_has_a_row_per_architecture(result: SampleResult) -> None:
    frame = result.to_dataframe()
    assert list(frame.columns) == [
        "architecture", "params", "lat", "predicted.lat.mean", "predicted.lat.std",
        "predicted.lat.probability", "meets_target",
    ]  # fmt: skip
    assert frame["params"].tolist() == [8e5, 7e5]
    assert frame["lat"].isna().tolist() == [False, True]
    pd.testing.assert_frame_equal(moved(result).to_dataframe(), frame)


def test_nothing_found_shows_itself() -> None:
    nothing = SampleResult(CELLS, [], {"target": "", "hit_rate": None, "base_rate": None})
    assert repr(nothing) == "SampleResult(nasbench201: 0 returned.)"
    assert "<table" not in nothing._repr_html_()
    assert list(nothing.to_dataframe().columns) == ["architecture", "meets_target"]


def test_the_table_is_saved(result: SampleResult, tmp_path: Path) -> None:
    files = {file.name: file for file in result.save(tmp_path)}
    assert pd.read_csv(files["architectures.csv"])["params"].tolist() == [8e5, 7e5]
    assert {"result.json", "architecture_002.svg", "contact_sheet.svg"} <= files.keys()
