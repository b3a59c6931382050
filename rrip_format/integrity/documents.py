"""Check the Zarr metadata documents and the attachments of a container (spec section 9).

Our readers use the metadata of the root alone, but other software depends on the documents.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from ..containers.base import Container, load_json, read_attachment
from ..containers.pictures import decode_picture
from ..errors import ExtraMissingError, RripError, shown
from ..spec.attachments import ICC_NAME, attachment_title, known_attachments
from ..spec.zarr_layout import attachment_key
from ..zarr_views.hierarchy import Hierarchy
from .findings import Finding, findings_of

__all__ = ["check_attachments", "check_documents"]

Json = Any


def check_attachments(container: Container, *, pixels: bool = False) -> Iterator[Finding]:
    """Check attachments against the list in the metadata (spec section 8.7); with `pixels`, decode them too."""
    documents = Hierarchy(container).documents
    for name in known_attachments(container.metadata.attachments):
        try:
            documents[attachment_key(name)]
            if pixels and name != ICC_NAME:
                decode_picture(read_attachment(container, name), f"{container.name}: {attachment_title(name)}")
        except ExtraMissingError:  # not a problem of the container
            raise
        except RripError as error:
            yield from findings_of(error, attachment_key(name))


def _expected_documents(container: Container) -> Iterator[tuple[str, bytes]]:
    """Generate every ``zarr.json`` that follows from metadata and readable attachments, the root's last."""
    documents = Hierarchy(container).documents
    for key in sorted(documents, key=lambda key: (key == "zarr.json", key)):
        if key.endswith("zarr.json"):
            try:
                yield key, documents[key]
            except RripError:  # a damaged attachment, which check_attachments() reports
                continue


def check_documents(container: Container) -> Iterator[Finding]:
    """Find documents that are absent or contradict the metadata; a TIFF file has none."""
    if not container.has_documents:
        return
    read = container.document
    for key, wanted in _expected_documents(container):
        try:
            stored = read(key)
            found = None if stored is None else load_json(stored, key)
        except RripError as error:
            yield from findings_of(error, key)
            continue
        yield from _compare(key, found, json.loads(wanted))


def _compare(key: str, found: Json, wanted: dict[str, Json]) -> Iterator[Finding]:
    is_array = wanted["node_type"] == "array"
    rule = "array.document" if is_array else "group.document"
    if not isinstance(found, dict):
        yield Finding(rule, key, "is absent" if found is None else "is not an object")
        return
    for name, value in wanted.items():
        if name != "attributes" and not _same(found.get(name), value):
            yield Finding(rule, key, f"{name} is {shown(found.get(name))}", expected=f"{name} {shown(value)}")
    if is_array:
        if found.get("storage_transformers"):
            yield Finding(rule, key, f"storage_transformers are {shown(found['storage_transformers'])}")
        return
    if found.get("consolidated_metadata") is not None:
        yield Finding("group.consolidated", key, "has consolidated_metadata")
    ome = wanted["attributes"].get("ome")
    if ome is not None:
        attributes = found.get("attributes")
        yield from _compare_ome(key, attributes.get("ome") if isinstance(attributes, dict) else None, ome)


def _compare_ome(key: str, found: Json, wanted: dict[str, Json]) -> Iterator[Finding]:
    """Compare version, axes, paths and transformations; names and display settings are left to the writer."""
    images = found.get("multiscales") if isinstance(found, dict) else None
    image = images[0] if isinstance(images, list) and len(images) == 1 and isinstance(images[0], dict) else None
    if not isinstance(found, dict) or image is None:
        yield Finding("group.ome", key, "attribute ome does not have exactly one member of multiscales")
        return
    wanted_image = wanted["multiscales"][0]
    pairs = {"version": (found.get("version"), wanted["version"])}
    pairs["axes"] = image.get("axes"), wanted_image["axes"]
    datasets, wanted_datasets = image.get("datasets"), wanted_image["datasets"]
    if not isinstance(datasets, list) or len(datasets) != len(wanted_datasets):
        pairs["datasets"] = datasets, wanted_datasets
    else:
        pairs.update({f"datasets[{k}]": pair for k, pair in enumerate(zip(datasets, wanted_datasets, strict=True))})
    for name, (value, right) in pairs.items():
        if not _same(value, right):
            yield Finding("group.ome", key, f"{name} is {shown(value)}", expected=f"{name} {shown(right)}")


def _same(value: Json, wanted: Json) -> bool:
    """Return whether two JSON values are equivalent: empty configurations and rounding do not matter."""
    if isinstance(value, dict) and isinstance(wanted, dict):
        empty: dict[str, Json] = {"configuration": {}}
        value, wanted = ({**empty, **part} if "name" in part else part for part in (value, wanted))
        return value.keys() == wanted.keys() and all(_same(value[name], wanted[name]) for name in wanted)
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(_same, value, wanted))
    if isinstance(value, float) or isinstance(wanted, float):
        are_numbers = all(isinstance(number, int | float) for number in (value, wanted))
        return are_numbers and math.isclose(value, wanted, rel_tol=1e-9)
    return type(value) is type(wanted) and bool(value == wanted)
