"""`python -m stretto.commands`: the same as the `stretto` script."""

import sys

from stretto.commands.cli import main

sys.exit(main())
