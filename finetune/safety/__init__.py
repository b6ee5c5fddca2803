"""Training of the small models behind the checks of texts: ``python -m finetune.safety.contacts`` and ``.goods``."""
