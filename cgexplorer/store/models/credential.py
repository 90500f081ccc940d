"""Credentials for registries."""

from django.db import models

from cgexplorer.oci.docker_config import IDENTITY_TOKEN


class RegistryCredential(models.Model):
    """What a registry wants to see. The secret is sealed (see `sealing`) with a key that is not in this database."""

    registry = models.OneToOneField("store.Registry", models.CASCADE, related_name="credential")
    username = models.CharField(max_length=255)
    sealed = models.BinaryField()
    set_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.username} at {self.registry}"

    @property
    def is_identity_token(self) -> bool:
        return self.username == IDENTITY_TOKEN
