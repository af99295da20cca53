"""What a unit-test file needs and the harness cannot serve, found by reading the file before anything is run.

It is found in the file alone, never in what happens: were it found while the tests run, a program that is wrong could
lead the tests there and be unscored instead of 0.
"""

from __future__ import annotations

import ast
import builtins
import symtable
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from guerdon.evidence.code.inside import pytest_like

SERVED = {"raises", "approx", "fail", "mark"}
RAISED = {"value", "type", "match"}  # of what `with pytest.raises(...) as seen` gives
HOOKS = {"setup_module", "teardown_module", "setup_function", "teardown_function"}
CLASS_HOOKS = {"setup_class", "teardown_class"}
SKIPS = {
    f"unittest.{name}" for name in ("skip", "skipIf", "skipUnless", "SkipTest", "expectedFailure", "case.SkipTest")
}
METHODS = {"skipTest", "assertWarns", "assertWarnsRegex", "assertLogs", "assertNoLogs"}
STREAMS = {"contextlib.redirect_stdout", "contextlib.redirect_stderr", "warnings.catch_warnings"}
RUNNERS = {
    f"asyncio.{name}" for name in ("run", "gather", "wait", "wait_for", "create_task", "ensure_future", "shield")
}
INSIDE = {
    "__annotations__", "__bases__", "__class__", "__closure__", "__code__", "__defaults__", "__doc__", "__module__",
    "__mro__", "__subclasses__", "__wrapped__",
}  # fmt: skip
UNSENT = {
    "array.array", "collections.UserDict", "collections.UserList", "collections.deque", "ipaddress.ip_address",
    "ipaddress.ip_network", "types.MappingProxyType", "types.SimpleNamespace", "zoneinfo.ZoneInfo",
}  # fmt: skip
EQUALS = {"assertEqual", "assertEquals", "assertNotEqual", "assertIn", "assertCountEqual", "assertSequenceEqual"}
LOOKING = ("inspect.", "dataclasses.", "typing.get_type_hints", "pickle.")


@dataclass
class Names:
    """What the names of a file stand for.

    Attributes:
        program: the modules by which the file finds the program.
        origin: imported names, and where each is from: `{"pt": "pytest", "skip": "unittest.skip"}`.
        own: functions and classes that the file defines.
        bound: variables and parameters.
        raised: variables that hold what `pytest.raises` gives.
        caught: variables that hold an exception.
        stars: whether it imports all names of another module than the program.
        explicit: whether it imports the program by name, and never all of its names.
    """

    program: set[str]
    origin: dict[str, str] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    raised: set[str] = field(default_factory=set)
    caught: set[str] = field(default_factory=set)
    stars: bool = False
    explicit: bool = False

    def dotted(self, node: ast.AST) -> str:
        """`unittest.skip`, by whatever names it was imported; empty for what was not imported."""
        if isinstance(node, ast.Name):
            return self.origin.get(node.id, "")
        if isinstance(node, ast.Attribute):
            above = self.dotted(node.value)
            return f"{above}.{node.attr}" if above else ""
        return ""

    def of_program(self, node: ast.AST) -> bool:
        """Whether the first name of an expression is the program's: imported from it, or bound nowhere in the file."""
        name = _root(node)
        if name in self.origin:
            return self.origin[name].split(".")[0] in self.program
        known = self.own | self.bound | vars(builtins).keys()
        return bool(name) and name not in known and not self.stars

    def of_library(self, node: ast.AST) -> bool:
        """Whether the first name of an expression was imported, and not from the program."""
        name = _root(node)
        return name in self.origin and self.origin[name].split(".")[0] not in self.program

    def awaited(self, node: ast.AST) -> bool:
        """Whether a coroutine of the program may be in an expression: it calls what the file does not define."""
        if isinstance(node, ast.Name):
            return node.id not in self.own
        calls = [each.func for each in ast.walk(node) if isinstance(each, ast.Call)]
        return any(not self._harmless(func) for func in calls)

    def _harmless(self, func: ast.AST) -> bool:
        name = _root(func)
        if isinstance(func, ast.Attribute) and name in ("self", "cls"):
            return func.attr in self.own
        return self.of_library(func) or name in self.own or (name in vars(builtins) and name not in self.bound)


def modules(file: str) -> set[str]:
    """The names under which the program is found by the tests of a file.

    Example:
        >>> sorted(modules("tests/test_stack.py"))
        ['candidate', 'main', 'program', 'solution', 'stack']
    """
    stem = file.rsplit("/", 1)[-1].removesuffix(".py")
    names = {stem.removeprefix("test_").removesuffix("_test"), "solution", "main", "program", "candidate"}
    return names - set(sys.stdlib_module_names)


