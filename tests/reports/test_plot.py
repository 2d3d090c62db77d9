import re
from xml.etree import ElementTree

import pytest

from vitruvius.reports.plot import MANY, Bars, Line, Points, bar_chart, parallel, plot

SVG = "{http://www.w3.org/2000/svg}"
NASTY = '<script>alert("x")</script>&\x00'


def test_points_lead_to_what_they_are() -> None:
    drawn = plot([Points([1, 2], [3, 4], links=["#trial-1", "#trial-2"], titles=["a", "b"])])
    links = ElementTree.fromstring(drawn).findall(f".//{SVG}a")
    assert [link.get("href") for link in links] == ["#trial-1", "#trial-2"]
    assert [link.get("aria-label") for link in links] == ["a", "b"]


def test_what_is_not_finite_is_left_out() -> None:
    drawn = plot([Points([1, 2, 3], [1.0, float("nan"), float("inf")]), Line([1, 2], [1, 2])])
    assert drawn.count("<circle") == 1
    assert "nan" not in drawn
    assert "inf" not in drawn


def test_what_is_not_positive_has_no_place_on_a_logarithmic_axis() -> None:
    drawn = plot([Points([0.0, -1.0, 1.0, 100.0], [1, 2, 3, 4])], log_x=True)
    assert drawn.count("<circle") == 2


def test_the_place_of_a_point_is_linear_in_its_value() -> None:
    places = [
        float(x) for x in re.findall(r'cx="([\d.]+)"', plot([Points([0.0, 1.0, 4.0], [0, 0, 0])]))
    ]
    assert (places[1] - places[0]) * 4 == pytest.approx(places[2] - places[0], abs=0.5)


def test_far_values_stand_at_the_edge_of_a_trimmed_axis() -> None:
    values = [10.0 + 0.01 * k for k in range(100)]
    whole, trimmed = (plot([Points(range(101), [*values, -1e6])], trim=t) for t in (False, True))
    heights = [
        [float(y) for y in re.findall(r'cy="([\d.]+)"', drawn)] for drawn in (whole, trimmed)
    ]
    assert max(heights[0][:100]) - min(heights[0][:100]) < 1
    assert max(heights[1][:100]) - min(heights[1][:100]) > 100
    assert max(heights[1]) < 400


def test_a_band_holds_its_line() -> None:
    drawn = plot([Line([1, 2], [5, 5], "mean", [4, 4], [6, 6])])
    [band] = ElementTree.fromstring(drawn).findall(f".//{SVG}polygon")
    heights = [float(p.split(",")[1]) for p in (band.get("points") or "").split()]
    assert len(set(heights)) == 2


def test_many_points_are_one_path() -> None:
    assert len(plot([Points(range(MANY + 1), [1.0] * (MANY + 1))])) < 50_000
    assert plot([Points(range(10), [1.0] * 10)]).count("<circle") == 10


@pytest.mark.parametrize(
    "values", [[], [1.0], [0.0, 0.0], [-3.0, -3.0], [1e-300, 1e300], [1e9, 1e9 + 1]]
)
def test_any_values(values: list[float]) -> None:
    for log in (False, True):
        ElementTree.fromstring(plot([Points(values, values), Line(values, values)], log_y=log))
    ElementTree.fromstring(bar_chart([str(v) for v in values], [Bars([abs(v) for v in values])]))


def test_text_is_shown_not_run() -> None:
    drawn = [
        plot([Points([1], [1], NASTY, [NASTY], [NASTY])], x=NASTY, y=NASTY, title=NASTY),
        bar_chart([NASTY], [Bars([1], NASTY), Bars([2], NASTY)], x=NASTY),
        parallel([NASTY, NASTY], [[1, 2]], [True], title=NASTY),
    ]
    for each in drawn:
        tree = ElementTree.fromstring(each)
        assert not tree.findall(f".//{SVG}script")
        assert "<script" not in each


def test_parallel_coordinates_leave_out_what_is_not_known() -> None:
    drawn = parallel(["a", "b"], [[0, 1], [1, float("nan")], [2, 0]], [False, False, True])
    assert drawn.count("<path") == 2
