"""What the sample images hold: true names, versions, licences and sources of real packages; the builds are made up."""

from __future__ import annotations

from dataclasses import dataclass, field

REGISTRY = "samples.example"
ISSUER = "https://token.actions.githubusercontent.com"
RELEASE = "https://github.com/example/images/.github/workflows/release.yaml@refs/heads/main"
# Somebody with a fork of the repository: a good signature by the wrong signer.
FORK = "https://github.com/mallory/images/.github/workflows/release.yaml@refs/heads/main"


@dataclass(frozen=True)
class Source:
    """Where an apk is built from: its origin, and the upstream tag of a version."""

    origin: str
    license: str
    repository: str  # owner/name on GitHub
    tag: str = "{version}"


@dataclass(frozen=True)
class Apk:
    source: Source
    summary: str


GLIBC = Source("glibc", "LGPL-2.1-or-later", "bminor/glibc", "glibc-{version}")
OPENSSL = Source("openssl", "Apache-2.0", "openssl/openssl", "openssl-{version}")
GCC = Source("gcc", "GPL-3.0-or-later WITH GCC-exception-3.1", "gcc-mirror/gcc", "releases/gcc-{version}")
NGINX = Source("nginx-mainline", "BSD-2-Clause", "nginx/nginx", "release-{version}")
PYTHON = Source("python-3.14", "PSF-2.0", "python/cpython", "v{version}")
NCURSES = Source("ncurses", "MIT", "ThomasDickey/ncurses-snapshots", "v{version}")
ZLIB = Source("zlib", "MPL-2.0 AND MIT", "madler/zlib", "v{version}")
MOZILLA = Source("ca-certificates", "MPL-2.0 AND MIT", "alpinelinux/ca-certificates")
BASE = Source("wolfi-baselayout", "MIT", "wolfi-dev/os")
XCRYPT = Source("libxcrypt", "GPL-2.0-or-later AND LGPL-2.1-or-later", "besser82/libxcrypt", "v{version}")

APKS = {
    "ca-certificates-bundle": Apk(MOZILLA, "CA certificates in the system trust store"),
    "gdbm": Apk(
        Source("gdbm", "GPL-3.0-or-later", "gdbm/gdbm", "v{version}"), "database routines with extensible hashing"
    ),
    "glibc": Apk(GLIBC, "the GNU C library"),
    "glibc-locale-posix": Apk(GLIBC, "POSIX locale data for glibc"),
    "ld-linux": Apk(GLIBC, "the GLIBC ELF interpreter"),
    "libbz2-1": Apk(Source("bzip2", "bzip2-1.0.6", "libarchive/bzip2", "bzip2-{version}"), "bzip2 runtime library"),
    "libcrypt1": Apk(GLIBC, "Password hashing library included with glibc"),
    "libcrypto3": Apk(OPENSSL, "OpenSSL libcrypto library"),
    "libexpat1": Apk(Source("expat", "MIT", "libexpat/libexpat", "R_{version}"), "XML parsing library"),
    "libffi": Apk(
        Source("libffi", "MIT", "libffi/libffi", "v{version}"), "portable foreign function interface library"
    ),
    "libgcc": Apk(GCC, "GCC runtime library"),
    "libpcre2-8-0": Apk(Source("pcre2", "BSD-3-Clause", "PCRE2Project/pcre2", "pcre2-{version}"), "PCRE2, 8 bit"),
    "libssl3": Apk(OPENSSL, "OpenSSL libssl library"),
    "libstdc++": Apk(GCC, "GNU C++ standard runtime library"),
    "libuuid": Apk(
        Source("util-linux", "BSD-3-Clause", "util-linux/util-linux", "v{version}"),
        "DCE compatible Universally Unique Identifier library",
    ),
    "libxcrypt": Apk(XCRYPT, "Modern library for one-way hashing of passwords"),
    "libzstd1": Apk(
        Source("zstd", "BSD-2-Clause AND GPL-2.0-only", "facebook/zstd", "v{version}"), "zstd runtime library"
    ),
    "mpdecimal": Apk(Source("mpdecimal", "BSD-2-Clause", "bytereef/mpdecimal"), "decimal floating point arithmetic"),
    "ncurses": Apk(NCURSES, "console display library"),
    "ncurses-terminfo-base": Apk(NCURSES, "descriptions of common terminals"),
    "nginx-mainline": Apk(NGINX, "HTTP and reverse proxy server (mainline version)"),
    "nginx-mainline-config": Apk(NGINX, "nginx configuration"),
    "nginx-mainline-fastcgi-params": Apk(NGINX, "nginx FastCGI parameters"),
    "nginx-mainline-mime-types": Apk(NGINX, "nginx MIME types"),
    "nginx-mainline-package-config": Apk(NGINX, "nginx package configuration"),
    "nginx-mainline-scgi-params": Apk(NGINX, "nginx SCGI parameters"),
    "nginx-mainline-uwsgi-params": Apk(NGINX, "nginx uWSGI parameters"),
    "py3-pip-wheel": Apk(Source("py3-pip", "MIT", "pypa/pip"), "the wheel of pip that ensurepip installs"),
    "python-3.14": Apk(PYTHON, "the Python programming language"),
    "python-3.14-base": Apk(PYTHON, "the Python programming language, without the documentation"),
    "readline": Apk(
        Source("readline", "GPL-3.0-or-later", "gitGNU/gnu_readline", "readline-{version}"), "GNU readline"
    ),
    "sqlite-libs": Apk(Source("sqlite", "blessing", "sqlite/sqlite", "version-{version}"), "sqlite library"),
    "wolfi-baselayout": Apk(BASE, "baselayout data for Wolfi"),
    "xz": Apk(Source("xz", "GPL-3.0-or-later", "tukaani-project/xz", "v{version}"), "library and tools for XZ files"),
    "zlib": Apk(ZLIB, "a library implementing the zlib compression algorithms"),
}

