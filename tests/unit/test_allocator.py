from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

PAGES_AGAIN = """
import resource
import numpy as np
from anello.allocator import keep_freed_memory

def pages(rounds):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        np.ones(1_000_000, np.float32)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory()
pages(1)
print(pages(50) * resource.getpagesize() / 200e6)
"""
"""Prints which share of fifty arrays' memory, 4 MB each, came as new pages from the system."""


def _share_of_new_pages(**environment: str) -> float:
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MALLOC_", "GLIBC_"))
    }
    ran = subprocess.run(
        [sys.executable, "-c", PAGES_AGAIN],
        env=plain | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(ran.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told")
def test_an_array_takes_the_memory_of_the_one_before() -> None:
    assert _share_of_new_pages() < 0.05


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told")
def test_what_the_environment_says_of_malloc_is_left_alone() -> None:
    assert _share_of_new_pages(MALLOC_TRIM_THRESHOLD_="131072") > 0.5
