"""Payloads that a stranger may send as a command."""

from hypothesis import strategies as st

_ALMOST = [b"on", b"off", b"ON ", b" OFF", b"ON\n", b"OFF\0", b"1", b"true", b"ONOFF", b"", b'"ON"']
PAYLOADS = st.one_of(
    st.binary(max_size=300), st.sampled_from(_ALMOST), st.text(max_size=20).map(lambda text: text.encode())
)
