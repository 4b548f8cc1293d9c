#!/bin/sh
# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Prints a Python that can run the server and make virtual environments. $1: the one to take, if not empty.

fit() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if [ -n "$1" ]; then
    fit "$1" && command -v "$1" && exit 0
    echo "$1 is not a Python of version 3.11 or later with its modules venv and ensurepip" >&2
    exit 1
fi
for python in python3 python3.14 python3.13 python3.12 python3.11 \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[1-9].*/bin/python3; do
    fit "$python" && command -v "$python" && exit 0
done
echo "no Python 3.11 or later with its modules venv and ensurepip was found (Debian: apt-get install python3-venv)" >&2
exit 1
