"""Where music comes from: five corpora and any folder, each split by piece (chapter 1)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["chorales"],
    submod_attrs={
        "abc_tunes": ["accompaniment", "parse_tunes", "read_abc"],
        "corpus": ["SOURCES", "Corpus", "corpora_table", "is_present", "load_corpus", "resolved"],
        "files": ["read_song"],
        "source": ["Source"],
    },
)
