"""What the tests of the engines share."""

from __future__ import annotations

import sys
from pathlib import Path

# Tests import the modules beside them; nothing else puts the workspace on the path.
if (root := str(Path(__file__).parents[3])) not in sys.path:
    sys.path.append(root)
