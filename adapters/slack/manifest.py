"""What the app asks of a workspace, from the manifest that operators paste."""

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "manifest.json"
MANIFEST: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
SCOPES: frozenset[str] = frozenset(MANIFEST["oauth_config"]["scopes"]["bot"])
