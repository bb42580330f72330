"""``python -m symphony.cli``, as ``torchrun`` starts it."""

from symphony.cli import main

main()
