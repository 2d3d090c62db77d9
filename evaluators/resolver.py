"""The one way from text to an evaluator: data sets by name, tables, code by reference."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from ..core.errors import UnknownNameError
from ..core.evaluator_config import EvaluatorConfig
from ..core.frames import KINDS, SUFFIXES, is_table
from ..core.options import check_options, split_options
from ..core.registry import Registry
from ..core.torch_state import own_torch_state
from ..spaces import ProductSpace, Space
from .evaluator import Evaluator
from .function import Function, FunctionEvaluator, metrics_named
from .hardware.resolver import MEASURES
from .joined import JoinedEvaluator
from .of_part import PartEvaluator
from .reference import is_reference, referenced
from .tables.metric_terms import table_options

__all__ = [
    "EVALUATORS",
    "EvaluatorLike",
    "NamedEvaluator",
    "configured",
    "data_sets",
    "evaluator",
    "evaluators_of",
    "join",
    "listed",
    "parse_evaluator",
]

EVALUATORS = Registry(
    "evaluator",
    "vitruvius.evaluators",
    {
        "nas-bench-graph": "evaluators.tables.nas_bench_graph:NASBenchGraphTable",
        "analog": "evaluators.tables.analog_nasbench:AnalogNASBench",
    },
)
# What may follow a table's name besides metrics.
COLUMN, OTHERS = "column", "tables"
# Of a product, the part that is evaluated.
PART = "part"
_OF_PART = re.compile(rf"(?:^|,)\s*{PART}\s*=\s*(?P<part>\w+)\s*(?=,|$)")
_OF_TABLE = re.compile(
    rf"(?P<file>.+?\.(?:{'|'.join(re.escape(s[1:]) for s in SUFFIXES)})):(?P<options>.*)",
    re.IGNORECASE,
)
_WITH_OPTIONS = re.compile(r"(?P<source>.+):(?P<options>[A-Za-z_]\w*\s*=.*)")

EvaluatorLike = str | Path | Evaluator | EvaluatorConfig | Function
"""An evaluator, what says which, or a function for `FunctionEvaluator`."""


@runtime_checkable
class NamedEvaluator(Protocol):
    """An evaluator class found by data-set name.

    Attributes:
        serves: Name of the space whose architectures it evaluates.
        data_sets: The names it answers to.
    """

    serves: ClassVar[str]
    data_sets: ClassVar[tuple[str, ...]]

    @property
    def load(self) -> Callable[..., Evaluator]:
        """Makes the evaluator of a data set of `data_sets`, with options by keyword."""


def data_sets(space_name: str) -> list[str]:
    """Lists the data sets known for a space, of what ships and of installed packages.

    Example:
        >>> data_sets("nasbench201")
        ['analog']
    """
    return sorted(name for kind in _serving(space_name) for name in kind.data_sets)


@own_torch_state()
def evaluator(
    space: Space,
    source: EvaluatorLike | Sequence[EvaluatorLike],
    *,
    architecture_column: str = "",
    metrics: str = "",
    tables: Sequence[str | Path] = (),
    named: str = "",
) -> Evaluator:
    """Returns the evaluator that something stands for; several are joined.

    =============================  ==============================================================
    ``cora``                       a data set known for the space; options may follow a colon
    ``table.csv``, ``table.npz``   a `UserTable`, of any format that `read_frame` knows;
                                   ``table.csv:accuracy=c10_valid,column=arch`` says which columns
                                   are metrics, which holds the architectures, with
                                   ``tables=a.npz+b.npz`` what to join to it, and with
                                   ``decimal=,`` the decimal mark where the file leaves it open
    ``./photos``, ``digits``       raw data: candidates are trained on them; see `TrainingEvaluator`
                                   for options such as ``./photos:epochs=30,batch=128``
    ``latency``, ``peak_memory``   measured on this machine, see `vitruvius.evaluators.hardware`;
                                   options such as ``latency:runtime=onnx,batch=8``. Beside raw
                                   data they need not be given: naming the metric is enough
    ``analog``, on a product       of the part, or each of the parts, that it is a data set of; any
                                   other of the part that ``table.csv:part=nasbench201`` says
    ``train.py:evaluate``          a function, an `Evaluator`, or a subclass of it in a file; what
                                   follows another colon are arguments by keyword
    ``package.module:Trainer``     the same in a module
    =============================  ==============================================================

    Args:
        space: The space of the architectures.
        source: An evaluator, a function, text as above, or a sequence of these.
        architecture_column: The table's column of native strings, where the text does not say.
        metrics: The table's columns to read, where the text does not say (see `UserTable`).
        tables: More files to join to the table.
        named: Names of a function's metrics: the text of objectives, constraints or targets.

    Raises:
        UnknownNameError: Where it is neither a data set of this space nor a path, or for an option
            that it does not have.
        UsageError: For several evaluators that do not fit each other.
        TableError: Where a table cannot be read.
        MissingExtraError: Where the package that brings the data set is not installed.

    Example:
        >>> from vitruvius.spaces import space
        >>> evaluator(space("nas-bench-graph"), "cora").task.classes
        7
    """
    sources = listed(source)
    made = [
        _one(space, each, architecture_column, metrics, tables, named)
        for each in sources
        if not _is_measure(each)
    ]
    bound = space.for_task(made[0].task) if made else space
    made += [_one(bound, each, "", "", (), named) for each in sources if _is_measure(each)]
    # Whoever trains networks has them, so that what is asked of them can be measured too.
    if any(each.builds for each in made):
        known = {name for each in made for name in each.metrics}
        asked = [name for name in metrics_named(space, named) if name not in known]
        made += [MEASURES.get(name)(bound) for name in asked if name in MEASURES]
    return join(made)


def listed(source: EvaluatorLike | Sequence[EvaluatorLike]) -> list[EvaluatorLike]:
    """Returns evaluators as a list, also where one was given.

    Args:
        source: As for `evaluator`.
    """
    if isinstance(source, list | tuple):
        return list(source)
    return [source]  # type: ignore[list-item]


def join(made: Sequence[Evaluator]) -> Evaluator:
    """Returns the only evaluator, or several as one; functions leave to others what those measure.

    Args:
        made: One or more.

    Raises:
        UsageError: For evaluators that do not fit each other.
    """
    if len(made) == 1:
        return made[0]
    others = {m for each in made if not isinstance(each, FunctionEvaluator) for m in each.metrics}
    parts = [each.without(others) if isinstance(each, FunctionEvaluator) else each for each in made]
    return JoinedEvaluator(parts)


def parse_evaluator(
    space: Space,
    text: str | Path,
    *,
    architecture_column: str = "",
    metrics: str = "",
    tables: Sequence[str | Path] = (),
) -> EvaluatorConfig:
    """Reads the text of one evaluator, without making it; what is returned means the same anywhere.

    Args:
        space: The space of the architectures.
        text: As for `evaluator`.
        architecture_column: As for `evaluator`.
        metrics: As for `evaluator`.
        tables: As for `evaluator`.

    Raises:
        UsageError: For options that cannot be read.

    Example:
        >>> from vitruvius.spaces import space
        >>> parse_evaluator(space("nasbench201"), "analog").source
        'analog'
    """
    text = str(text)
    data, given_options = split_source(text)
    if data not in data_sets(space.name) and _is_raw(data):
        options = split_options(f":{given_options}")[1]
        there = Path(data).exists()
        return EvaluatorConfig(source=str(Path(data).resolve()) if there else data, options=options)
    of_table = _OF_TABLE.fullmatch(text)
    if data not in MEASURES and (of_table or is_table(text)):
        written = of_table["options"] if of_table else ""
        given: dict[str, Any] = {COLUMN: architecture_column}
        given[OTHERS] = [str(Path(table).resolve()) for table in tables]
        if isinstance(space, ProductSpace) and (said := _OF_PART.search(written)):
            given[PART] = said["part"]
            written = written[: said.start()] + written[said.end() :]
        options = {key: value for key, value in given.items() if value}
        options |= table_options(metrics)
        options |= table_options(written) if written else {}
        file = of_table["file"] if of_table else text
        return EvaluatorConfig(source=str(Path(file).resolve()), options=options)
    options = {}
    if given_options:
        text, options = data, split_options(f":{given_options}")[1]
    if is_reference(text):
        home, _, name = text.rpartition(":")
        text = f"{Path(home).resolve()}:{name}" if home.endswith(".py") else text
    return EvaluatorConfig(source=text, options=options)


def evaluators_of(
    space: Space,
    evaluator: EvaluatorLike | Sequence[EvaluatorLike] | None,
    **options: Any,
) -> tuple[tuple[EvaluatorConfig, ...], Sequence[EvaluatorLike]]:
    """Parts evaluators into what a run keeps of them and what was given.

    Args:
        space: The space of the architectures.
        evaluator: As for `evaluator`; None for none.
        **options: Of tables, as for `parse_evaluator`.

    Returns:
        One configuration for each, blank where only Python has it; and the evaluators, where any
        is such a one.
    """
    if evaluator is None:
        return (), ()
    given = listed(evaluator)
    configs = tuple(
        parse_evaluator(space, each, **options)
        if isinstance(each, str | Path)
        else EvaluatorConfig(source="")
        for each in given
    )
    return configs, () if all(config.source for config in configs) else given


def configured(space: Space, config: EvaluatorConfig, named: str = "") -> Evaluator:
    """Makes an evaluator of its configuration.

    Args:
        space: The space of the architectures.
        config: As of `parse_evaluator`.
        named: As for `evaluator`.

    Raises:
        UnknownNameError: As for `evaluator`.
        UsageError: For raw data that no training can start on.
        TableError: As for `evaluator`.
        MissingExtraError: As for `evaluator`.
    """
    source, options = config.source, config.options
    if isinstance(space, ProductSpace) and (parts := _parts_of(space, config)):
        own = {key: value for key, value in options.items() if key != PART}
        inner = EvaluatorConfig(source=source, options=own)
        return join(
            [
                PartEvaluator(
                    space,
                    part,
                    configured(space.parts[part], inner, named),
                    prefixed=len(parts) > 1,
                )
                for part in parts
            ]
        )
    for kind in _serving(space.name):
        if source in kind.data_sets:
            check_options(source, options, kind.load)
            return kind.load(source, **options)
    if is_reference(source):
        return referenced(space, source, named, options)
    if source in MEASURES:
        measure = MEASURES.get(source)
        check_options(source, options, measure)
        return measure(space, **options)
    if _is_raw(source):
        from .training.resolver import trainer_of

        return trainer_of(space).of_text(space, source, options)
    path = Path(source)
    if not (path.is_file() or path.suffix or len(path.parts) > 1):
        raise UnknownNameError.of(
            f"data set of {space.name}",
            source,
            data_sets(space.name),
            f"Or give the path of a table ({', '.join(KINDS)}), or FILE.py:NAME.",
        )
    from .tables.user_table import UserTable

    others = map(Path, options.get(OTHERS, ()))
    return UserTable(
        space,
        [path, *others],
        architecture_column=options.get(COLUMN, "arch_str"),
        metrics=options.get("metrics", ""),
        decimal=options.get("decimal", ""),
    )


def _parts_of(space: ProductSpace, config: EvaluatorConfig) -> list[str]:
    """The parts of a product that are evaluated: as it is said, or those that a data set is of."""
    if PART in config.options:
        part = str(config.options[PART])
        if part not in space.parts:
            raise UnknownNameError.of(f"part of {space.name}", part, space.parts)
        return [part]
    return [
        name
        for name, part in space.parts.items()
        if config.source in data_sets(part.name) and config.source not in data_sets(space.name)
    ]


def split_source(text: str) -> tuple[str, str]:
    """Parts a name from its options; a path may have colons of its own.

    Args:
        text: As for `evaluator`.

    Example:
        >>> split_source("proxy:naswot,batch=8")
        ('proxy', 'names=naswot,batch=8')
    """
    name, _, written = text.partition(":")
    if name in MEASURES and "=" not in re.split("[,;]", written)[0]:
        first = getattr(MEASURES.get(name), "first_option", "")
        return name, f"{first}={written}" if first and written else written
    match = None if Path(text).exists() else _WITH_OPTIONS.fullmatch(text)
    return (match["source"], match["options"]) if match else (text, "")


def _is_raw(source: str) -> bool:
    from ..datasets import is_raw

    return is_raw(source)


def _is_measure(source: EvaluatorLike) -> bool:
    name = source.source if isinstance(source, EvaluatorConfig) else source
    return isinstance(name, str) and split_source(name)[0] in MEASURES


def _one(
    space: Space,
    source: EvaluatorLike,
    architecture_column: str,
    metrics: str,
    tables: Sequence[str | Path],
    named: str,
) -> Evaluator:
    if isinstance(source, Evaluator):
        return source
    if isinstance(source, EvaluatorConfig):
        return configured(space, source, named)
    if not isinstance(source, str | Path):
        return FunctionEvaluator(space, source, named)
    config = parse_evaluator(
        space,
        source,
        architecture_column=architecture_column,
        metrics=metrics,
        tables=tables,
    )
    return configured(space, config, named)


def _serving(space_name: str) -> Iterator[NamedEvaluator]:
    kinds = (EVALUATORS.get(name) for name in EVALUATORS.names())
    return (kind for kind in kinds if kind.serves == space_name)
