"""Nothing is reported home by a library that is used here."""

from __future__ import annotations

import os
import subprocess
import sys

from rag_index import NO_TELEMETRY


def test_no_library_writes_down_who_is_here(tmp_path):
    bare = {name: value for name, value in os.environ.items() if name not in NO_TELEMETRY}
    code = "import listing, onnxruntime; onnxruntime.get_available_providers()"
    subprocess.run([sys.executable, "-c", code], env={**bare, "HOME": str(tmp_path)}, check=True, timeout=120)
    assert list(tmp_path.rglob("*")) == []
