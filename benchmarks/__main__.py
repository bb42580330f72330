"""``make bench``: every ratio beside its target; exit code 1 where one is missed."""

import sys

from benchmarks import (
    encoding,
    evaluating,
    gans,
    importing,
    live,
    originality,
    playing,
    reading,
    refining,
    sampling,
    seqae,
    sequence_gans,
    training,
)


def main() -> None:
    missed = 0
    modules = (
        importing,
        reading,
        encoding,
        originality,
        sampling,
        live,
        playing,
        training,
        gans,
        sequence_gans,
        seqae,
        evaluating,
        refining,
    )
    for module in modules:
        for what, ratio, relation, target in module.measure():
            good = ratio >= target if relation == ">=" else ratio <= target
            missed += not good
            print(
                f"{'ok    ' if good else 'MISSED'} {what:62} {ratio:10.3g} {relation} {target:g}",
                flush=True,
            )
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