def unserved(file: str, text: str) -> str | None:
    """Why a unit-test file cannot be served, whatever the program: half a sentence that names it; None where it can.

    A name that the file neither defines nor imports is the program's to provide, unless the file imports the program by
    name (`from x import f`, `import x`): it then says where its names are from, and the name is its own mistake.

    Args:
        file: the name of it, which says what the program is called.
        text: of the file.

    Example:
        >>> unserved("test_x.py", "import pytest\\n@pytest.fixture\\ndef five(): return 5\\n")
        'it uses pytest.fixture, which is not served'
        >>> unserved("test_x.py", "from x import f\\ndef test_a(): assert f(two) == 4\\n")
        'it uses the name two, which it neither defines nor imports'
        >>> unserved("test_x.py", "def test_a(): assert f(2) == 4\\n") is None
        True
    """
    try:
        symtable.symtable(text, file, "exec")
        return _unserved(file, text)
    except (SyntaxError, ValueError, RecursionError) as error:
        return f"it is not Python that can be read: {error}"


def _unserved(file: str, text: str) -> str | None:
    tree = ast.parse(text)
    nodes = list(run_nodes(tree))
    names = _names(nodes, modules(file))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in HOOKS:
            return f"it has {node.name}, which is not served"
    for node in nodes:
        for look in _LOOKS:
            why = look(node, names)
            if why:
                return why
    return _unbound(file, text, nodes, names)


