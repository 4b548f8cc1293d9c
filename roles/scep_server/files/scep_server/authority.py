# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A CA with its registration authority: made new or taken from PEM files, written to a folder, and loaded from it.

Each key lies in a file of mode 0600. Which files there are tells the layout.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ansible_collections.netcert.ndes.plugins.module_utils.scep._compat import load_private_key
from ansible_collections.netcert.ndes.plugins.module_utils.scep.algorithms import policy
from ansible_collections.netcert.ndes.plugins.module_utils.scep.cacerts import write_ca_certificates
from ansible_collections.netcert.ndes.plugins.module_utils.scep.certificates import (
    build_key_usage,
    der,
    is_ca,
    issued_by,
    key_usage,
    name,
    same_key,
    valid_at,
)
from ansible_collections.netcert.ndes.plugins.module_utils.scep.constants import OID_RA_EKU
from ansible_collections.netcert.ndes.plugins.module_utils.scep.requests import Identity
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from .certificate import authority_key_identifier, ca_id, distribution_points, new_serial
from .errors import StateError, one_line
from .files import write_atomically
from .setting_checks import IN_GET_CA_CERT
from .settings import Settings

CA, RA, SIGNING, ENCRYPTION = "ca", "ra", "ra-signing", "ra-encryption"
CHAIN = "chain.pem"

LAYOUTS = {"ra_pair": (SIGNING, ENCRYPTION), "ra_single": (RA, RA), "ca_only": (CA, CA)}
"""Layout -> (who signs replies, to whom requests are encrypted). `ra_pair` is that of NDES."""

_USAGES = {
    SIGNING: ("digital_signature",),
    ENCRYPTION: ("key_encipherment",),
    RA: ("digital_signature", "key_encipherment"),
}
_NAMES = {SIGNING: "RA Signing", ENCRYPTION: "RA Encryption", RA: "RA"}

_NEW_KEY: dict[str, Callable[[], Any]] = {
    "rsa-2048": partial(rsa.generate_private_key, 65537, 2048),
    "rsa-3072": partial(rsa.generate_private_key, 65537, 3072),
    "rsa-4096": partial(rsa.generate_private_key, 65537, 4096),
    "ec-p256": partial(ec.generate_private_key, ec.SECP256R1()),
    "ec-p384": partial(ec.generate_private_key, ec.SECP384R1()),
}
# What can be wrong with a file of a key or of certificates
_UNREADABLE = (OSError, ValueError, TypeError, UnsupportedAlgorithm)

_BACKDATED = dt.timedelta(hours=1)

SignatureHash = hashes.SHA256 | hashes.SHA384


@dataclass(frozen=True)
class Authority:
    """A CA, who signs replies for it, and to whom requests are encrypted; `chain` is what stands above the CA."""

    layout: str
    ca: Identity
    signer: Identity
    encryption: Identity
    chain: tuple[x509.Certificate, ...] = ()

    @cached_property
    def id(self) -> str:
        """Names the CA, in the database and in the URL of its CRL."""
        return ca_id(self.ca.certificate)

    @property
    def identities(self) -> dict[str, Identity]:
        """The identities by the names of their files."""
        signer, encryption = LAYOUTS[self.layout]
        return {CA: self.ca, signer: self.signer, encryption: self.encryption}

    @cached_property
    def recipients(self) -> tuple[Identity, ...]:
        """To whom a request may be encrypted: the RA, and the CA where its key can decrypt."""
        if isinstance(self.ca.key, rsa.RSAPrivateKey) and self.ca != self.encryption:
            return (self.encryption, self.ca)
        return (self.encryption,)

    @cached_property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """What GetCACert hands out, in the order that was seen of NDES."""
        return self.ordered(IN_GET_CA_CERT)

    def ordered(self, order: Sequence[str]) -> tuple[x509.Certificate, ...]:
        """The same by words of IN_GET_CA_CERT, what is not named behind them; without any: as DER sorts a set."""
        found = {
            "ra_signing": (self.signer.certificate,),
            "ra_encryption": (self.encryption.certificate,),
            "ca": (self.ca.certificate,),
            "chain": self.chain,
        }
        told = dict.fromkeys(certificate for word in (*order, *IN_GET_CA_CERT) for certificate in found[word])
        return tuple(told if order else sorted(told, key=der))

    def ca_certificates(self, order: tuple[str, ...]) -> tuple[bytes, str]:
        """(body, Content-Type) of GetCACert, with the certificates in the order `ordered` gives them."""
        if (written := self._written.get(order)) is None:
            written = self._written[order] = write_ca_certificates(self.ordered(order))
        return written

    @cached_property
    def _written(self) -> dict[tuple[str, ...], tuple[bytes, str]]:
        return {}

    @cached_property
    def authority_key_identifier(self) -> x509.AuthorityKeyIdentifier:
        """What every issued certificate and CRL carries."""
        return authority_key_identifier(self.ca.certificate)

    @cached_property
    def issuer_der(self) -> bytes:
        """The CA's subject as DER."""
        return self.ca.certificate.subject.public_bytes()

    @cached_property
    def names_der(self) -> frozenset[bytes]:
        """Subjects, as DER, by which clients call the CA in a CertPoll: some take the RA's."""
        own = (self.ca, self.signer, self.encryption)
        return frozenset(identity.certificate.subject.public_bytes() for identity in own)

    @cached_property
    def hash(self) -> SignatureHash:
        """With which the CA signs."""
        return signature_hash(self.ca.key)

    @cached_property
    def valid(self) -> tuple[dt.datetime, dt.datetime]:
        """Since when and until when the CA's certificate is valid."""
        return self.ca.certificate.not_valid_before_utc, self.ca.certificate.not_valid_after_utc


