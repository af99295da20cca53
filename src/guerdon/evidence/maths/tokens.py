"""Text of an answer to tokens: LaTeX, what people type, and what Python prints, in one alphabet."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5",
          "⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8"}  # fmt: skip
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True))
SIGNS = {"−": "-", "–": "-", "‐": "-", "π": "\\pi ", "√": "\\sqrt ", "∞": "\\infty ", "×": "\\times ", "·": "\\cdot ",
         "⋅": "\\cdot ", "÷": "\\div ", "Ω": "\\Omega ", "θ": "\\theta ", "α": "\\alpha ", "β": "\\beta ",
         "γ": "\\gamma ", "λ": "\\lambda ", "φ": "\\phi ", "ω": "\\omega ",
         "∛": "\\cbrt ", "≡": "\\equiv ", "ℝ": "\\R ", "⟨": "(", "⟩": ")",
         "≤": "\\le ", "≥": "\\ge ", "≠": "\\ne ", "∪": "\\cup ", "∈": "\\in ",
         "±": "\\pm ",
         "°": "^\\circ ", "∅": "\\emptyset ", "…": "\\ldots ", "≈": "\\approx "}  # fmt: skip
CURRENCIES = {"$": "dollar", "\\$": "dollar", "€": "euro", "£": "pound sterling", "¥": "yen", "₹": "rupee", "₩": "won"}
FUNCTIONS = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "sec",
        "csc",
        "cot",
        "arcsin",
        "arccos",
        "arctan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "ln",
        "log",
        "exp",
        "sqrt",
        "abs",
        "floor",
        "ceil",
        "lg",
    ]
)
GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "varepsilon",
        "zeta",
        "eta",
        "theta",
        "vartheta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "rho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "varphi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Pi",
        "Sigma",
        "Phi",
        "Psi",
        "Omega",
        "ell",
        "hbar",
    ]
)
SAME = {"dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "leq": "le", "leqslant": "le", "geq": "ge", "geqslant": "ge",
        "neq": "ne", "lt": "<", "gt": ">", "times": "*", "cdot": "*", "ast": "*", "div": "/", "dots": "ldots",
        "cdots": "ldots", "varnothing": "emptyset", "lbrace": "\\{", "langle": "(", "rangle": ")", "rbrace": "\\}",
        "reals": "R",
        "dbinom": "binom",
        "tbinom": "binom", "vert": "|", "lvert": "|", "rvert": "|", "mid": "|", "land": "and", "lor": "or",
        "wedge": "and",
        "vee": "or", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "log_": "log", "colon": ":", "lparen": "(",
        "rparen": ")", "lbrack": "[", "rbrack": "]", "infin": "infty"}  # fmt: skip
GONE = re.compile(
    r"\\(?:left|right|bigl?|bigr|Bigl?|Bigr|biggl?|biggr|Biggl?|Biggr|displaystyle|textstyle|limits|nolimits"
    r"|hline|boldsymbol"
    r"|mathbf|bf|rm|it|small|large)(?![A-Za-z])|(?<!\\)\\[,;:!> ]|~|\\q?quad(?![A-Za-z])|\\hspace\*?\{[^{}]*\}"
    r"|\\phantom\{[^{}]*\}"
)
TEXTUAL = re.compile(
    r"\\(?:text|textbf|textit|textrm|textnormal|mbox|mathrm|operatorname|hbox|mathit|textsf|texttt)\s*\{([^{}]*)\}"
)
TOKEN = re.compile(
    r"(?P<num>\d*\.\d*(?:\\(?:overline|bar|dot)\s*(?:\{\d{1,200}\}|\d)(?:\d*\\dot\s*(?:\{\d\}|\d))?)|\d*\.\d+\s?(?:\.{3}|\\[lc]?dots(?![A-Za-z]))"
    r"|0[xX][0-9a-fA-F]{1,64}|\d+(?:\.\d+)?(?:[eE][+-]?\d{1,7}(?![A-Za-z\d]))?|\.\d+(?:[eE][+-]?\d{1,7}(?![A-Za-z\d]))?)"
    r"|\x01(?P<text>[^\x02]*)\x02"
    r"|\\(?P<cmd>[A-Za-z]+)"
    r"|(?P<op>\*\*|<=|>=|!=|==|\\\\|\\[{}$%&|]|[-+*/^_(){}\[\]|=<>!,;:%&$€£¥₹₩¢'])"
    r"|(?P<word>[A-Za-z]+)"
    r"|(?P<space>\s+)"
)
DIVISORS = {"gcd": "gcd", "lcm": "lcm", "gcf": "gcd", "hcf": "gcd", "GCD": "gcd", "LCM": "lcm"}
SPACED = re.compile(r"(?<![\d.,])\d{1,3}(?:[  ]\d{3})+(?![\d/]|[  ]\d)")
GROUPED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])")
THIN = re.compile(r"(?<=\d)(?:\{,\}|,\\!|\\!,|\{,\\!\})\s*(?=\d{3})|(?<=\d)\\[,!]\s*(?=\d{3}(?!\d))")


DEGREE = re.compile(r"\^?\s*(?:\{\s*\\degree\s*\}|\\degree(?![A-Za-z]))")
MICRO = re.compile(
    r"(?:\\mu\s*|[μµ])(?:\\(?:text|mathrm|rm)\s*\{\s*([A-Za-z]{1,2})\s*\}|(?<=[μµ])([A-Za-z]{1,2})(?![A-Za-z]))"
)
OHM = re.compile(
    r"(?:\\(?:text|mathrm)\s*\{\s*([kM]?)\s*(?:\\Omega|Ω)\s*\}|\\(?:text|mathrm)\s*\{\s*([kM])\s*\}\s*\\Omega)"
)
SHORT = re.compile(
    r"(?<![A-Za-z])(?:([aApP])\.\s?([mM])(?:\.|$)|(sq|cu|ft|yd|mi|hr|hrs|min|sec|lb|lbs|oz|in)\.(?=\s|$|\}))"
)
MEASURED = re.compile(r"\\(?:text|mbox|mathrm|textrm)\s*\{\s*([-+]?[$€£]?\d[^{}]*)\}")
RAISED_UNIT = re.compile(r"(\\(?:text|mathrm|textrm|mbox)\s*\{)((?:[^{}^]|\^\{-?\d\}|\^(?!\{))*)\}")
ENDED = re.compile(r"(?:\s*\\\\)+\s*$")
DELIMITER = re.compile(r"(?<!\\)\\[()\[\]]")
QUOTED = re.compile(r"'([-+]?[\d.]+)'")


class Unreadable(ValueError):
    """The text is not in the grammar; it may still mean something."""


class Meaningless(ValueError):
    """The text states no single thing: two numbers side by side, an improper mixed number."""


class TooDeep(ValueError):
    """Brackets are nested deeper than any answer needs."""


class Token(NamedTuple):
    """One token: `kind` is num, text, cmd, op, word or end; `spaced` tells whether a blank came before it."""

    kind: str
    value: str
    spaced: bool


def plain(text: str) -> str:
    """One spelling of signs, blanks, raised figures, vulgar fractions and digit groups.

    Example:
        >>> plain("−1½ × 10²"), plain(r"11,\\! 111 \\left( x \\right)")
        ('-1 1/2 \\\\times  10^{2}', '11111  ( x  )')
    """
    if not text.isascii():
        text = MICRO.sub(lambda m: f"\\text{{u{m[1] or m[2]}}}", text)
        text = re.sub(r"[⁻⁰¹²³⁴-⁹]+", lambda m: "^{" + "".join(RAISED[c] for c in m[0]) + "}", text)
        for sign, spelt in VULGAR.items():
            text = text.replace(sign, f" {spelt}")
        for sign, spelt in SIGNS.items():
            text = text.replace(sign, spelt)
        text = unicodedata.normalize("NFKC", text)
    if "\\mu" in text or "Omega" in text:
        text = MICRO.sub(lambda m: f"\\text{{u{m[1]}}}", text)
        text = OHM.sub(lambda m: f"\\text{{{m[1] or m[2] or ''}ohm}}", text)
    if "." in text:
        text = SHORT.sub(lambda m: f"{m[1]}{m[2]}".lower() if m[1] else f"{m[3]} ", text)
    if "\\degree" in text:
        text = DEGREE.sub(r"^\\circ ", text)
    if "^{" in text:
        text = RAISED_UNIT.sub(lambda m: m[1] + m[2].replace("^{", "^").replace("}", "") + "}", text)
    text = ENDED.sub("", THIN.sub("", text))
    text = GONE.sub(" ", text)
    if text.startswith("[") and "'" in text:
        text = QUOTED.sub(r"\1", text)
    return DELIMITER.sub(" ", text).strip()


def tokens_of(text: str) -> list[Token] | None:
    """The tokens of a text that went through `plain`; None where a sign is in it that no answer needs."""
    if "\x01" in text or "\x02" in text:
        return None
    text = TEXTUAL.sub("\x01\\1\x02", MEASURED.sub(r" \1 ", text))
    if not any(b in text for b in "([{"):  # inside brackets a comma parts items; on its own it groups digits
        text = GROUPED.sub(lambda m: m[0].replace(",", ""), text)
    text = SPACED.sub(lambda m: re.sub(r"\s", "", m[0]), text)
    out: list[Token] = []
    at, spaced = 0, False
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            return None
        at, kind, value = found.end(), found.lastgroup or "", found[found.lastgroup or 0]
        if kind == "space":
            spaced = True
            continue
        out.append(_token(kind, value, spaced))
        spaced = False
    out.append(Token("end", "", spaced))
    return out


def _token(kind: str, value: str, spaced: bool) -> Token:
    if kind == "cmd":
        value = SAME.get(value, value)
        if not value[0].isalpha() or value[0] == "\\":
            return Token("op", value, spaced)
        if value in ("and", "or"):
            return Token("word", value, spaced)
    elif kind == "op":
        value = {"**": "^", "==": "=", "\\$": "$", "\\%": "%", "\\|": "|", "\\&": "&"}.get(value, value)
        value, kind = {"<=": ("le", "cmd"), ">=": ("ge", "cmd"), "!=": ("ne", "cmd")}.get(value, (value, kind))
    elif kind == "word":
        low = value.lower()
        if value in FUNCTIONS:
            return Token("cmd", SAME.get(value, value), spaced)
        if value in DIVISORS:
            return Token("cmd", DIVISORS[value], spaced)
        if value == "pi" or low in ("oo", "inf", "infinity", "infty"):
            return Token("cmd", "pi" if value == "pi" else "infty", spaced)
        if value in GREEK:
            return Token("cmd", value, spaced)
    elif kind == "text":
        word = value.strip()
        if word in ("e", "i", "E"):  # upright constants
            return Token("word" if word == "E" else "cmd", {"e": "euler", "i": "imaginary", "E": "E"}[word], spaced)
        if word in DIVISORS:
            return Token("cmd", DIVISORS[word], spaced)
        if word.lower().strip(" ,.") in ("and", "or"):
            return Token("word", word.lower().strip(" ,."), spaced)
        if word == ":":
            return Token("op", ":", spaced)
        if word.lower() in ("infinity", "pi"):
            return Token("cmd", "pi" if word.lower() == "pi" else "infty", spaced)
        if re.fullmatch(r"[-+]?[\d.,]+", word):
            return Token("num", word, spaced) if re.fullmatch(r"\d+(\.\d+)?", word) else Token("text", word, spaced)
    return Token(kind, value, spaced)
