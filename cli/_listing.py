"""Names in help texts: read from the registries when help is asked for, and only then."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from typer.core import TyperCommand

__all__ = ["NAMES", "Listing", "listed"]


def _of(module: str, read: Callable[[Any], Iterable[str]]) -> Callable[[], Iterable[str]]:
    """Reads names off a module that is imported by then."""
    return lambda: read(import_module(f"..{module}", __package__))


NAMES: dict[str, Callable[[], Iterable[str]]] = {
    "data sets": _of("datasets.resolver", lambda home: home.DATASETS.names()),
    "executors": _of("bo.executors.resolver", lambda home: ["auto", *home.EXECUTORS.names()]),
    "formats": _of("exports.resolver", lambda home: home.FORMATS.names()),
    "forms": _of("generators.choices", lambda home: home.FORMS),
    "generators": _of("generators.resolver", lambda home: home.generator_names()),
    "methods": _of("bo.methods.resolver", lambda home: home.METHODS.names()),
    "predictors": _of("predictors.resolver", lambda home: home.predictor_names()),
    "processes": _of("generators.choices", lambda home: home.PROCESSES),
    "pruners": _of("bo.pruners", lambda home: home.PRUNERS),
    "spaces": _of("spaces.resolver", lambda home: home.names()),
    "transfer predictors": _of("verbs.transfer", lambda home: home.PREDICTORS),
}


def listed(text: str) -> str:
    """Puts names in the place of what stands in braces.

    Args:
        text: A help text, e.g. ``"One of {pruners}."``.

    Example:
        >>> listed("One of {pruners}.")
        'One of none, asha, hyperband, median.'
    """
    return re.sub(r"\{([a-z ]+)\}", lambda name: ", ".join(NAMES[name[1]]()) or "none", text)


class Listing(TyperCommand):
    """A command whose help lists the names that its options take."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        for option in self.params:
            option.help = listed(getattr(option, "help", None) or "")  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)
