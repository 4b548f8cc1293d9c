# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A SCEP server (RFC 8894) for reference and for tests: a WSGI application, its store, and a command line.

It is not a production CA: its keys lie unencrypted in a folder, and nobody reviews what it signs.
"""

from __future__ import annotations

__version__ = "0.1.0"
