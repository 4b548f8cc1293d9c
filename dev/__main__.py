"""Stands behind the Makefile: ``python dev venv|demo|check|test|clean``. Standard library only."""

from __future__ import annotations

import sys

from toolchain.cli import main

if __name__ == "__main__":
    sys.exit(main())
