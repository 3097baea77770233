"""Two processes of which one has a single image: neither waits for the other, and both have the scores of all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from atelier.metrics.features import Pixels
from atelier.metrics.sample_quality import SampleQuality

# Prints the scores of each share of 12 images: so many are the first process's, the others the second's.
PROCESS = """
import json, os, sys, torch
from datetime import timedelta
from atelier.metrics.features import Pixels
from atelier.metrics.sample_quality import SampleQuality
rank, store, shares = int(os.environ["RANK"]), f"file://{sys.argv[1]}", json.loads(sys.argv[2])
torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2, timeout=timedelta(seconds=600))
torch.set_num_threads(1)
reference, made, real = torch.rand(3, 12, 1, 2, 2, generator=torch.Generator().manual_seed(0))
quality = SampleQuality(Pixels([1, 2, 2], 2))
quality.add_reference(reference[:6] if rank == 0 else reference[6:])
for first, second in shares:
    own = slice(0, first) if rank == 0 else slice(first, first + second)
    quality.add(made[own], real[own])
    print(json.dumps({name: score.item() for name, score in quality.compute().items()}))
torch.distributed.destroy_process_group()
"""
PATIENCE = 600  # seconds: whatever the machine, only what hangs takes so long
SHARES = [(2, 1), (1, 1), (11, 1), (1, 5)]


def test_processes_with_a_single_image_have_the_scores_of_all(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", PROCESS, str(tmp_path / "store"), json.dumps(SHARES)]
    both = [
        subprocess.Popen(command, env=os.environ | {"RANK": rank}, stdout=subprocess.PIPE, text=True) for rank in "01"
    ]
    try:
        printed = [one.communicate(timeout=PATIENCE)[0].splitlines() for one in both]
    finally:
        for one in both:
            one.kill()
            one.wait()
    assert [one.returncode for one in both] == [0, 0]
    assert printed[0] == printed[1]
    assert len(printed[0]) == len(SHARES)
    reference, made, real = torch.rand(3, 12, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    alone = SampleQuality(Pixels([1, 2, 2], 2))
    alone.add_reference(reference)
    for shares, line in zip(SHARES, printed[0], strict=True):
        alone.add(made[: sum(shares)], real[: sum(shares)])
        scores = {name: score.item() for name, score in alone.compute().items()}
        assert "frechet_floor" in scores
        assert json.loads(line) == pytest.approx(scores, rel=1e-4), shares
