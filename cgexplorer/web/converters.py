"""Parts of URLs: names of images have any depth, so what follows them must be unmistakable."""

from __future__ import annotations


class Text:
    """A path part that is what it says."""

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class ImageName(Text):
    """`cgr.dev/chainguard/go`, `localhost:5000/app`: only the registry may hold a colon."""

    regex = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.\-]+)(?::[0-9]+)?(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)+"


class TagName(Text):
    regex = r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}"


class Digest(Text):
    regex = r"sha256:[0-9a-f]{64}"


class Sha256(Text):
    regex = r"[0-9a-f]{64}"
