import xml.etree.ElementTree as ET

from vitruvius.reports import Bar, gantt


def test_bars_lie_in_their_lanes() -> None:
    bars = [
        Bar("array 1", 0.0, 10.0, "cell", "conv"),
        Bar("array 2", 0.0, 5.0, "net", "conv"),
        Bar("array 1", 10.0, 30.0, "net", "linear"),
    ]
    root = ET.fromstring(gantt(bars, ["array 1", "array 2"], title="a < b"))
    _, *drawn = root.iter("{http://www.w3.org/2000/svg}rect")
    x, y, width = ([float(r.get(name, 0)) for r in drawn] for name in ("x", "y", "width"))
    assert y[0] == y[2] < y[1]
    assert x[0] + width[0] == x[2]
    assert abs(width[2] - 3 * width[0]) < 0.3
    colours = [rect.get("fill") for rect in drawn]
    assert colours[0] != colours[1] == colours[2]


def test_nothing_runs() -> None:
    assert gantt([], ["array 1"]).count("<rect") == 1
