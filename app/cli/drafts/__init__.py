"""The commands that write drafts: ``ipl draft``, ``ipl batch``."""
