"""What of the library goes into a key (apart from the fixture that replaces it)."""

from __future__ import annotations

from xai_lib.runner import keys

READ = keys._package_files


def test_methods_and_data_count_but_the_tools_do_not() -> None:
    names = {name for name, _ in READ()}
    assert {"text.py", "rng.py", "papers/lipex.yaml", "explainers/lime.py"} <= names
    assert not any(name.startswith(("runner/", "cli", "book.py", "run.py")) for name in names)
