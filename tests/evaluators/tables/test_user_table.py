from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vitruvius.core.errors import TableError, UsageError
from vitruvius.evaluators.tables.user_table import UserTable
from vitruvius.spaces import space

CELLS = space("nasbench201")
X = CELLS.enumerate()[100:104]
STRINGS = [CELLS.to_string(row) for row in X.tolist()]


def csv(folder: Path, *lines: str, name: str = "mine.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def npz(folder: Path, name: str = "mine.npz", **columns: object) -> Path:
    path = folder / name
    np.savez(path, **columns)  # type: ignore[arg-type]
    return path


def test_an_npz_file(tmp_path: Path) -> None:
    path = npz(
        tmp_path, arch_str=STRINGS, acc=[90.0, 91, 92, 93], t=[1, 2, 3, 4], x=np.zeros((4, 2))
    )
    table = UserTable(CELLS, [path], metrics="accuracy=acc, latency_ms = t")
    assert table.values(X)["accuracy"].tolist() == [90, 91, 92, 93]
    assert table.values(X)["latency_ms"].tolist() == [1, 2, 3, 4]
    assert table.metrics["latency_ms"].unit == "ms"
    assert [m.better for m in table.metrics.values()] == ["higher", "lower"]
    assert table.dropped_rows == 0


def test_a_csv_file_with_empty_cells_and_duplicates(tmp_path: Path) -> None:
    path = csv(
        tmp_path, "\ufeffarch_str, acc ,t", f"{STRINGS[0]},90,1", f'"{STRINGS[0]}",92,3', "",
        f"{STRINGS[1]},,4", f"{STRINGS[2]},nan,4", f"{STRINGS[3]},80,inf",
    )  # fmt: skip
    table = UserTable(CELLS, [path], metrics="acc,t")
    assert table.dropped_rows == 3
    assert table.architecture_count == 1
    assert table.evaluate(X[0]).metrics == {"acc": 91, "t": 2}
    assert table.evaluate(X[1]).reason == "not in the table"


@pytest.mark.parametrize(
    ("text", "name", "unit", "better", "bounds"),
    [
        ("latency[ms]=c", "latency", "ms", "lower", (0, np.inf)),
        ("latency[ ms ] = c : higher", "latency", "ms", "higher", (0, np.inf)),
        ("c:lower", "c", "", "lower", (-np.inf, np.inf)),
        ("c[%]", "c", "%", "higher", (0, 100)),
        ("energy_s=c", "energy_s", "s", "lower", (0, np.inf)),
        ("size[M]=c", "size", "M", "lower", (-np.inf, np.inf)),
        ("", "c", "", "higher", (-np.inf, np.inf)),
    ],
)
def test_metrics_as_text(
    tmp_path: Path, text: str, name: str, unit: str, better: str, bounds: tuple[float, float]
) -> None:
    path = npz(tmp_path, arch_str=STRINGS, index=range(4), c=[1.0, 2, 3, 4], note=["a"] * 4)
    [metric] = UserTable(CELLS, [path], metrics=text).metrics.values()
    assert (metric.name, metric.unit, metric.better, metric.bounds) == (name, unit, better, bounds)


@pytest.mark.parametrize("text", ["a=b:best", "=c", "a==c", "a[s=c", "c,", "a b"])
def test_malformed_metrics(tmp_path: Path, text: str) -> None:
    path = npz(tmp_path, arch_str=STRINGS, c=[1.0, 2, 3, 4])
    with pytest.raises(UsageError, match="accuracy=c10_valid_e200"):
        UserTable(CELLS, [path], metrics=text)


def test_columns_at_lower_fidelities_and_their_cost(tmp_path: Path) -> None:
    path = npz(
        tmp_path, arch_str=STRINGS, acc=[90.0, 91, 92, 93], short=[60.0, 61, 62, np.nan],
        t=[1.0, 2, 3, 4], long=[50.0, 51, 52, 53],
    )  # fmt: skip
    metrics = "accuracy[%]=acc, accuracy@12[%]=short, accuracy@100[%]=long, seconds@12=t"
    table = UserTable(CELLS, [path], metrics=metrics)
    assert table.fidelities == (12, 100)
    assert set(table.metrics) == {"accuracy"}
    assert table.dropped_rows == 1
    low = table.evaluate(X[1], fidelity=12)
    assert (low.metrics, low.seconds) == ({"accuracy": 61}, 2)
    assert table.evaluate(X[1], fidelity=100).seconds == 0
    assert table.evaluate(X[1]).metrics == {"accuracy": 91}
    assert (table.labels_used, table.labels_at(12), table.labels_at(100)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a=c, b@12=c", "'b' is given at fidelity 12 only"),
        ("seconds=c", "names no metric"),
        ("a=c, a@12=c, a@12=c", "twice"),
        ("a=c, a@x=c", "does not say"),
    ],
)
def test_malformed_fidelities(tmp_path: Path, text: str, why: str) -> None:
    path = npz(tmp_path, arch_str=STRINGS, c=[1.0, 2, 3, 4])
    with pytest.raises(UsageError, match=why):
        UserTable(CELLS, [path], metrics=text)


