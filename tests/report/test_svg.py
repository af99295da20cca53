"""Charts: the places of points are the data, and odd data still gives a chart."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from guerdon.report import svg
from guerdon.report.svg import Axes, Series, Style


def line(*ys, name="a"):
    return Series(name, tuple((float(i), y, None, None) for i, y in enumerate(ys)), Style("red"))


def places(text, selector):
    path = ElementTree.fromstring(text).find(selector).attrib["d"]
    numbers = [float(v) for v in re.findall(r"-?[\d.]+", path)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def test_points_are_where_the_axes_put_them():
    text = svg.lines([line(0.0, 0.25, 1.0)], title="t", x_label="x", percent=True)
    axes = Axes(0, 2, 0, 1)
    expected = [(axes.px(x), axes.py(y)) for x, y in ((0, 0), (1, 0.25), (2, 1))]
    assert places(text, ".//g[@class='line']/path") == [pytest.approx(p, abs=0.06) for p in expected]


def test_layers_of_a_stack_touch_and_negative_ones_hang_below_zero():
    text = svg.stacked(
        [line(1.0, 2.0, name="a"), line(3.0, 1.0, name="b"), line(-1.0, -2.0, name="c")], title="t", x_label="x"
    )
    a, b, c = (places(text, f".//path[@data-name='{n}']") for n in "abc")
    assert a[:2] == b[:1:-1], "the top of a is the bottom of b"
    assert a[2][1] == c[2][1], "both begin at zero"
    assert all(low > zero for (_, low), (_, zero) in zip(c[:2], c[:1:-1], strict=True))


@pytest.mark.parametrize(
    "ys", [(0.0,), (5.0,), (-3.0, -3.0), (0.0, 0.0), (1e-12, 2e-12), (1e12, -1e12), (1.0, 1.0 + 1e-15)]
)
def test_flat_single_tiny_and_huge_data_still_give_a_chart(ys):
    for percent in (False, True):
        root = ElementTree.fromstring(svg.lines([line(*ys)], title="t", x_label="x", percent=percent))
        assert "nan" not in ElementTree.tostring(root).decode()
    assert "nan" not in svg.stacked([line(*ys)], title="t", x_label="x")


def test_ticks_are_round_and_inside():
    assert svg.ticks(0, 100) == [0, 20, 40, 60, 80, 100]
    assert svg.ticks(-0.2, 0.1) == [-0.2, -0.1, 0.0, 0.1]
    assert all(3 <= v <= 17 for v in svg.ticks(3, 17))


def test_names_are_escaped():
    text = svg.lines([line(0.0, 1.0, name='<b>"&')], title="<i>", x_label="<u>")
    ElementTree.fromstring(text)
    assert "<b>" not in text and "<i>" not in text and "<u>" not in text


def test_the_whisker_stays_on_its_rail():
    for value, low, high in ((0.0, 0.0, 0.1), (1.0, 0.9, 1.0), (0.5, None, None), (1.2, -1.0, 2.0)):
        root = ElementTree.fromstring(svg.whisker(value, low, high))
        at = [float(e.attrib[k]) for e in root for k in ("x1", "x2", "cx") if k in e.attrib]
        assert all(3 <= x <= 97 for x in at)
