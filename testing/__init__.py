"""Contract suites: inherit one in a test class and give its fixtures to test your own part."""

from __future__ import annotations

from .spaces import SpaceContract, decode_at_random

__all__ = ["SpaceContract", "decode_at_random"]
