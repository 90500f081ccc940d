"""`make interop`: stock cosign, a private Sigstore and real registries beside us. Start reading at `__main__.py`."""
