"""Where the repository keeps what runs are made from; nothing is imported for it."""

from __future__ import annotations

from pathlib import Path

ARCHIVES = Path(__file__).parents[2] / "models" / "trained"
