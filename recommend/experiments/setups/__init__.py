"""What recipes share: how a log is prepared for a question, trained on and judged."""
