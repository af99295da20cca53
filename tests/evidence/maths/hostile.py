"""Strings that no answer should be: a seeded generator, one in twenty a blow-up."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator

ATOMS = [
    "1", "-3", "0.5", "12,345", "1e9", "x", "y", "n", r"\pi", "e", "i", r"\infty", r"\frac{1}{2}", r"\frac12",
    r"\sqrt{2}", r"\sqrt[3]{x}",
    "2^{10}", "5!", r"\binom{5}{2}", r"\sin x", r"\log_2 8", "50\\%", "90^\\circ", r"\text{ cm}", "$", "\\$5",
    "(1,2)", "[0,1)", r"\{1,2\}",
    "x=5", "x>2", r"\le", r"\cup", r"\pm", "and", "or", ",", ";", "(", ")", "[", "]", "{", "}", r"\{", r"\}", "|",
    "!", "%", "^", "_", "=", "<", "&",
    r"\\", r"\begin{pmatrix}", r"\end{pmatrix}", r"\boxed{", "#### ", "The answer is ", "</think>", "<answer>",
    "</answer>", "\n", " ", "½", "√", "π", "٣",
    "é", "\u202e", "\x00", "\ud800", "😀", "C", "(C)", "yes", "million", "1:2", r"\ldots", r"\sum_{k=1}^{n} k",
    r"\int_0^1 x dx", r"\lim_{x\to 0} x", "'", '"',
]  # fmt: skip
BLOWUPS = [
    lambda r: "^{".join(["9"] * r.randint(3, 60)) + "}" * 60,
    lambda r: "^".join(["9"] * r.randint(3, 2000)),
    lambda r: f"{r.randint(10**4, 10**9)}!",
    lambda r: "(" * r.randint(1, 4) + "9" + "!)" * 4,
    lambda r: f"10^{{{r.randint(10**5, 10**12)}}}",
    lambda r: f"2^{{10^{{{r.randint(5, 99)}}}}}",
    lambda r: f"{r.randint(2, 9)}^{{{r.randint(3000, 5000)}}}+" * 100 + "1",
    lambda r: "(" * r.randint(50, 5000) + "1" + ")" * 50,
    lambda r: r"\frac{1}{1+" * r.randint(50, 400) + "1" + "}" * 400,
    lambda r: r"\sqrt{" * r.randint(39, 300) + "2" + "}" * 300,
    lambda r: "9" * r.randint(900, 1_000_000),
    lambda r: "1+" * r.randint(200, 900) + "1",
    lambda r: "(x+y+z+w)^{200}",
    lambda r: "(x+1)(x+2)(x+3)" * r.randint(10, 120),
    lambda r: r"\sum_{k=1}^{10^9} k",
    lambda r: rf"\sum_{{k=1}}^{{{r.randint(100, 10**9)}}} \frac{{1}}{{k^2}}",
    lambda r: rf"\binom{{{r.randint(1000, 10**9)}}}{{{r.randint(400, 10**8)}}}",
    lambda r: r"\prod_{k=1}^{1000} (x+k)",
    lambda r: r"\int_0^1 e^{x^2} \sin(x^3) dx",
    lambda r: "$ " * 20_000,
    lambda r: r"\boxed{" * r.randint(100, 20_000),
    lambda r: "answer is " * 50_000,
    lambda r: "x" * 1_000_000,
    lambda r: "\\{" + ",".join(map(str, range(r.randint(100, 3000)))) + "\\}",
    lambda r: "(" + ",".join("x" * (k % 7 + 1) for k in range(400)) + ")",
    lambda r: "".join(r.choices("😀\ud800\u202e𝟙𝟚٣éπ\x00", k=2000)),
    lambda r: r"\sin " * r.randint(20, 400) + "x",
    lambda r: r"e^{e^{e^{9}}}",
    lambda r: "|" * r.randint(5, 900) + "x" + "|" * 5,
    lambda r: r"\begin{pmatrix}" + r"\\".join("1&2" for _ in range(200)) + r"\end{pmatrix}^{50}",
    lambda r: "x^{1/3}+" * 60 + "1=0",
    lambda r: "x^7-x^5+3x^3=" + "+".join(f"{k}x^{k}" for k in range(40)),
    lambda r: " ".join(str(r.random()) for _ in range(100)),
    lambda r: r"\pm 1" * r.randint(2, 60),
    lambda r: "1:2" * 300,
    lambda r: "-" * r.randint(100, 1900) + "5",
    lambda r: "\\text{" * 500 + "a" + "}" * 500,
    lambda r: "2 000 " * 300,
    lambda r: ",".join(["1,000"] * 200),
    lambda r: r"\sqrt{1+\sqrt{2+\sqrt{3+\sqrt{5+x}}}}=x",
    lambda r: r"\sin(\cos(\tan(\sin(x))))+\ln(\ln(\ln(y)))=\frac{x}{y}",
]  # fmt: skip
REFERENCES = [
    "7",
    "1/2",
    r"\sqrt{2}",
    "(1,2)",
    r"\{1,2\}",
    "x>2",
    "x=5",
    "x^2+1",
    "C",
    r"\text{yes}",
    "50\\%",
    "5 m",
    r"\frac{x+1}{y}",
    r"\int_0^1 x dx",
]


def pairs(n: int, seed: int = 0, hostile: float = 0.05) -> Iterator[tuple[str, str, bool]]:
    """Answers and references, and whether the answer is a blow-up."""
    r = random.Random(seed)
    for _ in range(n):
        reference = r.choice(REFERENCES)
        if r.random() < hostile:
            text = r.choice(BLOWUPS)(r)
            yield (rf"\boxed{{{text}}}" if r.random() < 0.5 else text), reference, True
            continue
        kind = r.random()
        if kind < 0.5:
            text = "".join(r.choices(ATOMS, k=r.randint(1, 12)))
        elif kind < 0.7:
            text = " ".join(r.choices(ATOMS, k=r.randint(1, 30)))
        elif kind < 0.85:
            text = "".join(r.choices(string.printable, k=r.randint(0, 200)))
        else:  # a reference with something done to it
            text = list(r.choice(REFERENCES))
            for _ in range(r.randint(1, 3)):
                text.insert(r.randrange(len(text) + 1), r.choice(ATOMS))
            text = "".join(text)
        yield (rf"\boxed{{{text}}}" if r.random() < 0.3 else text), reference, False
