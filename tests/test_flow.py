"""The tree is the flow: what may import what, what is tested, documented and left out."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import guerdon

TESTS = Path(__file__).parent
ROOT = TESTS.parent / "src" / "guerdon"
STAGES = guerdon.STAGES

# An import of a later stage that is meant, and why.
ALLOWED = {
    (
        "batch.py",
        "collate",
    ): "Batch.of and its kin are short names of functions about the same type; imported when called",
}
# A module whose tests are in another file, and why.
TESTED_IN = {
    "environments/base.py": "environments/test_environments.py",  # a protocol: every environment is held to it there
}


def modules(root: Path = ROOT) -> list[Path]:
    """Every source file, in order."""
    return sorted(root.rglob("*.py"))


def stage_of(path: Path, root: Path = ROOT) -> str:
    """The first folder or file name under the package."""
    return path.relative_to(root).parts[0].removesuffix(".py")


def imports(path: Path, root: Path = ROOT):
    """Which stage each import in the file is of, wherever in the file it stands; with its line."""
    package = path.relative_to(root.parent).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            up = list(package[: len(package) - node.level + 1]) if node.level else []
            module = [*up, *(node.module.split(".") if node.module else [])]
            names = [[*module, alias.name] for alias in node.names]
        for name in names:
            if name[0] == "guerdon" and len(name) > 1:
                yield name[1], node.lineno


def backward_imports(root: Path = ROOT, stages=STAGES) -> list[str]:
    """Every import of a later stage, as file, line and stage."""
    wrong = []
    for path in modules(root):
        name = str(path.relative_to(root))
        if name == "__init__.py" or stage_of(path, root) not in stages:
            continue  # the public names, in flow order; a stage that is not listed fails a test of its own
        own = stages.index(stage_of(path, root))
        for stage, line in imports(path, root):
            if stage in stages and stages.index(stage) > own and (name, stage) not in ALLOWED:
                wrong.append(f"{name}:{line} imports {stage}, a later stage")
    return wrong


# The order of the stages.


def test_no_stage_imports_a_later_one():
    assert backward_imports() == []


def test_every_file_belongs_to_a_stage():
    found = {stage_of(path) for path in modules()} - {"__init__", "__main__", "py"}
    assert found - set(STAGES) == set(), "add it to STAGES in guerdon/__init__.py, at its place in the flow"


def test_what_is_allowed_is_still_needed():
    used = {(str(p.relative_to(ROOT)), stage) for p in modules() for stage, _ in imports(p)}
    assert set(ALLOWED) <= used


@pytest.mark.parametrize(
    "line",
    [
        "from guerdon.training import loop",
        "from guerdon import training",
        "import guerdon.training.loop",
        "from ..training import loop",
        "from .. import training",
        "def f():\n    from guerdon.training.loop import run",
        "if TYPE_CHECKING:\n    from guerdon import training",
    ],
)
def test_a_planted_backward_import_is_found(tmp_path, line):
    root = tmp_path / "guerdon"
    (root / "credit").mkdir(parents=True)
    (root / "training.py").write_text("from guerdon.credit import center\nfrom guerdon import errors\n")
    (root / "credit" / "center.py").write_text(
        "import guerdon\nfrom guerdon.segments import total\nfrom . import compare\n"
    )
    assert backward_imports(root) == []
    (root / "credit" / "center.py").write_text(line)
    at = line.count("\n") + 1
    assert backward_imports(root) == [f"credit/center.py:{at} imports training, a later stage"]


# Importing is light.


def fresh(code: str) -> str:
    """What the code prints in a new interpreter."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT.parent)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


HEAVY = (
    "torch", "transformers", "pandas", "scipy", "trl", "verl", "textworld", "tensorboard", "typer", "matplotlib",
    "sympy", "math_verify", "duckdb", "z3", "jsonschema", "httpx", "fastapi", "uvicorn", "prometheus_client", "ray",
)  # fmt: skip
FAMILIES = ", ".join(sorted(guerdon.evidence.FAMILIES - {"likelihoods"}))  # that one needs torch
LOADED = f"import sys; print(sorted({{m.split('.')[0] for m in sys.modules}} & set({HEAVY})))"


@pytest.mark.parametrize(
    "what",
    [
        "import guerdon",
        "from guerdon import batch, collate, records, segments, store",
        "import guerdon.credit, guerdon.rewards",
        "import guerdon.objectives",
        "import guerdon.recipes, guerdon.recipes.grpo",
        "import guerdon.environments.keydoor",
        f"from guerdon.evidence import {FAMILIES}",
        "import guerdon.server",
    ],
)
def test_the_core_loads_no_heavy_library(what):
    assert fresh(f"{what}; {LOADED}") == "[]"


def test_the_check_above_can_fail():
    assert fresh(f"import typer; {LOADED}") == "['typer']"


@pytest.mark.speed
def test_importing_takes_little_beside_its_dependencies():
    before = "import time, numpy, pyarrow, pyarrow.parquet, jaxtyping"
    code = f"{before}; t = time.process_time(); import guerdon; print(time.process_time() - t)"
    assert min(float(fresh(code)) for _ in range(3)) < 0.3


# Every module has its test file.


def expected_test(path: Path) -> Path:
    """The test file that mirrors a module."""
    name = path.relative_to(ROOT)
    if name.parts[:2] == ("bench", "claims"):  # like recipes: found by their files, all held to one test
        return TESTS / "bench" / "test_claims.py"
    return TESTS / TESTED_IN.get(str(name), name.parent / f"test_{name.name}")


