import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def load_tool(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a script of `tools/` by its name, with what it imports from beside it."""
    monkeypatch.syspath_prepend(TOOLS)
    return importlib.import_module
