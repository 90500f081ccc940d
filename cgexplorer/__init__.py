"""Know, and prove, what is inside a signed container image."""

__version__ = "0.1.0"
