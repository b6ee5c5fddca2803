"""The stages of the cascade, in their order: retrieve, pre_rank, rank, auction, mix, trace; see ``page.Stage``."""
