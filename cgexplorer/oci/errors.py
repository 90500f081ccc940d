"""The one error family of this floor: a fetch that failed. A failed check is data (see verify)."""


class OciError(Exception):
    """Base of everything that this floor raises. `str(error)` is a sentence for a person."""


class ReferenceError(OciError):  # the name of the field; nobody catches the builtin
    """The text is not an image reference."""


class NotFound(OciError):
    """The source answered, and what was asked for is not there."""


class NotInLayout(NotFound):
    """The layout names this digest but does not hold its bytes."""


class Unreachable(OciError):
    """No answer: DNS, connection, time-out, or 5xx after all retries."""

    retry_after_s: float | None = None  # what the registry asked for, 1 s to 1 h


class NotNow(Unreachable):
    """It was not asked, or not once more: it wants no question yet, or somebody else waits for it. Says when to try."""


class OutOfTime(Unreachable):
    """What may be spent on asking is spent (`Patience.together_s`). Nothing more is asked."""


class Unauthorized(OciError):
    """The registry wants other credentials than the ones we have."""


class Refused(OciError):
    """We refuse to ask: plain http, a private address, a redirect to another place than allowed."""


class TooLarge(OciError):
    """The source offered more bytes than we accept."""


class DigestMismatch(OciError):
    """The bytes do not hash to the digest they were asked by."""


class Malformed(OciError):
    """The answer is not what its media type promises."""
