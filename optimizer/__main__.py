"""`python -m optimizer`."""

import sys

from optimizer.cli.verbs import main

sys.exit(main())
