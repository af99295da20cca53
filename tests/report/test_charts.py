"""charts: every figure of the page is drawn from the folder, or says in words that there is nothing."""

import pytest

from guerdon.report import charts
from guerdon.report.data import read


@pytest.fixture
def folder(compare):
    return read(compare)


@pytest.mark.parametrize("draw", [charts.learning, charts.parts, charts.dead, charts.optimisation])
def test_a_chart_is_an_image_with_a_name_for_those_who_cannot_see_it(folder, draw):
    html = draw(folder)
    assert html.count("<svg") >= 1
    assert html.count("<svg") == html.count("</svg>")
    assert 'role="img"' in html
    assert "aria-label" in html or "<title" in html


def test_every_method_is_named_beside_the_curves(folder):
    html = charts.learning(folder)
    assert all(method.name in html for method in folder.methods)


def test_the_band_says_what_it_is(folder):
    assert "seed" in charts.bands(folder)
