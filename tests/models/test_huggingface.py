"""Masks of token ids against written-out texts; batches, precision, truncation, errors."""

from __future__ import annotations

import copy
import itertools
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BartConfig,
    BartForSequenceClassification,
)

import xai_lib
from xai_lib.explanation import Explanation
from xai_lib.models import huggingface, load_classifier
from xai_lib.models.huggingface import HuggingFaceClassifier, load_huggingface, softmax
from xai_lib.models.precision import fast_bfloat16

TEXTS = [
    "The quick answer was not what we hoped for.",
    "i didn't feel like going out (not even once), 10:30 or re-entering",
    "good good, Good film; bad under_scored film!",
    "Ünïcode wörds: naïve café",
    "one",
]
# Texts in which the tokens of a word depend on what stands beside it.
ENTANGLED = [
    "great👍 film",
    "a\u200bb film",
    "20°c or €5 film",
    "a中b film",
    "中文 film",
    "Tシャツ film",
    "[MASK] film",
    "\u0301 film",
    "x€y€",
    "a\x0bb film",
    "السلام عليكم film",
    "<b>film</b> &amp; \u200ffilm",
    "🇫🇷🇩🇪 film",
]


def every_mask(n_features: int, most: int = 64) -> np.ndarray:
    if 2**n_features <= most:
        return np.array(list(itertools.product([True, False], repeat=n_features)), dtype=bool)
    masks = np.random.default_rng(0).random((most, n_features)) < 0.5
    masks[0] = True
    return masks


def slow_logits(box: HuggingFaceClassifier, ids: list[int]) -> np.ndarray:
    """One input alone through the model, in float64."""
    model = copy.deepcopy(box.model).double()
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0].numpy()


# Tokens -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS + ENTANGLED)
@pytest.mark.parametrize("group", ["position", "type"])
@pytest.mark.parametrize("removal, token", [("drop", ""), ("mask", "[MASK]"), ("pad", "[PAD]")])
def test_ids_with_words_left_out_equal_those_of_the_written_text(bert, text, group, removal, token):
    assert bert.assembles_ids
    one = bert.instance(text, group)
    masks = every_mask(one.n_features)
    written = bert.tokenizer([one.render(mask, removal, token) for mask in masks])["input_ids"]
    picked = bert._mask_ids(one, masks, removal)
    assert [ids.tolist() for ids in picked] == written


def test_ordinary_texts_are_tokenised_once(bert, monkeypatch):
    """No text is written out again for a mask; words that touch need it."""
    monkeypatch.setattr(bert, "_tokenise", lambda texts: pytest.fail("tokenised again"))
    for text in TEXTS:
        one = bert.instance(text)
        bert._mask_ids(one, every_mask(one.n_features), "drop")
    one = bert.instance(ENTANGLED[0])
    with pytest.raises(pytest.fail.Exception, match=r"tokenised again"):
        bert._mask_ids(one, every_mask(one.n_features), "drop")


def test_a_word_of_several_tokens_becomes_one_mask_token(bert):
    one = bert.instance("unseen film")
    (ids,) = bert._mask_ids(one, np.array([[False, True]]), "mask")
    assert bert.tokenizer.convert_ids_to_tokens(ids) == ["[CLS]", "[MASK]", "film", "[SEP]"]
    (ids,) = bert._mask_ids(one, np.array([[False, True]]), "pad")
    assert bert.tokenizer.convert_ids_to_tokens(ids) == ["[CLS]", "[PAD]", "film", "[SEP]"]
    (ids,) = bert._mask_ids(one, np.array([[False, True]]), "drop")
    assert bert.tokenizer.convert_ids_to_tokens(ids) == ["[CLS]", "film", "[SEP]"]


