"""Names of ImageNet's classes out of a wheel."""

from __future__ import annotations

import zipfile

import pytest

from xai_lib.data import imagenet_names
from xai_lib.data.imagenet_names import imagenet_classes


@pytest.fixture(autouse=True)
def forget():
    imagenet_classes.cache_clear()
    yield
    imagenet_classes.cache_clear()


def test_first_names_in_the_order_of_the_list(tmp_path, monkeypatch):
    wheel = tmp_path / "timm.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("timm/data/_info/imagenet_synsets.txt", "n3\nn03126707\nn1\nn02012849\n")
        archive.writestr(
            "timm/data/_info/imagenet_synset_to_lemma.txt",
            "n1\ttabby, tabby cat\nn02012849\tcrane\nn2\tunused\nn03126707\tcrane\nn3\tcup\n",
        )
    asked = []
    monkeypatch.setattr(imagenet_names, "fetch_wheel", lambda what: asked.append(what) or wheel)
    assert imagenet_classes() == ("cup", "crane (machine)", "tabby", "crane (bird)")
    assert imagenet_classes() == ("cup", "crane (machine)", "tabby", "crane (bird)")
    assert asked == [imagenet_names.TIMM]


@pytest.mark.network
def test_a_thousand_different_names():
    names = imagenet_classes()
    assert len(names) == len(set(names)) == 1000
    assert names[0] == "tench"
    assert names[134] == "crane (bird)"
    assert names[517] == "crane (machine)"
    assert names[638:640] == ("maillot", "maillot (tank suit)")
    assert names[999] == "toilet tissue"
