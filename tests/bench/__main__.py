"""`make bench`: what Atelier costs beside the bare thing, measured in turns, as a table.

    make bench                                  # all rows
    make bench ARGS='--rounds 9 --only MLP'     # rows of a part: those whose name has the word
    make bench COMPARE=logs/bench/FILE.json     # beside an earlier measurement

Ratios of neighbours count, since machines are noisy; a row shows their median and range, and the medians of both. The
rows are written to logs/bench.
"""

import argparse
import json
import tempfile
from pathlib import Path

import around
import jobs
import precision
import scratch
import torch
import training
from row import Row, show, store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each row")
    parser.add_argument("--only", default="", help="a word of the rows' names")
    parser.add_argument("--compare", type=Path, help="a file of logs/bench")
    asked = parser.parse_args()
    before = json.loads(asked.compare.read_text())["rows"] if asked.compare else None
    print(f"{torch.get_num_threads()} threads, {asked.rounds} rounds; other programs make the ratios uncertain")
    found: list[Row] = []
    try:
        with tempfile.TemporaryDirectory() as name:
            for part in (training, precision, jobs, scratch, around):
                for title, measure in part.rows(asked.rounds, Path(name)):
                    if asked.only in title:
                        print(f"{title} ...", flush=True)
                        found.append(measure())
                        print("  ".join(found[-1].cells()), flush=True)
    finally:  # Ctrl-C keeps what is measured
        if found:
            show(found, before)
            print(store(found))


if __name__ == "__main__":
    main()
