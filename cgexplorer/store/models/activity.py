"""Progress of work that a person waits for."""

from django.db import models


class Activity(models.Model):
    """One fetch or re-verification: what was asked, how far it is, how it ended. The queue holds only its id."""

    kind = models.CharField(max_length=16)  # fetch, re-verify
    subject = models.CharField(max_length=800)  # reference or digest
    state = models.CharField(max_length=10, default="queued")  # queued, running, done, failed
    step = models.CharField(max_length=200, blank=True)
    done = models.IntegerField(default=0)
    total = models.IntegerField(default=0)  # 0 = not known yet
    error = models.CharField(max_length=1000, blank=True)
    attempts = models.IntegerField(default=0)
    run = models.ForeignKey("store.VerificationRun", models.SET_NULL, null=True, related_name="+")
    queued_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["-id"], name="activity_newest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}: {self.state}"
