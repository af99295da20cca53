"""The page of a credit measurement: budgets as a map, cosine curves, and where each rule fails."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from guerdon.report import words
from guerdon.report.creditfigures import EXACT, REFERENCE, Row, budgets, curves, failures, identity, key, plain, times
from guerdon.store import atomic, read_json

SHOWN = 3  # recipes told little, and as many others, whose lines have a colour at first
LITTLE = ("nothing", "states")
SECTIONS = (
    ("budgets", "Budgets"), ("curves", "Curves"), ("failures", "Where each fails"), ("told", "What each was told"),
    ("how", "How it was measured"),
)  # fmt: skip


def write(folder: str | Path) -> Path:
    """Writes `report.html` beside the `results.json` of a measurement, whole or not at all.

    Returns:
        The path of the page.

    Raises:
        RunFolderError: there are no results, or the page cannot be written.
    """
    folder = Path(folder)
    text = page(read_json(folder / "results.json"))
    with atomic(folder / "report.html") as part:
        part.write_text(text, encoding="utf-8")
    return folder / "report.html"


def page(results: Mapping[str, Any]) -> str:
    """The whole page as text."""
    ranked = sorted(results["summary"], key=lambda s: -(s["ratio"] or 0.0))
    own = [s for s in ranked if s["recipe"] not in (REFERENCE, EXACT)]
    plain = [s for s in own if results["rules"][s["recipe"]]["told"] in LITTLE][:SHOWN]
    coloured = {identity(s): "" for s in own if s in plain or s in [o for o in own if o not in plain][:SHOWN]}
    coloured |= {identity(s): "var(--base)" for s in ranked if s["recipe"] == REFERENCE}
    coloured |= {identity(s): "var(--ink)" for s in ranked if s["recipe"] == EXACT}
    style = _asset("page.css") + _asset("credit.css")
    script = _asset("credit.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Only our own script may run, so that a text that slips through the escaping still does nothing.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:"
    jump = "".join(f'<a href="#{anchor}">{name}</a>' for anchor, name in SECTIONS)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<link rel="icon" href="data:,"><title>Credit rules against the exact gradient</title><style>{style}</style>'
        '</head><body><header><p class="brand">Guerdon bench credit '
        '<button id="theme" type="button" hidden>dark</button></p>'
        f'<h1>Which credit points the right way</h1><p class="verdict">{escape(verdict(results, ranked))}</p>'
        f'<nav class="jump" aria-label="sections">{jump}</nav></header><main>'
        + _section(
            "budgets", "Steps to reach the true direction",
            f"Environment steps until the mean cosine to the exact gradient is {results['target']}, and how many times "
            f"fewer that is than {REFERENCE} needs. Where one of the two does not get there, the best cosine stands in "
            "place of the steps, and the ratio is that at the higher cosine that both reach. Tick a row to colour its "
            "lines below.",
            key() + budgets(results, ranked, coloured),
        )
        + _section(
            "curves", "Cosine against environment steps",
            f"Mean over {results['batches']} independent batches of each size, with its 95 % interval for the lines "
            "that have a colour; steps on a logarithmic scale. A line ends where its rule left: it reached the target, "
            "or it has stalled.",
            '<ul class="legend lines" aria-label="lines that have a colour"></ul>' + curves(results, coloured),
        )
        + _section(
            "failures", "Where each rule fails",
            "At the largest budget that was measured of each. Bias is how far the mean estimate, scaled as suits it "
            "best, is from the true gradient, relative to it. Sign accuracy counts a credit of 0 as half right; both "
            "it and the rank correlation are over steps, against the exact advantage.",
            failures(results, ranked),
        )
        + _section(
            "told", "What each rule was told",
            "What judges, critics and probes would say is supplied by the world's exact model, so a rule that needs "
            "them is measured at its best.",
            _told(results),
        )
        + _section("how", "How it was measured", "", _how(results))
        + f'</main><div id="tip" role="status" hidden></div><script>{script}</script></body></html>\n'
    )  # fmt: skip


def verdict(results: Mapping[str, Any], ranked: Sequence[Row]) -> str:
    """What came out, in a few sentences."""
    pairs = max((s["pairs"] for s in ranked), default=0)
    own = [s for s in ranked if s["recipe"] not in (REFERENCE, EXACT) and s["ratio"]]
    full = [s for s in own if s["pairs"] == pairs]
    stages = sorted({(r["world"], r["stage"]) for r in results["rows"]})
    said = [
        f"{len({s['recipe'] for s in ranked}) - 2} recipes beside {REFERENCE} are measured in "
        f"{len(results['measured'])} worlds with {len(stages)} policies in all."
    ]
    exact = next((s for s in ranked if s["recipe"] == EXACT), None)
    if exact and exact["ratio"]:
        said.append(
            f"Told the exact advantage itself, an estimate needs {times(exact['ratio'])} times fewer environment "
            f"steps than {REFERENCE} (geometric mean): that is what better credit can be worth here."
        )
    plain = [s for s in full if results["rules"][s["recipe"]]["told"] in LITTLE]
    best = {"Of those told no more than states": plain[:1], "Of all": full[:1] if full[:1] != plain[:1] else []}
    for who, rows in best.items():
        for s in rows:
            said.append(
                f"{who}, {identity(s)} is best with {times(s['ratio'])} times fewer (95 % {times(s['low'])} to "
                f"{times(s['high'])}; worst {times(s['worst']['value'])} in {s['worst']['world']}, "
                f"{s['worst']['stage']})."
            )
    behind = sum(s["ratio"] < 1 for s in own)
    short_of = sum(s["reached"] < s["pairs"] for s in own)
    said.append(f"{behind} of {len(own)} need more steps than {REFERENCE}; {short_of} miss the target somewhere.")
    return " ".join(said)


def _told(results: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row"><b>{escape(name)}</b></th><td>{escape(about["title"])}</td>'
        f"<td>{escape(about['told'])}</td><td>{escape(_supplied(results, about))}</td></tr>"
        for name, about in results["rules"].items()
        if any(s["recipe"] == name for s in results["summary"])
    )
    missing = "".join(
        f"<li><b>{escape(name)}</b> {escape(why)}"
        + ("" if len(where) == len(results["measured"]) else f" (in {escape(', '.join(map(plain, where)))})")
        + "</li>"
        for name, reasons in results["not_measured"].items()
        for why, where in reasons.items()
    )
    none = f"<h3>Not measured</h3><ul>{missing}</ul>" if missing else ""
    return (
        '<div class="scroll"><table class="plain"><thead><tr><th>recipe</th><th>what it is</th><th>told</th>'
        f"<th>supplied by the model</th></tr></thead><tbody>{rows}</tbody></table></div>{none}"
    )


def _how(results: Mapping[str, Any]) -> str:
    left = "; ".join(f"{name}: {why}" for name, why in results["left"].items())
    machine = results["machine"]
    pairs = (
        ("policy", "a softmax of one row of logits for each key that it sees"),
        ("estimate", "g = sum of A grad log pi over the plays, divided by their number; groups of 8"),
        ("truth", "the exact gradient of the undiscounted finite-horizon return, by dynamic programming"),
        ("budgets", f"factor sqrt 2 apart, up to {results['most']:,.0f} steps; whole groups; the steps really taken "
                    "are counted, a shared step of a tree once; a batch keeps its plays from one budget to the next"),
        ("intervals", "95 %: Student over batches for cosines, accuracies, shares; leaving one batch out for the bias; "
                      "redrawing the batches, of both rules together, for budgets and ratios"),
        ("leaves", left), ("seed", str(results["seed"])), ("command", results["command"]),
        ("took", words.seconds(results["seconds"])),
        ("machine", f"{machine['cores']} cores, {machine['processor']}, {machine['system']}"),
        ("versions", ", ".join(f"{k} {v}" for k, v in {"guerdon": results["guerdon"], **results["versions"]}.items())),
    )  # fmt: skip
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in pairs) + "</dl>"


def _supplied(results: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}: {results['signals'][name]}" for name in about["supplied"]) or "nothing"


def _section(anchor: str, name: str, lead: str, inside: str) -> str:
    said = f'<p class="lead">{escape(lead)}</p>' if lead else ""
    return f'<section id="{anchor}"><h2>{escape(name)}</h2>{said}{inside}</section>'


def _asset(name: str) -> str:
    return files("guerdon.report").joinpath(name).read_text(encoding="utf-8")
