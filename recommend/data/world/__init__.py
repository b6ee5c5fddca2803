"""One simulated second-hand marketplace with known truth; see ``docs/recommender.md``."""

from recommend.data.world.config import SCALES, WORLD_VERSION, KnobError, WorldConfig, make_config
from recommend.data.world.loop import World, simulate
from recommend.data.world.write import write_world

__all__ = ["SCALES", "WORLD_VERSION", "KnobError", "World", "WorldConfig", "make_config", "simulate", "write_world"]
