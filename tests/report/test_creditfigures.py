"""The figures of the credit page hold the numbers that they were given."""

import json
import re
from html import unescape

import pytest

from guerdon.report.creditfigures import budgets, chart, curves, failures, identity, plain, times
from guerdon.report.svg import HEIGHT, WIDTH
from made_results import results, row


def ranked():
    return sorted(results()["summary"], key=lambda s: -s["ratio"])


def cells(text):
    return [re.sub(r"<[^>]+>", " ", cell).split() for cell in re.findall(r"<td[^>]*>(.*?)</td>", text)]


def test_the_map_has_a_cell_for_every_pair():
    text = budgets(results(), ranked(), {"grpo": "var(--base)"})
    rows = re.findall(r"<tr.*?</tr>", text)[2:]
    assert len(rows) == 4 and all(len(cells(one)) == 2 + 4 for one in rows)
    exact, gigpo, grpo, seen = (cells(one) for one in rows)
    assert exact[0] == ["20", "15", "to", "30"] and exact[2] == ["20", "100"]
    assert gigpo[2] == ["2.0", "400"] and grpo[2] == ["1.0", "400"]
    assert seen[2] == ["0.50", "cos", ".30"], "not reached: the best cosine stands there"
    assert "up" in rows[1] and "down" in rows[3] and 'class="down no' in rows[3]
    assert rows[2].count(" checked") == 1 and rows[1].count(" checked") == 0


def test_a_pair_that_was_not_measured_has_a_dot():
    found = results()
    found["rows"] = [r for r in found["rows"] if (r["recipe"], r["stage"]) != ("gigpo", "late")]
    assert budgets(found, ranked(), {}).count("not measured here") == 4


def test_the_chart_holds_the_points():
    rows = [row("w", "s", "a", "", 1.0, [0.1, 0.5, 0.92]), row("w", "s", "b", "", 1.0, [-0.3])]
    text = chart(rows, {"a": ""})
    data = {one["id"]: one["points"] for one in json.loads(unescape(re.search(r'data-chart="(.*?)"', text).group(1)))}
    assert [(p[2], p[3]) for p in data["a"]] == [(100, 0.1), (200, 0.5), (400, 0.92)]
    assert all(0 <= p[0] <= WIDTH and 0 <= p[1] <= HEIGHT for points in data.values() for p in points)
    xs = [p[0] for p in data["a"]]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2), "the scale is logarithmic"
    assert text.count('class="curve on"') == 1 and "a ends at 0.92" in text


def test_every_world_and_stage_has_a_picture():
    text = curves(results(), {})
    assert text.count("<svg") == 4 and "<h3>LAKE</h3>" in text and "A corridor. 3 states" in text


def test_failures_name_the_place():
    text = failures(results(), ranked())
    assert 'class="bad">0.30' in text and "chain uniform, chain late, LAKE uniform and 1 more" in text
    assert "chain, uniform [0.40 to 0.60]" in text


def test_what_is_not_known_says_so():
    found = results()
    for one in found["rows"]:
        one["last"]["bias"] = None
    assert failures(found, ranked()).count("not known") == 4


def test_names_and_ratios():
    assert (
        identity({"recipe": "a", "view": ""}) == "a"
        and plain("dir/mine.py:LAKE") == "LAKE"
        and plain("chain") == "chain"
    )
    assert [times(x) for x in (0.994, 0.996, 9.94, 9.96)] == ["0.99", "1.0", "9.9", "10"]
