"""Results that people bring keep every field they say."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from vitruvius.bo.store.external import ExternalResult, parse_results, read_results
from vitruvius.core.errors import TableError, UsageError

results = st.builds(
    ExternalResult,
    number=st.integers(0, 99),
    metrics=st.just({}) | st.just({"accuracy": 93.25, "latency_ms": 5.0}),
    status=st.sampled_from(["failed", "pruned"]),
    reason=st.sampled_from(["", "no memory", "a, b"]),
    fidelity=st.none() | st.integers(1, 200),
    seed=st.integers(0, 9),
    seconds=st.sampled_from([0.0, 1.5]),
)


@given(st.lists(results, min_size=1, max_size=5))
def test_json_and_csv_say_the_same(told: list[ExternalResult]) -> None:
    as_json = json.dumps([result.model_dump() for result in told])
    assert parse_results(as_json) == told
    assert parse_results(json.dumps({"trials": json.loads(as_json)})) == told
    fields = ("number", "status", "reason", "fidelity", "seed", "seconds")
    written = io.StringIO()
    lines = csv.writer(written)
    lines.writerow([*fields, "accuracy", "latency_ms"])
    for result in told:
        cells = [getattr(result, name) for name in fields]
        metrics = [result.metrics.get(name) for name in ("accuracy", "latency_ms")]
        lines.writerow(["" if cell is None else cell for cell in [*cells, *metrics]])
    assert parse_results(written.getvalue()) == told


def test_what_still_runs_is_no_result() -> None:
    told = [{"number": 0, "status": "running"}, {"number": 1, "metrics": {"a": 1}}]
    assert [result.number for result in parse_results(json.dumps(told))] == [1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "no JSON"),
        ("[3]", "Result 0 is wrong"),
        ("{}", "names no architecture"),
        ('[{"number": 0, "status": "odd"}]', "wrong at status"),
        ("a,b\n1,2", "neither JSON nor a table"),
        ("", "neither JSON nor a table"),
        ("number,a\n0,high", "has no metrics"),
    ],
)
def test_mistakes_have_one_clear_error(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_results(text)


def test_ragged_results_have_one_clear_error() -> None:
    with pytest.raises(TableError, match="Row 1 of mine has 3 cells, its header names 2"):
        parse_results("number,a\n0,1,2", "mine")


def test_results_of_spreadsheets_are_read_as_tables_are(tmp_path: Path) -> None:
    file = tmp_path / "told.csv"
    file.write_bytes("architecture;accuracy\r\n\r\na;93,1 %\r\nb;-\r\nc;94,5 %".encode("utf-16"))
    with pytest.raises(UsageError, match="Result 1 has no metrics"):
        read_results(file)
    file.write_bytes("number\taccuracy\n3\t93,1".encode("utf-8-sig"))
    assert [(told.number, told.metrics) for told in read_results(file)] == [(3, {"accuracy": 93.1})]
    lines = tmp_path / "told.txt"
    lines.write_text('{"number": 1, "metrics": {"a": 1}}\n\n{"number": 2, "metrics": {"a": 2}}\n')
    assert [told.number for told in read_results(lines)] == [1, 2]


def test_what_is_no_number_beside_the_metrics_fails_nothing() -> None:
    (told,) = parse_results(
        '{"number": 3, "metrics": {"accuracy": 93.1, "latency_ms": null, "best": true, "at": "a"}}'
    )
    assert told.metrics == {"accuracy": 93.1}
    (told,) = parse_results("number,accuracy,remark\n3,93.1,on the new card")
    assert told.metrics == {"accuracy": 93.1}


@pytest.mark.parametrize(
    "text",
    [
        '[{"architecture": "a", "accuracy": 93.1, "note": "again"}]',
        '{"architecture": "a", "accuracy": 93.1}\n',
    ],
)
def test_flat_objects_name_their_metrics_themselves(text: str) -> None:
    assert parse_results(text)[0].metrics == {"accuracy": 93.1}
