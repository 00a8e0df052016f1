"""An erasure in a process of its own, for tests that kill it: ``python -m tests.erasing``."""

from __future__ import annotations

from lifecourse.privacy import erasure

if __name__ == "__main__":
    erasure.honour()
