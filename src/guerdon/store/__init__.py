"""Runs on disk: parquet part-files, written atomically; JSONL in and out."""

from guerdon.store.batches import read_batch, write_batch
from guerdon.store.files import (
    append_jsonl,
    atomic,
    read_json,
    read_metrics,
    sweep,
    truncate_metrics,
    write_bytes,
    write_json,
)
from guerdon.store.lines import from_json, read_jsonl, to_json, write_jsonl

__all__ = [
    "append_jsonl", "atomic", "from_json", "read_batch", "read_json", "read_jsonl", "read_metrics", "sweep", "to_json",
    "truncate_metrics", "write_batch", "write_bytes", "write_json", "write_jsonl",
]  # fmt: skip