_BASE_APRIL = {
    "ca-certificates-bundle": "20251003-r4",
    "glibc": "2.43-r6",
    "glibc-locale-posix": "2.43-r6",
    "ld-linux": "2.43-r6",
    "libcrypto3": "3.6.2-r1",
    "libgcc": "15.2.0-r11",
    "libssl3": "3.6.2-r1",
    "wolfi-baselayout": "20230201-r28",
    "zlib": "1.3.2-r2",
}
_BASE_AUGUST = _BASE_APRIL | {
    "ca-certificates-bundle": "20260413-r1",
    "glibc": "2.43-r15",
    "glibc-locale-posix": "2.43-r15",
    "ld-linux": "2.43-r15",
    "libcrypto3": "3.6.3-r5",
    "libgcc": "16.2.0-r0",
    "libssl3": "3.6.3-r5",
    "wolfi-baselayout": "20230201-r29",
    "zlib": "1.3.2-r4",
}


def _nginx(version: str) -> dict[str, str]:
    parts = ("", "-config", "-fastcgi-params", "-mime-types", "-package-config", "-scgi-params", "-uwsgi-params")
    return {f"nginx-mainline{part}": version for part in parts} | {"libpcre2-8-0": "10.47-r0"}


_PYTHON_APRIL = _BASE_APRIL | {
    "gdbm": "1.26-r4",
    "libbz2-1": "1.0.8-r23",
    "libexpat1": "2.7.5-r0",
    "libffi": "3.5.2-r7",
    "libstdc++": "15.2.0-r11",
    "libuuid": "2.42-r0",
    "libzstd1": "1.5.7-r7",
    "mpdecimal": "4.0.1-r3",
    "ncurses": "6.6_p20251230-r6",
    "ncurses-terminfo-base": "6.6_p20251230-r6",
    "py3-pip-wheel": "26.0.1-r2",
    "python-3.14": "3.14.4-r1",
    "python-3.14-base": "3.14.4-r1",
    "readline": "8.3-r2",
    "sqlite-libs": "3.51.1-r0",
    "xz": "5.8.3-r1",
}
_PYTHON_AUGUST = (
    _PYTHON_APRIL
    | _BASE_AUGUST
    | {
        "gdbm": "1.26-r5",
        "libexpat1": "2.8.3-r0",
        "libffi": "3.8.0-r0",
        "libstdc++": "16.2.0-r0",
        "libuuid": "2.42.2-r3",
        "libzstd1": "1.5.7-r8",
        "ncurses": "6.6.20260815-r0",
        "ncurses-terminfo-base": "6.6.20260815-r0",
        "py3-pip-wheel": "26.2.1-r0",
        "python-3.14": "3.14.7-r1",
        "python-3.14-base": "3.14.7-r1",
        "sqlite-libs": "3.53.4-r0",
        "xz": "5.8.3-r2",
    }
)


@dataclass(frozen=True)
class Build:
    """One index with its two platforms."""

    repository: str
    tags: tuple[str, ...]
    built: str  # date, ISO
    packages: dict[str, str]
    modules: dict[str, str] = field(default_factory=dict)  # pypi
    licenses: dict[str, str] = field(default_factory=dict)  # where this build's metadata says something else
    run_as: str = "65532"
    entrypoint: str = ""
    signer: str | None = RELEASE  # None = nobody signed
    form: str = "legacy"  # how it is stored: legacy tags, or bundles


_PYTHON = {"entrypoint": "/usr/bin/python3.14", "form": "bundle"}
_NGINX = {"entrypoint": "/usr/sbin/nginx"}
BUILDS = (
    Build(
        "nginx", ("1.29.8",), "2026-04-14", _BASE_APRIL | _nginx("1.29.8-r0"),
        licenses={"zlib": "Zlib"}, run_as="0", **_NGINX,
    ),
    Build("nginx", ("1.31.4",), "2026-08-22", _BASE_AUGUST | _nginx("1.31.4-r0"), **_NGINX),
    # OpenSSL was rolled back for a day: what a comparison must not miss.
    Build(
        "nginx", ("latest", "1.31.4-r1"), "2026-08-23",
        _BASE_AUGUST | _nginx("1.31.4-r1") | {"libcrypto3": "3.6.2-r1", "libssl3": "3.6.2-r1"},
        licenses={"libpcre2-8-0": "BSD-3-Clause WITH PCRE2-exception"}, **_NGINX,
    ),
    Build("python", ("3.14.4",), "2026-04-14", _PYTHON_APRIL, {"pip": "26.0.1"}, **_PYTHON),
    Build("python", ("3.14.7", "latest"), "2026-08-22", _PYTHON_AUGUST, {"pip": "26.2.1"}, **_PYTHON),
    Build(
        "python", ("3.14-fork",), "2026-08-24", _PYTHON_AUGUST | {"xz": "5.8.3-r1"}, {"pip": "26.2.1"},
        signer=FORK, **_PYTHON,
    ),
    Build("python", ("3.14-local",), "2026-08-25", _PYTHON_AUGUST, signer=None, **_PYTHON),
)  # fmt: skip
