"""The page of a credit measurement, from results made by hand."""

import re
from html.parser import HTMLParser

import pytest

from guerdon import store
from guerdon.errors import RunFolderError
from guerdon.report.credit import page, verdict, write
from made_results import results


class Reader(HTMLParser):
    """Which tags are open, and every link to a place of the page."""

    VOID = ("meta", "link", "input", "br", "line", "circle", "path")

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.jumps = [], set(), set()

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        self.ids.add(own.get("id"))
        if tag == "a":
            self.jumps.add(own["href"].removeprefix("#"))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else():
    text, reader = page(results()), Reader()
    reader.feed(text)
    assert reader.open == [] and reader.jumps <= reader.ids
    assert not re.search(r'(src|href)="(?!#|data:)', text) and "@import" not in text and "url(" not in text


def test_the_verdict_says_what_the_numbers_say():
    found = results()
    ranked = sorted(found["summary"], key=lambda s: -(s["ratio"] or 0))
    said = verdict(found, ranked)
    assert "20 times fewer" in said, "the exact advantage"
    assert "Of those told no more than states, gigpo, whole state is best with 2.0 times fewer (95 % 1.5 to 3.0" in said
    assert "worst 0.50 in chain, late" in said
    assert "1 of 2 need more steps than grpo" in said


def test_names_are_text_not_markup():
    text = page(results(name="<script>alert(1)</script>"))
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text


def test_it_says_what_was_not_measured_and_how_it_was_run():
    text = page(results())
    assert "needs influence" in text and "(in chain)" in text
    assert "guerdon bench credit --out x" in text and "the exact advantage through" in text


def test_it_is_written_beside_the_results(tmp_path):
    with pytest.raises(RunFolderError):
        write(tmp_path)
    store.write_json(tmp_path / "results.json", results())
    assert write(tmp_path).read_text() == page(results())
