"""What the library raises on bad input."""


class SymphonyError(ValueError):
    """Something given can't be used; the message says what and why in a sentence.

    Every error the library raises on purpose is one of these, so that the command line can
    show its sentence and let anything else through as the bug it is.
    """
