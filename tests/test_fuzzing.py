"""Every reader, on valid inputs with damage: one clear error of ours and nothing else, nothing run.

25 inputs each; ``VITRUVIUS_FUZZ=100000`` looks at so many in all.
"""

import copy
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image

from vitruvius.bo.store import Run, RunConfig
from vitruvius.bo.store.external import parse_results
from vitruvius.core.errors import VitruviusError
from vitruvius.core.frames import read_frame
from vitruvius.core.options import split_options
from vitruvius.datasets import load_raw
from vitruvius.evaluators.tables.metric_terms import parse_metric_terms, table_options
from vitruvius.evaluators.tables.user_table import UserTable
from vitruvius.evaluators.targets import EXAMPLES, exact_metrics, parse_targets
from vitruvius.generators.resolver import load
from vitruvius.spaces import GraphTask, space
from vitruvius.spaces.declared import DeclaredSpace
from vitruvius.spaces.reading import read_rows
from vitruvius.spaces.task import parse_task
from vitruvius.verbs.search import new_search, open_search

TOTAL = int(os.environ.get("VITRUVIUS_FUZZ", "0"))
ROOT = Path(__file__).parents[1]
CELLS, GRAPHS = space("nasbench201"), space("nas-bench-graph")
A, B = (CELLS.to_string(row) for row in ((3, 3, 3, 1, 3, 2), (1, 0, 2, 3, 4, 1)))
TREE = GRAPHS.to_string(GRAPHS.example)
# What would follow from running an input.
RUN = {
    "exec",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "subprocess.Popen",
    "socket.connect",
}
OURS = "<fuzz>"


def share(parts: int) -> Callable[[Any], Any]:
    """So many thousandths of all inputs; health checks of slow or large inputs say nothing here."""
    found = settings(
        deadline=None,
        suppress_health_check=list(HealthCheck),
        **({"max_examples": max(1, TOTAL * parts // 1000)} if TOTAL else {"max_examples": 25}),
    )
    return found


watching: list[bool] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if watching and event in RUN - {"exec"}:
        raise AssertionError(f"{event} {arguments}")


sys.addaudithook(_audit)


@contextmanager
def one_clear_error() -> Iterator[None]:
    """Lets our errors pass, with a message and without a trace of Python's own."""
    watching.append(True)
    try:
        yield
    except VitruviusError as error:
        if not error.message:
            raise AssertionError("an error without a message") from error
    finally:
        watching.pop()


TOKENS = st.sampled_from(
    [
        *("[", "]", "(", ")", "{", "}", "'", '"', ",", ";", ":", "=", "|", "+", "~", "@", "%", "±"),
        *("\n", "\r", "\t", " ", "\0", "\ufeff", "nan", "inf", "-1", "1e999", "9" * 30, "0x1f"),
        *("None", "true", "!!python/object/apply:os.system ['true']", "__import__('os')", "&a *a"),
        *("decimal=,", "<=", "in [", "ms", "µs", "9" * 5000, "(" * 300, "np.int64(3)", "array("),
    ]
) | st.text(max_size=3)


@st.composite
def damaged(draw: st.DrawFn, *valid: str) -> str:
    text = draw(st.sampled_from(valid))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(text)))
        end = draw(st.integers(at, min(len(text), at + 6)))
        text = text[:at] + draw(TOKENS | st.just(text[at:end] * 2) | st.just("")) + text[end:]
    return text


@st.composite
def damaged_bytes(draw: st.DrawFn, *valid: bytes) -> bytes:
    content = draw(st.sampled_from(valid))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(content)))
        end = draw(st.integers(at, min(len(content), at + 8)))
        content = content[:at] + draw(st.binary(max_size=6)) + content[end:]
    return content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content


