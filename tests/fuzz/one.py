# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One target under atheris: `python -m fuzz.one TARGET [FILE or option of libFuzzer ...]`; a FILE is tried again."""

from __future__ import annotations

import contextlib
import hashlib
import random
import sys
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ansible_collections.netcert.ndes.plugins.module_utils.scep"]):
    from ansible_collections.netcert.ndes.plugins.module_utils.scep.errors import ScepError

    from fuzz import kept
    from fuzz.targets import TARGETS, Target
    from support.damage import restructured

FOLDER = Path(__file__).resolve().parents[2] / "build" / "fuzz"


def sow(target: Target, folder: Path) -> list[bytes]:
    """Write the seeds into the corpus. Without one that is read to the end the fuzzing would stay at the surface."""
    folder.mkdir(parents=True, exist_ok=True)
    good = 0
    seeds = list(target.seeds())
    for seed in seeds:
        (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
        with contextlib.suppress(ScepError):
            target.run(seed)
            good += 1
    if not good:
        sys.exit(f"none of the seeds of {target.name} is read to the end")
    return seeds


def main() -> None:
    name, *words = sys.argv[1:]
    target = TARGETS[name]
    warnings.simplefilter("ignore")  # the library warns of values that it reads all the same
    kept.use_kept_pki(FOLDER / "pki")
    corpus = FOLDER / "corpus" / name
    seeds = sow(target, corpus)

    def run(data: bytes) -> None:
        with contextlib.suppress(ScepError):
            target.run(data)

    def change(data: bytes, max_size: int, seed: int) -> bytes:
        """Every second time the structure is changed, which the fuzzer knows nothing of; half of that in a seed."""
        chance = random.Random(seed)
        way = chance.randrange(4)
        if way < 2:
            return bytes(atheris.Mutate(data, max_size))
        start = chance.choice(seeds) if way == 2 else data
        return (start[: target.head] + restructured(start[target.head :], chance))[:max_size]

    tried_again = any(Path(word).is_file() for word in words)
    atheris.Setup([sys.argv[0], *words, *([] if tried_again else [str(corpus)])], run, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
