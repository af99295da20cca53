"""What is measured about credit: how well it points where the truth is known, what papers claim, how fast it is.

    World                     a task as tables, and what the policy sees of it
    WORLDS, worlds.get        the built-in worlds, and those of a file
    Player, to_batch          plays of a world, many at once, as a Batch
    exact, gradient           the truth: the advantage of every step, the gradient of the return
    estimate, cosine          what a credit makes of the plays, and how well it points

`study` measures every rule in every world (`guerdon bench credit`), `claims` holds what papers say
(`guerdon bench claim`), `speed` times us beside others (`guerdon bench speed`).
"""

from guerdon.bench import worlds
from guerdon.bench.sample import GROUP, Player, Plays, cosine, estimate, exact, to_batch
from guerdon.bench.world import World, gradient, train
from guerdon.bench.worlds import WORLDS

__all__ = [
    "GROUP", "WORLDS", "Player", "Plays", "World", "cosine", "estimate", "exact", "gradient", "to_batch", "train",
    "worlds",
]  # fmt: skip
