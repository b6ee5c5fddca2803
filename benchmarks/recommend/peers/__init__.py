"""The same DIN on the same rows with each library; one module a library, each with ``fit(workload, part)``."""
