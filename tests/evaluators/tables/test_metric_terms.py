import pytest

from vitruvius.core.errors import UsageError
from vitruvius.evaluators.tables.metric_terms import (
    metric_name,
    parse_metric_terms,
    table_options,
)

HEADERS = ["arch_str", "Latency [ms]", "val:top1", "val", "acc, val", "val@1", "a=b", "top 1"]


@pytest.mark.parametrize(
    ("text", "name", "column"),
    [
        ("latency=Latency [ms]", "latency", "Latency [ms]"),
        ("latency[ms]=Latency", "latency", "Latency [ms]"),
        ("Latency [ms]", "Latency", "Latency [ms]"),
        ("acc=val:top1", "acc", "val:top1"),
        ("acc=val:lower", "acc", "val"),
        ("acc=acc, val", "acc", "acc, val"),
        ("acc=val@1:higher", "acc", "val@1"),
        ("acc='val:top1':lower", "acc", "val:top1"),
        ('acc="acc, val"', "acc", "acc, val"),
        ("'acc, val'", "acc_val", "acc, val"),
        ("acc=a=b", "acc", "a=b"),
        ("top 1", "top_1", "top 1"),
        ("val:top1", "val_top1", "val:top1"),
    ],
)
def test_headers_that_look_like_the_grammar_can_be_named(text: str, name: str, column: str) -> None:
    [term] = parse_metric_terms(text, HEADERS)
    assert (term.name, term.column) == (name, column)


def test_several_terms_with_such_headers() -> None:
    text = "a = acc, val , b[%]=val:top1:lower,c=val@1"
    terms = parse_metric_terms(text, HEADERS)
    assert [(t.name, t.unit, t.column, t.better) for t in terms] == [
        ("a", None, "acc, val", None),
        ("b", "%", "val:top1", "lower"),
        ("c", None, "val@1", None),
    ]


@pytest.mark.parametrize("text", ["a=", "a=val:up", "=val", "a=val,", ",", "a=val, ,b=val"])
def test_malformed_terms_have_one_clear_error(text: str) -> None:
    with pytest.raises(UsageError, match="which column holds a metric"):
        parse_metric_terms(text, HEADERS)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("acc=a, decimal=,", {"decimal": ",", "metrics": "acc=a"}),
        ("decimal=,,acc=a", {"decimal": ",", "metrics": "acc=a"}),
        ("decimal=.", {"decimal": "."}),
        ("decimal=',',column=my arch", {"decimal": ",", "column": "my arch"}),
        ("acc=acc, val,column=arch", {"column": "arch", "metrics": "acc=acc, val"}),
        ("", {}),
    ],
)
def test_options_among_the_terms(text: str, options: dict[str, str]) -> None:
    assert table_options(text) == options


def test_another_decimal_mark_is_refused() -> None:
    with pytest.raises(UsageError, match="no decimal mark"):
        table_options("decimal=x")


@pytest.mark.parametrize(
    ("header", "name"),
    [("Latency [ms]", "Latency"), ("acc, val", "acc_val"), ("1st", "_1st"), ("", "_"), ("%", "_")],
)
def test_names_of_metrics_can_stand_in_targets(header: str, name: str) -> None:
    assert metric_name(header) == name
