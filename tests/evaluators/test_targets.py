import contextlib
import math

import pytest
import torch
from hypothesis import given, reject, strategies as st

from vitruvius.core.errors import TargetError, UnknownNameError
from vitruvius.evaluators.metric import Metric
from vitruvius.evaluators.targets import Target, Targets, exact_metrics, parse_targets
from vitruvius.spaces import names, space

METRICS = {
    metric.name: metric
    for metric in (
        Metric("valid_perf", "fraction", "higher", (0.0, 1.0)),
        Metric("accuracy", "%", "higher", (0.0, 100.0)),
        Metric("latency", "s", "lower", (0.0, math.inf)),
        Metric("latency_ms", "ms", "lower", (0.0, math.inf)),
        Metric("params", "", "lower", (0.0, math.inf), exact=True),
        Metric("params_m", "M", "lower", (0.0, 1000.0)),
        Metric("depth", "", "lower", (0.0, math.inf), exact=True),
        Metric("clock", "MHz", "higher", (0.0, math.inf)),
        Metric("score", "", "higher"),
    )
}
INF = math.inf


@pytest.mark.parametrize(
    ("text", "metric", "low", "high"),
    [
        ("valid_perf>=0.80", "valid_perf", 0.8, INF),
        ("  valid_perf  >=  80 %", "valid_perf", 0.8, INF),
        ("valid_perf≥.8", "valid_perf", 0.8, INF),
        ("valid_perf≤0.8", "valid_perf", -INF, 0.8),
        ("valid_perf>0.8", "valid_perf", math.nextafter(0.8, INF), INF),
        ("valid_perf<0.8", "valid_perf", -INF, math.nextafter(0.8, -INF)),
        ("0.8<=valid_perf", "valid_perf", 0.8, INF),
        ("0.8 > valid_perf", "valid_perf", -INF, math.nextafter(0.8, -INF)),
        ("accuracy>=94", "accuracy", 94, INF),
        ("accuracy>=94%", "accuracy", 94, INF),
        ("accuracy>=0.94fraction", "accuracy", 94, INF),
        ("latency<=5ms", "latency", -INF, 0.005),
        ("latency<=5e3us", "latency", -INF, 0.005),
        ("latency<=5000µs", "latency", -INF, 0.005),
        ("latency<=0.005", "latency", -INF, 0.005),
        ("latency_ms<=0.005s", "latency_ms", -INF, 5),
        ("latency_ms<=5", "latency_ms", -INF, 5),
        ("params=4.2e6±2%", "params", 4_116_000, 4_284_000),
        ("params = 4.2e6 +-2%", "params", 4_116_000, 4_284_000),
        ("params==4.2e6+/-0.1e6", "params", 4_100_000, 4_300_000),
        ("params=4.2M±0.1M", "params", 4_100_000, 4_300_000),
        ("params=4.2M±100k", "params", 4_100_000, 4_300_000),
        ("params_m=4200k±2%", "params_m", 4.116, 4.284),
        ("0.5<=params_m<=0.7", "params_m", 0.5, 0.7),
        ("0.7>=params_m>0.5", "params_m", math.nextafter(0.5, INF), 0.7),
        ("500k<=params_m<=0.7M", "params_m", 0.5, 0.7),
        ("0<=latency<=5ms", "latency", 0, 0.005),
        ("params in [3e6, 4e6]", "params", 3e6, 4e6),
        ("params in [3M,4M]", "params", 3e6, 4e6),
        ("depth=8", "depth", 8, 8),
        ("score=-0.5±10%", "score", -0.55, -0.45),
        ("score=-0.5±0.1", "score", -0.6, -0.4),
        ("score=0.3±0", "score", 0.3, 0.3),
        ("clock>=800MHz", "clock", 800, INF),
        # A tolerance may reach past what is possible, a number may not.
        ("valid_perf=0.99±2%", "valid_perf", 0.9702, 1.0098),
    ],
)
def test_one_term(text: str, metric: str, low: float, high: float) -> None:
    [target] = parse_targets(text, METRICS)
    assert target == Target(metric, float(low), float(high), text.strip())


def test_terms_on_one_metric_intersect() -> None:
    targets = parse_targets("params>=3M, latency<=5ms, params in [2M, 4M], params<5M", METRICS)
    assert targets.names == ("params", "latency")
    assert (targets[0].low, targets[0].high) == (3e6, 4e6)
    assert str(targets) == "params>=3M, params in [2M, 4M], params<5M, latency<=5ms"


@pytest.mark.parametrize(
    "text",
    ["valid_perf>=0.9, valid_perf<=0.8", "0.7<=params_m<=0.5", "params in [4,3]", "0.5<score<0.5"],
)
def test_contradictions(text: str) -> None:
    with pytest.raises(TargetError, match="contradictory"):
        parse_targets(text, METRICS)


