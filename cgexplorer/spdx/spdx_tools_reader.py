"""The worker's side of convert.py: spdx-tools reads a file of any form and writes JSON."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from spdx_tools.spdx.parser import parse_anything
from spdx_tools.spdx.parser.error import SPDXParsingError
from spdx_tools.spdx.writer.json import json_writer

from cgexplorer.spdx import linear_spdx_tools
from cgexplorer.spdx.convert import Converted

_MAX_REASON_CHARACTERS = 400


def to_json(raw: bytes, suffix: str) -> bytes:
    linear_spdx_tools.parse_linearly()
    reader: Any = parse_anything
    writer: Any = json_writer
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"document{suffix}")
            path.write_bytes(raw)
            document = reader.parse_file(str(path))
        written = io.StringIO()
        writer.write_document_to_stream(document, written, validate=False)
    except SPDXParsingError as error:
        return _refused(str(error.messages[0]) if error.messages else "no reason given")
    except Exception as error:
        # Whatever the library dies of, the document is not readable by it.
        return _refused(f"{type(error).__name__}: {error}")
    return msgspec.json.encode(Converted(document=written.getvalue()))


def _refused(reason: str) -> bytes:
    return msgspec.json.encode(Converted(reason=reason.strip()[:_MAX_REASON_CHARACTERS]))