def test_a_metric_given_twice(tmp_path: Path) -> None:
    path = npz(tmp_path, arch_str=STRINGS, c=[1.0, 2, 3, 4])
    with pytest.raises(UsageError, match="twice"):
        UserTable(CELLS, [path], metrics="a=c,a=c")


def test_files_joined_on_the_index(tmp_path: Path) -> None:
    main = npz(tmp_path, arch_str=STRINGS, index=[10, 11, 12, 13], acc=[1.0, 2, 3, 4])
    other = csv(tmp_path, "index,t", "13,0.4", "11,0.2", "99,9", "10,0.1")
    table = UserTable(CELLS, [main, other], metrics="acc,t")
    assert table.dropped_rows == 1
    assert table.values(X[[0, 1, 3]])["t"].tolist() == [0.1, 0.2, 0.4]


def test_files_joined_on_the_architecture(tmp_path: Path) -> None:
    main = npz(tmp_path, cell=STRINGS, acc=[1.0, 2, 3, 4])
    lines = [f"{text},{k}" for k, text in enumerate(STRINGS[::-1])]
    other = csv(tmp_path, "cell,t", *lines)
    table = UserTable(CELLS, [main, other], architecture_column="cell", metrics="acc,t")
    assert table.values(X)["t"].tolist() == [3, 2, 1, 0]


@pytest.mark.parametrize(
    ("lines", "metrics", "why"),
    [
        ((), "", "empty|no columns|no rows"),
        (("arch_str,acc",), "", "no rows"),
        (("arch_str,acc", f"{STRINGS[0]},1,2"), "", "Row 1 of mine.csv has 3 cells"),
        (("arch_str,acc", f"{STRINGS[0]},1", "b"), "", "Row 2 of mine.csv has 1 cells"),
        (("arch_str,acc,acc", f"{STRINGS[0]},1,1"), "", "two columns 'acc'"),
        (("arch,acc", f"{STRINGS[0]},1"), "", "no column 'arch_str'. Did you mean 'arch'"),
        (("arch_str,acc", f"{STRINGS[0]},1"), "a=accc", "no column 'accc'. Did you mean 'acc'"),
        (("arch_str,acc", f"{STRINGS[0]},1", f"{STRINGS[1]},x"), "acc", "Row 2 .* has 'x'"),
        (("arch_str,acc", f"{STRINGS[0]},1", "|a~0|,1"), "", "Row 2 of mine.csv: .*three groups"),
        (("arch_str,acc", f"{STRINGS[0]},"), "acc", "No row"),
        (("arch_str,note", f"{STRINGS[0]},x"), "", "no column of numbers"),
        (("arch_str,acc", f"{STRINGS[0]},93"), "acc[fraction]", "93, impossible for 'acc'"),
        (("arch_str,acc", f'"{STRINGS[0]},1'), "", "never closed"),
    ],
)
def test_broken_csv_files(tmp_path: Path, lines: tuple[str, ...], metrics: str, why: str) -> None:
    path = csv(tmp_path, *lines)
    with pytest.raises(TableError, match=why):
        UserTable(CELLS, [path], metrics=metrics)


def test_object_arrays_are_not_read(tmp_path: Path) -> None:
    path = npz(tmp_path, arch_str=np.array(STRINGS, dtype=object), acc=[1.0, 2, 3, 4])
    with pytest.raises(TableError, match="object arrays"):
        UserTable(CELLS, [path])


