"""From numbers to pages: results with provenance, verdicts, tables and figures."""

from __future__ import annotations

from xai_lib.report.claims import (
    claims_frame,
    claims_table,
    fill_verdicts,
    show_verdicts,
    verdict_box,
)
from xai_lib.report.judging import Verdict, verdicts
from xai_lib.report.results import Result, data_record, load_result, results_dir, save_result
from xai_lib.report.schema import ResultError
from xai_lib.report.tables import caption, comparisons_table, paper_vs_ours

__all__ = [
    "Result",
    "ResultError",
    "Verdict",
    "caption",
    "claims_frame",
    "claims_table",
    "comparisons_table",
    "data_record",
    "fill_verdicts",
    "load_result",
    "paper_vs_ours",
    "results_dir",
    "save_result",
    "show_verdicts",
    "verdict_box",
    "verdicts",
]
