"""parse: how operators bind and group, and that no text overflows the stack."""

import sys

import pytest

from guerdon.evidence.logic.parsing import Close, FormulaError, Infix, Open, Operand, Prefix, parse

RULES = (
    (r"\(", lambda _: Open()), (r"\)", lambda _: Close()), (r"-", lambda _: Prefix(lambda a: f"-{a}")),
    (r"\+", lambda _: Infix(1, lambda a, b: f"({a}+{b})")), (r"\*", lambda _: Infix(2, lambda a, b: f"({a}*{b})")),
    (r"\^", lambda _: Infix(3, lambda a, b: f"({a}^{b})", right=True)), (r"[a-z]", lambda f: Operand(f[0].strip())),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("a", "a"), ("a+b*c", "(a+(b*c))"), ("a*b+c", "((a*b)+c)"), ("a+b+c", "((a+b)+c)"), ("a^b^c", "(a^(b^c))"),
     ("-a*b", "(-a*b)"), ("--a", "--a"), (" ( a + b ) * c ", "((a+b)*c)"), ("a*-b", "(a*-b)"), ("-(a+b)", "-(a+b)")],
)  # fmt: skip
def test_trees(text, wanted):
    assert parse(text, RULES) == wanted


@pytest.mark.parametrize(
    "text", ["", " ", "+", "a+", "a b", "(a", "a)", "a(b", "()", "a?", "-", "a" * 30_000, "-" * 99 + "a"]
)
def test_refused(text):
    with pytest.raises(FormulaError, match=r"parse: .*; "):
        parse(text, RULES)


def test_the_stack_is_never_used_up():
    before = sys.getrecursionlimit()
    with pytest.raises(FormulaError):
        parse("(" * 9000 + "a" + ")" * 9001, RULES)
    assert parse("(" * 9000 + "a" + ")" * 9000, RULES) == "a" and sys.getrecursionlimit() == before
