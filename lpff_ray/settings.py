"""The hash of a configuration, for those who read a run without loading the classes of its settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def hash_of(settings: Mapping[str, Any]) -> str:
    """16 hex digits: equal if and only if every setting is equal.

    settings: plain values, as `MineConfig.as_dict` gives them and `run.json` holds them.
    """
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
