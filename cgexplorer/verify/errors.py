"""What this floor raises. Outside it a failed check is data: `checks` turns each `Fault` into a `Check`."""


def printable(text: str) -> str:
    """Text of the signer's choice with control characters spelled out: for terminals, pages and PostgreSQL."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class VerifyError(Exception):
    """Base of everything that this floor raises. `str(error)` is a sentence for a person."""


class TrustRootError(VerifyError):
    """The trusted root cannot be used: not JSON, or without a CA, a CT log or a transparency log."""


class RefreshError(VerifyError):
    """The newest trust root could not be had; the one in use stays."""


class MirrorUnreachable(RefreshError):
    """The TUF mirror gave no answer, or none about this."""


class RefreshRefused(RefreshError):
    """What the TUF mirror answered may not be believed: rolled back, stale, wrongly signed, altered or unreadable."""


class UnusableKey(VerifyError):
    """The text is not a public key that this verifier knows how to use."""


class Malformed(VerifyError):
    """Bytes that are not what their form promises."""


class Fault(Exception):
    """One check failed: inside this floor only. `expected` and `found` are short strings for a person."""

    def __init__(self, expected: str, found: str, *, unsupported: bool = False, decisive: bool = False) -> None:
        self.expected = printable(expected)
        self.found = printable(found)
        super().__init__(f"expected {self.expected}, found {self.found}")
        self.unsupported = unsupported  # a form that this verifier does not know, which proves nothing either way
        self.decisive = decisive  # makes the signature invalid, even in a check that is about the signer only
