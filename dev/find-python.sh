# shellcheck shell=sh
# Prints a Python that can run dev/, on a machine where only a pyenv may have one. dev/ then chooses the newest itself.
# pyenv's shims are of no use here: they exist for versions that the current folder does not activate.

for python in \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[123].*/bin/python3 \
    python3.13 python3.12 python3.11 python3; do
    if "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        command -v "$python"
        exit 0
    fi
done
echo "No Python 3.11 to 3.13 found on PATH or under pyenv: install one, for example with 'apt-get install python3'." >&2
exit 1