@pytest.mark.parametrize("removal, token", [("drop", ""), ("mask", "<mask>"), ("pad", "<pad>")])
def test_a_tokenizer_whose_words_hold_their_blank_falls_back_to_texts(roberta, removal, token):
    assert not roberta.assembles_ids
    one = roberta.instance("we saw a good wagon, he was good")
    masks = every_mask(one.n_features)
    texts = [one.render(mask, removal, token) for mask in masks]
    written = roberta.tokenizer(texts)["input_ids"]
    assert [ids.tolist() for ids in roberta._mask_ids(one, masks, removal)] == written
    np.testing.assert_array_equal(
        roberta.predict_masked(one, masks, removal), roberta.predict_proba(texts)
    )
    # What the assembled ids would have been is something else, so the check at loading matters.
    roberta.assembles_ids = True
    try:
        assembled = [ids.tolist() for ids in roberta._mask_ids(one, masks, removal)]
    finally:
        roberta.assembles_ids = False
    assert assembled != written


def test_pieces_that_reach_out_of_their_word_fall_back_to_texts(make_roberta):
    assert not make_roberta(trim_offsets=False).assembles_ids


@pytest.mark.parametrize("text", ["a \ud800 b", "caf\udce9 oil", "\ud83d\ude00", "\udfff"])
@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_lone_surrogates_read_as_replacement_characters(kind, text, request):
    box = request.getfixturevalue(kind)
    same = "".join(
        "\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text
    )
    assert [ids.tolist() for ids in box._tokenise([text])] == box.tokenizer([same])["input_ids"]
    one, other = (xai_lib.explain(each, box, method="occlusion") for each in (text, same))
    assert (one.text, one.spans, one.features) == (text, other.spans, other.features)
    np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(one.probabilities, other.probabilities)
    document, page = (written.encode() for written in (one.to_json(), one.to_html()))
    assert Explanation.from_json(document.decode()).text == text
    assert "\ufffd" in page.decode()


def test_instances_are_not_confused_between_classifiers(make_bert, bert):
    short = make_bert(max_length=5)
    one = bert.instance("good film for what we hoped")
    full = np.ones((1, 6), dtype=bool)
    assert len(bert._mask_ids(one, full, "drop")[0]) == 8
    assert len(short._mask_ids(one, full, "drop")[0]) == 5
    assert len(bert._mask_ids(one, full, "drop")[0]) == 8


# Answers ----------------------------------------------------------------------------------------


def test_probabilities_are_the_softmax_of_the_model_alone(bert):
    answer = bert.predict_proba(TEXTS)
    assert answer.dtype == np.float64
    for text, row in zip(TEXTS, answer, strict=True):
        logits = slow_logits(bert, bert.tokenizer(text)["input_ids"])
        expected = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(row, expected, atol=1e-6)
    assert np.ptp(answer, axis=0).max() > 0.1, "the test model tells texts apart"


@pytest.mark.parametrize("removal, token", [("drop", ""), ("mask", "[MASK]")])
def test_masked_answers_are_those_of_the_model_alone(bert, removal, token):
    one = bert.instance("not good, bad film")
    masks = every_mask(4)
    for mask, row in zip(masks, bert.predict_masked(one, masks, removal), strict=True):
        ids = bert.tokenizer(one.render(mask, removal, token))["input_ids"]
        logits = slow_logits(bert, ids)
        np.testing.assert_allclose(row, np.exp(logits) / np.exp(logits).sum(), atol=1e-6)


def test_softmax_of_large_logits():
    q = softmax(np.array([[1000.0, 1000.0, -1000.0], [0.0, np.log(3), -np.inf]], dtype=np.float32))
    np.testing.assert_allclose(q, [[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]], atol=1e-7)


def check_same_answers(box: HuggingFaceClassifier) -> None:
    """Answers alone, in other company and in another order are equal within 1e-6."""

    def same(found: np.ndarray, expected: np.ndarray) -> None:
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)

    instances = [box.instance(text) for text in TEXTS]
    masks = [every_mask(one.n_features, 40) for one in instances]
    together = box.predict_masked(instances, masks)
    for one, rows, answer in zip(instances, masks, together, strict=True):
        same(box.predict_masked(one, rows), answer)
        same(box.predict_masked(box.instance(one.text), rows[::-1])[::-1], answer)
        for i in range(0, len(rows), 7):
            same(box.predict_masked(one, rows[i : i + 1])[0], answer[i])
    order = [3, 0, 4, 2, 1]
    shuffled = box.predict_masked([instances[i] for i in order], [masks[i] for i in order])
    for i, answer in zip(order, shuffled, strict=True):
        same(answer, together[i])
    texts = [one.render(row) for one, rows in zip(instances, masks, strict=True) for row in rows]
    same(box.predict_proba(texts), np.concatenate(together))


