"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

# The models of the tests are so small that a second thread costs more than it brings. Read when
# numpy and torch are first imported, hence before anything else.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if TYPE_CHECKING:
    from xai_lib.models.huggingface import HuggingFaceClassifier


@pytest.fixture(scope="session")
def planted_classifier(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[HuggingFaceClassifier]:
    """The zoo's ``tiny-planted`` black box, trained once for all tests, in a cache of its own."""
    from xai_lib.models.zoo import load_named

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XAI_CACHE_DIR", str(tmp_path_factory.mktemp("planted-cache")))
        patch.delenv("XAI_DATA_DIR", raising=False)
        yield load_named("tiny-planted", device="cpu", precision="float32")