LEAVES = (
    st.none() | st.booleans() | st.integers(-2, 12) | st.floats() | st.text(max_size=4) | TOKENS
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def damaged_json(draw: st.DrawFn, *valid: Any) -> Any:
    value = copy.deepcopy(draw(st.sampled_from(valid)))
    for _ in range(draw(st.integers(1, 3))):
        at = value
        while isinstance(at, dict | list) and len(at):
            key = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
            if not isinstance(at[key], dict | list) or not at[key] or draw(st.booleans()):
                match draw(st.integers(0, 3)):
                    case 0:
                        del at[key]
                    case 1 if isinstance(at, dict):
                        at[draw(st.text(max_size=4))] = draw(JSON)
                    case _:
                        at[key] = draw(JSON)
                break
            at = at[key]
    return value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@share(120)
@given(damaged(*EXAMPLES.split(", "), EXAMPLES, "depth=12"))
def test_targets(text: str) -> None:
    metrics = exact_metrics(CELLS)
    with one_clear_error():
        parse_targets(text, metrics)
    renamed = text
    for name in ("valid_perf", "latency", "flops"):
        renamed = renamed.replace(name, "params")
    with one_clear_error():
        parse_targets(renamed, metrics)


ARCHITECTURES = {
    "nasbench201": [A, f"Structure(4 nodes with {B})", "(4, 0, 3, 1, 4, 3)", "15", repr([A])],
    "nasbench101": [
        "ops=conv3x3-bn-relu,maxpool3x3;adj=110|01|1",
        '{"matrix": [[0,1],[0,0]], "ops": ["input", "output"]}',
        "ModelSpec(matrix=array([[0, 1], [0, 0]]), ops=['input', 'output'])",
    ],
    "mobilenetv3": [
        "r=224;u1=k3e3,k5e4;u2=k3e6,k3e3;u3=k3e3,k3e3,k7e3;u4=k3e3,k3e3;u5=k3e3,k3e3",
        str({"ks": [3] * 20, "e": [np.int64(3)] * 20, "d": [2] * 5, "r": [224]}),
    ],
    "autogan": ["1 0 1 1 1 0 0 1 1 1 0 1 0 3", "[1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 3]"],
    "eagan-discriminator": [
        "[[3, 0, 3, 0, 2, 0, 0], [3, 0, 3, 0, 1, -1, -1], [3, 0, 3, 0, 1, -1, -1]]",
        "array([[3 0 3 0 2 0 0] [3 0 3 0 1 -1 -1] [3 0 3 0 1 -1 -1]])",
    ],
    "nas-bench-graph": [TREE, "Arch([0, 0, 1, 2], ['gcn', 'gat', 'sage', 'gin'])", "31042"],
    "toy_recipe.yaml": [
        space("toy_recipe.yaml").to_string(space("toy_recipe.yaml").example),
        json.dumps({v.name: v.choices[0] for v in space("toy_recipe.yaml").variables}),
    ],
}


@pytest.mark.parametrize("name", ARCHITECTURES)
@given(st.data())
@share(60)
def test_architectures(name: str, data: st.DataObject) -> None:
    text = data.draw(damaged(*ARCHITECTURES[name]))
    with one_clear_error():
        space(name).architecture(text)


TABLES = [
    f"arch_str,acc,t\n{A},93.1,4\n{B},NA,5\n",
    f"arch_str;acc;Latency [ms]\n{A};93,1%;1.234\n{B};1,234%;2.5\n",
    f"arch_str\tval:top1\n{A}\t4.2 ms\n{B}\t5 s\n",
    f"arch_str acc\n{A} 1e3\n{B} 2M\n",
]


@given(damaged(*TABLES), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]), st.booleans())
@share(120)
def test_tables_of_text(folder: Path, text: str, encoding: str, named: bool) -> None:
    file = folder / "table.csv"
    file.write_bytes(text.encode(encoding, errors="replace"))
    with one_clear_error():
        UserTable(CELLS, [file], metrics="acc" if named else "")


RECORDS = [{"arch_str": A, "acc": 93.1, "note": None}, {"arch_str": B, "acc": "1,5 %"}]


@given(damaged_json(RECORDS, {"arch_str": [A, B], "acc": [1, 2.5]}))
@share(60)
def test_tables_of_json(folder: Path, value: Any) -> None:
    (folder / "table.json").write_text(json.dumps(value))
    lines = value if isinstance(value, list) else [value]
    (folder / "table.jsonl").write_text("\n".join(map(json.dumps, lines)))
    for name in ("table.json", "table.jsonl"):
        with one_clear_error():
            UserTable(CELLS, [folder / name])


def _files() -> dict[str, bytes]:
    import pandas as pd

    made = io.BytesIO()
    np.savez(made, arch_str=[A, B], acc=[1.0, 2.0])
    files = {"a.npz": made.getvalue()}
    made = io.BytesIO()
    np.savez(made, edges=[[0, 1], [1, 2]], x=np.eye(3), y=[0, 1, 1])
    files["graph.npz"] = made.getvalue()
    made = io.BytesIO()
    np.savez(made, images=np.zeros((2, 4, 4), np.uint8), labels=[0, 1])
    files["images.npz"] = made.getvalue()
    made = io.BytesIO()
    edges = torch.tensor([[0, 1], [1, 2]])
    torch.save({"x": torch.eye(3), "edge_index": edges, "y": torch.tensor([0, 1, 1])}, made)
    files["graph.pt"] = made.getvalue()
    frame = pd.DataFrame({"arch_str": [A, B], "acc": [1.0, 2.0]})
    for name, write in (("a.parquet", frame.to_parquet), ("a.xlsx", frame.to_excel)):
        made = io.BytesIO()
        write(made)
        files[name] = made.getvalue()
    return files


FILES = _files()


