"""Deep Symphony: piano music from deep networks, with the measure of what each piece copied.

Everything meets in :class:`Song`. Four calls do most of what people want: :func:`load` a trained
model and let it compose, :func:`load_corpus`, and :func:`train` on it. Names load on first use, so
``import symphony`` is cheap.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "codecs",
        "corpora",
        "evaluation",
        "experiments",
        "live",
        "rendering",
        "systems",
        "training",
    ],
    submod_attrs={
        "song": ["Song"],
        "errors": ["FileError", "RequestError", "SongError", "SymphonyError"],
        "corpora": ["Corpus", "load_corpus", "read_song"],
        "systems": ["load", "train"],
    },
)