def test_broken_npz_files(tmp_path: Path) -> None:
    path = npz(tmp_path, arch_str=STRINGS, acc=[1.0, 2, 3])
    with pytest.raises(TableError, match="'acc' has 3 rows, 'arch_str' has 4"):
        UserTable(CELLS, [path])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TableError, match="refused"):
        UserTable(CELLS, [path])
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(TableError, match="refused"):
        UserTable(CELLS, [path])
    with pytest.raises(TableError, match="no file"):
        UserTable(CELLS, [tmp_path / "nowhere.npz"])
    with pytest.raises(TableError, match="no columns"):
        UserTable(CELLS, [npz(tmp_path, acc=1.0)])
    with pytest.raises(TableError, match="not strings"):
        UserTable(CELLS, [npz(tmp_path, arch_str=[1.5], acc=[1.0])])
    (tmp_path / "table.doc").write_text("a")
    with pytest.raises(TableError, match=r"Use one of \.csv, .*\.npz"):
        UserTable(CELLS, [tmp_path / "table.doc"])


def test_rows_that_break_a_constraint(tmp_path: Path) -> None:
    graphs = space("nas-bench-graph")
    good = graphs.to_string(graphs.example)
    path = npz(tmp_path, arch_str=[good, "[0,0,0,0]|skip|skip|skip|skip"], acc=[1.0, 2])
    with pytest.raises(TableError, match=r"Row 2 of mine\.npz: .* breaks a constraint"):
        UserTable(graphs, [path])


def test_files_that_cannot_be_joined(tmp_path: Path) -> None:
    main = npz(tmp_path, arch_str=STRINGS, index=range(4), acc=[1.0, 2, 3, 4])
    with pytest.raises(TableError, match="cannot be joined"):
        UserTable(CELLS, [main, csv(tmp_path, "t", "1")], metrics="acc,t")
    with pytest.raises(TableError, match="repeats"):
        UserTable(CELLS, [main, csv(tmp_path, "index,t", "1,1", "1,2")], metrics="acc,t")


def test_published_tables(published: Callable[[str], Path]) -> None:
    files = [published("nb201.npz"), published("nb201_latency.npz")]
    metrics = "accuracy[%]=c10_valid_e200, latency[ms]=lat_ms_pixel3, test[%]=c10_test_e200"
    table = UserTable(CELLS, files, metrics=metrics)
    assert (table.measured_rows, table.architecture_count) == (15_625, 6466)
    with np.load(files[0]) as cells, np.load(files[1]) as devices:
        assert (cells["index"] == devices["index"]).all()
        k = 1234
        members = cells["iso_rep"] == cells["iso_rep"][k]
        expected = devices["lat_ms_pixel3"][members].mean()
        row = CELLS.rows([str(cells["arch_str"][k])])
    assert table.values(row)["latency"].item() == pytest.approx(expected)
    best = CELLS.rows([CELLS.to_string((3, 3, 3, 1, 3, 2))])
    assert table.values(best)["test"].item() == pytest.approx(94.373, abs=1e-3)


def test_published_epochs(published: Callable[[str], Path]) -> None:
    metrics = "accuracy[%]=c10_valid_e200, accuracy@12[%]=c10_valid_e12, seconds@12=c10_cost_e12_s"
    table = UserTable(CELLS, [published("nb201.npz")], metrics=metrics)
    assert table.fidelities == (12,)
    low, full = (table.evaluate(table.rows[7], fidelity) for fidelity in (12, None))
    assert low.metrics["accuracy"] < full.metrics["accuracy"]
    assert 10 < low.seconds < 10_000


