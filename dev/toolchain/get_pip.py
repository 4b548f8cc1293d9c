"""Put where ansible-test keeps its get-pip: it would download one from a host that not every network reaches.

Called with the arguments of get-pip in a virtual environment without pip, on any Python that ansible-test tests.
"""

from __future__ import annotations

import subprocess
import sys

UNKNOWN_TO_PIP = {"--no-setuptools", "--no-wheel"}

if __name__ == "__main__":
    # A child process, as the one that called must not see pip change under it.
    subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
    words = [word for word in sys.argv[1:] if word not in UNKNOWN_TO_PIP]
    subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", *words])
