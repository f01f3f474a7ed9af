"""What the tests of the journal write into it: any events that JSON can hold."""

from hypothesis import settings
from hypothesis import strategies as st

CHECK = settings(max_examples=60, deadline=None)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.dictionaries(
    st.text(min_size=1).filter(lambda k: k not in {"crc", "schema", "event"}), PLAIN, max_size=4
)
EVENTS = st.lists(
    st.builds(lambda kind, fields: {"event": kind, **fields}, st.text(), FIELDS),
    min_size=1, max_size=4,
)  # fmt: skip
