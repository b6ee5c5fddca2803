"""World 2: one simulated second-hand marketplace with known truth, in three views; see ``docs/world.md``."""

from recommend.world.config import KNOBS, WORLD_VERSION, Knob, KnobError, WorldConfig, make_config
from recommend.world.write import write_world

__all__ = ["KNOBS", "WORLD_VERSION", "Knob", "KnobError", "WorldConfig", "make_config", "write_world"]