def test_order_and_company_change_no_answer(bert):
    check_same_answers(bert)


@pytest.mark.skipif(not fast_bfloat16("cpu"), reason="this processor has no bfloat16 units")
def test_order_and_company_change_no_answer_in_bfloat16(make_bert):
    box = make_bert(precision="bfloat16")
    assert box.precision == "bfloat16"
    assert next(box._runner.parameters()).dtype == torch.bfloat16
    check_same_answers(box)


@pytest.fixture
def padded(monkeypatch) -> None:
    """Let the CPU do what is done on a GPU: pad to steps, fixed batch shapes."""
    monkeypatch.setitem(huggingface.PADDING_STEP, "cpu", 8)
    monkeypatch.setitem(huggingface.TOKEN_BUDGET, "cpu", 128)


@pytest.mark.usefixtures("padded")
def test_padding_changes_no_answer(bert, monkeypatch):
    instances = [bert.instance(text) for text in TEXTS]
    masks = [every_mask(one.n_features, 40) for one in instances]
    shapes = []
    forward = bert._runner.forward

    def spy(**arguments):
        shapes.append(tuple(arguments["input_ids"].shape))
        return forward(**arguments)

    monkeypatch.setattr(bert._runner, "forward", spy)
    with_padding = bert.predict_masked(instances, masks)
    assert set(shapes) <= {(16, 8), (8, 16), (5, 24), (4, 32), (3, 40), (2, 48), (2, 56)}
    assert len(set(shapes)) >= 3
    monkeypatch.setitem(huggingface.PADDING_STEP, "cpu", 1)
    for one, rows, answer in zip(instances, masks, with_padding, strict=True):
        np.testing.assert_allclose(bert.predict_masked(one, rows), answer, atol=2e-6)


@pytest.mark.usefixtures("padded")
def test_order_and_company_change_no_answer_in_padded_batches(bert):
    check_same_answers(bert)


@pytest.mark.usefixtures("padded")
def test_padding_stays_within_the_positions_of_the_model(make_bert):
    box = make_bert(max_length=13)
    text = "it was not what we hoped for again film bad good"
    assert len(box.tokenizer(text)["input_ids"]) == 13
    answer = box.predict_proba([text])
    logits = slow_logits(box, box.tokenizer(text)["input_ids"])
    np.testing.assert_allclose(answer[0], np.exp(logits) / np.exp(logits).sum(), atol=1e-6)


def test_batches_cover_each_input_once_within_the_budget(bert, monkeypatch):
    monkeypatch.setitem(huggingface.TOKEN_BUDGET, "cpu", 100)
    lengths = np.random.default_rng(0).integers(2, 64, 300)
    batches = bert._batches(lengths)
    covered = np.concatenate([rows for _, rows in batches])
    assert sorted(covered) == list(range(300))
    for width, rows in batches:
        assert set(lengths[rows]) == {width}
        assert len(rows) * width <= 100


def test_calls_count_distinct_inputs(make_bert):
    box = make_bert()
    assert box.calls == 0
    one = box.instance("good film")
    box.predict_masked(one, np.array([[1, 1], [1, 1], [0, 1]], dtype=bool))
    assert box.calls == 2
    box.predict_proba(["a", "a"])
    assert box.calls == 4
    assert box.predict_masked(one, np.ones((0, 2), dtype=bool)).shape == (0, 3)
    assert box.predict_masked([one, one], [np.ones((0, 2)), np.ones((1, 2))])[1].shape == (1, 3)
    assert box.calls == 5


# Truncation -------------------------------------------------------------------------------------


def test_words_beyond_the_limit_are_counted_and_no_features(make_bert):
    box = make_bert(max_length=8)  # [CLS], six tokens, [SEP].
    one = box.instance("good film, bad film; good film")  # good film , bad film ; | good film
    assert one.words == ("good", "film", "bad", "film")
    assert one.truncated_words == 2
    assert one.read_text == "good film, bad film"
    types = box.instance("good film, bad film; good film", "type")
    assert types.features == ("good", "film", "bad")
    assert types.truncated_words == 2
    whole = box.instance("good film, bad film;")
    assert (whole.truncated_words, whole.read_text) == (0, "good film, bad film;")


