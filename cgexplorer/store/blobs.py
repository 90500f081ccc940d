"""Compressed columns and their meaning: what a document says beyond rows, read only by its own pages."""

from __future__ import annotations

import struct
from itertools import batched

import msgspec
import zstandard

from cgexplorer.spdx import graph as graphs
from cgexplorer.spdx.document import Document, File, Graph, Package
from cgexplorer.store.models import SbomDetail, SbomGraph

FILES_A_BLOCK = 4096  # a page of files unpacks one block, not the 96,000 files of a large document
MAX_BLOB_BYTES = 512 << 20  # decoded; we wrote them, so more than this is damage
LEVEL = 3

_packages = msgspec.msgpack.Decoder(tuple[Package, ...])
_files = msgspec.msgpack.Decoder(tuple[File, ...])
_document = msgspec.msgpack.Decoder(Document)


class Encoded(msgspec.Struct, frozen=True):
    """The columns of SbomDetail and SbomGraph."""

    packages: bytes
    files: bytes
    document: bytes
    graph: bytes


def encode(document: Document) -> Encoded:
    """`files` is blocks of FILES_A_BLOCK files, each with its length in front (4 bytes, little-endian)."""
    blocks = [_compress(msgspec.msgpack.encode(block)) for block in batched(document.files, FILES_A_BLOCK)]
    rest = msgspec.structs.replace(document, packages=(), files=(), graph=Graph((), (), ()))
    return Encoded(
        packages=_compress(msgspec.msgpack.encode(document.packages)),
        files=b"".join(struct.pack("<I", len(block)) + block for block in blocks),
        document=_compress(msgspec.msgpack.encode(rest)),
        graph=graphs.encode(document.graph),
    )


def packages(detail: SbomDetail) -> tuple[Package, ...]:
    """Every element of packages[], in the document's order: element n of the graph is packages[n]."""
    return _packages.decode(_decompress(detail.packages))


def files(detail: SbomDetail, start: int, count: int) -> tuple[File, ...]:
    """Files `start` to `start + count`, in the document's order."""
    stored, position, number = bytes(detail.files), 0, 0
    found: list[File] = []
    while position < len(stored) and number < start + count:
        (length,) = struct.unpack_from("<I", stored, position)
        if number + FILES_A_BLOCK > start:
            block = _files.decode(_decompress(stored[position + 4 : position + 4 + length]))
            found += block[max(0, start - number) : start + count - number]
        position, number = position + 4 + length, number + FILES_A_BLOCK
    return tuple(found)


def document(detail: SbomDetail) -> Document:
    """The document without packages, files and graph."""
    return _document.decode(_decompress(detail.document))


def graph(row: SbomGraph) -> Graph:
    return graphs.decode(bytes(row.data))


def _compress(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=LEVEL).compress(content)


def _decompress(stored: bytes | memoryview) -> bytes:
    return zstandard.ZstdDecompressor().decompress(bytes(stored), max_output_size=MAX_BLOB_BYTES)
