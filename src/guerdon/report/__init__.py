"""What happened: the table of methods, and one self-contained HTML page.

run folder -> data -> curves, summary, trajectories -> page -> report.html
"""

from guerdon.report.page import write
from guerdon.report.summary import Row, t_interval, table, wilson

__all__ = ["Row", "t_interval", "table", "wilson", "write"]
