"""An evaluator as text and options, so that a run can be resumed anywhere."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

__all__ = ["EvaluatorConfig"]


class EvaluatorConfig(BaseModel):
    """Where labels come from; files by absolute path.

    Args:
        source: A data set known for the space, the path of a table, ``file.py:name`` or
            ``package.module:name``; blank where a Python object was given, which whoever resumes
            has to give again.
        options: What its constructor is given beside: of a table ``metrics``, ``column`` and
            ``tables`` (see `vitruvius.evaluators.evaluator`).

    Example:
        >>> config = EvaluatorConfig(source="cora")
        >>> EvaluatorConfig.model_validate_json(config.model_dump_json()) == config
        True
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _of_0_1(cls, data: Any) -> Any:
        """Version 0.1.0 had the options of tables as fields."""
        if not isinstance(data, dict) or "architecture_column" not in data:
            return data
        old = dict(data)
        options = {
            "column": old.pop("architecture_column"),
            "metrics": old.pop("metrics", ""),
            "tables": list(old.pop("tables", ())),
        }
        plain = {"column": "arch_str", "metrics": "", "tables": []}
        return {**old, "options": {k: v for k, v in options.items() if v != plain[k]}}
