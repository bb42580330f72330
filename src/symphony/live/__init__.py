"""Playing with a model: a hand's values in, music out, in real time. Explained in chapter 12."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["devices", "traces"],
    submod_attrs={
        "clocks": ["Slowed", "VirtualClock", "WallClock", "with_stalls"],
        "improviser": ["Improviser", "Report"],
        "mappings": ["Calibration", "Mapping", "Morph", "emg_mapping", "mapping_for"],
        "recording": ["Recording"],
        "sinks": ["MidiPort", "Several", "SongFile", "Tape"],
        "sources": ["Injected", "Pad", "Reading", "Replay", "Steady"],
        "widget": ["PadWidget"],
    },
)
