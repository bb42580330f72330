"""Every word of the field that the code and the chapters use has an entry in the glossary."""

import re
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[2] / "book"
TERMS = [
    line
    for line in (BOOK / "glossary.md").read_text("utf-8").split(":::{glossary}")[1].splitlines()
    if re.match(r"[^\s:]", line)
]
WORDS = """
fake, target, reference, condition, label, evaluation, roll metrics, selection score, best step,
sample history, 1-nearest-neighbour two-sample accuracy, discriminator accuracy, discriminator,
critic, binary cross-entropy, generator loss, adversarial weight, gradient norm, gradient penalty,
EMA, label flipping, label smoothing, replay, learning rate, output bias, encoder, decoder,
skip connection, hidden size, fully connected layer, strip kernel, centred histogram,
bipolar roll, repeated notes, correlated noise, section noise, overlap-add, vocabulary, layer,
embedding, start symbol, BOS, initial state, n-gram model, logits processor, note-off constraint,
seed, confidence interval, interval, experiment, artifact, controllability, replication, recipe,
plan, latent, epoch, teacher forcing, mode collapse, PCA, perplexity, classifier-free guidance,
beat, bar, metre, note, scale, key, chord, voice, cadence, scale consistency, groove consistency,
polyphony, empty-beat rate, pitch-class entropy, Lipschitz, mutual information
"""


@pytest.mark.parametrize("word", [word.strip() for word in WORDS.replace("\n", " ").split(",")])
def test_the_glossary_has(word):
    assert word.lower() in {term.lower() for term in TERMS}


def test_entries_stand_in_order_and_once():
    firsts = re.findall(r"(?m)(?:^:::\{glossary\}|^)\n(\S.*)\n", (BOOK / "glossary.md").read_text())
    named = [first.lower().replace("-", " ") for first in firsts if first in TERMS]
    assert named == sorted(named)
    assert len({term.lower() for term in TERMS}) == len(TERMS)
