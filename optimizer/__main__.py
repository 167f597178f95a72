"""`python -m optimizer`."""

import sys

from optimizer.optimize import main

sys.exit(main())
