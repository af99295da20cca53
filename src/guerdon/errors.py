"""What can go wrong, as one tree. Each error is also the standard error that it refines.

    GuerdonError
    ├── LevelError        (TypeError)        two levels were mixed by accident
    ├── ColumnError       (LookupError)      a column is not on the batch
    ├── ShapeError        (ValueError)       lengths or ids do not fit together
    ├── UnscoredError     (ValueError)       a missing score was about to be used as a number
    ├── RecordError       (ValueError)       a record, or a line of JSONL, is not what it should be
    ├── UnknownNameError  (LookupError)      no recipe, environment or option of that name
    ├── MissingExtraError (ImportError)      an optional part is not installed
    ├── PolicyError       (ValueError)       a policy cannot be loaded, or answered out of form
    ├── EnvironmentFault  (RuntimeError)     an environment raised, hung or returned nonsense
    ├── RunFolderError    (OSError)          a run folder is taken, incomplete, corrupt or full
    └── DivergedError     (ArithmeticError)  a loss or a gradient is not finite

What only one part can raise stands there: `SandboxFault` (RuntimeError) in evidence.sandbox, `QueryError`
(ValueError) in evidence.sql, `PatternError` and `FormulaError` (each a RecordError) in evidence.constraints and
evidence.logic, `BodyError` (a RecordError) in the server.

Form of every message: `<function>: <what was given>; <what is needed>; <the way out>`.
The command line prints the sentence alone; `--debug` shows the traceback.
"""


class GuerdonError(Exception):
    """The root. `except GuerdonError` catches everything that Guerdon says on purpose."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""  # KeyError would quote the sentence


class LevelError(GuerdonError, TypeError):
    """Columns of two levels met; the message names `at_end`, `broadcast`, `total` and `mean`."""


class ColumnError(GuerdonError, LookupError):
    """A column that is needed is not on the batch."""


class ShapeError(GuerdonError, ValueError):
    """Lengths or segment ids that do not fit together."""


class UnscoredError(GuerdonError, ValueError):
    """A missing score would have been used as a number."""


class RecordError(GuerdonError, ValueError):
    """A record, or a line of JSONL, is not what it should be."""


class UnknownNameError(GuerdonError, LookupError):
    """There is no recipe, environment or option of that name."""


class MissingExtraError(GuerdonError, ImportError):
    """An optional part is not installed; the message says which extra brings it."""


class PolicyError(GuerdonError, ValueError):
    """A policy cannot be loaded, or answered out of form."""


class EnvironmentFault(GuerdonError, RuntimeError):
    """An environment raised, hung past its deadline or returned nonsense."""


class RunFolderError(GuerdonError, OSError):
    """A run folder is taken, incomplete, corrupt, or cannot be written."""


class DivergedError(GuerdonError, ArithmeticError):
    """A loss or a gradient is not finite."""
