"""RFC 3161 timestamps: a trusted authority saw these bytes at this time.

The CMS signature, imprint and chain are checked by rfc3161-client; the periods, which it leaves to its caller, here.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence

from cryptography import x509
from rfc3161_client import TimeStampResponse, Verifier, VerifierBuilder, decode_timestamp_response

from cgexplorer.verify.errors import Fault
from cgexplorer.verify.trust_root import Authority

MAX_TOKEN_BYTES = 1 << 20


_HASHES = {"2.16.840.1.101.3.4.2.1": "sha256", "2.16.840.1.101.3.4.2.2": "sha384", "2.16.840.1.101.3.4.2.3": "sha512"}


class UnknownAuthority(Fault):
    """The token does not claim to be by any authority of the trust root."""


class TimestampAuthorities:
    """The timestamp authorities of one trust root, ready for use by many threads."""

    def __init__(self, authorities: Sequence[Authority]) -> None:
        self._authorities = tuple((item, _verifier(item)) for item in authorities if len(item.chain) >= 2)

    def check(self, token: bytes, messages: Sequence[bytes]) -> dt.datetime:
        """The time in the token, which must cover one of these. Raises Fault, or UnknownAuthority."""
        if len(token) > MAX_TOKEN_BYTES:
            raise Fault("an RFC 3161 token", f"{len(token)} bytes")
        try:
            response = decode_timestamp_response(token)
            time = response.tst_info.gen_time
            signers = {(signer.issuer, signer.serial_number) for signer in response.signed_data.signer_infos}
        except Exception:  # hostile DER: the library raises several unrelated types
            raise Fault("an RFC 3161 token", "bytes of another form") from None
        known = [pair for pair in self._authorities if _name(pair[0]) in signers]
        if not known:
            raise UnknownAuthority("a timestamp by an authority of the trust root", "one by another authority")
        reasons = []
        for authority, verifier in known:
            for message in messages:
                reason = _refusal(response, time, message, authority, verifier)
                if reason is None:
                    return time
                reasons.append(reason)
        raise Fault("a timestamp over this signature by an authority of the trust root", reasons[0])


def is_over(token: bytes, message: bytes) -> bool:
    """Whether the token claims to be over these bytes; by whom it is has to be checked."""
    try:
        imprint = decode_timestamp_response(token).tst_info.message_imprint
        algorithm = _HASHES.get(imprint.hash_algorithm.dotted_string)
        return algorithm is not None and hashlib.new(algorithm, message).digest() == imprint.message
    except Exception:  # as above
        return False


def _name(authority: Authority) -> tuple[x509.Name, int]:
    """As a token names its signer."""
    return authority.chain[0].issuer, authority.chain[0].serial_number


def _verifier(authority: Authority) -> Verifier:
    builder = VerifierBuilder().tsa_certificate(authority.chain[0]).add_root_certificate(authority.chain[-1])
    for certificate in authority.chain[1:-1]:
        builder = builder.add_intermediate_certificate(certificate)
    return builder.build()


def _refusal(
    response: TimeStampResponse, time: dt.datetime, message: bytes, authority: Authority, verifier: Verifier
) -> str | None:
    try:
        verifier.verify_message(response, message)
    except Exception as error:  # besides VerificationError whatever parsing the embedded certificate raises
        return str(error)[:120] or type(error).__name__
    if not authority.period.covers(time):
        return f"{time:%Y-%m-%d %H:%M:%S}, outside the period in which {authority.name} is trusted"
    if not all(_valid(certificate, time) for certificate in authority.chain):
        return f"{time:%Y-%m-%d %H:%M:%S}, when a certificate of {authority.name} was not valid"
    return None


def _valid(certificate: x509.Certificate, time: dt.datetime) -> bool:
    return certificate.not_valid_before_utc <= time <= certificate.not_valid_after_utc
