"""Claims that were run: in processes, as a page, as data."""

import json

import pytest

from guerdon.bench import claimed, claims

SMALL = claims.Effort(seeds=2, share=0.02)


@pytest.fixture(scope="module")
def found():
    """Two quick claims, run in processes; and what was told on the way."""
    told = []
    done = claimed.check_all(("vgpo", "archer"), 0, SMALL, at_once=2, tell=lambda one, left: told.append(left))
    return done, told


def test_claims_in_processes_come_back_in_order(found):
    done, told = found
    assert [one.slug for one in done] == ["vgpo", "archer"]
    assert told == [1, 0]
    assert done[0].result == claimed.check("vgpo", 0, SMALL).result


def test_the_page_has_every_claim_once_and_says_which_hold(found):
    done, _ = found
    page = claimed.markdown(done, 0, SMALL)
    for one in done:
        assert page.count(f"\n## {one.slug}\n") == 1
        row = next(line for line in page.splitlines() if line.startswith(f"| [`{one.slug}`]"))
        assert row.endswith("| yes |" if one.result.holds else "| **no** |")
        assert row.count(" | ") == 4
    assert f"{sum(one.result.holds for one in done)} of 2 hold" in page


def test_a_section_has_every_figure(found):
    for one in found[0]:
        text = "\n".join(claimed.section(one))
        for measured in (one.result.figure, one.result.control, *one.result.rows):
            assert f"| {measured.name} | {measured.number()} |" in text


def test_as_data_it_can_be_written_and_read(found):
    for one in found[0]:
        data = json.loads(json.dumps(claimed.as_json(one)))
        assert data["slug"] == one.slug and data["holds"] == one.result.holds
        assert data["figure"]["values"] == list(one.result.figure.values)
        assert data["seconds"] > 0
