"""The JSON Schema of the verification report, made of the structs that write it, so the two cannot part."""

from __future__ import annotations

from typing import Any

import msgspec

from cgexplorer.verify.report import SCHEMA, Report


def schema() -> dict[str, Any]:
    """Draft 2020-12. Further fields are allowed: they may be added. All that are listed are always there."""
    (root,), components = msgspec.json.schema_components([Report], ref_template="#/$defs/{name}")
    for one in components.values():
        if "properties" in one:
            one["required"] = list(one["properties"])
            for field in one["properties"].values():
                field.pop("default", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        "title": SCHEMA,
        **root,
        "$defs": components,
    }


def to_json() -> str:
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode() + "\n"


if __name__ == "__main__":
    print(to_json(), end="")
