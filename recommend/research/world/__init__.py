"""World 2: one simulated second-hand marketplace with known truth, in three views; see ``docs/world.md``."""

from recommend.research.world.write import write_world
from recommend.simulation.config import KNOBS, WORLD_VERSION, Knob, KnobError, WorldConfig, make_config

__all__ = ["KNOBS", "WORLD_VERSION", "Knob", "KnobError", "WorldConfig", "make_config", "write_world"]
