"""`python -m cgexplorer.verify`: the verifier without web application or database."""

import sys

from cgexplorer.verify.cli import main

sys.exit(main())
