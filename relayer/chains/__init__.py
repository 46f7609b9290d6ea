"""One package per virtual machine, with the same files in the same order.

A library that eth_account brings along (py_ecc) raises Python's recursion limit a hundredfold when
it is imported. With that limit, an endpoint that answers a hundred thousand opening brackets ends
the process with a segmentation fault in the JSON decoder, where it should raise RecursionError. The
limit is put back here, in case somebody has imported it, and by the one module that imports it.
"""

from __future__ import annotations

import sys

RECURSION_LIMIT = 1_000
"""Python's own default."""

sys.setrecursionlimit(RECURSION_LIMIT)
