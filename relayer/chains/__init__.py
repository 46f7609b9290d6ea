"""One package per virtual machine, with the same files in the same order.

A library that eth_account brings along (py_ecc) raises Python's recursion limit a hundredfold when
it is imported. With that limit, an endpoint that answers a hundred thousand opening brackets ends
the process with a segmentation fault in the JSON decoder, where it should raise RecursionError. So
it is imported here, before any adapter, and the limit is put back.
"""

from __future__ import annotations

import sys

import eth_account as _eth_account

RECURSION_LIMIT = 1_000
"""Python's own default."""

sys.setrecursionlimit(RECURSION_LIMIT)
del _eth_account
