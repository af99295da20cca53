"""What the README shows is what comes out, and what it names is there."""

import contextlib
import io
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_twenty_lines_print_what_stands_beside_them():
    code = re.search(r"```python\n(.*?)```", README, re.S).group(1)
    shown = re.findall(r"print\(.*#.*?(\[[-0-9. ]+\])", code)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "README.md", "exec"), {})
    assert len(shown) == 3
    assert [numbers(line) for line in said.getvalue().splitlines()] == [numbers(text) for text in shown]


def numbers(text):
    return [float(x) for x in re.findall(r"-?\d+\.?\d*", text)]


@pytest.mark.parametrize("page", sorted(set(re.findall(r"\]\(([\w./-]+\.md)\)", README))))
def test_every_page_that_the_readme_links_is_there(page):
    assert (ROOT / page).is_file()


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    pages = [README, (ROOT / "CONTRIBUTING.md").read_text(), *(p.read_text() for p in (ROOT / "docs").glob("*.md"))]
    named = {name for page in pages for name in re.findall(r"(?:`|^)make ([a-z]+)", page, re.M)}
    assert {"demo", "test"} <= named
    assert named <= targets


def test_make_alone_lists_the_targets():
    said = subprocess.run(["make", "-C", ROOT], capture_output=True, text=True, check=True).stdout
    assert "make demo" in said and "make test" in said


def test_the_table_of_the_readme_is_the_one_that_make_runs():
    command = re.search(r"guerdon compare --env keydoor --recipes grpo,rloo.*?runs/table", README, re.S).group(0)
    recipe = re.search(
        r"guerdon (compare --env keydoor --recipes grpo,rloo.*?runs/table)", (ROOT / "Makefile").read_text(), re.S
    ).group(1)
    assert command.replace("\\\n", " ").split()[1:] == recipe.replace("\\\n", " ").split()