MIRRORED = [p for p in modules() if p.name not in ("__init__.py", "__main__.py") and stage_of(p) != "recipes"]


@pytest.mark.parametrize("path", MIRRORED, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_has_a_test_file_with_tests(path):
    test = expected_test(path)
    assert test.exists(), f"{test.relative_to(TESTS)} is missing"
    assert "def test_" in test.read_text()


def test_recipes_share_one_conformance_test():
    if (ROOT / "recipes").exists():
        assert list((TESTS / "recipes").glob("test_*.py")), "tests/recipes holds the conformance test of all recipes"


def test_every_test_file_mirrors_something():
    sources = {expected_test(p) for p in modules()} | {TESTS / "test_flow.py", TESTS / "test_docs.py"}
    sources |= {source.with_stem(f"{source.stem}_attacks") for source in sources}
    extra = [
        str(p.relative_to(TESTS))
        for p in TESTS.rglob("test_*.py")
        if p not in sources
        and p.relative_to(TESTS).parts[0] not in ("recipes", "end_to_end", "bench")
        and not p.name.startswith("test_agreement")
    ]
    assert extra == [], "a test file bears the name of the module that it tests"


# Every public name is documented.


def undocumented(tree: ast.Module, name: str, known: frozenset[str] = frozenset()) -> list[str]:
    """Public functions, classes and methods, and the module, without a docstring.

    A method in `known` has its docstring in the protocol that the class implements.
    """
    missing = [] if ast.get_docstring(tree) else [name]

    def visit(node, inside):
        for child in node.body:
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not child.name.startswith(
                "_"
            ):
                setter = any(
                    isinstance(d, ast.Attribute) and d.attr in ("setter", "overload") for d in child.decorator_list
                )
                told = setter or (inside and child.name in known)
                if not ast.get_docstring(child) and not told:
                    missing.append(f"{name}:{child.lineno} {inside}{child.name}")
                if isinstance(child, ast.ClassDef):
                    visit(child, f"{inside}{child.name}.")

    visit(tree, "")
    return missing


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_public_names_have_a_docstring(path):
    known = protocol_names(path.parent / "base.py") if path.name != "base.py" else frozenset()
    assert undocumented(ast.parse(path.read_text()), str(path.relative_to(ROOT)), known) == []


def protocol_names(base: Path) -> frozenset[str]:
    """The methods that the protocols of a stage document, once for all that implement them."""
    classes = [n for n in ast.parse(base.read_text()).body if isinstance(n, ast.ClassDef)] if base.exists() else []
    methods = [m for c in classes for m in c.body if isinstance(m, ast.FunctionDef)]
    return frozenset(m.name for m in methods if ast.get_docstring(m))


def test_a_name_without_a_docstring_is_found():
    code = '"""m"""\ndef f(): pass\nclass C:\n    """c"""\n    def g(self): pass\n    def _h(self): pass\n'
    assert undocumented(ast.parse(code), "m.py") == ["m.py:2 f", "m.py:5 C.g"]
    assert undocumented(ast.parse("x = 1"), "m.py") == ["m.py"]


# What is left out of the source.

# Where something else's code runs, whatever it raises ends in a record or in a sentence.
BROAD_EXCEPT = (
    "rollouts", "evidence", "environments/vector.py", "environments/child.py", "environments/__init__.py",
    "server/scoring.py", "server/scorer.py",
)  # fmt: skip


def forbidden(tree: ast.Module, name: str) -> list[str]:
    """`print` outside the command line, `hasattr`, `assert`, and broad `except` outside the boundary."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            found.append(f"{name}:{node.lineno} assert")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "hasattr" or (node.func.id == "print" and not name.startswith("cli")):
                found.append(f"{name}:{node.lineno} {node.func.id}")
        elif isinstance(node, ast.ExceptHandler) and not name.startswith(BROAD_EXCEPT):
            caught = "all" if node.type is None else ast.unparse(node.type)
            if caught in ("all", "Exception", "BaseException"):
                found.append(f"{name}:{node.lineno} broad except")
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_source_has_none_of_what_we_leave_out(path):
    assert forbidden(ast.parse(path.read_text()), str(path.relative_to(ROOT))) == []


def test_what_we_leave_out_is_found():
    tree = ast.parse("assert x\nprint(1)\nhasattr(x, 'y')\ntry:\n    pass\nexcept Exception:\n    pass\n")
    expected = ["a.py:1 assert", "a.py:2 print", "a.py:3 hasattr", "a.py:6 broad except"]
    assert forbidden(tree, "credit/a.py") == [f"credit/{line}" for line in expected]
    assert forbidden(tree, "cli/a.py") == [f"cli/{line}" for line in expected if "print" not in line]
    assert forbidden(tree, "rollouts/a.py") == [f"rollouts/{line}" for line in expected if "broad" not in line]


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_can_be_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) < 400
    long = [
        f"{node.name} has {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and _body_lines(node) > 60 and stage_of(path) not in ("cli", "report")
    ]
    assert long == [], "under 60 lines without the docstring"


def _body_lines(node: ast.FunctionDef) -> int:
    docstring = node.body[0].end_lineno - node.body[0].lineno + 1 if ast.get_docstring(node) else 0
    return node.end_lineno - node.lineno + 1 - docstring
