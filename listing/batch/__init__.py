"""Many items: rows in, drafts out as JSONL, in one process, by workers, or on Ray."""
