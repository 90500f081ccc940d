"""`verify.sh`: what a person would type to check an evidence bundle with stock cosign 3, without a network.

Every value from outside is one shell word (`shlex.quote`), given as `--flag=value`: neither code nor a flag.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

import msgspec

_BEGIN = r"""#!/bin/sh
# Checks this folder with stock cosign 3 and no network. Exit: 0 all holds, 1 something does not, 3 could not check.
set -u
COSIGN="${COSIGN:-cosign}"
case "$COSIGN" in /*) ;; */*) COSIGN="$PWD/$COSIGN" ;; esac
cd "$(dirname "$0")" || exit 3
command -v "$COSIGN" >/dev/null 2>&1 || { echo "cosign is not here: install cosign 3, or set COSIGN." >&2; exit 3; }
failed=0 skipped=0
say() { printf '%s\n' "$1" >&2; }
skip() { say "NOT CHECKED: $1"; skipped=1; }
bad() { say "FAILED: $1"; failed=1; }
if command -v sha256sum >/dev/null 2>&1; then sha256() { sha256sum "$1"; }; else sha256() { shasum -a 256 "$1"; }; fi
errors="$(mktemp)" || exit 3
trap 'rm -f "$errors"' EXIT
"""
_CHECKS = r"""
named() { # file, the sha256 it must have
    [ "$(sha256 "$1" | cut -c1-64)" = "$2" ] || bad "$1 has not the digest that its name says"
}
payload() { # the signed statement in a bundle
    sed -n 's/.*"payload" *: *"\([A-Za-z0-9+\/=]*\)".*/\1/p' "$1" | base64 -d 2>/dev/null
}
predicate() { # bundle, first byte and length in the statement, file
    payload "$1" | tail -c "+$2" | head -c "$3" | cmp -s - "$4" || bad "$4 is not what was signed in $1"
}
slice() { # bundle, first byte, length, file
    tail -c "+$2" "$1" | head -c "$3" | cmp -s - "$4" || bad "$4 is not the envelope in $1"
}
attestation() { # bundle, flags
    bundle="$1"; shift
    if "$COSIGN" verify-blob-attestation --bundle="$bundle" "$@" >/dev/null 2>"$errors"
    then echo "Verified: $bundle"; else bad "$bundle"; cat "$errors" >&2; fi
}
signature() { # bundle, payload, what names the image in the payload, flags
    bundle="$1"; signed="$2"; image="$3"; shift 3
    grep -qF -e "$image" "$signed" || bad "$signed names another image"
    if "$COSIGN" verify-blob --bundle="$bundle" --new-bundle-format "$@" "$signed" >/dev/null 2>"$errors"
    then echo "Verified: $bundle"; else bad "$bundle"; cat "$errors" >&2; fi
}
"""
_FOLDER_CHECKS = r"""
folder() { # one that checks itself
    COSIGN="$COSIGN" sh "$1/verify.sh" >/dev/null 2>"$errors"
    case $? in 0) echo "Holds: $1" ;; 3) skip "$1"; cat "$errors" >&2 ;; *) bad "$1"; cat "$errors" >&2 ;; esac
}
ids() { # ids in quotes, the document that must have each
    [ "$(LC_ALL=C grep -oF -f "$1" "$2" | LC_ALL=C sort -u)" = "$(cat "$1")" ] || bad "$2 has not all ids of $1"
}
"""


_STRANGERS = r"""find . -type f | sed 's|^\./||' | while IFS= read -r file; do
    [ "$file" = SHA256SUMS ] || cut -c67- SHA256SUMS | grep -qxF -e "$file" ||
        say "Not part of it, and checked by nobody: $(printf '%s' "$file" | tr -cd '[:print:]')"
done
"""


# Files of a folder are looked at by its own script, and its own script is one of ours.
_STRANGERS_BESIDE_FOLDERS = r"""{ find . -type f ! -path './digests/*' | sed 's|^\./||'
    for folder in digests/*; do [ -d "$folder" ] && echo "$folder/verify.sh" || echo "$folder"; done
} | while IFS= read -r file; do
    [ "$file" = SHA256SUMS ] || [ "$file" = 'digests/*' ] || cut -c67- SHA256SUMS | grep -qxF -e "$file" ||
        say "Not part of it, and checked by nobody: $(printf '%s' "$file" | tr -cd '[:print:]')"
done
"""


class Step(msgspec.Struct, frozen=True):
    """One call of a function of the script, and what it is about."""

    function: str
    arguments: tuple[str, ...]

    def line(self) -> str:
        return " ".join([self.function, *map(shlex.quote, self.arguments)])


def note(text: str) -> Step:
    """A sentence on stderr."""
    return Step("say", (text,))


def skipped(text: str) -> Step:
    """The report calls it verified and cosign cannot be asked: the script must not say that all is well."""
    return Step("skip", (text,))


def failure(text: str) -> Step:
    return Step("bad", (text,))


def write(steps: Iterable[Step], names: Iterable[str]) -> str:
    """The script. `names` are all files of SHA256SUMS in its order, this script among them."""
    return _written(_BEGIN + _CHECKS, _STRANGERS, steps, names)


def write_of_folders(steps: Iterable[Step], names: Iterable[str]) -> str:
    """The script that runs those of the folders in `digests/`."""
    return _written(_BEGIN + _FOLDER_CHECKS, _STRANGERS_BESIDE_FOLDERS, steps, names)


def _written(head: str, strangers: str, steps: Iterable[Step], names: Iterable[str]) -> str:
    listed = " \\\n    ".join(map(shlex.quote, names))
    lines = [
        head,
        "# Every file, and SHA256SUMS itself, is as it was written.",
        f"for file in \\\n    {listed}",
        'do sha256 "$file"; done | cmp -s - SHA256SUMS || bad "a file is not what SHA256SUMS says"',
        strangers,
        *(step.line() for step in steps),
        "",
        '[ "$failed$skipped" = 01 ] && say "What could be checked holds, but see above." && exit 3',
        '[ "$failed" = 0 ] && echo "All that was verified holds." && exit 0',
        'echo "Not all of it holds; see above." >&2',
        "exit 1",
    ]
    return "\n".join(lines) + "\n"