def run_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every part of a file but what is under `if __name__ == ...`, in the order of the file.

    Example:
        >>> tree = ast.parse("import a\\nif __name__ == '__main__':\\n    import b\\n")
        >>> [node.names[0].name for node in run_nodes(tree) if isinstance(node, ast.Import)]
        ['a']
    """
    left = [tree]
    while left:
        node = left.pop()
        if not is_guard(node):
            yield node
            left.extend(reversed(list(ast.iter_child_nodes(node))))


def is_guard(node: ast.AST) -> bool:
    """Whether a part is `if __name__ == "__main__":`, which is not run.

    Example:
        >>> is_guard(ast.parse("if __name__ == '__main__': pass").body[0])
        True
    """
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Compare)
        and isinstance(node.test.left, ast.Name)
        and node.test.left.id == "__name__"
    )


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _names(nodes: list[ast.AST], program: set[str]) -> Names:
    names, all_of_it = Names(program), False
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                names.origin[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
                names.explicit |= alias.name.split(".")[0] in program
        elif isinstance(node, ast.ImportFrom):
            ours, star = (node.module or "").split(".")[0] in program, node.names[0].name == "*"
            names.explicit, all_of_it = names.explicit or ours, all_of_it or (ours and star)
            names.stars |= star and not ours
            names.origin |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names if not star}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.own.add(node.name)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.bound.add(node.id)
        elif isinstance(node, ast.arg):
            names.bound.add(node.arg)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.bound.add(node.name)
            names.caught.add(node.name)
    names.explicit = names.explicit and not all_of_it and not names.stars
    for node in nodes:  # by now it is known what `raises` is
        value = node.context_expr if isinstance(node, ast.withitem) else getattr(node, "value", None)
        if isinstance(value, ast.Call) and names.dotted(value.func) == "pytest.raises":
            held = [node.optional_vars] if isinstance(node, ast.withitem) else getattr(node, "targets", [])
            names.raised |= {each.id for each in held if isinstance(each, ast.Name)}
    return names


# What is looked for, part by part.


def _imports(node: ast.AST, names: Names) -> str:
    if isinstance(node, ast.ImportFrom):
        if node.level:
            return f"it imports from {'.' * node.level}{node.module or ''}, and is part of no package"
        return next((why for a in node.names if (why := _name_of(f"{node.module}.{a.name}"))), "")
    return _name_of(names.dotted(node)) if isinstance(node, ast.Attribute) else ""


def _name_of(dotted: str) -> str:
    parts = dotted.split(".")
    if parts[0] == "pytest" and len(parts) > 1 and parts[1] not in SERVED and parts[1] != "*":
        return f"it uses pytest.{parts[1]}, which is not served"
    if parts[:2] == ["pytest", "mark"] and parts[2:3] and parts[2] in pytest_like.UNSERVED_MARKS:
        return f"it uses pytest.mark.{parts[2]}, which is not served"
    if dotted in SKIPS:
        return f"it uses {dotted}, and tests that are left out are not served"
    if dotted in STREAMS:
        return f"it uses {dotted}, which does not reach the program: it runs in a process of its own"
    return ""


def _methods(node: ast.AST, names: Names) -> str:
    if not isinstance(node, ast.Attribute):
        return ""
    if node.attr in METHODS and not names.of_library(node):
        return f"it uses {node.attr}, which is not served"
    if isinstance(node.value, ast.Name) and node.value.id in names.raised and node.attr not in RAISED:
        return f"it asks what pytest.raises gives for {node.attr}, which is not served"
    if isinstance(node.ctx, ast.Store) and names.of_library(node) and _root(node) not in names.bound:
        return f"it sets {names.dotted(node)} in the process of the tests; the program runs in its own"
    if node.attr in INSIDE and names.of_program(node):
        return f"it asks for {node.attr} of the program, which is not served"
    return ""


def _classes(node: ast.AST, names: Names) -> str:
    if not isinstance(node, ast.ClassDef):
        return ""
    for base in node.bases:
        name = ast.unparse(base)
        if names.of_program(base) and not name.endswith(("Error", "Exception", "Warning")):  # those are real classes
            return f"its class {node.name} derives from {name} of the program, and subclasses are not served"
    hook = next((n.name for n in node.body if isinstance(n, ast.FunctionDef) and n.name in CLASS_HOOKS), "")
    return hook and f"it has {hook}, which is not served"


def _awaits(node: ast.AST, names: Names) -> str:
    parts: list[ast.AST] = []
    if isinstance(node, ast.Await):
        parts = [node.value]
    elif isinstance(node, ast.AsyncFor):
        parts = [node.iter]
    elif isinstance(node, ast.AsyncWith):
        parts = [item.context_expr for item in node.items]
    elif isinstance(node, ast.Call):
        runs = isinstance(node.func, ast.Attribute) and node.func.attr in ("run_until_complete", "create_task")
        parts = list(node.args) if runs or names.dotted(node.func) in RUNNERS else []
    found = next((part for part in parts if names.awaited(part)), None)
    return f"it awaits {ast.unparse(found)[:80]}, and coroutines of the program are not served" if found else ""


def _compares(node: ast.AST, names: Names) -> str:
    sides: list[ast.AST] = []
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in EQUALS:
        sides = list(node.args)
    while sides:
        side = sides.pop()
        if isinstance(side, ast.Call):
            dotted = names.dotted(side.func)
            if dotted in UNSENT:
                return f"it compares with a {dotted}, which does not go between the processes by value"
            if not dotted:  # of `list(deque(...))` the list is compared
                continue
        sides.extend(ast.iter_child_nodes(side))
    return ""


def _calls(node: ast.AST, names: Names) -> str:
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        kinds = [s for s in sides if isinstance(s, ast.Call) and isinstance(s.func, ast.Name) and s.func.id == "type"]
        if kinds and any(not isinstance(s, ast.Call) and names.of_program(s) for s in sides):
            return "it compares a type with a class of the program, which is not served; isinstance is"
    if not isinstance(node, ast.Call):
        return ""
    handed = next((a.id for a in node.args if isinstance(a, ast.Name) and a.id in names.caught), None)
    if handed and names.of_program(node.func):
        return f"it gives the program the exception {handed}, which cannot be sent"
    dotted, first = names.dotted(node.func), node.args[0] if node.args else None
    if isinstance(node.func, ast.Name) and node.func.id == "issubclass" and any(map(names.of_program, node.args)):
        return "it asks issubclass of a class of the program, which is not served"
    if dotted.startswith(LOOKING) and any(map(names.of_program, node.args)):
        return f"it asks {dotted} what the program is made of, which is not served"
    if dotted.startswith("unittest.mock.patch") and first is not None:
        text = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
        if names.of_library(first) or (text and text.split(".")[0] not in names.program):
            return f"it patches {text or ast.unparse(first)} in the process of the tests; the program runs in its own"
    if dotted == "pytest.raises" and len(node.args) < 2:
        more = next((k.arg for k in node.keywords if k.arg not in ("expected_exception", "match")), "")
        return f"it gives pytest.raises {more}, which is not served" if more else ""
    return ""


def _unbound(file: str, text: str, nodes: list[ast.AST], names: Names) -> str | None:
    """The first name that nothing in the file binds, where it is the file's own mistake."""
    known, read = set(vars(builtins)), set()
    left = [symtable.symtable(text, file, "exec")]
    while left:
        scope = left.pop()
        left.extend(scope.get_children())
        for symbol in scope.get_symbols():
            everywhere = scope.get_type() == "module" or symbol.is_global()
            if everywhere and (symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()):
                known.add(symbol.get_name())
            elif everywhere and symbol.is_referenced():
                read.add(symbol.get_name())
    seen = [n.id for n in nodes if isinstance(n, ast.Name) and n.id in read - known and not n.id.startswith("__")]
    wrong = next((name for name in seen if names.explicit or name in ("pytest", "unittest")), None)
    return wrong and f"it uses the name {wrong}, which it neither defines nor imports"


_LOOKS = (_imports, _methods, _classes, _awaits, _compares, _calls)
