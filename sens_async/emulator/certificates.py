"""A certificate authority for one run of the emulator, good for SENS and loopback only.

Its key signs one certificate and is forgotten. Should anyone install the authority where it does
not belong and leave it there, its name constraints keep it from vouching for any other host.
"""

import errno
import ipaddress
import os
import secrets
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sens_async.emulator.targets import SENS_HOSTS

__all__ = ["Authority", "make_authority", "write_certificate"]

LIFETIME = timedelta(days=365)
SKEW = timedelta(days=1)
"""How far a client's clock may be behind."""

NAMES = (*SENS_HOSTS, "localhost")
ADDRESSES = ("127.0.0.1", "::1")

_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sens-async emulator CA")])


@attrs.frozen
class Authority:
    """What a client needs for its trust, and what the server needs to be trusted.

    Attributes:
        certificate: The authority's own, as PEM.
        context: For a server, with a certificate for every name it may be called by.
    """

    certificate: bytes
    context: ssl.SSLContext = attrs.field(repr=False)


def make_authority(now: datetime | None = None) -> Authority:
    """Make an authority that is valid for a year from `now`, which is by the machine's clock."""
    now = now or datetime.now(UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_id = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = (
        _builder(now, _NAME, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(_permitted(), None), critical=True)
        .add_extension(ca_id, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SENS_HOSTS[0])])
    certificate = (
        _builder(now, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_subjects()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_id), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    return Authority(_pem(ca), _context(_pem(certificate), key))


def write_certificate(certificate: bytes, path: Path) -> None:
    """Write an authority's certificate where clients find it, readable by its owner only.

    One that an emulator has left there is replaced.

    Raises:
        OSError: It cannot be written, or another file is there; `filename` tells which.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(path.parent))
    if path.exists() and not _is_ours(path):
        reason = "this file is no certificate of an emulator"
        raise FileExistsError(errno.EEXIST, reason, str(path))
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(certificate)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise


def _is_ours(path: Path) -> bool:
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError:
        return False
    return [certificate.subject for certificate in certificates] == [_NAME]


def _builder(
    now: datetime, subject: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(_NAME)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _subjects() -> list[x509.GeneralName]:
    names = [x509.DNSName(name) for name in NAMES]
    return [*names, *(x509.IPAddress(ipaddress.ip_address(one)) for one in ADDRESSES)]


def _permitted() -> list[x509.GeneralName]:
    names = [x509.DNSName(name) for name in NAMES]
    return [*names, *(x509.IPAddress(ipaddress.ip_network(one)) for one in ADDRESSES)]


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _context(certificate: bytes, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    # `ssl` reads keys from files only: this one is encrypted, with a password nobody keeps.
    password = secrets.token_bytes(32)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
    with tempfile.TemporaryDirectory(prefix="sens-emulator-") as folder:
        path = Path(folder, "server.pem")
        path.write_bytes(encrypted + certificate)
        context.load_cert_chain(path, password=password)
    return context
