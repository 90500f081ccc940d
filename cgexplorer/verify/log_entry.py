"""Is the log entry really in a log that we trust? Signed entry timestamps, inclusion proofs, checkpoints.

Sources: Rekor's `signedEntryTimestamp` (RFC 8785 JSON), RFC 6962 and RFC 9162 2.1.3, C2SP tlog-checkpoint.
What the entry says about the signature is another question: `log_binding`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import dataclass

from cgexplorer.verify import strict, verdict
from cgexplorer.verify.errors import Fault, Malformed
from cgexplorer.verify.material import OfferedEntry, Proof
from cgexplorer.verify.trust_root import Log, TrustRoot

REKOR_V2_KINDS = frozenset({"hashedrekord 0.0.2", "dsse 0.0.2"})
_NOTE_SIGNATURE = re.compile(r"\u2014 (\S+) ([A-Za-z0-9+/=]+)")


@dataclass(frozen=True, slots=True)
class LoggedAt:
    """A verified entry. `time` is set only when a SET vouches for it."""

    entry: verdict.LogEntry
    time: dt.datetime | None


def offered(entry: OfferedEntry, root: TrustRoot) -> verdict.LogEntry:
    """The facts of an entry as offered, for a report on what failed."""
    log = root.logs.get(entry.log_id)
    return verdict.LogEntry(
        log_id=entry.log_id.hex(),
        log_name=log.name if log else "",
        log_index=_index(entry),
        kind=entry.kind,
        integrated_at=_time(entry),
        proof="",
    )


def check(entry: OfferedEntry, root: TrustRoot, other_times: tuple[dt.datetime, ...]) -> LoggedAt:
    """Verify SET and inclusion proof, whichever are there; all that are there must hold. Raises Fault."""
    log = root.logs.get(entry.log_id)
    if log is None:
        raise Fault("a log of the trust root", f"log {entry.log_id.hex()[:16]}… is not in the trust root")
    if log.key is None:
        raise Fault("a log key of a known kind", f"{log.key_details} of {log.name}", unsupported=True)
    if entry.signed_entry_timestamp is None and entry.proof is None:
        raise Fault("a signed entry timestamp or an inclusion proof", "neither")
    time, proofs = None, []
    if entry.signed_entry_timestamp is not None:
        time = _check_promise(entry, log)
        proofs.append("signed entry timestamp")
    if entry.proof is not None and (entry.proof.checkpoint or not proofs):
        _check_proof(entry, entry.proof, log)
        proofs.append("inclusion proof")
    for moment in (time,) if time else other_times:
        if not log.period.covers(moment):
            raise Fault(f"a log key valid at {moment:%Y-%m-%d %H:%M:%S}", f"{log.name} is trusted {log.period}")
    return LoggedAt(
        verdict.LogEntry(
            log_id=entry.log_id.hex(),
            log_name=log.name,
            log_index=_index(entry),
            kind=entry.kind,
            integrated_at=time,
            proof=" and ".join(proofs),
        ),
        time,
    )


def _index(entry: OfferedEntry) -> int | None:
    """The proven index: the outer one only when a SET covers it (in Rekor v1, logs are sharded and the two differ)."""
    if entry.signed_entry_timestamp is None and entry.proof is not None:
        return entry.proof.index
    return entry.index


def _time(entry: OfferedEntry) -> dt.datetime | None:
    if entry.signed_entry_timestamp is None or entry.integrated_time is None or entry.kind in REKOR_V2_KINDS:
        return None
    try:
        return dt.datetime.fromtimestamp(entry.integrated_time, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _check_promise(entry: OfferedEntry, log: Log) -> dt.datetime:
    if entry.kind in REKOR_V2_KINDS:
        raise Fault("no signed entry timestamp on a Rekor v2 entry", "one")
    time = _time(entry)
    if time is None or entry.index is None:
        raise Fault("a time and an index under the signed entry timestamp", "none")
    # RFC 8785 of these four: ASCII, keys already in order. The body's base64 is canonical, `strict` saw to that.
    covered = (
        f'{{"body":"{entry.body_base64}","integratedTime":{entry.integrated_time},'
        f'"logID":"{entry.log_id.hex()}","logIndex":{entry.index}}}'
    )
    if log.key is None or not log.key.signed(entry.signed_entry_timestamp or b"", covered.encode()):
        raise Fault(f"a signed entry timestamp by {log.name}", "a signature that does not verify")
    return time


def _check_proof(entry: OfferedEntry, proof: Proof, log: Log) -> None:
    if entry.kind in REKOR_V2_KINDS and entry.index not in (None, proof.index):
        raise Fault(f"log index {proof.index}, as the inclusion proof has", f"{entry.index} around it")
    size, root_hash = _check_checkpoint(proof.checkpoint, log)
    if size != proof.tree_size:
        raise Fault(f"tree size {size}, as the checkpoint says", f"{proof.tree_size} in the inclusion proof")
    if root_hash != proof.root_hash:
        raise Fault("the checkpoint's root hash", "another one in the inclusion proof")
    if _root_from_path(entry.body, proof) != root_hash:
        raise Fault(f"entry {proof.index} of {size} under the checkpoint's root hash", "a path to another root hash")


def _check_checkpoint(note: str, log: Log) -> tuple[int, bytes]:
    """(tree size, root hash) of a checkpoint signed by this log. Witnesses' signatures beside it are not our matter."""
    text, separator, signature_lines = note.partition("\n\n")
    lines = text.split("\n")
    signed = [_NOTE_SIGNATURE.fullmatch(line) for line in signature_lines.removesuffix("\n").split("\n")]
    if not separator or not signature_lines.endswith("\n") or len(lines) < 3 or None in signed or len(signed) > 32:
        raise Fault("a checkpoint (signed note)", "a text of another form")
    try:
        size, root_hash = int(lines[1]), strict.base64_bytes(lines[2], "the checkpoint's root hash")
        blobs = [strict.base64_bytes(match[2], "a checkpoint signature") for match in signed if match]
    except (ValueError, Malformed):
        raise Fault("a checkpoint (signed note)", "a text of another form") from None
    if not lines[1].isascii() or not lines[1].isdigit():
        raise Fault("a checkpoint (signed note)", "a tree size that is no number")
    ours = [blob[4:] for blob in blobs if blob[:4] == log.checkpoint_key_id[:4]]
    if not ours:
        raise Fault(f"a checkpoint signed by {log.name}", "signatures of other logs only")
    if log.key is None or not all(log.key.signed(signature, (text + "\n").encode()) for signature in ours):
        raise Fault(f"a checkpoint signed by {log.name}", "a signature that does not verify")
    return size, root_hash


def _root_from_path(body: bytes, proof: Proof) -> bytes | None:
    """Root hash that this leaf and path lead to, None when the path cannot belong to this place (RFC 9162 2.1.3.2)."""
    if proof.index >= proof.tree_size:
        return None
    node, last, result = proof.index, proof.tree_size - 1, hashlib.sha256(b"\0" + body).digest()
    for sibling in proof.hashes:
        if last == 0 or len(sibling) != 32:
            return None
        if node & 1 or node == last:
            result = hashlib.sha256(b"\1" + sibling + result).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            result = hashlib.sha256(b"\1" + result + sibling).digest()
        node, last = node >> 1, last >> 1
    return result if last == 0 else None
