"""Which of the papers' methods can pay on a log: one file a phenomenon, each with ``measure(log)``.

Nothing is trained. A phenomenon is what a paper's method feeds on; where it is absent, the method has nothing to do.
"""
