"""A judge that may compute before it says yes or no: it names a tool, a program runs it, and it reads what came out."""

from __future__ import annotations

import ast
import asyncio
import operator
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from numbers import Real
from typing import Any

from guerdon.evidence.judges.client import NoReply
from guerdon.evidence.judges.fence import Malformed, harmless, one_of, prompt, read, words
from guerdon.evidence.judges.forms import WORDS
from guerdon.evidence.judges.votes import Ask, Votes
from guerdon.records import Verdict

Tool = Callable[[str], str]
SHOWN = 4000  # characters of what a tool gives
BITS = 4096  # of a number in the calculator
_SUMS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


@dataclass(frozen=True)
class WithTools:
    """Yes or no after at most so many uses of tools: 1 or 0, unscored where the judge says that it does not know.

    What a tool gives is shown to the judge between marks, as data. A tool that raises, or that takes too long, is
    told to it as such: a fault of a tool may leave it not knowing, and that is unscored, never no.

    Attributes:
        task: what is judged.
        question: what is asked.
        tools: by name; each takes text and returns text. One that runs code has to do so in a sandbox of its own.
        told: for each tool, what it is for and what it takes.
        turns: uses of tools at most; a judge that asks for more is unscored.
        seconds: for one use.

    References:
        CoSineVerifier, 2025, arXiv:2512.01224. Tool-Augmented Reward Modeling (Themis).

    Example:
        >>> WithTools("You check results.").tools["calculator"]("1/3 + 1/6")
        '1/2 (0.5)'
    """

    task: str
    question: str = "Is the answer right?"
    tools: Mapping[str, Tool] = field(default_factory=lambda: {"calculator": calculate}, hash=False)
    told: Mapping[str, str] = field(
        default_factory=lambda: {"calculator": "exact arithmetic with + - * / ** and brackets, such as 3*(1/7)"},
        hash=False,
    )
    turns: int = 4
    seconds: Real = 10.0
    votes: Votes = field(default_factory=Votes, init=False)
    low: float = field(default=0.0, init=False)
    high: float = field(default=1.0, init=False)
    logprobs: int = field(default=0, init=False)

    async def judge(self, ask: Ask, material: Mapping[str, Any]) -> Verdict:
        """The verdict, with the number of uses of tools as a fact."""
        tools = "\n".join(f"- {name}: {self.told.get(name, '')}" for name in self.tools)
        question = prompt(
            self.task, material,
            f"{self.question}\nYou may use tools first, one at a time:\n{tools}\nTo use one, answer with "
            '{"code": the code, "tool": its name, "input": "what it takes"}. To decide:',
            {"reason": '"one or two sentences"', "verdict": '"yes", "no" or "unknown"'},
        )  # fmt: skip
        messages, cost = question.messages, {"calls": 0, "tokens_in": 0, "tokens_out": 0}
        for used in range(self.turns + 1):
            (reply,) = await ask(messages, 1)
            cost["calls"] += reply.calls
            if isinstance(reply, NoReply):
                return Verdict.unscored(reply.cause, tools=used, **cost)
            cost["tokens_in"] += reply.tokens_in
            cost["tokens_out"] += reply.tokens_out
            try:
                said = self._read(reply.text, question.code)
            except Malformed as wrong:
                return Verdict.unscored(str(wrong), tools=used, **cost)
            if "verdict" in said:
                if said["verdict"] == "unknown":
                    cause = "the judge says that it does not know"
                    return Verdict.unscored(cause, tools=used, reason=said["reason"], **cost)
                return Verdict.score(WORDS[said["verdict"]], tools=used, reason=said["reason"], **cost)
            result = await self._use(said["tool"], said["input"])
            shown = f"<<{question.code} result>>\n{harmless(result[:SHOWN])}\n<<end {question.code} result>>"
            answer = {"role": "assistant", "content": reply.text}
            messages = [*messages, answer, {"role": "user", "content": f"{shown}\nGo on: another tool, or decide."}]
        return Verdict.unscored(f"the judge did not decide after {self.turns} uses of tools", tools=self.turns, **cost)

    def _read(self, text: str, code: str) -> dict[str, str]:
        try:
            return read(text, code, {"tool": one_of(*self.tools), "input": words})
        except Malformed:
            return read(text, code, {"reason": words, "verdict": one_of("yes", "no", "unknown")})

    async def _use(self, name: str, given: str) -> str:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()

        def tell(result: str) -> None:
            if not done.done():
                done.set_result(result)

        def run() -> None:
            try:
                result = str(self.tools[name](given))
            except Exception as error:  # a tool is somebody else's program
                result = f"the tool failed: {type(error).__name__}: {error}"
            if not loop.is_closed():
                loop.call_soon_threadsafe(tell, result)

        # A thread of its own that nobody waits for: one that never returns must not hold up the judge.
        threading.Thread(target=run, name=f"tool {name}", daemon=True).start()
        try:
            async with asyncio.timeout(self.seconds):
                return await done
        except TimeoutError:
            return f"the tool did not answer within {self.seconds:g} s"


def calculate(text: str) -> str:
    """Exact arithmetic on whole numbers, decimals and fractions: the result as a fraction and as a decimal.

    Raises:
        ValueError: it is not arithmetic, divides by zero, or a number would have more than 4,096 bits.

    Example:
        >>> calculate("2**10 - 24"), calculate("0.1 + 0.2")
        ('1000', '3/10 (0.3)')
    """
    if len(text) > 1000:
        raise ValueError("the expression is longer than 1,000 characters")
    try:
        value = _value(ast.parse(text.strip().replace("^", "**"), mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError("this is not arithmetic") from None
    except ZeroDivisionError:
        raise ValueError("division by zero") from None
    if value.denominator == 1:
        return str(value)
    try:
        return f"{value} ({float(value):.12g})"
    except OverflowError:
        return str(value)


def _value(node: ast.AST) -> Fraction:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return _small(Fraction(str(node.value)))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _value(node.operand)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp) and type(node.op) in _SUMS:
        return _small(Fraction(_SUMS[type(node.op)](_value(node.left), _value(node.right))))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        base, power = _value(node.left), _value(node.right)
        # Known before it is computed: a tower of powers must not be built to be refused.
        if power.denominator != 1 or _bits(base) * abs(power) > BITS:
            raise ValueError("the power is no whole number, or too large")
        return base ** int(power)
    raise ValueError("only numbers, + - * / ** and brackets are known")


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _small(value: Fraction) -> Fraction:
    if _bits(value) > BITS:
        raise ValueError(f"a number has more than {BITS} bits")
    return value