def test_a_word_cut_in_the_middle_is_not_read(make_bert):
    box = make_bert(max_length=6)
    one = box.instance("good film xyzzy again")  # good film x ##y | ##z ##z ##y again
    assert one.words == ("good", "film")
    assert one.truncated_words == 2
    answer = box.predict_masked(one, np.ones((1, 2), dtype=bool))
    np.testing.assert_array_equal(answer, box.predict_proba(["good film"]))


def test_a_first_word_longer_than_the_limit_leaves_no_features(make_bert):
    box = make_bert(max_length=4)
    one = box.instance("abcdefg good")
    assert one.n_features == 0
    assert one.truncated_words == 2
    answer = box.predict_masked(one, np.ones((1, 0), dtype=bool))
    np.testing.assert_array_equal(answer, box.predict_proba([""]))


@pytest.mark.parametrize("text", ["!" * 100, "good film" + "?" * 100, "?" * 100 + "good"])
@pytest.mark.parametrize("removal", ["drop", "mask"])
def test_punctuation_beyond_the_limit_is_cut_off(make_bert, text, removal):
    box = make_bert(max_length=16)
    one = box.instance(text)
    assert one.n_features + one.truncated_words == sum(w in text for w in ("good", "film"))
    masks = np.ones((1, one.n_features), dtype=bool)
    answer = box.predict_masked(one, masks, removal)
    if not one.truncated_words:
        np.testing.assert_array_equal(answer, box.predict_proba([text]))


def test_long_text_in_the_fallback(make_roberta):
    box = make_roberta(max_length=12)
    one = box.instance("we saw a good wagon")  # A byte or pair of bytes is a token.
    assert 0 < one.n_features < 5
    assert one.n_features + one.truncated_words == 5
    answer = box.predict_masked(one, np.ones((1, one.n_features), dtype=bool))
    np.testing.assert_array_equal(answer, box.predict_proba([one.read_text]))


def test_limits(make_bert, make_roberta):
    assert make_bert(max_length=64).max_length == 64
    # RoBERTa numbers positions from 2, so two of its 66 are not for tokens.
    box = make_roberta(max_length=64)
    assert (box.model.config.max_position_embeddings, box.max_length) == (66, 64)
    assert box.predict_proba(["a" * 500]).shape == (1, 3)


# Precision --------------------------------------------------------------------------------------


def test_bfloat16_is_used_where_predictions_agree(make_bert, monkeypatch):
    monkeypatch.setattr(huggingface, "fast_bfloat16", lambda device: True)
    monkeypatch.setattr(huggingface, "BFLOAT16_TOLERANCE", 1.0)
    box = make_bert(precision="auto")
    assert box.precision == "bfloat16"
    assert box.calls == 0
    exact = make_bert().predict_proba(TEXTS)
    rounded = box.predict_proba(TEXTS)
    assert 0 < np.abs(exact - rounded).max() < 0.2


def test_float32_is_kept_where_predictions_disagree(make_bert, monkeypatch):
    monkeypatch.setattr(huggingface, "fast_bfloat16", lambda device: True)
    monkeypatch.setattr(huggingface, "BFLOAT16_TOLERANCE", 0)
    box = make_bert(precision="auto")
    assert box.precision == "float32"
    assert box.calls == 0
    np.testing.assert_array_equal(box.predict_proba(TEXTS), make_bert().predict_proba(TEXTS))


def test_float32_is_kept_where_bfloat16_is_not_fast(make_bert, monkeypatch):
    monkeypatch.setattr(huggingface, "fast_bfloat16", lambda device: False)
    assert make_bert(precision="auto").precision == "float32"


# White box --------------------------------------------------------------------------------------


