"""Music and a finished run for the tests of the loop and of what it leaves."""

from dataclasses import replace

import numpy as np
import pytest
from making import random_song

from symphony.codecs import EventCodec
from symphony.training import EncodedCorpus, loop, recipe


@pytest.fixture(scope="session")
def plan():
    return replace(recipe("char-rnn", "tiny"), steps=12, evaluate_every=4, window=32)


@pytest.fixture(scope="session")
def noise():
    codec = EventCodec()
    start = np.array([codec.vocabulary], np.int16)
    streams = [
        np.concatenate([start, *(np.append(codec.encode(random_song(s)), start) for s in seeds)])
        for seeds in (range(6), (7, 8), (9,))
    ]
    about = {"name": "made up", "fingerprint": "0", "licence": "none"}
    return EncodedCorpus(*streams, codec.vocabulary, codec.to_dict(), about)


@pytest.fixture(scope="session")
def finished(plan, noise, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    loop.train(plan, noise, folder, device="cpu", progress=False)
    return folder
