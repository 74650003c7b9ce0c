"""Names for hypothesis: without separators, dots or underscores, so that what a test appends stays recognisable."""

from __future__ import annotations

from hypothesis import strategies as st

PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="/._\\\0", exclude_categories=["C", "Z"]), min_size=1)
FOLDERS = st.lists(PLAIN, max_size=3)