@pytest.mark.parametrize("removal", ["drop", "mask"])
def test_features_times_the_output_layer_are_the_logits(bert, removal):
    instances = [bert.instance(text) for text in TEXTS]
    masks = [every_mask(one.n_features, 12) for one in instances]
    layer = bert.output_layer()
    weight, offset = layer.weight.numpy(), layer.bias.numpy()
    features = bert.masked_features(instances, masks, removal)
    answers = bert.predict_masked(instances, masks, removal)
    for found, answer, rows in zip(features, answers, masks, strict=True):
        assert found.shape == (len(rows), 16)
        logits = found.astype(float) @ weight.T + offset
        q = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(q, answer, atol=1e-6)
    assert layer._forward_pre_hooks == {}


@pytest.mark.usefixtures("padded")
def test_features_of_padded_batches(bert):
    one = bert.instance(TEXTS[0])
    masks = every_mask(one.n_features, 20)
    layer = bert.output_layer()
    logits = bert.masked_features([one], [masks])[0] @ layer.weight.numpy().T + layer.bias.numpy()
    np.testing.assert_allclose(softmax(logits), bert.predict_masked(one, masks), atol=1e-6)


# Loading and errors -----------------------------------------------------------------------------


def test_a_saved_folder_gives_the_same_black_box(bert, tmp_path):
    folder = tmp_path / "my-model"
    bert.model.save_pretrained(folder)
    bert.tokenizer.save_pretrained(folder)
    box = load_classifier(folder, device="cpu", precision="float32")
    assert (box.name, box.classes) == ("my-model", ("one", "two", "three"))
    np.testing.assert_allclose(box.predict_proba(TEXTS), bert.predict_proba(TEXTS), atol=1e-6)
    short = load_huggingface(folder, "short", "cpu", "float32", max_length=4)
    assert (short.name, short.max_length) == ("short", 4)
    assert box.fingerprint == bert.fingerprint != short.fingerprint


@pytest.fixture
def no_loading(monkeypatch):
    """Neither the hub nor a folder is asked."""
    for kind in (AutoTokenizer, AutoModelForSequenceClassification):
        monkeypatch.setattr(kind, "from_pretrained", lambda *_, **__: pytest.fail("too late"))


@pytest.mark.parametrize("load", [load_huggingface, load_classifier])
def test_a_folder_without_a_classifier_is_named(load, tmp_path, no_loading):
    (tmp_path / "empty").mkdir()
    wanted = r"from '.*/empty': the folder holds no config\.json, so it is not a Hugging Face"
    with pytest.raises(ValueError, match=wanted):
        load(tmp_path / "empty")


@pytest.mark.parametrize(
    "name",
    ["./model", "../model", "/no/such/model", "~nobody/model", "here/model", "./minilm-emotion"],
)
def test_a_missing_folder_is_named(name, tmp_path, monkeypatch, no_loading):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    for given in (name, str(tmp_path / name.strip("./~"))):
        with pytest.raises(ValueError, match=rf"from '{given}': there is no such folder\."):
            load_classifier(given)


