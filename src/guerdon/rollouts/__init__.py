"""What was done: plays of tasks, in groups, written down as trajectories."""

from guerdon.rollouts.play import play, repeated
from guerdon.rollouts.players import by_policy, by_script

__all__ = ["by_policy", "by_script", "play", "repeated"]