def signature_hash(key: Any) -> SignatureHash:
    """The hash that fits the key's strength."""
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > 256:
        return hashes.SHA384()
    return hashes.SHA256()


@dataclass(frozen=True)
class Given:
    """PEM files to take instead of making new keys: (certificate, key) by role, and certificates above the CA."""

    files: Mapping[str, tuple[Path, Path]] = field(default_factory=dict)
    chain: Path | None = None
    passphrase: bytes | None = None


def make(settings: Settings, now: dt.datetime, given: Given) -> Authority:
    """A CA and RA in the layout of the settings; what is given is taken, the rest is made.

    Raises StateError with a sentence about a file that does not fit.
    """
    roles = LAYOUTS[settings.layout]
    if beyond := sorted(set(given.files) - {CA, *roles}):
        raise StateError(f"The layout {settings.layout} has no {', '.join(beyond)}: leave those files out.")
    if CA not in given.files and (given.files or given.chain):
        raise StateError("Certificates of an RA or of a chain are taken together with those of their CA: give the CA.")
    ca = _given_ca(given, now) if CA in given.files else _make_ca(settings, now)
    made = {CA: ca}
    for role in dict.fromkeys(roles):
        if role not in made:
            made[role] = _given_ra(given, role, ca, now) if role in given.files else _make_ra(settings, ca, role, now)
    if settings.layout == "ca_only" and not isinstance(ca.key, rsa.RSAPrivateKey):
        raise StateError("SCEP signs and decrypts with RSA keys: a CA with another key needs an RA (setting layout).")
    return Authority(settings.layout, ca, made[roles[0]], made[roles[1]], _chain(given, ca.certificate, now))


