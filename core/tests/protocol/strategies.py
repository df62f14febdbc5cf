"""Any frame, and the parts of one, for Hypothesis."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from strandlog import Entry, Identity, Seq, VersionVector
from strandlog.model import COUNTER_MAX, TIMESTAMP_MAX
from strandlog.protocol.frames import (
    Ack,
    Add,
    Base,
    ErrorFrame,
    Hello,
    PageLimit,
    Push,
    Reply,
    Saw,
)

INT64_MAX = 2**63 - 1  # what any JSON reader takes for an integer

devices = st.from_regex(r"[A-Za-z0-9._~-]{1,64}", fullmatch=True).filter(
    lambda name: name not in (".", "..")
)
users = st.from_regex(r"[!-.0-~]{1,256}", fullmatch=True).filter(
    lambda name: "#" not in name and name not in (".", "..")
)
scopes = st.from_regex(r"[a-z0-9._-]{1,32}", fullmatch=True)
digests = st.from_regex(r"[0-9a-f]{32}", fullmatch=True)
counters = st.integers(1, COUNTER_MAX)
tops = st.integers(0, COUNTER_MAX)
seqs = st.builds(Seq, st.integers(0, TIMESTAMP_MAX), counters, devices)
refs = st.integers(-INT64_MAX, INT64_MAX) | st.text(max_size=10)
vectors = st.dictionaries(devices, tops, max_size=3).map(VersionVector)
spans = st.tuples(counters, counters).map(lambda span: (min(span), max(span)))
identities = st.builds(Identity, devices, counters)

values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def json_texts(draw: st.DrawFn, of: st.SearchStrategy[Any] = values) -> bytes:
    """Draw the text of a JSON value: with escapes or without, with white space inside or not."""
    value = draw(of)
    return json.dumps(
        value,
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.none() | st.integers(0, 2)),
    ).encode("utf-8", "surrogatepass")


contents = json_texts()
metas = json_texts(st.dictionaries(st.text(max_size=5), values, max_size=2))


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """Draw an entry with content, or a redacted or withdrawn one."""
    redacts = draw(st.none() | identities)
    if draw(st.integers(0, 4)) == 0:
        return Entry(draw(seqs), draw(scopes), None, redacts=redacts, digest=draw(digests))
    meta = draw(st.none() | metas)
    return Entry(draw(seqs), draw(scopes), draw(contents), redacts=redacts, meta=meta)


messages = st.lists(entries(), max_size=3)

hellos = st.builds(
    Hello,
    seq=st.none() | tops | seqs,
    messages=messages,
    v=st.none() | st.integers(-INT64_MAX, INT64_MAX),
    base=st.none() | st.builds(Base, counters, digests),
    have=st.none() | vectors,
    tips=st.none() | st.dictionaries(devices, digests, max_size=3),
    user=st.none() | users,
    view=st.none() | st.text(max_size=10),
    floor=st.none() | vectors,
    limit=st.none()
    | st.builds(
        PageLimit,
        st.none() | st.integers(1, INT64_MAX),
        st.none() | st.integers(1, INT64_MAX),
    ),
    live=st.none() | st.booleans(),
    session=st.none() | st.integers(-INT64_MAX, INT64_MAX),
    id=st.none() | refs,
)
adds = st.builds(Add, messages=messages, device=st.none() | devices, id=st.none() | refs)
saws = st.builds(
    Saw, have=st.none() | vectors, user=st.none() | users, view=st.none() | st.text(max_size=10)
)
replies = st.builds(
    Reply,
    messages=messages,
    seq=st.none() | tops,
    upto=st.none() | vectors,
    more=st.booleans(),
    v=st.just(1),
    epoch=st.none() | st.text(max_size=10),
    user=st.none() | users,
    view=st.none() | st.text(max_size=10),
    want=st.dictionaries(devices, spans, max_size=3),
    diverged=st.lists(devices, max_size=3),
    floor=vectors,
    ref=st.none() | refs,
)
pushes = st.builds(
    Push,
    messages=messages,
    upto=st.none() | vectors,
    user=st.none() | users,
    view=st.none() | st.text(max_size=10),
)
acks = st.builds(Ack, seq=st.none() | tops, tops=st.none() | vectors, ref=st.none() | refs)
details = st.dictionaries(
    st.sampled_from(["device", "counter", "expected", "got", "limit", "reason", "retry_after"]),
    st.integers(-INT64_MAX, INT64_MAX) | st.text(max_size=10),
    max_size=3,
)
errors = st.builds(
    ErrorFrame,
    code=st.text(max_size=10),
    message=st.text(max_size=10),
    fatal=st.booleans(),
    detail=details,
    user=st.none() | users,
    ref=st.none() | refs,
)
