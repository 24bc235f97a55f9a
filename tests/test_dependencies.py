"""What is imported is declared, and what is pinned runs on the oldest Python that is promised."""

import ast
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]

# import name -> name on the registry, where they differ
DISTRIBUTIONS = {
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
# Brought by a package that is asked for, or asked for by a text that says how to install it.
BROUGHT = {"IPython", "huggingface_hub", "jupyter_client", "tokenizers"}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names - sys.stdlib_module_names - {"xai_lib", "benchmarks", "tests"}


def test_every_import_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *(x for some in extras.values() for x in some)]
    declared = {
        "".join(c if c.isalnum() or c in "-_" else " " for c in one).split()[0].lower()
        for one in asked
    }
    missing = {
        f"{name} ({path.relative_to(ROOT)})"
        for folder in ("xai_lib", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        for name in imported(path) - BROUGHT
        if DISTRIBUTIONS.get(name, name).lower() not in declared
    }
    assert not missing


def test_every_package_runs_on_the_oldest_python():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = project["requires-python"].removeprefix(">=") + ".0"
    wanted = {one.name: one.metadata.get("Requires-Python") or "" for one in distributions()}
    assert len(wanted) > 50
    assert not {name: one for name, one in wanted.items() if oldest not in SpecifierSet(one)}
