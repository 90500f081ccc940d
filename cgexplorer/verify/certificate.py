"""Fulcio certificates: chain at every verified time, certificate transparency, usage, and what they say by name.

Sources: Fulcio `docs/oid-info.md`, RFC 5280, RFC 6962 3.2. Whole chain at signing time: CVE-2026-24122.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import struct
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import verification
from cryptography.x509.certificate_transparency import LogEntryType, SignedCertificateTimestamp
from cryptography.x509.oid import ExtendedKeyUsageOID

from cgexplorer.verify import verdict
from cgexplorer.verify.errors import Fault, Malformed
from cgexplorer.verify.trust_root import Authority, TrustRoot

FULCIO = "1.3.6.1.4.1.57264.1."
OTHER_NAME = x509.ObjectIdentifier(FULCIO + "7")
ISSUER_V1, ISSUER_V2 = FULCIO + "1", FULCIO + "8"
EXTENSION_NAMES = {
    1: "Issuer",
    2: "GitHub Workflow Trigger",
    3: "GitHub Workflow SHA",
    4: "GitHub Workflow Name",
    5: "GitHub Workflow Repository",
    6: "GitHub Workflow Ref",
    8: "Issuer (V2)",
    9: "Build Signer URI",
    10: "Build Signer Digest",
    11: "Runner Environment",
    12: "Source Repository URI",
    13: "Source Repository Digest",
    14: "Source Repository Ref",
    15: "Source Repository Identifier",
    16: "Source Repository Owner URI",
    17: "Source Repository Owner Identifier",
    18: "Build Config URI",
    19: "Build Config Digest",
    20: "Build Trigger",
    21: "Run Invocation URI",
    22: "Source Repository Visibility At Signing",
    23: "Deployment Environment",
    24: "Token Subject",
}
_NAMES = {FULCIO + str(number): name for number, name in EXTENSION_NAMES.items()}
_RAW_EXTENSIONS = frozenset(FULCIO + str(number) for number in range(1, 7))  # bare UTF-8; later ones: DER UTF8String
_MAX_UNKNOWN_BYTES = 128  # shown of an extension that nobody here can read
MAX_SCTS = 16


class Authorities:
    """The certificate authorities of one trust root, ready for use by many threads."""

    def __init__(self, root: TrustRoot) -> None:
        # The issuing certificate is the anchor: `trust_root` has checked the links above it, which no time changes.
        self._authorities = tuple((item, verification.Store([item.chain[0]])) for item in root.certificate_authorities)
        # The dearest step, half of a verification: one evidence under several policies asks the same thing again.
        # The key is every byte of the certificate and every time; a refusal is never remembered.
        self.chain = lru_cache(maxsize=256)(self._chain)

    def _chain(self, certificate: x509.Certificate, times: tuple[dt.datetime, ...]) -> Authority:
        """The authority whose whole chain holds at every one of these times. Raises Fault."""
        reasons = []
        for authority, store in self._authorities:
            for time in times:
                reason = _refusal(certificate, time, authority, store)
                if reason is not None:
                    reasons.append((certificate.issuer == authority.chain[0].subject, reason))
                    break
            else:
                return authority
        # The authority that the certificate names has the telling reason; of several with one name, the last.
        reasons.sort(key=lambda pair: pair[0])
        found = reasons[-1][1] if reasons else "no CA in it"
        raise Fault("a chain to a CA of the trust root, valid at the time of signing", found)


def _refusal(
    certificate: x509.Certificate, time: dt.datetime, authority: Authority, store: verification.Store
) -> str | None:
    if not authority.period.covers(time):
        return f"{authority.name or 'the CA'} is not trusted at {time:%Y-%m-%d %H:%M:%S}"
    for link in (certificate, *authority.chain):
        # The library does not look at the dates of its anchor, so look at all of them here.
        if not link.not_valid_before_utc <= time <= link.not_valid_after_utc:
            name = "the certificate" if link is certificate else "the CA " + link.subject.rfc4514_string()
            return f"{name} is not valid at {time:%Y-%m-%d %H:%M:%S}"
    try:
        _path_policy(store, time).verify(certificate, [])
    except (verification.VerificationError, x509.UnsupportedGeneralNameType, ValueError) as error:
        return f"issued by {certificate.issuer.rfc4514_string() or 'nobody'}: {str(error)[:100]}"
    return None


def _path_policy(store: verification.Store, time: dt.datetime) -> verification.ClientVerifier:
    # The web's rules, except that the usage is code signing, which `check_usage` demands by itself.
    authority = verification.ExtensionPolicy.webpki_defaults_ca().may_be_present(
        x509.ExtendedKeyUsage, verification.Criticality.NON_CRITICAL, None
    )
    leaf = verification.ExtensionPolicy.webpki_defaults_ee().may_be_present(
        x509.ExtendedKeyUsage, verification.Criticality.NON_CRITICAL, None
    )
    builder = verification.PolicyBuilder().store(store).time(time)
    return builder.extension_policies(ca_policy=authority, ee_policy=leaf).build_client_verifier()


def check_sct(certificate: x509.Certificate, authority: Authority, root: TrustRoot) -> str:
    """Which CT log promised to log this certificate. Raises Fault."""
    try:
        scts = list(
            certificate.extensions.get_extension_for_class(x509.PrecertificateSignedCertificateTimestamps).value
        )
    except x509.ExtensionNotFound:
        raise Fault("a signed certificate timestamp in the certificate", "none") from None
    known = [sct for sct in scts if sct.log_id in root.ct_logs]
    if not known or len(scts) > MAX_SCTS:
        found = f"CT log {scts[0].log_id.hex()[:16]}… is not in the trust root" if scts else "none"
        raise Fault("a signed certificate timestamp by a CT log of the trust root", found)
    for sct in known:
        log, time = root.ct_logs[sct.log_id], _sct_time(sct)
        if log.key is None:
            raise Fault("a CT log key of a known kind", log.key_details, unsupported=True)
        if not log.period.covers(time):
            raise Fault(f"a CT log key valid at {time:%Y-%m-%d %H:%M:%S}", f"{log.name} is trusted {log.period}")
        covered = _sct_message(certificate, sct, time, _issuer_key_hash(authority.chain[0]))
        if not isinstance(sct.signature_hash_algorithm, hashes.SHA256) or not log.key.signed(sct.signature, covered):
            raise Fault(f"a signed certificate timestamp by {log.name}", "a signature that does not verify")
    return f"{root.ct_logs[known[0].log_id].name} at {known[0].timestamp:%Y-%m-%d %H:%M:%S}"


@lru_cache(maxsize=256)
def _issuer_key_hash(issuer: x509.Certificate) -> bytes:
    key = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).digest()


def _sct_time(sct: SignedCertificateTimestamp) -> dt.datetime:
    try:
        return sct.timestamp.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError):  # 64 bits of milliseconds reach beyond the year 9999
        raise Fault("a signed certificate timestamp", "one of a year that no calendar has") from None


def _sct_message(
    certificate: x509.Certificate, sct: SignedCertificateTimestamp, time: dt.datetime, issuer_key_hash: bytes
) -> bytes:
    """The `digitally-signed` struct of RFC 6962 3.2 for a precertificate."""
    if sct.entry_type is not LogEntryType.PRE_CERTIFICATE:
        raise Fault("a timestamp of a precertificate", "one of a final certificate")
    tbs = certificate.tbs_precertificate_bytes
    milliseconds = round(time.timestamp() * 1000)
    return b"".join(
        (
            struct.pack("!BBQH", 0, 0, milliseconds, 1),
            issuer_key_hash,
            len(tbs).to_bytes(3, "big"),
            tbs,
            struct.pack("!H", len(sct.extension_bytes)),
            sct.extension_bytes,
        )
    )


def check_usage(certificate: x509.Certificate) -> str:
    """Digital signature and code signing. Raises Fault."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        raise Fault("key usage for code signing", "a certificate that states none") from None
    if not usage.digital_signature:
        raise Fault("a key for digital signatures", "a key for other uses")
    if ExtendedKeyUsageOID.CODE_SIGNING not in extended:
        raise Fault("a certificate for code signing", ", ".join(item.dotted_string for item in extended)[:80])
    return "digital signature, code signing"


