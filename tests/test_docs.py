"""What the README shows is what comes out, and what it names is there."""

import contextlib
import io
import re
import subprocess
from pathlib import Path

import pytest

from guerdon import credit, recipes
from strategies import BINARY, OF_PLAYS, REAL, UNIT, VECTORS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
RECIPES = (ROOT / "docs" / "recipes.md").read_text()


PAGES = [
    "credit", "recipes", "rewards", "evidence", "maths", "code", "sandbox", "sql", "logic", "judges", "likelihoods",
]  # fmt: skip


def test_what_the_readme_shows_is_printed():
    assert shown_and_said(README) == 7


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_from_top_to_bottom_and_prints_what_stands_beside(page):
    shown_and_said((ROOT / "docs" / f"{page}.md").read_text())


def shown_and_said(page: str) -> int:
    """Runs the page's blocks of Python in order; beside each `print(...)` a comment says what it prints, and is right.

    What is printed stands in the comment word for word, or the comment has the same numbers in brackets.
    """
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.S))
    beside = re.findall(r"^print\(.*?\) +#(?!.*\) +#)(.*)$", code, re.M)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "page", "exec"), {"__name__": "page"})
    lines = said.getvalue().splitlines()
    assert len(lines) == len(beside), "each print has a comment beside it"
    for line, comment in zip(lines, beside, strict=True):
        listed = re.search(r"\[[-0-9., ]+\]", comment)
        assert line in comment or (listed and numbers(line) == numbers(listed.group())), (line, comment)
    return len(lines)


def numbers(text):
    return [float(x) for x in re.findall(r"-?\d+\.?\d*", text)]


# The pages say what there is.


def test_the_table_of_recipes_is_up_to_date():
    from guerdon.cli.recipes import as_markdown

    rows = [recipes.get(name) for name in recipes.names()]
    assert as_markdown(rows) in RECIPES, "guerdon recipes --markdown prints the table of docs/recipes.md"


def test_every_column_that_a_recipe_needs_is_in_the_vocabulary():
    table = RECIPES[RECIPES.index("## The columns that recipes read") : RECIPES.index("## Told")]
    named = {name for line in table.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line)}
    needed = {name for recipe in map(recipes.get, recipes.names()) for name in recipe.needs}
    assert needed - named == set()
    assert {*UNIT, *REAL, *BINARY, *VECTORS, *OF_PLAYS} - named == set()


def test_every_primitive_is_on_the_page_of_credit():
    page = (ROOT / "docs" / "credit.md").read_text()
    types = {"Baseline", "Clock", "Form", "History", "Key", "Keys", "Scale", "Signal"}  # said by what they are made of
    assert [name for name in credit.__all__ if name not in types and not re.search(rf"\b{name}\b", page)] == []


@pytest.mark.parametrize("page", sorted(set(re.findall(r"\]\(([\w./-]+\.md)[)#]", README))))
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
