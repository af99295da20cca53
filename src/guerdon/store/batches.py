"""A batch as one parquet file with a row per trajectory, so that duckdb or pandas read it as a table."""

from __future__ import annotations

import base64
import json
from collections.abc import Container
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from guerdon.batch import Batch, Column
from guerdon.errors import ColumnError, RunFolderError
from guerdon.store.files import atomic

METADATA, RELATION = b"guerdon", "guerdon.relation."
STRUCTURE = ("group", "tokens")  # what the nesting is stored under


def write_batch(path: str | Path, batch: Batch) -> None:
    """Writes the batch as one parquet file, atomically: `read_batch` gives the same batch back.

    Keys, truth values, floats of any width and text come back exactly; what lies under an
    invalid entry does not. A group's values are repeated on its trajectories, so those of a
    group that has no trajectory are lost.

    Raises:
        ColumnError: a column's type has no place in a table.
        RunFolderError: the file cannot be written.
    """
    trajectories, steps = batch.size("trajectory"), batch.size("step")
    nest = {
        "step": np.searchsorted(batch.trajectory_of_step, np.arange(trajectories + 1)),
        "token": np.searchsorted(batch.index("trajectory", at="token"), np.arange(trajectories + 1)),
    }
    fields: dict[str, pa.Array] = {
        "group": pa.array(batch.group_of_trajectory.astype(np.int64)),
        "tokens": _nested(pa.array(np.bincount(batch.step_of_token, minlength=steps)), nest["step"]),
    }
    names = _field_names(batch)
    shared = {id(column): names[name] for name, column in batch.columns.items()}
    taken = {*STRUCTURE, *names.values()}

    def store(field: str, column: Column) -> dict:
        """Puts the column, and its parts, among the fields; what it takes to read it again."""
        flat = _to_arrow(field, batch.lift(column, "trajectory") if column.level == "group" else column)
        fields[field] = _nested(flat, nest[column.level]) if column.level in nest else flat
        spec: dict[str, Any] = {"field": field, "level": column.level, "parts": []}
        if isinstance(column.values, np.ndarray):
            spec |= {"dtype": column.values.dtype.str, "shape": column.values.shape[1:]}
        for name, part in column.parts:
            inner = shared.get(id(part)) or _free(f"{field}/{name}", taken)
            taken.add(inner)
            spec["parts"].append([name, store(inner, part)])
        return spec

    specs = {name: store(names[name], column) for name, column in batch.columns.items()}
    metadata = {METADATA: json.dumps({"version": 1, "columns": specs})}
    metadata |= {RELATION + name: base64.b64encode(_ipc(table)) for name, table in batch.relations.items()}
    table = pa.table(fields).replace_schema_metadata(metadata)
    with atomic(path) as part:
        pq.write_table(table, part, compression="zstd", write_statistics=False, row_group_size=max(len(table), 1))


def read_batch(path: str | Path) -> Batch:
    """Reads what `write_batch` wrote.

    Raises:
        RunFolderError: no such file, a damaged one, or one that another program wrote.
    """
    try:
        with pq.ParquetFile(path, thrift_string_size_limit=2**31 - 1) as file:
            table = file.read()
    except (OSError, pa.ArrowException) as error:
        raise RunFolderError(
            f"read_batch: cannot read {path} ({error}); a part-file of a run is needed; "
            "remove it and resume the run, or give another path"
        ) from error
    metadata = table.schema.metadata or {}
    if METADATA not in metadata:
        raise RunFolderError(
            f"read_batch: {path} is a parquet file that write_batch did not write; the nesting of its columns is not "
            "known; build a batch from its columns with Batch.from_steps"
        )
    group = np.array(table["group"])
    tokens = _one(table["tokens"])
    trajectory_of_step = np.repeat(np.arange(len(group)), np.diff(np.asarray(tokens.offsets)))
    step_of_token = np.repeat(np.arange(len(trajectory_of_step)), np.asarray(tokens.flatten()))
    groups = np.full(int(group.max(initial=-1)) + 1, -1)
    groups[group] = np.arange(len(group))  # any trajectory of the group will do

    def load(spec: dict) -> Column:
        array = _one(table[spec["field"]])
        array = array.flatten() if spec["level"] in ("step", "token") else array
        column = _from_arrow(spec, array)
        if spec["level"] == "group":
            column = column.take(np.maximum(groups, 0))
            column = Column("group", column.values, column.valid & (groups >= 0))
        parts = tuple((name, load(part)) for name, part in spec["parts"])
        return Column(column.level, column.values, column.valid, parts)

    columns = {name: load(spec) for name, spec in json.loads(metadata[METADATA])["columns"].items()}
    relations = {
        name.decode().removeprefix(RELATION): pa.ipc.open_stream(base64.b64decode(data)).read_all()
        for name, data in metadata.items()
        if name.startswith(RELATION.encode())
    }
    return Batch(step_of_token, trajectory_of_step, group, columns, relations)


def _field_names(batch: Batch) -> dict[str, str]:
    """What each column is stored under: its name, unless the nesting has that."""
    names = {name: name for name in batch.columns if name not in STRUCTURE}
    for name in batch.columns:
        if name in STRUCTURE:
            names[name] = _free(f"column/{name}", names.values())
    return names


def _free(name: str, taken: Container[str]) -> str:
    while name in taken:
        name += "'"
    return name


def _nested(values: pa.Array, offsets: np.ndarray) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values)


def _one(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole


def _ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _to_arrow(name: str, column: Column) -> pa.Array:
    """The column's values, null where it is not valid."""
    values, missing = column.values, ~column.valid
    if isinstance(values, pa.Array):
        index = pa.array(np.arange(len(values)), mask=missing)
        return values.take(index) if missing.any() else values
    try:
        if values.ndim == 1:
            return pa.array(values, mask=missing if missing.any() else None)
        if not (width := int(np.prod(values.shape[1:]))):
            return pa.array(column.valid, mask=missing)
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), width, mask=pa.array(missing))
    except (pa.ArrowException, TypeError) as error:
        raise ColumnError(
            f"write_batch: column {name!r} holds {values.dtype} ({error}); numbers, truth values or text are needed; "
            "turn it into one of these, or leave it out"
        ) from error


def _from_arrow(spec: dict, array: pa.Array) -> Column:
    valid = ~np.asarray(array.is_null())
    if "dtype" not in spec:
        return Column(spec["level"], array, valid)
    dtype, shape = np.dtype(spec["dtype"]), tuple(spec["shape"])
    values = np.full((len(array), *shape), np.nan if dtype.kind == "f" else dtype.type(), dtype)
    if values.size:
        present = array.flatten() if shape else array.drop_null()
        values[valid] = present.to_numpy(zero_copy_only=False).reshape(-1, *shape)
    return Column(spec["level"], values, valid)
