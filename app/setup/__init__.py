"""Getting ready: the environment, the model and the sample index, and what ``ipl doctor`` finds of them.

``environment`` makes the repository's ``.venv``; ``prepare`` makes what lies in ``IPL_HOME``; both run their commands
through ``steps``. All of it needs the standard library alone, but for what ``prepare`` imports of the model.
"""
