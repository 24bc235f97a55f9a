"""MASE has an abstract only: no number of it may be in the book, and every table says so."""

from __future__ import annotations

from xai_lib import papers
from xai_lib.report.tables import caption, not_printed, paper_vs_ours


def test_nothing_of_it_is_printed():
    assert {item.kind for item in papers.items("mase")} == {"reconstructed", "added"}
    assert not any(item.printed for item in papers.items("mase"))
    of_paper = {claim.where for claim in papers.claims("mase") if claim.by == "paper"}
    assert of_paper == {"abstract"}


def test_the_claim_of_the_abstract_has_a_verdict_for_each_data_set_and_model():
    own = [claim for claim in papers.claims("mase") if claim.id.startswith("mase-delta-")]
    settings = [setting for claim in own for setting in claim.parameters["settings"]]
    aside = ("planted", "layer")  # where other questions are asked
    measured = [name for name in papers.paper("mase").settings if not name.startswith(aside)]
    assert settings == measured
    assert len(settings) == 10
    for claim in own:
        assert claim.parameters["first"] == "mase"
        assert claim.parameters["second"] == ["lime", "kernel_shap"]


def test_tables_say_that_the_papers_numbers_are_not_available(evidence, make_result):
    rows = [
        {"setting": "r8_bilstm", "measure": measure, "method": method, "mean": 1.0, "low": 0.9,
         "high": 1.1, "n": 9}
        for measure in ("seconds", "model calls") for method in ("mase", "lime")
    ]  # fmt: skip
    result = make_result("mase", "cost", rows)
    text = str(paper_vs_ours(result))
    assert "not available (only the abstract is open to us)" in text
    assert "not printed" not in text
    assert "A reconstruction: the paper's own numbers are not available" in caption(result)
    assert "<b>Reconstruction.</b>" in caption(result)
    assert not_printed(papers.item("pflex", "figure-1")) == "not printed in the paper"
