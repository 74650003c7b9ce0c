"""``python -m pupicker COMMAND``."""

import sys

from pupicker.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