def _make_ca(settings: Settings, now: dt.datetime) -> Identity:
    key = _NEW_KEY[settings.ca_key]()
    subject = x509.Name.from_rfc4514_string(settings.ca_subject)
    usages = ["digital_signature", "key_cert_sign", "crl_sign"]
    if settings.layout == "ca_only":
        usages.append("key_encipherment")
    builder = (
        _builder(subject, subject, key.public_key(), now, now + dt.timedelta(days=settings.ca_days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(build_key_usage(*usages), critical=True)
    )
    return Identity(builder.sign(key, signature_hash(key)), key)


def _make_ra(settings: Settings, ca: Identity, role: str, now: dt.datetime) -> Identity:
    key = _NEW_KEY[settings.ra_key]()
    issuer = ca.certificate.subject
    common_names = [str(part.value) for part in issuer.get_attributes_for_oid(NameOID.COMMON_NAME)] or ["SCEP"]
    # 64 characters are what a common name may have (RFC 5280 appendix A.1, ub-common-name)
    own_name = x509.NameAttribute(NameOID.COMMON_NAME, f"{common_names[-1][:48]} {_NAMES[role]}")
    subject = x509.Name([*(part for part in issuer if part.oid != NameOID.COMMON_NAME), own_name])
    end = min(now + dt.timedelta(days=settings.ra_days), ca.certificate.not_valid_after_utc)
    builder = (
        _builder(subject, issuer, key.public_key(), max(now, ca.certificate.not_valid_before_utc + _BACKDATED), end)
        .add_extension(authority_key_identifier(ca.certificate), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(build_key_usage(*_USAGES[role]), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(OID_RA_EKU)]), critical=False)
    )
    if (points := distribution_points(settings.crl_url, ca.certificate)) is not None:
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
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _given_ca(given: Given, now: dt.datetime) -> Identity:
    ca = _given_identity(given, CA, now)
    path = given.files[CA][0]
    if not is_ca(ca.certificate):
        raise StateError(f"{path} is not the certificate of a CA.")
    if not isinstance(ca.key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
        raise StateError(f"The key of {path} is neither RSA nor EC: this server cannot sign with it.")
    return ca


def _given_ra(given: Given, role: str, ca: Identity, now: dt.datetime) -> Identity:
    identity = _given_identity(given, role, now)
    path = given.files[role][0]
    if not issued_by(identity.certificate, ca.certificate, policy()):
        raise StateError(f"{path} was not issued by {given.files[CA][0]}, so no client would take it for its RA.")
    if not isinstance(identity.key, rsa.RSAPrivateKey):
        raise StateError(f"The key of {path} is not RSA, and with such keys alone an RA signs and decrypts in SCEP.")
    usage = key_usage(identity.certificate)
    if usage is not None and not all(getattr(usage, word) for word in _USAGES[role]):
        raise StateError(f"{path} lacks the key usage {' and '.join(_USAGES[role])} of {role}.")
    return identity


def _given_identity(given: Given, role: str, now: dt.datetime) -> Identity:
    certificate_path, key_path = given.files[role]
    certificate = _given_certificates(certificate_path)[0]
    try:
        key: Any = _load_key(key_path, given.passphrase)
    except _UNREADABLE as error:
        raise StateError(f"{key_path} cannot be read as a key: {one_line(error)}.") from None
    if not same_key(key.public_key(), certificate.public_key()):
        raise StateError(f"{key_path} is not the key of {certificate_path}.")
    if not valid_at(certificate, now):
        raise StateError(f"{certificate_path} is out of date.")
    return Identity(certificate, key)


def _given_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """All of a PEM file, at least one."""
    try:
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except _UNREADABLE as error:
        raise StateError(f"{path} cannot be read as certificates: {one_line(error)}.") from None


def given_certificates(given: Given) -> list[tuple[Path, x509.Certificate]]:
    """The certificates that are given, with their files. Raises StateError for what cannot be read."""
    found = [(path, _given_certificates(path)[0]) for path, _key in given.files.values()]
    if given.chain is not None:
        found += [(given.chain, certificate) for certificate in _given_certificates(given.chain)]
    return found


def _load_key(path: Path, passphrase: bytes | None) -> Any:
    data = path.read_bytes()
    # One passphrase serves all files, of which some may need none.
    return load_private_key(data, passphrase if b"ENCRYPTED" in data else None)


def _chain(given: Given, ca: x509.Certificate, now: dt.datetime) -> tuple[x509.Certificate, ...]:
    if given.chain is None:
        return ()
    chain = _given_certificates(given.chain)
    below = ca
    for certificate in chain:
        if not is_ca(certificate) or not valid_at(certificate, now):
            raise StateError(f"{given.chain}: {name(certificate)} is not the certificate of a CA, or is out of date.")
        if not issued_by(below, certificate, policy()):
            raise StateError(
                f"{given.chain} must hold the issuer of the CA, then its issuer and so on: {name(certificate)} did not "
                f"issue {name(below)}."
            )
        below = certificate
    return chain


def write(authority: Authority, folder: Path) -> None:
    """Write keys and certificates into an empty folder."""
    for role, identity in authority.identities.items():
        pem = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_atomically(folder / f"{role}.key", pem, mode=0o600)
        write_atomically(folder / f"{role}.pem", identity.certificate.public_bytes(Encoding.PEM), mode=0o644)
    if authority.chain:
        pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in authority.chain)
        write_atomically(folder / CHAIN, pem, mode=0o644)


def load(folder: Path) -> Authority:
    """Read what `write` wrote. Raises StateError with a sentence."""
    layout, roles = next(
        (layout, roles)
        for layout, roles in LAYOUTS.items()
        if layout == "ca_only" or (folder / f"{roles[0]}.key").exists()
    )
    try:
        found = {role: _load_identity(folder, role) for role in (CA, *roles)}
        chain_file = folder / CHAIN
        chain = tuple(x509.load_pem_x509_certificates(chain_file.read_bytes())) if chain_file.exists() else ()
    except _UNREADABLE as error:
        raise StateError(f"The keys in {folder} cannot be read: {one_line(error)}.") from None
    return Authority(layout, found[CA], found[roles[0]], found[roles[1]], chain)


def _load_identity(folder: Path, role: str) -> Identity:
    certificate = x509.load_pem_x509_certificate((folder / f"{role}.pem").read_bytes())
    # They were checked when they came here: to look for their primes again takes 50 ms each.
    key = load_private_key((folder / f"{role}.key").read_bytes(), known=True)
    if not same_key(key.public_key(), certificate.public_key()):
        raise StateError(f"In {folder}, {role}.key is not the key of {role}.pem.")
    return Identity(certificate, key)


def expired(authority: Authority, now: dt.datetime) -> str | None:
    """A sentence when one of the certificates is out of date, else None."""
    for certificate in authority.certificates:
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            end = certificate.not_valid_after_utc.isoformat()
            return f"The certificate of {certificate.subject.rfc4514_string()} is out of date (notAfter {end})."
    return None
