"""Execute the book's notebooks, and check and stage what they produced."""

from __future__ import annotations

from xai_lib.runner.errors import NotebookError, RunnerError
from xai_lib.runner.project import PROFILES, BookTree, Project

__all__ = ["PROFILES", "BookTree", "NotebookError", "Project", "RunnerError"]
