"""What people touch: the commands, the pages, the API, the store and the live feed."""

__version__ = "0.1.0"