def describe(certificate: x509.Certificate) -> verdict.Certificate:
    """All that the certificate says, with Fulcio's extensions by name. Believe it only when the chain holds.

    Raises Malformed for names that no certificate authority would write.
    """
    extensions = tuple(filter(None, (_extension(item) for item in certificate.extensions)))
    values = {item.oid: item.value for item in extensions}
    return verdict.Certificate(
        sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        subjects=_subjects(certificate),
        issuer=values.get(ISSUER_V2) or values.get(ISSUER_V1, ""),
        authority=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        extensions=extensions,
        pem=certificate.public_bytes(Encoding.PEM).decode(),
    )


def extension(described: verdict.Certificate, number: int) -> str | None:
    """Value of Fulcio's extension with this number, None when the certificate has none."""
    oid = FULCIO + str(number)
    return next((item.value for item in described.extensions if item.oid == oid), None)


def _extension(item: x509.Extension[x509.ExtensionType]) -> verdict.Extension | None:
    """None for what every certificate has: chain, usage and transparency are checks of their own."""
    if not isinstance(item.value, x509.UnrecognizedExtension):
        return None
    oid, raw = item.oid.dotted_string, item.value.value
    try:
        value = raw.decode() if oid in _RAW_EXTENSIONS else _utf8_string(raw)
    except ValueError:
        value = None
    if value is None or not value.isprintable():  # no text: shown by its bytes
        more = f"… ({len(raw)} bytes)" if len(raw) > _MAX_UNKNOWN_BYTES else ""
        value = raw[:_MAX_UNKNOWN_BYTES].hex() + more
    return verdict.Extension(oid, _NAMES.get(oid, oid), value)


def _utf8_string(der: bytes) -> str:
    """Raises ValueError."""
    if len(der) < 130 and der[:2] == bytes((12, len(der) - 2)):  # tag and short length: most of two dozen extensions
        return der[2:].decode()
    return asn1.decode_der(str, der)


def _subjects(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    others = [item.value for item in names.get_values_for_type(x509.OtherName) if item.type_id == OTHER_NAME]
    subjects = (
        *names.get_values_for_type(x509.UniformResourceIdentifier),
        *names.get_values_for_type(x509.RFC822Name),
        *names.get_values_for_type(x509.DNSName),
        *(_utf8(item) for item in others),
    )
    if not all(item.isprintable() for item in subjects):
        raise Malformed("a name in the certificate has control characters")
    return subjects


def _utf8(der: bytes) -> str:
    try:
        return _utf8_string(der)
    except ValueError:
        raise Malformed("a name in the certificate is no UTF8String") from None