@pytest.mark.parametrize("missing", ["", "NA", "N/A", "null", "-", "nan"])
@pytest.mark.parametrize("metrics", ["", "acc,lat"])
def test_missing_cells_hide_no_column_with_metrics_or_without(
    tmp_path: Path, missing: str, metrics: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = csv(
        tmp_path, "arch_str,acc,lat", f"{STRINGS[0]},{missing},1", f"{STRINGS[1]},91,{missing}",
        f"{STRINGS[2]},92,3",
    )  # fmt: skip
    table = UserTable(CELLS, [path], metrics=metrics)
    assert (list(table.metrics), table.dropped_rows) == (["acc", "lat"], 2)
    assert "2 of 3 rows are left out: 1 without acc, 1 without lat" in caplog.text


def test_decimal_commas_units_and_headers_of_spreadsheets(tmp_path: Path) -> None:
    lines = [f"{text};{90 + k},5%;{k + 1},25" for k, text in enumerate(STRINGS)]
    path = csv(tmp_path, "arch_str;acc, val;Latency [ms]", *lines)
    table = UserTable(CELLS, [path])
    assert {m.name: (m.unit, m.better) for m in table.metrics.values()} == {
        "acc_val": ("%", "higher"),
        "Latency": ("ms", "lower"),
    }
    assert table.values(X)["acc_val"].tolist() == [90.5, 91.5, 92.5, 93.5]
    assert table.values(X)["Latency"].tolist() == [1.25, 2.25, 3.25, 4.25]
    seconds = UserTable(CELLS, [path], metrics="lat[s]=Latency, a[fraction]=acc, val")
    assert seconds.values(X)["lat"].tolist() == pytest.approx([0.00125, 0.00225, 0.00325, 0.00425])
    assert seconds.values(X)["a"][0].item() == pytest.approx(0.905)


def test_the_decimal_mark_can_be_said(tmp_path: Path) -> None:
    lines = [f'{text},"1,{k}00"' for k, text in enumerate(STRINGS, start=1)]
    path = csv(tmp_path, "arch_str,acc", *lines)
    with pytest.raises(TableError, match=r"'1,400'.*decimal=, or decimal=\."):
        UserTable(CELLS, [path], metrics="acc")
    assert UserTable(CELLS, [path], metrics="acc,decimal=,").values(X)["acc"][0] == 1.1
    assert UserTable(CELLS, [path], metrics="decimal=.").values(X)["acc"][0] == 1100


def test_columns_that_only_count_are_no_metrics(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [f"{k},{text},{k},200,{90 + k}" for k, text in enumerate(STRINGS)]
    path = csv(tmp_path, ",arch_str,seed,epochs,acc", *lines)
    assert list(UserTable(CELLS, [path]).metrics) == ["acc"]
    assert "not taken for metrics: seed, epochs" in caplog.text
    assert list(UserTable(CELLS, [path], metrics="epochs").metrics) == ["epochs"]


def test_a_column_of_numbers_with_a_word_is_left_out_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cells = ["90", "91", "failed", "92"]
    lines = [f"{text},{cell},1" for text, cell in zip(STRINGS, cells, strict=True)]
    path = csv(tmp_path, "arch_str,acc,t", *lines)
    assert list(UserTable(CELLS, [path]).metrics) == ["t"]
    assert "'acc' is left out: row 3 has 'failed'" in caplog.text
    with pytest.raises(TableError, match=r"Row 3 of mine\.csv has 'failed' in the column 'acc'"):
        UserTable(CELLS, [path], metrics="acc")


def test_rows_without_architecture_are_left_out(tmp_path: Path) -> None:
    path = csv(tmp_path, "arch_str,acc", f"{STRINGS[0]},90", ",91", ",", f"{STRINGS[1]},92")
    table = UserTable(CELLS, [path])
    assert (table.architecture_count, table.dropped_rows) == (2, 1)


def test_the_column_of_architectures_is_asked_for(tmp_path: Path) -> None:
    path = csv(tmp_path, "cell,acc", f"{STRINGS[0]},90")
    with pytest.raises(TableError, match="--architecture-column NAME"):
        UserTable(CELLS, [path])


def test_architectures_by_the_benchmark_s_numbers(tmp_path: Path) -> None:
    numbers = [0, 9]
    path = npz(tmp_path, arch_str=numbers, acc=[1.0, 2])
    expected = CELLS.rows([str(number) for number in numbers])
    assert UserTable(CELLS, [path]).values(expected)["acc"].tolist() == [1, 2]


@pytest.mark.parametrize("head", ["", "Unnamed: 0"])
@pytest.mark.parametrize("index", [[0, 1, 2, 3], [1, 2, 3, 4], [3, 7, 9, 12]])
def test_the_index_of_a_data_frame_is_no_metric(
    tmp_path: Path, head: str, index: list[int]
) -> None:
    lines = [f"{i},{text},9{i % 10}" for i, text in zip(index, STRINGS, strict=True)]
    path = csv(tmp_path, f"{head},arch_str,acc", *lines)
    assert list(UserTable(CELLS, [path]).metrics) == ["acc"]


def test_what_is_no_number_is_named_where_nothing_else_is(tmp_path: Path) -> None:
    path = csv(tmp_path, "arch_str,acc", f"{STRINGS[0]},93.1 ± 0.2")
    with pytest.raises(TableError, match=r"'acc' has '93\.1 ± 0\.2' in row 1"):
        UserTable(CELLS, [path])
