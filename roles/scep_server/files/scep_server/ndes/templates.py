# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Templates of the CA: settings that count, in place of the server's own, for the requests that get the template.

NDES decides by the key usage in the request which of the three templates of its registry it asks the CA for.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.netcert.ndes.plugins.module_utils.scep.csr import CertificateRequest
from cryptography import x509

from ..errors import CERTSRV_E_TEMPLATE_DENIED, CERTSRV_E_UNSUPPORTED_CERT_TYPE
from ..settings import Settings
from .users import named

# (digitalSignature, keyEncipherment) of a request -> the setting with the name of its template
_BY_USAGE = {(True, False): "signature_template", (False, True): "encryption_template"}


def chosen(settings: Settings, csr: CertificateRequest) -> str:
    """The name of the template that the request gets."""
    try:
        usage = csr.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return settings.general_purpose_template
    asked = (usage.digital_signature, usage.key_encipherment)
    name: str = getattr(settings, _BY_USAGE.get(asked, "general_purpose_template"))
    return name


@dataclass(frozen=True)
class Objection:
    """Why somebody gets no password; `hresult` is what the CA says of whoever enrols all the same."""

    text: str
    hresult: int


def objection(settings: Settings, user: str) -> Objection | None:
    """Why a user gets no password: NDES wants each of its templates published, and the right to enroll on it."""
    if not settings.templates:
        return _objection(settings, user, "")
    found = (_objection(own, user, f" on the template {name}") for name, own in settings.of_template.items())
    return next((one for one in found if one is not None), None)


def has_right(settings: Settings, user: str) -> bool:
    """Whether a user has the right to enroll on each template, published or not."""
    every = settings.of_template.values() if settings.templates else (settings,)
    return all(_without_right(own, user, "") is None for own in every)


def _objection(settings: Settings, user: str, where: str) -> Objection | None:
    if not settings.published:
        return Objection(f"as nobody can enroll{where} (setting published)", CERTSRV_E_UNSUPPORTED_CERT_TYPE)
    return _without_right(settings, user, where)


def _without_right(settings: Settings, user: str, where: str) -> Objection | None:
    if settings.admin_users and not named(user, settings.admin_users):
        return Objection(f"who has no right to enroll{where} (setting admin_users)", CERTSRV_E_TEMPLATE_DENIED)
    return None
