"""``python -m graphcl``: the command line."""

import sys

from graphcl.cli import main

sys.exit(main())
