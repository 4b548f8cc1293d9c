# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The CA and its registration authority: making them, and loading them once for the life of a process.

The layout is that of NDES: a CA that issues, an RA certificate that signs replies, and one to which requests are
encrypted. Everything secret lies in `pki/` in the state folder, each key in a file of mode 0600.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import write_ca_certificates
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import build_key_usage, same_key
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import OID_RA_EKU
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from .errors import StateError
from .files import private_folder, sync_folder, write_atomically
from .settings import Settings

FOLDER = "pki"
CA, SIGNING, ENCRYPTION = "ca", "ra-signing", "ra-encryption"
OTP_KEY = "otp.key"

_NEW_KEY: dict[str, Callable[[], Any]] = {
    "rsa-2048": partial(rsa.generate_private_key, 65537, 2048),
    "rsa-3072": partial(rsa.generate_private_key, 65537, 3072),
    "rsa-4096": partial(rsa.generate_private_key, 65537, 4096),
    "ec-p256": partial(ec.generate_private_key, ec.SECP256R1()),
    "ec-p384": partial(ec.generate_private_key, ec.SECP384R1()),
}


SignatureHash = hashes.SHA256 | hashes.SHA384


@dataclass(frozen=True)
class Pki:
    """The loaded keys and certificates. `otp_key` authenticates stored one-time passwords."""

    ca: Identity
    signer: Identity
    encryption: Identity
    otp_key: bytes

    @property
    def recipients(self) -> tuple[Identity, ...]:
        """To whom a request may be encrypted: the RA, and the CA where its key can decrypt."""
        if isinstance(self.ca.key, rsa.RSAPrivateKey):
            return (self.encryption, self.ca)
        return (self.encryption,)

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """What GetCACert hands out, in the order of NDES."""
        return (self.signer.certificate, self.encryption.certificate, self.ca.certificate)

    @cached_property
    def ca_certificates(self) -> tuple[bytes, str]:
        """(body, Content-Type) of GetCACert."""
        return write_ca_certificates(self.certificates)

    @cached_property
    def authority_key_identifier(self) -> x509.AuthorityKeyIdentifier:
        """What every issued certificate and CRL carries."""
        return authority_key_identifier(self.ca.certificate)

    @cached_property
    def issuer_der(self) -> bytes:
        """The CA's subject as DER."""
        return self.ca.certificate.subject.public_bytes()

    @property
    def hash(self) -> SignatureHash:
        """With which the CA signs."""
        return signature_hash(self.ca.key)


def signature_hash(key: Any) -> SignatureHash:
    """The hash that fits the key's strength."""
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256:
        return hashes.SHA384()
    return hashes.SHA256()


def authority_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """As the issuer's own SubjectKeyIdentifier has it, else from its key."""
    try:
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def new_serial() -> int:
    """A serial number: 128 random bits, never zero (RFC 5280 section 4.1.2.2)."""
    return secrets.randbits(128) or 1


def is_initialised(state: Path) -> bool:
    """Whether `create` has run to its end."""
    return (state / FOLDER).is_dir()


def create(state: Path, settings: Settings, now: dt.datetime) -> None:
    """Make keys and certificates in a folder beside the final one, which then appears whole."""
    private_folder(state)
    ca = _make_ca(settings, now)
    ra_end = min(now + dt.timedelta(days=settings.ra_days), ca.certificate.not_valid_after_utc)
    identities = {
        CA: ca,
        SIGNING: _make_ra(settings, ca, "Signing", "digital_signature", now, ra_end),
        ENCRYPTION: _make_ra(settings, ca, "Encryption", "key_encipherment", now, ra_end),
    }
    draft = Path(tempfile.mkdtemp(dir=state, prefix=f".{FOLDER}."))  # mode 0700
    try:
        for name, identity in identities.items():
            pem = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write_atomically(draft / f"{name}.key", pem, mode=0o600)
            write_atomically(draft / f"{name}.pem", identity.certificate.public_bytes(Encoding.PEM), mode=0o644)
        write_atomically(draft / OTP_KEY, secrets.token_hex(32).encode() + b"\n", mode=0o600)
        os.rename(draft, state / FOLDER)  # noqa: PTH104  # must fail, not nest, where a folder with files stands
    except OSError as error:
        raise StateError(f"The keys cannot be written to {state / FOLDER}: {error.strerror}.") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    sync_folder(state)


def _make_ca(settings: Settings, now: dt.datetime) -> Identity:
    key = _NEW_KEY[settings.ca_key]()
    subject = x509.Name.from_rfc4514_string(settings.ca_subject)
    builder = (
        _builder(subject, subject, key.public_key(), now, now + dt.timedelta(days=settings.ca_days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(build_key_usage("digital_signature", "key_cert_sign", "crl_sign"), critical=True)
    )
    return Identity(builder.sign(key, signature_hash(key)), key)


def _make_ra(settings: Settings, ca: Identity, role: str, usage: str, now: dt.datetime, end: dt.datetime) -> Identity:
    key = _NEW_KEY[settings.ra_key]()
    issuer = ca.certificate.subject
    common_names = [str(part.value) for part in issuer.get_attributes_for_oid(NameOID.COMMON_NAME)] or ["SCEP"]
    # 64 characters are what a common name may have (RFC 5280 appendix A.1, ub-common-name)
    own_name = x509.NameAttribute(NameOID.COMMON_NAME, f"{common_names[-1][:48]} RA {role}")
    subject = x509.Name([*(part for part in issuer if part.oid != NameOID.COMMON_NAME), own_name])
    builder = (
        _builder(subject, issuer, key.public_key(), now, end)
        .add_extension(authority_key_identifier(ca.certificate), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(build_key_usage(usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(OID_RA_EKU)]), critical=False)
    )
    if (points := distribution_points(settings.crl_url)) is not None:
        builder = builder.add_extension(points, critical=False)
    return Identity(builder.sign(ca.key, signature_hash(ca.key)), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: Any, now: dt.datetime, end: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(new_serial())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def distribution_points(url: str) -> x509.CRLDistributionPoints | None:
    """The extension that says where the CRL is, or None without a URL."""
    if not url:
        return None
    name = x509.UniformResourceIdentifier(url)
    return x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)])


def load(state: Path) -> Pki:
    """Read what `create` made. Raises StateError with a sentence."""
    folder = state / FOLDER
    if not folder.is_dir():
        raise StateError(f"{state} is not initialised: run 'scep-server --state {state} init' first.")
    try:
        otp_key = bytes.fromhex((folder / OTP_KEY).read_text(encoding="ascii").strip())
        ca, signer, encryption = (_load_identity(folder, name) for name in (CA, SIGNING, ENCRYPTION))
    except (OSError, ValueError, TypeError) as error:
        raise StateError(f"The keys in {folder} cannot be read: {error}.") from None
    return Pki(ca, signer, encryption, otp_key)


def _load_identity(folder: Path, name: str) -> Identity:
    certificate = x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
    key: Any = load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
    if not same_key(key.public_key(), certificate.public_key()):
        raise StateError(f"In {folder}, {name}.key is not the key of {name}.pem.")
    return Identity(certificate, key)


def expired(pki: Pki, now: dt.datetime) -> str | None:
    """A sentence when one of the certificates is out of date, else None."""
    for certificate in pki.certificates:
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            end = certificate.not_valid_after_utc.isoformat()
            return f"The certificate of {certificate.subject.rfc4514_string()} is out of date (notAfter {end})."
    return None
