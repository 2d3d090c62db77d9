import re
import xml.etree.ElementTree as ET

from vitruvius.reports import RooflinePoint, roofline


def test_points_lie_below_the_roof() -> None:
    points = [
        RooflinePoint("conv <3x3>", 40.0, 150.0, "array", 3.0),
        RooflinePoint("linear", 1.0, 8.0, "dram", 1.0),
        RooflinePoint("pooling", 0.0, 0.0, "array", 1.0),
    ]
    drawing = roofline(points, peak=168.0, bandwidth=8.0, title="a & b")
    root = ET.fromstring(drawing)
    circles = [
        e for e in root.iter("{http://www.w3.org/2000/svg}circle") if float(e.get("r", 0)) > 5
    ]
    # Those of the legend are smaller, and what has no products is left out.
    assert len(circles) == 2
    assert "conv &lt;3x3&gt;" in drawing
    (line,) = re.findall(r'polyline points="([^"]*)"', drawing)
    _, (ridge_x, roof), (_, flat) = (tuple(map(float, p.split(","))) for p in line.split())
    assert roof == flat
    for circle in circles:
        assert float(circle.get("cy", 0)) >= roof
    # The first is right of the ridge, 21 multiply-adds a byte, the second left of it.
    first, second = (float(circle.get("cx", 0)) for circle in circles)
    assert second < ridge_x < first
