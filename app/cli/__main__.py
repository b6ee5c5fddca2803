"""``python -m app.cli COMMAND ...``."""

import sys

from app.cli.main import main

if __name__ == "__main__":  # not in the processes that it starts
    sys.exit(main())
