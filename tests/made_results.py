"""Results of a credit measurement, made by hand: three rules, two worlds."""


def row(world, stage, recipe, view, value, cosines, told="nothing"):
    steps = [100.0 * 2**k for k in range(len(cosines))]
    spread = {"cosine_low": [c - 0.02 for c in cosines], "cosine_high": [c + 0.02 for c in cosines]}
    more = {
        n: v for n in ("sign", "rank", "signal", "bias") for n, v in ((n, 0.5), (f"{n}_low", 0.4), (f"{n}_high", 0.6))
    }
    last = {"steps": steps[-1], "cosine": cosines[-1], **{k: v[-1] for k, v in spread.items()}, **more}
    there, top = cosines[-1] >= 0.9, cosines.index(max(cosines))
    return {
        "world": world, "stage": stage, "recipe": recipe, "view": view, "told": told,
        "left": "reached" if there else "stalled", "last": last,
        "budget": {"steps": steps[-1] if there else None, "low": None, "high": None, "at_most": False},
        "ratio": {"value": value, "low": value / 2, "high": value * 2, "at": 0.9 if there else 0.3, "bound": ""},
        "best": {"steps": steps[top], "cosine": cosines[top], **{k: v[top] for k, v in spread.items()}},
        "curve": {"steps": steps, "cosine": cosines, **spread},
    }  # fmt: skip


def results(name="gigpo"):
    """What `results.json` holds."""
    worlds = ("chain", "mine.py:LAKE")
    rows = [
        one
        for world in worlds
        for stage in ("uniform", "late")
        for one in (
            row(world, stage, "exact", "", 20.0, [0.95], "everything"),
            row(world, stage, "grpo", "", 1.0, [0.1, 0.5, 0.92]),
            row(world, stage, name, "whole state", 2.0, [0.3, 0.8, 0.93], "states"),
            row(world, stage, name, "observed key", 0.5, [0.3, -0.2], "states"),
        )
    ]
    stages = {"uniform": 0.1, "late": 0.9}
    about = {"about": "A corridor.", "states": 3, "keys": 2, "actions": 2, "horizon": 9}
    worst = {"value": 0.5, "world": "chain", "stage": "late"}
    return {
        "target": 0.9, "batches": 64, "most": 400.0, "seed": 0, "seconds": 75.0, "guerdon": "0",
        "command": "guerdon bench credit --out x", "machine": {"cores": 2, "system": "s", "processor": "p"},
        "versions": {"numpy": "2"}, "left": {"reached": "it did"}, "rows": rows,
        "signals": {"judge_score": "the exact advantage through a curve"},
        "rules": {
            "exact": {"title": "exact", "told": "everything", "supplied": ["judge_score"]},
            "grpo": {"title": "GRPO", "told": "nothing", "supplied": []},
            name: {"title": name, "told": "states", "supplied": []},
        },
        "measured": {w: {**about, "stages": {s: {"return": v, "steps_per_play": 4.0} for s, v in stages.items()}}
                     for w in worlds},
        "not_measured": {"thr": {"needs influence": list(worlds)}, "pbrs": {"needs progress": ["chain"]}},
        "summary": [
            {"recipe": r, "view": v, "pairs": 4, "reached": 4, "ratio": x, "low": 0.75 * x, "high": 1.5 * x,
             "worst": worst}
            for r, v, x in (("exact", "", 20.0), ("grpo", "", 1.0), (name, "whole state", 2.0),
                            (name, "observed key", 0.5))
        ],
    }  # fmt: skip
