"""Deep Symphony: piano music from deep networks, with the measure of what each piece copied.

Everything meets in :class:`Song`. Names below load on first use, so ``import symphony`` is cheap.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["codecs", "corpora", "evaluation", "models", "rendering", "training"],
    submod_attrs={
        "song": ["Song", "SongError"],
        "corpora": ["Corpus", "load_corpus", "read_song"],
    },
)
