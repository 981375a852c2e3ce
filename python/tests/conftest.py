"""What all tests share: the program, on a simulated device, with a table of its own."""

import os
import shutil
from pathlib import Path

import pytest

BUILT = Path(__file__).resolve().parents[2] / "target" / "release" / "locp"


@pytest.fixture(scope="session")
def binary():
    """The program: that of LOCP_BIN, the one built here, or the one on the PATH."""
    for candidate in (os.environ.get("LOCP_BIN"), BUILT if BUILT.exists() else None, "locp"):
        found = candidate and shutil.which(str(candidate))
        if found:
            return found
    reason = f"no program: cargo build --release --locked -p locp-cli makes {BUILT}"
    if os.environ.get("LOCP_REQUIRE_BIN"):
        pytest.fail(reason)
    pytest.skip(f"skipped: {reason}")


@pytest.fixture(autouse=True)
def alone(tmp_path_factory, monkeypatch):
    """No test sees the user's table or program, and none takes both cores."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("LOCP_BIN", raising=False)
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)


@pytest.fixture
def simulated(binary, tmp_path):
    """Arguments with which the program answers fast and always the same."""
    return dict(binary=binary, engine="simulated:orin", batch=64, table=str(tmp_path / "table"))
