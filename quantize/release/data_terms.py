"""The terms of the data sets that a network was trained on, for its model card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quantize.release.markdown import wide_table

_TERMS = {
    "FER-2013": "published for a challenge at ICML 2013 (Goodfellow et al., arXiv:1307.0414), without a "
    "licence. A search engine found the pictures, which belong to their owners",
    "FER+": "the votes have the MIT licence (Microsoft); the pictures are FER-2013's",
    "CK+": "by agreement with its authors (Lucey et al. 2010), for research that is not commercial",
    "RaFD": "by request to its authors (Langner et al. 2010), for research that is not commercial",
    "UTKFace": "for research that is not commercial (Zhang et al. 2017). The pictures are from the Internet "
    "and belong to their owners",
    "IMDB-WIKI": "for academic research (Rothe et al. 2015). The pictures are from the Internet and belong "
    "to their owners",
    "LFW": "published for research (Huang et al. 2007), without a licence. The pictures are by the press and "
    "belong to their owners",
    "scenes": "pictures from several sets, each with terms of its own: ExpW, ImageNet and BSDS500 allow "
    "research that is not commercial; of COCO, the annotations are CC BY 4.0, and the pictures belong to "
    "their owners; the others (streets, people with masks, rooms, clothing, groceries) are from public "
    "repositories, many without a licence for the pictures",
}
# Sets that belong to a text of a contract which does not name them: votes, and what teachers learned from.
_IMPLIED = {
    "FER-2013": ("FER+",),
    "gender-expert": ("LFW",),
    "portraits": ("UTKFace", "LFW"),
}
_TEXTS = ("data", "train split", "taught by")
_SUMMARY = """The network was computed from these data sets, and its teachers from them, too. Use it for
research. Before any other use, check that their terms, and the law where you are, allow it. No picture is
part of the network's files. What emotiny's authors own in these files has the MIT licence."""
_UNKNOWN = """The terms of the data set above are not known here: ask whoever published it before any use."""


def data_sets(training: Mapping[str, Any]) -> list[str]:
    """Returns the names of the data sets with known terms that a network and its teachers were trained on.

    Args:
        training: texts of a contract (`Contract.training`).
    """
    text = " ".join(str(training.get(key, "")) for key in _TEXTS)
    named = {name for name in _TERMS if name in text}
    named.update(*(sets for part, sets in _IMPLIED.items() if part in text))
    return [name for name in _TERMS if name in named]


def data_terms(training: Mapping[str, Any]) -> str:
    """Returns the terms of these data sets in Markdown: a table, and what follows from them.

    Args:
        training: texts of a contract (`Contract.training`).
    """
    rows = [(name, _TERMS[name]) for name in data_sets(training)]
    return wide_table(("data set", "terms"), rows) + "\n\n" + _SUMMARY if rows else _UNKNOWN
