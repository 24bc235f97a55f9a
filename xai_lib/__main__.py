"""`python -m xai_lib` is `xai-lib`."""

from __future__ import annotations

from xai_lib.cli import app

app()
