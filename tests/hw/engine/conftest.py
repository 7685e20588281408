"""Puts the tests of this folder in reach of each other: mutants are run on the cases of others."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
