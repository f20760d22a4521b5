"""The API against its own description: Schemathesis, a bounded number of cases, one seed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from client import Client
from server import PATIENCE_S

CASES_PER_OPERATION = 20

LEFT_OUT = "positive_data_acceptance"
"""A body that fits the description may still name a file that is not there (400 or 404)."""


def test_the_api_is_as_its_description_says(client: Client, tmp_path: Path) -> None:
    """No 5xx, no answer, status or header that /openapi.json does not allow, no key passed by."""
    words = ["run", f"{client.base}/openapi.json"]
    words += ["--header", f"Authorization: Bearer {client.key}"]
    words += ["--checks", "all", "--exclude-checks", LEFT_OUT]
    words += ["--phases", "examples,coverage,fuzzing", "--max-examples", str(CASES_PER_OPERATION)]
    words += ["--seed", "1", "--generation-deterministic"]
    words += ["--request-timeout", "20", "--no-shrink"]
    words += ["--suppress-health-check", "all", "--no-color"]
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=10 * PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "No operations" not in done.stdout
