"""The networks that come with this version, and so were run with every runtime before it was released.

What a worn memory card or a loss of power does to these files, the checksum in the contract finds. Every
other network, even one in the package's own folder, is tried in a process of its own first, by
`edge.inference.trial`. A list that is out of date costs the time of a trial at each start, and nothing else.
"""

from __future__ import annotations

SHIPPED_SHA256 = frozenset(
    (
        "d62fa48c5b3696e9bbb43e7f837ff30493021497548fee510786c2308887f0ea",
        "951c50893beddf0ebac1542b7e1c03961f44f555bdb40f07af2e55ed517b5a99",
        "5e0089d975dcd8e9507a0d9050caf849455af3e97ae9e38101b2db89c913bd76",
        "9b04d14667ae9a889e71d71e3712596e1c853ad6e6cdc6fd80e5199b75d31122",
    )
)
