"""Guerdon: a reward; what one has earned.

    tasks -> rollouts -> evidence -> rewards -> credit -> objective -> update
                            |           |         |
                            +-----------+---------+--> report

Every stage takes a `Batch` and returns a `Batch` with more columns.
"""

STAGES = (
    "errors", "records", "segments", "batch", "collate", "store", "tasks", "environments", "policies", "rollouts",
    "evidence", "rewards", "credit", "objectives", "recipes", "training", "report", "cli",
)  # fmt: skip
