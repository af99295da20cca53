"""Guerdon: a reward; what one has earned.

    tasks -> rollouts -> evidence -> rewards -> credit -> objective -> update
                            |           |         |
                            +-----------+---------+--> report

Every stage takes a `Batch` and returns a `Batch` with more columns:

    batch = gd.Batch.of(gd.read_jsonl("plays.jsonl"))   # records become columns
    batch = gd.observe(batch, [gd.evidence.repeated])    # facts: what can be observed
    batch = gd.reward(batch, gd.fact("outcome"))         # `worth`: what it is worth
    batch = gd.assign(batch, gd.recipes.get("gigpo").credit)   # `advantage`: which step earned it

What comes after that needs torch and lives in `guerdon.objectives`, `guerdon.policies` and
`guerdon.training`; importing `guerdon` loads none of it.
"""

from guerdon import bench, credit, environments, evidence, recipes, rewards, segments
from guerdon.batch import Batch, Column
from guerdon.credit import Credit, assign, center, centred, gae, step_term, to_go
from guerdon.errors import GuerdonError
from guerdon.evidence import observe
from guerdon.intervals import student, wilson
from guerdon.recipes import Recipe
from guerdon.records import Ended, Step, Task, Trajectory, Verdict
from guerdon.rewards import Term, fact, gate, interpolated, potential, reward, total
from guerdon.store import read_batch, read_jsonl, write_batch, write_jsonl

# In the order of the flow: no stage imports a later one.
STAGES = (
    "errors", "records", "schedule", "recurrence", "segments", "intervals", "keys", "batch", "collate", "store",
    "environments", "policies", "rollouts", "evidence", "rewards", "credit", "objectives", "recipes", "training",
    "bench", "report", "server", "cli",
)  # fmt: skip

__all__ = [
    "STAGES", "Batch", "Column", "Credit", "Ended", "GuerdonError", "Recipe", "Step", "Task", "Term",
    "Trajectory", "Verdict", "assign", "bench", "center", "centred", "credit", "environments", "evidence", "fact",
    "gae", "gate", "interpolated", "observe", "potential", "read_batch", "read_jsonl", "recipes", "reward",
    "rewards", "segments", "step_term", "student", "to_go", "total", "wilson", "write_batch", "write_jsonl",
]  # fmt: skip