def test_a_folder_at_home_is_found(bert, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    bert.save(tmp_path / "mine")
    box = load_classifier("~/mine", device="cpu", precision="float32")
    assert (box.name, box.fingerprint) == ("mine", bert.fingerprint)
    with pytest.raises(ValueError, match=rf"from '{tmp_path}/other': there is no such folder\."):
        load_classifier("~/other")


@pytest.mark.parametrize("name", ["somebody/model", "model"])
def test_what_may_be_a_hub_id_is_looked_for_on_the_hub(name, tmp_path, monkeypatch):
    def unreachable(path, **_):
        raise OSError(f"{path} was asked for")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", unreachable)
    with pytest.raises(ValueError, match=f"nor as a hub id: {name} was asked for"):
        load_classifier(name)


def test_an_encoder_without_a_head_is_refused(bert, tmp_path):
    bert.model.bert.save_pretrained(tmp_path / "encoder")
    bert.tokenizer.save_pretrained(tmp_path / "encoder")
    message = (
        r"encoder' lacks weights of a BertForSequenceClassification, .*: classifier\.bias, "
        r"classifier\.weight\. Needed is a model fine-tuned for sequence classification"
    )
    with pytest.raises(ValueError, match=message):
        load_huggingface(tmp_path / "encoder", device="cpu")


def test_many_missing_weights_are_counted(bert, tmp_path):
    bert.model.config.save_pretrained(tmp_path)
    bert.tokenizer.save_pretrained(tmp_path)
    weights = bert.model.state_dict()
    kept = {name: weights[name].clone() for name in ("classifier.weight", "classifier.bias")}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    rest = sorted(set(dict(bert.model.named_parameters())) - set(kept))
    message = re.escape(f": {', '.join(rest[:6])} and {len(rest) - 6} more.")
    with pytest.raises(ValueError, match=message):
        load_huggingface(tmp_path, device="cpu")


def test_buffers_of_other_versions_are_harmless(bert, tmp_path, monkeypatch):
    """Old files hold position_ids; where a model expects such a buffer, a file may lack it."""
    bert.model.save_pretrained(tmp_path)
    bert.tokenizer.save_pretrained(tmp_path)
    weights = {name: tensor.clone() for name, tensor in bert.model.state_dict().items()}
    positions = {"bert.embeddings.position_ids": torch.arange(64)[None]}
    save_file(weights | positions, tmp_path / "model.safetensors", metadata={"format": "pt"})
    box = load_huggingface(tmp_path, "small", "cpu", "float32")
    np.testing.assert_allclose(box.predict_proba(TEXTS), bert.predict_proba(TEXTS), atol=1e-6)
    lacking = {"missing_keys": {"bert.embeddings.position_ids"}}
    monkeypatch.setattr(
        AutoModelForSequenceClassification,
        "from_pretrained",
        lambda path, **settings: (copy.deepcopy(bert.model), lacking),
    )
    assert load_huggingface(tmp_path, "small", "cpu", "float32").name == "small"


def test_tied_weights_are_not_missing(word_piece_tokenizer, tmp_path):
    """A file holds one of several tied weights; the others are not random."""
    settings = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    sizes = {"encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "max_position_embeddings": 64}
    ends = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    config = BartConfig(
        vocab_size=len(word_piece_tokenizer), num_labels=3, **settings, **heads, **sizes, **ends
    )
    model = BartForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path)
    word_piece_tokenizer.save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    assert set(stored) < {name for name, _ in model.named_parameters(remove_duplicate=False)}
    box = load_huggingface(tmp_path, "bart", "cpu", "float32")
    own = HuggingFaceClassifier(
        model, word_piece_tokenizer, "bart", device="cpu", precision="float32"
    )
    np.testing.assert_allclose(box.predict_proba(TEXTS), own.predict_proba(TEXTS), atol=1e-6)


def test_wrong_settings_are_named(make_bert, word_piece_tokenizer, small_model):
    with pytest.raises(ValueError, match=r"Unknown precision 'float16'\. Valid: auto, "):
        make_bert(precision="float16")
    model = small_model("bert", len(word_piece_tokenizer), 64)
    with pytest.raises(ValueError, match=r"max_length must leave room for a word, got 2"):
        HuggingFaceClassifier(model, word_piece_tokenizer, "small", max_length=2)
    with pytest.raises(ValueError, match=r"'gpu'\. Valid: auto, cpu, cuda, cuda:<number>, mps\."):
        HuggingFaceClassifier(model, word_piece_tokenizer, "small", device="gpu")
    with pytest.raises(ValueError, match=r"has 3 outputs, but 2 class names were given: \['a', "):
        HuggingFaceClassifier(model, word_piece_tokenizer, "small", classes=["a", "b"])
    with pytest.raises(ValueError, match=r"'small' needs a fast tokenizer"):
        HuggingFaceClassifier(model, object(), "small")
    model.config.num_labels = 1
    with pytest.raises(ValueError, match=r"has one output"):
        HuggingFaceClassifier(model, word_piece_tokenizer, "small")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named(bert):
    with pytest.raises(ValueError, match=r"torch sees no GPU"):
        HuggingFaceClassifier(bert.model, bert.tokenizer, "small", device="cuda")


def test_a_token_that_the_tokenizer_lacks_is_named(make_bert):
    box = make_bert()
    box.tokenizer.mask_token = None
    one = box.instance("good film")
    with pytest.raises(ValueError, match=r"'small' has no mask token; use 'drop'"):
        box.predict_masked(one, np.ones((1, 2), dtype=bool), "mask")
    assert box.predict_masked(one, np.ones((1, 2), dtype=bool)).shape == (1, 3)
