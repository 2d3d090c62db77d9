"""The sample verb in Python, on real tables and the generators that ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitruvius import evaluator, sample, space
from vitruvius.core.errors import TargetError, UsageError
from vitruvius.generators import GraphDiffusion, Uniform, load
from vitruvius.spaces.product import ProductSpace
from vitruvius.testing import second_device
from vitruvius.verbs.sampler import Sampler

SMALL = "name: small\nnodes: [a]\nvariables:\n  - {name: x, choices: [p, q, r, s], kind: recipe}\n"


@pytest.mark.slow
def test_large_space_exact_targets_are_met_by_count_of_built_modules() -> None:
    nets = space("mobilenetv3")
    result = sample(nets, target="params=4.2e6±2%, macs<=220e6", n=40, seed=1)
    assert result.summary["returned"] == 40
    assert result.summary["labels_used"] == 0
    assert result.summary["raw_yield"] >= 20 * result.summary["base_rate"]
    assert len({entry.architecture for entry in result.samples}) == 40
    for entry in result.samples[::8]:
        built = sum(p.numel() for p in nets.build(entry.architecture).parameters())
        assert built == entry.exact["params"]
        assert abs(built - 4.2e6) <= 0.02 * 4.2e6
        assert entry.exact["macs"] <= 220e6


@pytest.mark.slow
def test_nothing_is_looked_up_while_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    """The returned architectures do not depend on any value that was not paid for as a label."""
    graphs, found = space("nas-bench-graph"), []
    for fake in (False, True):
        table = evaluator(graphs, "cora")
        honest = table.label(table.rows[:0])
        assert honest["valid_perf"].shape == (0,)
        sampler = Sampler(
            graphs, data=table, target="valid_perf>=0.8", labels=50, predictor="gp", seed=3
        )
        if fake:
            values = table.values
            monkeypatch.setattr(
                table, "values", lambda x, v=values: {k: c * 0 for k, c in v(x).items()}
            )
        result = sampler.sample(10)
        assert result.summary["labels_used"] == 50 == table.labels_used
        labelled = set(graphs.keys(sampler.labels.x))
        rows = graphs.rows([entry.architecture for entry in result.samples])
        assert not labelled & set(graphs.keys(rows))
        assert (result.summary["hit_rate"] == 0) is fake
        found.append([entry.architecture for entry in result.samples])
    assert found[0] == found[1]


@pytest.mark.slow
def test_guidance_beats_the_base_rate_on_a_measured_target() -> None:
    result = sample(
        "nas-bench-graph", data="arxiv", target="valid_perf>=0.72, latency<=8ms", n=30, labels=100,
        predictor="gnn", seed=0,
    )  # fmt: skip
    assert result.summary["guidance"] == "resampling"
    assert result.summary["hit_rate"] > 3 * result.summary["base_rate"]


@pytest.mark.parametrize(
    "form",
    [
        "none",
        *(
            pytest.param(form, marks=pytest.mark.slow)
            for form in ("classifier-free", "gradient", "classifier-free+gradient+resampling")
        ),
        "resampling",
    ],
)
def test_every_form_of_guidance_returns_what_meets_the_target(form: str) -> None:
    result = sample("nasbench201", target="params<=0.15M, depth>=36", n=5, guidance=form, seed=0)
    assert [entry.meets_target for entry in result.samples] == [True] * 5
    assert result.summary["guidance"] == form


def test_guided_proposals_meet_exact_targets_more_often() -> None:
    rates = {
        form: sample("nasbench201", target="params=0.2M±10%", n=30, guidance=form).summary[
            "raw_yield"
        ]
        for form in ("none", "classifier-free", "resampling")
    }
    assert rates["classifier-free"] > 1.5 * rates["none"]
    assert rates["resampling"] > 1.5 * rates["none"]


def test_params_of_a_data_set_are_counted_for_its_task() -> None:
    result = sample("nas-bench-graph", data="pubmed", target="params<=0.2", n=4, seed=0)
    assert result.summary["labels_used"] == 0
    for entry in result.samples:
        assert entry.exact["params"] <= 0.2
        assert entry.measured is not None
        assert entry.exact["params"] == pytest.approx(entry.measured["params"])


@pytest.mark.slow
def test_labels_beyond_the_table_use_it_up_and_no_more() -> None:
    table = evaluator(space("nas-bench-graph"), "proteins")
    sampler = Sampler(
        space("nas-bench-graph"), data=table, target="valid_perf>=0.8", labels=10**6,
        predictor="lightgbm",
    )  # fmt: skip
    assert len(sampler.labels) == len(table.rows) == table.labels_used


def test_an_exhausted_space_returns_what_there_is() -> None:
    recipe = space("toy_recipe.yaml")
    result = sample(recipe, n=10_000)
    assert result.summary["returned"] == recipe.architecture_count
    assert any("Only" in note for note in result.notes)


def test_a_product_of_spaces_samples() -> None:
    pair = ProductSpace(
        name="pair", parts={"net": space("nasbench201"), "recipe": space("toy_recipe.yaml")}
    )
    result = sample(pair, target="net.params<=0.2M", n=5)
    assert all(entry.meets_target for entry in result.samples)


def test_a_generator_object_can_be_given() -> None:
    assert sample("nasbench201", generator=Uniform(), n=2).summary["generator"] == "uniform"
    result = sample("nasbench201", generator=load("nasbench201"), n=2, steps=4)
    assert "nasbench201" in result.summary["generator"]


def test_a_generator_computes_where_it_is_told() -> None:
    for name in ("nasbench201", "uniform"):
        generator = load(name) if name != "uniform" else Uniform()
        with second_device() as device:
            options = {"n": 3, "steps": 2, "target": "params<=0.3M", "device": str(device)}
            result = sample("nasbench201", generator=generator, batch_size=64, **options)
            assert all(entry.meets_target for entry in result.samples)
            if isinstance(generator, GraphDiffusion):
                assert generator.device == device


def test_batches_are_of_the_size_asked_for() -> None:
    one, same, other = (
        sample("nasbench201", n=5, steps=2, batch_size=size).to_json()["architectures"]
        for size in (64, 64, 3)
    )
    assert one == same != other
    with pytest.raises(UsageError, match="`batch_size` must be at least 1"):
        sample("nasbench201", n=5, batch_size=0)


@pytest.mark.slow
def test_one_sampler_serves_several_samples_on_the_same_labels() -> None:
    table = evaluator(space("nas-bench-graph"), "cora")
    sampler = Sampler(
        space("nas-bench-graph"), data=table, target="valid_perf>=0.79", labels=40, predictor="gp"
    )
    first, second = sampler.sample(3, seed=1), sampler.sample(3, seed=2)
    assert table.labels_used == 40
    assert first.summary["base_rate"] == second.summary["base_rate"]


def test_a_target_beyond_the_whole_space_is_refused() -> None:
    with pytest.raises(TargetError, match="cannot be met"):
        sample("nasbench201", target="params<=10")


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        sample("nasbench201", n=0)
    with pytest.raises(UsageError, match="negative"):
        sample("nasbench201", labels=-1)


def test_the_command_of_the_documents_saves_what_it_returned(tmp_path: object) -> None:
    result = sample("nasbench201", target="params<=0.3M", n=2)
    files = result.save(f"{tmp_path}/out")
    assert [file.name for file in files] == [
        "result.json",
        "architectures.csv",
        "architecture_001.svg",
        "architecture_002.svg",
        "contact_sheet.svg",
    ]


def own_table(folder: Path, rows: int) -> Path:
    cells = space("nasbench201")
    x = cells.sample(rows, 0)
    params = cells.statistics(x)["params"].tolist()
    lines = [f"{cells.to_string(r)},{v}" for r, v in zip(x.tolist(), params, strict=True)]
    path = folder / "mine.csv"
    path.write_text("\n".join(["arch_str,acc", *lines]))
    return path


def test_all_rows_of_a_table_of_ones_own_are_learned_from(tmp_path: Path) -> None:
    cells = space("nasbench201")
    table = own_table(tmp_path, 30)
    known = evaluator(cells, table)
    assert known.finished
    assert not evaluator(cells, "analog").finished
    sampler = Sampler(cells, data=known, target="acc>=1M", predictor="ridge")
    assert len(sampler.labels) == len(known.rows)
    result = sampler.sample(1, generator="uniform")
    assert f"Learned from all {len(known.rows)} architectures" in " ".join(result.notes)
    few = Sampler(cells, data=known, target="acc>=1M", labels=10, predictor="ridge")
    assert len(few.labels) == 10


def test_of_many_rows_as_many_are_taken_as_can_be_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitruvius.verbs.sampler.MOST_FINISHED", 12)
    cells = space("nasbench201")
    known = evaluator(cells, own_table(tmp_path, 30))
    sampler = Sampler(cells, data=known, target="acc>=1M", predictor="ridge")
    assert len(sampler.labels) == 12
    notes = " ".join(sampler.sample(1, generator="uniform").notes)
    assert f"Learned from 12 of {len(known.rows)} architectures" in notes


@pytest.mark.parametrize(
    ("target", "n", "best"),
    [
        ("acc>=3", 2, {"x=r", "x=s"}),
        ("acc>=4", 2, {"x=s", "x=r"}),
        ("acc<=1", 1, {"x=p"}),
        ("acc=2.1±0.2", 1, {"x=q"}),
        ("acc>=9", 1, {"x=s"}),
        ("acc>=1", 9, {"x=p", "x=q", "x=r", "x=s"}),
    ],
)
def test_where_everything_is_labelled_the_best_rows_come_back(
    tmp_path: Path, target: str, n: int, best: set[str]
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    path = tmp_path / "all.csv"
    path.write_text("arch_str,acc\nx=p,1\nx=q,2\nx=r,3\nx=s,4\n")
    found = sample(str(tmp_path / "small.yaml"), data=path, target=target, n=n, predictor="ridge")
    assert {str(entry.architecture) for entry in found.samples} == best
    assert found.summary["raw_validity"] is None
    assert found.summary["hit_rate"] is None
    assert any("0 have no label" in note for note in found.notes)


def test_where_too_little_is_unlabelled_the_rest_is_known(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    path = tmp_path / "all.csv"
    path.write_text("arch_str,acc\nx=p,1\nx=q,2\nx=r,3\n")
    source = str(tmp_path / "small.yaml")
    found = sample(source, data=path, target="acc>=3", n=3, predictor="ridge")
    assert len(found.samples) == 3
    assert {str(entry.architecture) for entry in found.samples[:2]} == {"x=r", "x=s"}
    alone = sample(source, data=path, target="acc>=3", n=1, predictor="ridge")
    assert [str(entry.architecture) for entry in alone.samples] == ["x=s"]


def test_raw_data_in_a_list_is_what_is_counted_for(tmp_path: Path) -> None:
    path = tmp_path / "images.npz"
    np.savez(path, images=np.zeros((4, 8, 8), np.uint8), labels=[0, 1, 2, 2])
    for data in (path, [str(path)]):
        result = sample("nasbench201", data=data, target="params<=400k", n=1)
        assert "classes=3" in result.summary["task"]
