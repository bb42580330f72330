"""What the library raises on purpose: three kinds, each saying what one does about it.

All are :class:`SymphonyError`, so that the command line can show their sentence and let anything
else through as the bug it is.
"""


class SymphonyError(ValueError):
    """Something can't be done; the message says what and why in a sentence."""


class RequestError(SymphonyError):
    """A request for what doesn't exist or can't be done: another one may succeed."""


class SongError(SymphonyError):
    """Music that can't be used: give other music, or mend it."""


class FileError(SymphonyError):
    """A file is missing, broken or can't be written: bring, remove or make room, and try again."""