@pytest.mark.parametrize("name", FILES)
@given(st.data())
@share(25)
@pytest.mark.filterwarnings("ignore")
def test_binary_files(folder: Path, name: str, data: st.DataObject) -> None:
    file = folder / name
    file.write_bytes(data.draw(damaged_bytes(FILES[name])))
    with one_clear_error():
        read_frame(file)
    with one_clear_error():
        load_raw(file)


def _image(kind: str) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (6, 6), (9, 9, 9)).save(made, kind)
    return made.getvalue()


@given(st.data(), st.sampled_from(["png", "jpeg", "gif", "bmp", "tiff", "ppm", "webp"]))
@share(40)
@pytest.mark.filterwarnings("ignore")
def test_images(folder: Path, data: st.DataObject, kind: str) -> None:
    file = folder / "images" / "a" / f"0.{kind}"
    shutil.rmtree(folder / "images", ignore_errors=True)
    file.parent.mkdir(parents=True)
    file.write_bytes(data.draw(damaged_bytes(_image(kind))))
    with one_clear_error():
        load_raw(folder / "images")


@given(damaged_bytes(f"{A}\n{B}\n".encode(), f"\ufeff{A}\r\n\r\n{B}".encode("utf-16")))
@share(60)
def test_pools(folder: Path, content: bytes) -> None:
    (folder / "pool.txt").write_bytes(content)
    with one_clear_error():
        read_rows(CELLS, folder / "pool.txt")


@given(
    damaged(
        json.dumps([{"architecture": A, "metrics": {"accuracy": 93.1}, "seed": 1}]),
        json.dumps({"trials": [{"number": 0, "status": "failed", "reason": "x"}]}),
        "number,accuracy,fidelity\n3,93.1,12\n4,-,\n",
        "architecture;accuracy\na;93,1 %\n",
    )
)
@share(80)
def test_results(text: str) -> None:
    with one_clear_error():
        parse_results(text)


SPACES = [
    "name: s\nnodes: [a, b]\nskeleton: [[0, 1]]\nvariables:\n"
    "  - {name: x, choices: [p, q], kind: recipe}\n"
    "  - {name: y, choices: [1, 2], kind: bits, place: [0], params: {1: 2, 2: 3}}\n"
    "  - {name: z, choices: [o, i], kind: op, place: [0, 1], roles: {o: absent}}\n",
]


@given(damaged(*SPACES))
@share(90)
def test_spaces_of_yaml(folder: Path, text: str) -> None:
    (folder / "space.yaml").write_text(text, encoding="utf-8", errors="replace")
    with one_clear_error():
        made = DeclaredSpace.from_file(folder / "space.yaml")
        made.architecture(made.example)


HEADERS = ["arch_str", "Latency [ms]", "val:top1", "acc, val", "val@1", "acc"]


@given(damaged("a[%]=acc, b=Latency [ms]:lower", "a=acc, a@12='acc, val', seconds@12=val@1", "acc"))
@share(90)
def test_terms_of_metrics(text: str) -> None:
    with one_clear_error():
        parse_metric_terms(table_options(f"{text},decimal=,").get("metrics", ""), HEADERS)


@given(damaged("classes=6, features=3703", "evolution:population=20,fast=true"))
@share(40)
def test_tasks_and_options(text: str) -> None:
    with one_clear_error():
        parse_task(text, GraphTask())
    with one_clear_error():
        split_options(text)


CONFIGS = [
    RunConfig(
        space="nasbench201", maximize="accuracy", where="params<=1M", task="classes=6"
    ).model_dump(mode="json"),
    RunConfig(
        space="s",
        declaration={
            "name": "s",
            "nodes": ["a"],
            "variables": [{"name": "x", "choices": ["p", "q"], "kind": "recipe"}],
        },
        minimize="loss",
        method="evolution:population=20",
    ).model_dump(mode="json"),
]


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return new_search(CELLS.name, maximize="accuracy", run=folder / "run").log.run


@given(damaged_json(*CONFIGS))
@share(50)
def test_configurations_of_runs(folder: Path, run: Run, config: Any) -> None:
    run.storage.set_study_user_attr(run.study, "vitruvius", config)
    with one_clear_error():
        open_search(folder / "run")


GENERATOR = ROOT / "generators" / "pretrained" / "nasbench201"
PARTS = ["model_index.json", "denoiser/config.json", "scheduler/scheduler_config.json"]


@pytest.fixture(scope="module")
def generator(folder: Path) -> Path:
    return Path(shutil.copytree(GENERATOR, folder / "generator"))


@pytest.mark.parametrize("part", PARTS)
@given(st.data())
@share(5)
@pytest.mark.filterwarnings("ignore")
def test_folders_of_generators(generator: Path, part: str, data: st.DataObject) -> None:
    kept = (GENERATOR / part).read_text()
    value = data.draw(damaged_json(json.loads(kept)))
    (generator / part).write_text(json.dumps(value))
    try:
        with one_clear_error():
            load(str(generator))
    finally:
        (generator / part).write_text(kept)
