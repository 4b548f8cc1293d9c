"""A row of the tables `remedies_client` and `remedies_protocol`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Remedy:
    """`parts`: each a stable piece of one sentence or more; every sentence has a piece of exactly one row."""

    parts: tuple[str, ...]
    cause: str
    step: str
