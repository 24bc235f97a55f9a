"""The manifest of a folder of explanations: what was asked of which black box."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xai_lib.atomic import replace_file
from xai_lib.lossless import decode, encode, plain
from xai_lib.models.base import Classifier

if TYPE_CHECKING:
    from xai_lib.explainers.base import Explainer

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
# Hashes, which would tell a reader nothing.
_OTHERS = {
    "identity": "the weights of the black box are others",
    "texts_sha256": "the texts are others",
}


def make_manifest(
    texts: list[str], classifier: Classifier, explainer: Explainer, seed: int, chunk_size: int
) -> dict[str, Any]:
    """Write down what explanations depend on; ``identity`` is left out where nothing tells it."""
    digest = hashlib.sha256()
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "little") + raw)
    identity = _identity(classifier)
    return {
        "format_version": FORMAT_VERSION,
        "method": explainer.name,
        "settings": plain(explainer.settings(), "settings"),
        "seed": int(seed),
        "classifier": classifier.name,
        "classes": list(classifier.classes),
        "precision": classifier.precision,
        "n": len(texts),
        "texts_sha256": digest.hexdigest(),
        "chunk_size": chunk_size,
        **({} if identity is None else {"identity": identity}),
    }


def _identity(classifier: Classifier) -> str | None:
    """Return what tells a black box from others by that name, if anything does."""
    try:
        found = getattr(classifier, "identity", None) or classifier.fingerprint
    except ValueError:
        return None
    return str(found)


def claim(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest, or check that the one that is there says the same."""
    path = folder / MANIFEST
    orphans = any(folder.glob("part-*.jsonl"))  # before: another process writes parts afterwards
    if not path.exists():
        if orphans:
            raise ValueError(f"{folder} holds parts but no {MANIFEST}; choose another folder.")
        content = json.dumps(encode(manifest), indent=2, allow_nan=False).encode() + b"\n"
        replace_file(path, content, exclusive=True)
    there, here = (_flat(one) for one in (read_manifest(folder), manifest))
    differing = [
        _OTHERS.get(key) or f"{key} is {_short(there, key)} there and {_short(here, key)} here"
        for key in {**here, **there}
        if _as_json(there, key) != _as_json(here, key)
        # Folders of earlier versions do not say.
        and not (key == "identity" and key not in there)
    ]
    if differing:
        raise ValueError(
            f"{folder} holds explanations of something else: {'; '.join(differing)}. Choose "
            "another folder, delete this one, or ask for what it holds."
        )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a folder, or raise a ValueError that says what is wrong with it."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ValueError(f"{folder} holds no explanations: there is no {MANIFEST}.") from None
    except ValueError:
        raise ValueError(f"{path} is damaged: it is not JSON. Choose another folder.") from None
    if not isinstance(manifest, dict) or manifest.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"{path} is not a manifest of format version {FORMAT_VERSION}.")
    lacking = {"n", "chunk_size", "method", "settings", "classes"} - set(manifest)
    if lacking:
        raise ValueError(f"{path} is damaged: it lacks {', '.join(sorted(lacking))}.")
    decoded: dict[str, Any] = decode(manifest)
    return decoded


def _flat(manifest: dict[str, Any]) -> dict[str, Any]:
    settings = {f"settings.{key}": value for key, value in manifest["settings"].items()}
    return {key: value for key, value in manifest.items() if key != "settings"} | settings


def _as_json(manifest: dict[str, Any], key: str) -> str:
    """Write a value so that NaN equals NaN, and a missing key nothing else."""
    return json.dumps(encode(manifest[key])) if key in manifest else ""


def _short(manifest: dict[str, Any], key: str) -> str:
    written = repr(manifest[key]) if key in manifest else "nothing"
    return written if len(written) <= 80 else written[:77] + "..."
