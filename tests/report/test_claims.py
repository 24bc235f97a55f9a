from __future__ import annotations

from html import escape

import nbformat
import pytest
from nbclient import NotebookClient

from xai_lib import papers
from xai_lib.report import claims, claims_frame, claims_table, verdict_box, verdicts
from xai_lib.report.cells import VERDICTS

CLAIMS = papers.claims("lipex")


def by_id(found):
    return {verdict.claim_id: verdict for verdict in found}


@pytest.fixture
def overlap(save):
    row = {"setting": "emotion", "method": "lipex", "mean": 0.2, "low": 0.18, "high": 0.22}
    return save("class-overlap", [row | {"n": 50}])


def test_without_results_nothing_is_testable(folder):
    found = verdicts("lipex")
    assert [v.claim_id for v in found] == [c.id for c in CLAIMS]
    assert {v.verdict for v in found} == {"not testable here"}
    verdict = by_id(found)["lipex-tv-near-zero"]
    assert (verdict.effect, verdict.n, verdict.basis) == (None, None, "")
    assert verdict.sentence == "No result for Figure 3 in this run."
    assert by_id(found)["lipex-beats-saliency-images"].sentence == (
        "No result for Table 2 in this run."
    )


def test_verdict_with_its_basis(overlap):
    verdict = by_id(verdicts("lipex"))["lipex-classes-differ"]
    assert verdict == claims.Verdict(
        claim_id="lipex-classes-differ",
        verdict="reproduced",
        effect=0.2,
        low=0.18,
        high=0.22,
        n=50,
        sentence=(
            "Jaccard index of the top features of the two most probable classes, Emotion: "
            "0.200 [0.180, 0.220], n = 50. Not run: 20 Newsgroups."
        ),
        paper="lipex",
        basis=(
            "profile ci; planted, standing in for Emotion; "
            "tiny (held-out accuracy 0.976 on 40), standing in for BERT-base"
        ),
    )


def test_images_are_judged_once_there_are_results(save):
    row = {"setting": "imagenette-vgg16", "statistic": "share_at_most_0.1", "n": 50}
    lipex = row | {"method": "lipex", "mean": 0.9, "low": 0.8, "high": 0.95}
    lime = row | {"method": "lime", "mean": 0.1, "low": 0.0, "high": 0.2}
    save("figure-3", [lime, lipex])
    found = by_id(verdicts("lipex"))
    assert found["lipex-tv-near-zero-images"].verdict == "reproduced"
    assert found["lipex-tv-near-zero-images"].effect == 0.9, "the claim is not about LIME"
    assert found["lipex-tv-near-zero"].sentence == (
        "Figure 3 was not run on Emotion, 20 Newsgroups."
    )


def test_frame_lists_every_claim(overlap):
    frame = claims_frame()
    assert list(frame["claim"]) == [c.id for name in papers.papers() for c in papers.claims(name)]
    row = frame.set_index("claim").loc["lipex-classes-differ"]
    assert (row["verdict"], row["effect"], row["n"]) == ("reproduced", 0.2, 50)
    assert frame.set_index("claim").loc["lipex-equal-budget", "by"] == "ours"
    assert claims_frame(["lipex"], "nowhere")["effect"].isna().all()


def test_table_shows_statement_verdict_and_criterion(overlap):
    text = claims_table(["lipex"])
    assert text._repr_html_() == str(text)
    assert len(repr(text)) < 60, "the plain form beside it stays short"
    for claim in CLAIMS:
        assert claim.statement.replace("'", "&#x27;") in text
        assert claim.criterion.replace("'", "&#x27;") in text
    assert text.count("not testable here</span>") == len(CLAIMS) - 1
    assert f"Of {len(CLAIMS)} claims: 1 reproduced, {len(CLAIMS) - 1} not testable here." in text
    assert "(a question of this book)" in text
    assert "standing in for BERT-base" in text
    assert "<script" not in text


def test_box_gathers_what_cannot_be_tested(overlap):
    text = verdict_box("lipex")
    assert text.count("No result for Table 1 in this run.") == 1
    assert text.count("reproduced</span>") == 1
    assert "Results from profile ci; planted, standing in for Emotion" in text
    # A reader sees what had to come out where a claim was judged, and only there.
    (judged,) = [
        claim
        for claim, found in zip(CLAIMS, verdicts("lipex"), strict=True)
        if found.verdict in ("reproduced", "partly", "not reproduced")
    ]
    assert f"Wanted: {escape(judged.criterion)}. " in text
    assert text.count("Wanted: ") == 1


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_badges_differ_in_sign_and_are_readable():
    assert set(claims.BADGES) == set(VERDICTS)
    assert len({sign for _, sign in claims.BADGES.values()}) == 4
    for colour, _ in claims.BADGES.values():
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_summary_counts():
    def make(verdict):
        return claims.Verdict("c", verdict, None, None, None, None, "", "lipex", "")

    found = [make("partly"), make("reproduced"), make("partly")]
    assert claims.summary(found) == "Of 3 claims: 1 reproduced, 2 partly."
    assert claims.summary([]) == "No claims."


def test_a_notebook_fills_its_box_at_the_end(overlap, folder):
    head = "from xai_lib import report\nreport.show_verdicts('lipex')"
    cells = [head, "report.fill_verdicts('lipex')"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    (box,) = notebook.cells[0].outputs
    assert box.data["text/html"] == str(verdict_box("lipex"))
    assert notebook.cells[1].outputs == []