@pytest.mark.parametrize(
    "text",
    ["valid_perf>=80", "valid_perf<=80", "valid_perf>1", "latency<=-1ms", "params_m<=4e6",
     "accuracy>=100.1", "latency<0", "valid_perf=1.5±1%"],
)  # fmt: skip
def test_impossible(text: str) -> None:
    with pytest.raises(TargetError, match="impossible") as caught:
        parse_targets(text, METRICS)
    assert repr(text) in caught.value.message


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("latency<=5MB", "'s', 'ms', 'us'"),
        ("params<=5%", "'k', 'M', 'G'; a number without unit is in a plain count"),
        ("params=4M±3ms", "'k', 'M', 'G'"),
        ("valid_perf>=8ms", "'fraction', '%'"),
        ("clock>=1G", "'MHz'"),
        ("latency<=5MS", "'s', 'ms', 'us'"),
    ],
)
def test_units_that_do_not_fit(text: str, accepted: str) -> None:
    with pytest.raises(TargetError, match="does not fit") as caught:
        parse_targets(text, METRICS)
    assert accepted in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "valid_perf", ">=0.8", "valid_perf>=", "valid_perf=>0.8", "valid_perf>=0.8,", ",",
        "valid_perf>=0.8 latency<=5ms", "valid_perf>=0.8;latency<=1", "params in [3,4",
        "params in 3", "params in [3]", "valid_perf>=nan", "valid_perf>=inf", "valid_perf!=0.8",
        "params=3±", "params>=3±1", "1<=params<=2<=3", "valid_perf>=0,8",
        "valid_perf>=0.8.1", "1=params",
    ],
)  # fmt: skip
def test_malformed(text: str) -> None:
    with pytest.raises(TargetError, match="is not a target") as caught:
        parse_targets(text, METRICS)
    assert "valid_perf>=0.80" in caught.value.hint


def test_one_value_of_a_measurement() -> None:
    with pytest.raises(TargetError, match=r"valid_perf=80%±2%"):
        parse_targets("valid_perf=80%", METRICS)
    with pytest.raises(TargetError, match="exact value"):
        parse_targets("depth=8.5", METRICS)


def test_units_of_some_numbers() -> None:
    for text in ("3<=params<=4M", "params in [3M, 4]", "params=4M±0.1"):
        with pytest.raises(TargetError, match="the other none"):
            parse_targets(text, METRICS)


def test_a_signed_tolerance() -> None:
    with pytest.raises(TargetError, match="signed"):
        parse_targets("params=4±-1", METRICS)


@pytest.mark.parametrize("text", ["params>=1e999", "params>=1e305M"])
def test_too_large(text: str) -> None:
    with pytest.raises(TargetError, match="too large"):
        parse_targets(text, METRICS)


def test_unknown_metric() -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'latency'.*Known: accuracy, clock"):
        parse_targets("latenzy<=5ms", METRICS)


def test_no_targets() -> None:
    targets = parse_targets("  ", METRICS)
    assert targets == Targets()
    assert targets.satisfied({"depth": torch.zeros(3)}).all()
    with pytest.raises(TargetError, match="values of any"):
        targets.satisfied({})


def test_missing_values() -> None:
    targets = parse_targets("valid_perf>=0.8, latency<=5ms", METRICS)
    with pytest.raises(TargetError, match="no values of latency"):
        targets.satisfied({"valid_perf": torch.ones(2)})
    assert targets.restrict(["valid_perf"]).satisfied({"valid_perf": torch.ones(2)}).all()


def test_violation_is_relative_and_sums() -> None:
    targets = parse_targets("valid_perf>=0.8, latency<=5ms", METRICS)
    values = {
        "valid_perf": torch.tensor([0.8, 0.4, 0.4, math.nan], dtype=torch.float64),
        "latency": torch.tensor([0.005, 0.004, 0.01, 0], dtype=torch.float64),
    }
    assert targets.violation(values).tolist() == [0, 0.5, 1.5, INF]
    assert targets.satisfied(values).tolist() == [True, False, False, False]


@pytest.mark.parametrize("name", [name for name in names() if space(name).buildable])
def test_exact_metrics_are_the_statistics(name: str) -> None:
    metrics = exact_metrics(space(name))
    assert set(metrics) >= {"params", "macs", "depth"}
    assert all(metric.exact and metric.unit == "" for metric in metrics.values())


numbers = st.floats(1e-3, 0.999).map(lambda number: f"{number:.6g}")
relations = st.sampled_from(["<=", ">=", "<", ">", "≤", "≥"])
terms = st.one_of(
    st.tuples(st.sampled_from(["valid_perf", "score"]), relations, numbers).map("".join),
    st.tuples(numbers, relations, st.sampled_from(["params", "latency"])).map(" ".join),
    st.tuples(numbers, numbers).map(lambda ends: f"latency in [{ends[0]}ms,{ends[1]}s]"),
    st.tuples(numbers, numbers).map(lambda ends: f"{ends[0]} <= score < {ends[1]}"),
    st.tuples(numbers, numbers).map(lambda ends: f"params_m={ends[0]}+-{ends[1]}%"),
)


some_terms = st.lists(terms, min_size=1, max_size=5)


def parsed(parts: list[str]) -> Targets:
    """Reads the terms unless they contradict each other."""
    try:
        return parse_targets(" ,  ".join(parts), METRICS)
    except TargetError:
        reject()


@given(some_terms)
def test_text_comes_back(parts: list[str]) -> None:
    targets = parsed(parts)
    assert parse_targets(str(targets), METRICS) == targets


@given(some_terms, st.lists(st.floats(), min_size=1))
def test_no_violation_where_satisfied(parts: list[str], floats: list[float]) -> None:
    targets = parsed(parts)
    ends = [end for target in targets for end in (target.low, target.high)]
    column = torch.tensor(floats + ends, dtype=torch.float64)
    values = dict.fromkeys(targets.names, column)
    inside = torch.tensor(
        [all(target.low <= v <= target.high for target in targets) for v in column.tolist()]
    )
    assert torch.equal(targets.satisfied(values), inside)
    assert torch.equal(targets.violation(values) == 0, inside)
    assert (targets.violation(values) >= 0).all()


@given(st.text(alphabet="lateny0123456789.<>=±%,[] inms+-e", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(TargetError, UnknownNameError):
        parse_targets(text, METRICS)
