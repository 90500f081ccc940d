"""Public keys and the signatures made with them, each with the hash that its registry entry names.

Source: sigstore "algorithm registry"; cosign's own habits where they differ (SHA-256 on every curve).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from cgexplorer.verify import ed25519ph, rsa_pss, strict
from cgexplorer.verify.errors import Malformed, UnusableKey

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192  # larger ones only cost time
MAX_KEYS = 32  # of one policy
_BLOCK_END = re.compile(r"(?<=-----END PUBLIC KEY-----)\s*")
_CURVE_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A usable public key. `hash_algorithms` are tried in order; empty for Ed25519, which hashes by itself."""

    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
    hash_algorithms: tuple[hashes.HashAlgorithm, ...]
    pss: bool = False
    der: bytes = field(default=b"", compare=False)

    @property
    def fingerprint(self) -> str:
        """Hex sha256 of the SubjectPublicKeyInfo, as `sha256sum` of the key's DER prints it."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def kind(self) -> str:
        """`ECDSA secp256r1`, `RSA 2048`, `RSA-PSS 2048`, `Ed25519`."""
        if isinstance(self.key, ec.EllipticCurvePublicKey):
            return f"ECDSA {self.key.curve.name}"
        if isinstance(self.key, rsa.RSAPublicKey):
            return f"RSA{'-PSS' if self.pss else ''} {self.key.key_size}"
        return "Ed25519"

    def signed(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made this signature over this message."""
        if isinstance(self.key, ed25519.Ed25519PublicKey):
            # Pure in cosign's classic form, prehashed in its bundles; the two cannot be confused (RFC 8032, dom2).
            pure = self._verifies(signature, message, None)
            return pure or ed25519ph.verifies(self.key.public_bytes_raw(), signature, message)
        return any(self._verifies(signature, message, algorithm) for algorithm in self.hash_algorithms)

    def signed_digest(self, signature: bytes, sha256: bytes) -> bool:
        """As `signed`, when only the SHA-256 of the message is known. Ed25519 cannot tell."""
        knows = any(isinstance(algorithm, hashes.SHA256) for algorithm in self.hash_algorithms)
        return knows and self._verifies(signature, sha256, Prehashed(hashes.SHA256()))

    @property
    def can_tell_by_sha256(self) -> bool:
        """Whether `signed_digest` knows all ways in which this key may have signed."""
        return {algorithm.name for algorithm in self.hash_algorithms} == {"sha256"}

    def _verifies(self, signature: bytes, message: bytes, algorithm: hashes.HashAlgorithm | Prehashed | None) -> bool:
        try:
            if isinstance(self.key, ed25519.Ed25519PublicKey):
                self.key.verify(signature, message)
            elif algorithm is None:
                return False
            elif isinstance(self.key, ec.EllipticCurvePublicKey):
                self.key.verify(signature, message, ec.ECDSA(algorithm))
            elif self.pss:
                hashed = hashes.SHA256() if isinstance(algorithm, Prehashed) else algorithm
                # Any length of salt, as Go: sigstore's signers use the longest, openssl that of the hash.
                scheme = padding.PSS(padding.MGF1(hashed), padding.PSS.AUTO)
                self.key.verify(signature, message, scheme, algorithm)
            else:
                self.key.verify(signature, message, padding.PKCS1v15(), algorithm)
        except InvalidSignature:
            return False
        return True


def wrap(key: PublicKeyTypes, hash_algorithm: hashes.HashAlgorithm | None = None, *, pss: bool = False) -> PublicKey:
    """Give a key its hash: the one its registry entry names, else the usual one of its kind and cosign's SHA-256.

    Raises UnusableKey for kinds that Sigstore does not know and for RSA moduli that are too short or absurdly long.
    """
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if isinstance(key, ec.EllipticCurvePublicKey):
        usual = _CURVE_HASHES.get(key.curve.name)
        if usual is None:
            raise UnusableKey(f"the curve {key.curve.name} is not in Sigstore's registry")
        chosen = (
            (hash_algorithm,) if hash_algorithm else (usual,) if usual.name == "sha256" else (usual, hashes.SHA256())
        )
        return PublicKey(key, chosen, der=der)
    if isinstance(key, rsa.RSAPublicKey):
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            raise UnusableKey(f"an RSA key of {key.key_size} bits is refused")
        return PublicKey(key, (hash_algorithm or hashes.SHA256(),), pss=pss, der=der)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return PublicKey(key, (), der=der)
    raise UnusableKey(f"keys of type {type(key).__name__} are not in Sigstore's registry")


def of_certificate(certificate: x509.Certificate) -> PublicKey:
    """Raises UnusableKey."""
    if certificate.public_key_algorithm_oid.dotted_string == rsa_pss.OID:
        raise UnusableKey("certificates of RSA-PSS keys are not known to Fulcio, nor to this verifier")
    try:
        return wrap(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableKey(str(error)[:120]) from None


def from_der(der: bytes, hash_algorithm: hashes.HashAlgorithm | None = None, *, pss: bool = False) -> PublicKey:
    """A SubjectPublicKeyInfo. One that says RSA-PSS of itself signs with nothing else. Raises UnusableKey."""
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableKey("this is not a public key") from None
    declared = rsa_pss.hash_of(der)
    if declared is not None and hash_algorithm is not None and declared.name != hash_algorithm.name:
        raise UnusableKey(f"this RSA-PSS key signs with {declared.name}, not with {hash_algorithm.name}")
    if declared is None:
        return wrap(key, hash_algorithm, pss=pss)
    # Its own bytes: re-encoded it would be an ordinary RSA key, of another fingerprint and with another signature.
    return replace(wrap(key, declared, pss=True), der=der)


def from_pem(pem: str, hash_algorithm: hashes.HashAlgorithm | None = None) -> PublicKey:
    """One `PUBLIC KEY` block, as `cosign public-key` prints it. Raises UnusableKey."""
    try:
        label, der = strict.pem_block(pem, "the key")
    except Malformed as error:
        raise UnusableKey(str(error)) from None
    if label != "PUBLIC KEY":
        raise UnusableKey(f"this is a {label}, not a public key")
    return from_der(der, hash_algorithm)


def blocks(pem: str) -> tuple[str, ...]:
    """The PEM blocks of a text, one after the other; not yet read."""
    return tuple(block + "\n" for block in _BLOCK_END.split(pem.strip()) if block)


def from_pems(pem: str, hash_algorithm: hashes.HashAlgorithm | None = None) -> tuple[PublicKey, ...]:
    """One or several `PUBLIC KEY` blocks, all different. Raises UnusableKey."""
    texts = blocks(pem) or ("",)
    if len(texts) > MAX_KEYS:
        raise UnusableKey(f"{len(texts)} keys are more than {MAX_KEYS}")
    found = tuple(from_pem(text, hash_algorithm) for text in texts)
    if len({key.fingerprint for key in found}) != len(found):
        raise UnusableKey("one key is there twice")
    return found
