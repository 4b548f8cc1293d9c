#!/bin/sh
# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Prints a Python that can run the server and make virtual environments. $1: the one to take, if not empty.
# $2: the user who will run it, if not empty; a Python in the home of somebody else is of no use.

as=""
if [ -n "$2" ] && id "$2" >/dev/null 2>&1; then
    as="runuser -u $2 --"
fi

# The interpreter itself, where $1 is a pyenv shim
probe='import ensurepip, sys, venv; sys.exit(1) if sys.version_info < (3, 11) else print(sys.executable)'

# Prints the path of $1 if it fits.
fitting() {
    path=$(command -v "$1") || return 1
    # shellcheck disable=SC2086  # four words, or none
    $as "$path" -c "$probe" 2>/dev/null
}

if [ -n "$1" ]; then
    fitting "$1" && exit 0
    echo "$1 is not a Python of version 3.11 or later with its modules venv and ensurepip" >&2
    exit 1
fi
for python in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3 \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[1-9].*/bin/python3; do
    fitting "$python" && exit 0
done
echo "no Python 3.11 or later with its modules venv and ensurepip was found (Debian: apt-get install python3-venv)" >&2
exit 1
