"""The page: needs nothing from outside, shows every part, escapes what it was given, and survives what is missing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from guerdon.errors import RunFolderError
from guerdon.report import write
from guerdon.store import write_batch, write_json

CHROMIUM = Path("/usr/bin/chromium")
SECTIONS = ("methods", "curves", "parts", "dead", "unscored", "optimisation", "trajectories", "how")


class Elements(HTMLParser):
    """Every element with its attributes, and every element that was closed twice or never."""

    VOID = {"meta", "link", "br", "img", "line", "circle", "rect"}

    def __init__(self, text):
        super().__init__()
        self.found, self.open, self.wrong = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append((tag, self.getpos()))


def html(folder):
    return write(folder).read_text(encoding="utf-8")


def charts(text):
    return [json.loads(unescape(data)) for data in re.findall(r'data-chart="([^"]*)"', text)]


def chart(text, title):
    at = text.index(f"<figcaption>{title}</figcaption>")
    return charts(text[at:])[0]


# It stands alone.


@pytest.mark.parametrize("kind", ["run", "compare"])
def test_the_page_asks_for_nothing_from_outside(kind, request):
    text = html(request.getfixturevalue(kind))
    assert not re.search(r"https?://", text)
    for tag, attributes in Elements(text).found:
        assert "src" not in attributes, (tag, attributes)
        assert attributes.get("href", "#").startswith(("#", "data:")), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
    assert "url(" not in text and "@import" not in text
    assert "default-src 'none'" in text


@pytest.mark.parametrize("kind", ["run", "compare"])
def test_every_element_is_closed_and_every_id_is_used_once(kind, request):
    elements = Elements(html(request.getfixturevalue(kind)))
    assert elements.wrong == [] and elements.open == []
    ids = [a["id"] for _, a in elements.found if "id" in a]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for tag, a in elements.found if tag == "a" and a["href"].startswith("#")}
    assert links <= set(ids)


@pytest.mark.parametrize("kind", ["run", "compare"])
def test_all_sections_are_there_in_order(kind, request):
    text = html(request.getfixturevalue(kind))
    at = [text.index(f'<section id="{name}">') for name in SECTIONS]
    assert at == sorted(at)
    assert text.index('class="verdict"') < at[0]


def test_every_chart_has_words_for_those_who_do_not_see_it(compare):
    drawn = [a for tag, a in Elements(html(compare)).found if a.get("class") == "chart"]
    assert len(drawn) >= 10
    assert all(a["role"] == "img" and "against environment steps" in a["aria-label"] for a in drawn)


# What it says.


def test_one_run_is_called_an_illustration(run):
    verdict = re.search(r'class="verdict">(.*?)</p>', html(run))[1]
    assert "one seed, an illustration" in verdict and "15,360 environment steps" in verdict


def test_three_seeds_are_not_called_an_illustration_and_the_bands_are_named(compare):
    text = html(compare)
    verdict = re.search(r'class="verdict">(.*?)</p>', text)[1].replace("\xa0", " ")
    assert "one seed" not in verdict and "Each has 3 seeds" in verdict and "at equal environment steps" in verdict
    assert "Its baseline grpo solves 5 %" in verdict and "Its control milestones-control solves 31 %" in verdict
    assert "its band goes from the lowest to the highest seed" in text


def test_four_seeds_have_t_bands(tmp_path, make):
    assert "95 % t interval" in html(make.compare(tmp_path, seeds=4, iterations=5, batches=False))


def test_unequal_steps_are_said(tmp_path, make):
    make.run(tmp_path / "grpo" / "seed-0", "grpo", batches=False)
    make.run(tmp_path / "pbrs" / "seed-0", "pbrs", batches=False, stretch=2.0)
    write_json(tmp_path / "compare.json", {"recipes": ["grpo", "pbrs"]})
    assert "not at equal environment steps: from 15,360 to 30,720" in html(tmp_path)


def test_the_rows_of_a_family_stand_together_and_name_each_other(compare):
    bodies = [a for tag, a in Elements(html(compare)).found if tag == "tbody"]
    assert [(a["id"], a["class"]) for a in bodies] == [
        ("m-grpo", "baseline"), ("m-milestones", "method"), ("m-milestones-control", "child"),
    ]  # fmt: skip
    assert bodies[1]["data-related"].split() == ["milestones", "grpo", "milestones-control"]


def test_the_points_of_a_curve_are_the_data(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    text = html(run)
    trained = chart(text, "Success in training")["series"]
    assert trained[0]["points"] == [pytest.approx([line["env_steps"], line["success"]]) for line in lines]
    held = chart(text, "Success on held-out tasks")["series"][0]
    expected = [[x["env_steps"], *(x["eval"][k] for k in ("success", "low", "high"))] for x in lines if "eval" in x]
    assert held["points"] == [pytest.approx(p) for p in expected]
    stack = {s["name"]: s["points"][-1][1] for s in chart(text, "milestones: worth per trajectory")["series"]}
    assert stack.pop("sum") == pytest.approx(sum(stack.values()))
    assert stack == {name: pytest.approx(value) for name, value in lines[-1]["parts"].items()}


# Attack.


def test_texts_are_escaped_everywhere(tmp_path, make):
    folder = make.run(tmp_path, recipe=make.attack, told=make.attack, attack=True)
    write_batch(folder / "batches" / "000030.parquet", make.batch(1, tokens=True, attack=True))
    lines = (folder / "metrics.jsonl").read_text().replace('"milestone"', json.dumps(make.attack))
    (folder / "metrics.jsonl").write_text(lines)
    text = html(folder)
    found = [tag for tag, _ in Elements(text).found]
    assert found.count("script") == 1 and "img" not in found
    assert "<script>document.title" not in text and text.count("&lt;script&gt;") > 20


def test_only_our_own_script_may_run(run):
    import base64
    import hashlib

    text = html(run)
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text


# What is missing becomes a sentence.


def test_a_run_that_has_just_begun(tmp_path):
    write_json(tmp_path / "run.json", {"recipe": "grpo", "env": "keydoor"})
    text = html(tmp_path)
    for sentence in (
        "No success of grpo has been measured yet.", "there is no summary.json yet",
        "No reward parts are recorded yet.",
        "No batch was saved", "The run has not finished", "Entropy of the policy: not recorded yet.",
    ):  # fmt: skip
        assert sentence in text


def test_a_compare_folder_without_a_run(tmp_path):
    write_json(tmp_path / "compare.json", {"env": "keydoor", "recipes": ["grpo"]})
    assert "No run has started" in html(tmp_path)


@pytest.mark.parametrize("name", ["run.json", "metrics.jsonl", "summary.json", "batches/000001.parquet"])
@pytest.mark.parametrize("damage", [None, b"", b"\xff\xfe{", b"[1, 2]", b"null"])
def test_any_file_may_be_missing_or_damaged(run, name, damage):
    if damage is None:
        (run / name).unlink()
    else:
        (run / name).write_bytes(damage)
    text = html(run)
    assert all(f'<section id="{s}">' in text for s in SECTIONS)


def test_a_damaged_batch_is_named(run):
    (run / "batches" / "000001.parquet").write_bytes(b"PAR1")
    assert "000001.parquet cannot be read" in html(run)


def test_numbers_that_are_not_numbers_are_left_out(run):
    line = '{"env_steps": 99999, "success": NaN, "parts": 3, "unscored": ["x"], "eval": "soon", "entropy": "high"}\n'
    with open(run / "metrics.jsonl", "a") as file:
        file.write(line + '{"half a li')
    text = html(run)
    assert len(chart(text, "Success in training")["series"][0]["points"]) == 30
    assert "1 line could not be read" in text


def test_a_folder_without_a_run_says_the_way_out(tmp_path):
    with pytest.raises(RunFolderError, match="guerdon train"):
        write(tmp_path)
    with pytest.raises(RunFolderError, match="not a folder"):
        write(tmp_path / "nowhere")


def test_writing_again_replaces_the_page_and_leaves_nothing_behind(run):
    write(run).write_text("old")
    assert "<h1>" in html(run)
    assert not [p for p in run.iterdir() if p.name.startswith(".")]


# Size.


def test_a_page_of_many_long_trajectories_stays_under_three_megabytes(tmp_path, make):
    names = [f"recipe-{i}" for i in range(12)]
    for name in names:
        run = make.run(tmp_path / name / "seed-0", name, iterations=2, batches=False)
        (run / "batches").mkdir()
        write_batch(run / "batches" / "000001.parquet", make.batch(1, steps=100, attack=True))
        shutil.copy(run / "batches" / "000001.parquet", run / "batches" / "000002.parquet")
    write_json(tmp_path / "compare.json", {"recipes": names})
    assert write(tmp_path).stat().st_size < 3_000_000


# A real browser.


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium on this machine")
def test_a_browser_shows_it_without_a_complaint(tmp_path, make):
    page = write(make.compare(tmp_path / "compare", seeds=1, attack=True, iterations=5))
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr",
        "--window-size=1280,1600",
    ]  # fmt: skip
    done = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    assert "CONSOLE" not in done.stderr
    assert 'class="choose"' in done.stdout, "our script did not run"
    assert "<title>keydoor" in done.stdout, "a text of the environment ran as a script"
    assert len(re.findall(r'<section class="panel"[^>]*hidden', done.stdout)) == 2, "one method of three is shown"
    assert len(re.findall(r'<article class="play"[^>]*hidden', done.stdout)) == 5, (
        "one of its six trajectories is shown"
    )
    shot = tmp_path / "page.png"
    subprocess.run([*command, f"--screenshot={shot}", page.as_uri()], capture_output=True, timeout=60, check=True)
    assert shot.stat().st_size > 20_000
