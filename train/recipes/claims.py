"""What the authors of published networks say of them, to stand beside what the same networks reach here."""

from __future__ import annotations

from collections.abc import Mapping

# {name of the recipe: accuracy and what it was measured on, as published}. The splits are seldom the same as
# here, and some were looked at while the network was chosen.
CLAIMS: Mapping[str, str] = {
    "mini-xception": "66 % of FER-2013",
    "simple-cnn": "66 % of FER-2013",
    "two-blocks": "68.7 % of the split that it was chosen by",
    "tang": "75 % of a fifth of 11,179 pictures of its own choice",
    "sequential": "97.9 % in training, 57.0 % in validation",
}
