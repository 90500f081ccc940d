"""Settings. Secrets and addresses come from the environment; see README, "Settings"."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from croniter import croniter  # type: ignore[import-untyped]  # comes with procrastinate
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from cgexplorer import stopping

BASE_DIR = Path(__file__).resolve().parent.parent
CGEXPLORER_HOME = Path(os.environ.get("CGEXPLORER_HOME", BASE_DIR / ".cgexplorer")).absolute()
# A production server refuses to start with anything generated; the localhost demo generates what it needs.
PRODUCTION = os.environ.get("CGEXPLORER_PRODUCTION", "") == "1"


def _secret_key() -> str:
    if key := os.environ.get("SECRET_KEY"):
        return key
    if PRODUCTION:
        raise ImproperlyConfigured("SECRET_KEY must be set in production")
    file = CGEXPLORER_HOME / "secret-key"
    CGEXPLORER_HOME.mkdir(parents=True, exist_ok=True)
    try:
        with open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as new:
            new.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    return file.read_text()


def _database() -> dict[str, Any]:
    """`DATABASE_URL=postgresql://user:password@host:5432/name?sslmode=require`, else the embedded server's socket."""
    if url := os.environ.get("DATABASE_URL"):
        return _database_at(url)
    from cgexplorer import embedded_pg  # noqa: PLC0415  (not needed with DATABASE_URL)

    where = embedded_pg.parameters(CGEXPLORER_HOME / "postgres")
    return {"NAME": "cgexplorer", "USER": where["user"], "HOST": where["host"], "PORT": where["port"], "OPTIONS": {}}


def _database_at(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    return {
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": str(query.pop("port", parts.port or "")),
        "OPTIONS": query,
    }


SECRET_KEY = _secret_key()
# Older keys, newest first: they still open what they sealed (registry credentials, sessions).
SECRET_KEY_FALLBACKS = os.environ.get("SECRET_KEY_FALLBACKS", "").split()
DEBUG = False
HOST = os.environ.get("HOST", "127.0.0.1")
PORT = int(os.environ.get("PORT", "8000"))
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", f"localhost,127.0.0.1,[::1],{HOST}").split(",")
INSECURE_REGISTRIES = frozenset(filter(None, os.environ.get("CGEXPLORER_INSECURE_REGISTRIES", "").split(",")))


def _cron(variable: str, default: str) -> str:
    """When something is done by itself: five fields of cron, UTC; "" = never."""
    when = os.environ.get(variable, default).strip()
    if when and not croniter.is_valid(when):
        raise ImproperlyConfigured(f"{variable} is {when!r}, which cron does not read: try '{default}'.")
    return when


# When the public-good trust root is refreshed, and then everything tagged is verified again.
TRUST_REFRESH_CRON = _cron("CGEXPLORER_TRUST_REFRESH", "47 2 * * *")
NIGHTLY_CRON = _cron("CGEXPLORER_NIGHTLY", "17 3 * * *")
# Sigstore's public TUF repository, or a mirror of it.
TUF_MIRROR = os.environ.get("CGEXPLORER_TUF_MIRROR", "https://tuf-repo-cdn.sigstore.dev").strip()

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django_htmx",
    "procrastinate.contrib.django",
    "cgexplorer",
    "cgexplorer.store",
    "cgexplorer.web",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "cgexplorer.web.compression.CompressionMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "cgexplorer.web.reading.JustWroteMiddleware",
    "cgexplorer.web.unavailable.DatabaseUnavailableMiddleware",
]
ROOT_URLCONF = "cgexplorer.urls"
WSGI_APPLICATION = "cgexplorer.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "cgexplorer.web.context.frame",
            ],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["django.template.loaders.filesystem.Loader", "django.template.loaders.app_directories.Loader"],
                )
            ],
        },
    }
]

_database_settings = _database()
_statement_timeout_ms = int(
    os.environ.get("CGEXPLORER_STATEMENT_TIMEOUT_MS", "60000")
)  # jobs and commands; web: wsgi.py
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        **_database_settings,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **_database_settings["OPTIONS"],
            "pool": {"min_size": 1, "max_size": 8, "timeout": 5},
            # Plans with parallel workers cost more to start than our queries take.
            "options": f"-c statement_timeout={_statement_timeout_ms} -c max_parallel_workers_per_gather=0",
        },
    }
}
# Lists and searches may be read from a replica (streaming replication, hot standby) that is at most so far behind.
REPLICA_MAX_LAG_S = float(os.environ.get("CGEXPLORER_REPLICA_MAX_LAG_S", "10"))
if _replica_url := os.environ.get("REPLICA_DATABASE_URL"):
    _replica = _database_at(_replica_url)
    _options = DATABASES["default"]["OPTIONS"]
    DATABASES["replica"] = {
        **DATABASES["default"],
        **_replica,
        # A replica that is gone is asked anew every few seconds, and somebody waits for that answer.
        "OPTIONS": {
            **_replica["OPTIONS"],
            "connect_timeout": 1,
            "options": _options["options"],
            "pool": {**_options["pool"], "min_size": 0, "timeout": 1},
        },
    }
    DATABASE_ROUTERS = ["cgexplorer.store.replica.Router"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
USE_I18N = False
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = CGEXPLORER_HOME / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
if PRODUCTION:
    SECURE_SSL_REDIRECT = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31536000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "jobs"
PROCRASTINATE_IMPORT_PATHS = ["cgexplorer.sync_jobs"]
# A worker says so often that it lives. Who missed two is dead, and its jobs are queued again.
HEARTBEAT_S = float(os.environ.get("CGEXPLORER_HEARTBEAT_S", "10"))
# A worker that is to stop waits a second for its jobs and then tells them to; these end within another.
PROCRASTINATE_WORKER_DEFAULTS = {
    "shutdown_graceful_timeout": 1,
    "task_middleware": [stopping.told_by_worker],
    "update_heartbeat_interval": HEARTBEAT_S,
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20  # bytes
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
