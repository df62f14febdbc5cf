"""What no frame may be: each fault has its name, and nothing else comes out of the codec."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.tests.protocol import strategies
from strandlog.errors import (
    BadFrameError,
    InvalidContentError,
    InvalidNameError,
    InvalidSeqError,
    StrandlogError,
    UnknownTypeError,
)
from strandlog.protocol.codec import (
    decode_client_frame,
    decode_entry,
    decode_server_frame,
    encode_frame,
)
from strandlog.protocol.frames import Add, Hello, Push, Reply, error_frame

DEEP = 100_000
CODES = {"bad-json", "bad-frame", "unknown-type", "bad-seq", "bad-name"}

# A person reads it, and a peer that sends megabytes does not get them back.
ERROR_FRAME_MAX = 1_000


def hello(**fields: Any) -> bytes:
    return json.dumps(["hello", fields]).encode()


def upload(message: bytes) -> bytes:
    return b'["add",{"messages":[%b]}]' % message


GOOD = b'"seq":"1:1:a","content":1'

NOT_JSON = [
    b"",
    b" ",
    b"hello",
    b'["hello",{"seq":1}',
    b'["hello",{"seq":1}]]',
    b'["hello",{"seq":1}] ["hello",{"seq":1}]',
    b'["hello",{"seq":01}]',
    b'["hello",{"seq":1,}]',
    b"['hello',{'seq':1}]",
    b'["hello",{"seq":NaN}]',
    b'["hello",{"seq":Infinity}]',
    b'["hello",{"seq":1}]\x00',
    b'\xef\xbb\xbf["hello",{"seq":1}]',  # with a byte order mark
    b'["hello",{"seq":1}]'.decode().encode("utf-16"),
]

NOT_UTF8 = [
    b'["hello",{"seq":1,"user":"\xff"}]',
    b'["hello",{"seq":1,"view":"\xc3\x28"}]',
    b'["hello",{"seq":1,"\xff":1}]',
    b'["\xff",{}]',
    b'["hello",{"seq":1}]\xff',
    upload(b'{"seq":"1:1:a","content":"\xff"}'),
    upload(b'{"seq":"1:1:a","content":"\xc0\xaf"}'),  # an overlong slash
    upload(b'{"seq":"1:1:a","content":"\xed\xa0\x80"}'),  # half a surrogate pair
    upload(b'{"seq":"1:1:a","content":{"deep":["\xf5\x80\x80\x80"]}}'),
    upload(b'{"seq":"1:1:a","content":1,"meta":{"\xff":1}}'),
]

TOO_DEEP = [
    b"[" * DEEP,
    b'{"a":' * DEEP,
    b'["hello",' + b"[" * DEEP + b"]" * DEEP + b"]",
    b'["hello",{"seq":1,"new":' + b"[" * DEEP + b"]" * DEEP + b"}]",
    b'["error",{"code":"x","new":' + b"[" * DEEP + b"]" * DEEP + b"}]",
    upload(b'{"seq":"1:1:a","content":' + b"[" * DEEP + b"]" * DEEP + b"}"),
    upload(b'{"seq":"1:1:a","content":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}"),
    upload(b'{"seq":"1:1:a","content":' + b"[" * 129 + b"]" * 129 + b"}"),
    upload(b'{"seq":"1:1:a","content":1,"meta":{"a":' + b"[" * 128 + b"]" * 128 + b"}}"),
    upload(b'{"seq":"1:1:a","new":' + b"[" * DEEP + b"]" * DEEP + b"}"),
]

NOT_A_FRAME = [
    b"{}",
    b"[]",
    b"null",
    b'"hello"',
    b'["hello"]',
    b'["hello",{},{}]',
    b'[1,{"seq":1}]',
    b'["hello",7]',
    b'["hello",null]',
    b'["hello",[1]]',
    b'["add",{}]',
    b'["add",{"messages":{}}]',
    b'["ack",[]]',
    b'["error",{}]',
    hello(seq=1.5),
    hello(seq=True),
    hello(seq=[1]),
    hello(seq=1, v="1"),
    hello(seq=1, v=1.0, have=[]),
    b'["hello",{"seq":1,"v":%b}]' % (b"9" * 5_000),
    b'["hello",{"seq":1,"id":%b}]' % (b"9" * 5_000),
    hello(seq=1, base=[1]),
    hello(seq=1, base=[1, "a", "b"]),
    hello(seq=1, base=["1", "a"]),
    hello(seq=1, base=[True, "a"]),
    hello(seq=1, have={"phone": "1"}),
    hello(seq=1, have={"phone": True}),
    hello(seq=1, have={"phone": 1.5}),
    hello(seq=1, have={"phone": -1}),
    hello(seq=1, have={"phone": 10**12}),
    hello(seq=1, have={"phone": 10**400}),
    hello(seq=1, have=[["phone", 1]]),
    hello(seq=1, tips={"phone": 1}),
    hello(seq=1, floor={"phone": -1}),
    hello(seq=1, limit=200),
    hello(seq=1, limit={"messages": 0}),
    hello(seq=1, limit={"bytes": -1}),
    hello(seq=1, limit={"messages": True}),
    hello(seq=1, live=1),
    hello(seq=1, session="now"),
    hello(seq=1, id=[1]),
    hello(seq=1, user=7),
    hello(seq=1, messages="m1"),
    upload(b'"m1"'),
    upload(b"[1]"),
    upload(b"{}"),
    upload(b'{"content":1}'),
    upload(b'{"seq":"1:1:a"}'),
    upload(b'{"seq":7,"content":1}'),
    upload(b'{%b,"scope":7}' % GOOD),
    upload(b'{%b,"new":1}' % GOOD),  # extensions go into meta
    upload(b'{%b,"user":"bob"}' % GOOD),
    upload(b'{%b,"device":"phone","counter":9}' % GOOD),
    upload(b'{%b,"meta":[]}' % GOOD),
    upload(b'{%b,"meta":"{}"}' % GOOD),
    upload(b'{%b,"meta":null}' % GOOD),
    upload(b'{%b,"redacts":"a"}' % GOOD),
    upload(b'{%b,"redacts":["a"]}' % GOOD),
    upload(b'{%b,"redacts":["a",true]}' % GOOD),
    upload(b'{%b,"redacts":["a",1,2]}' % GOOD),
    upload(b'{%b,"digest":"%b"}' % (GOOD, b"0" * 32)),
    upload(b'{%b,"digest":"%b","redacted":true}' % (GOOD, b"0" * 32)),
    upload(b'{%b,"redacted":1}' % GOOD),
    upload(b'{"seq":"1:1:a","redacted":true}'),
    upload(b'{"seq":"1:1:a","digest":"%b"}' % (b"0" * 32)),
    upload(b'{"seq":"1:1:a","digest":"%b","redacted":true}' % (b"0" * 31)),
    upload(b'{"seq":"1:1:a","digest":"%b","redacted":true}' % (b"A" * 32)),
    upload(b'{"seq":"1:1:a","digest":"%b","redacted":true,"meta":{}}' % (b"0" * 32)),
]

BAD_SEQ = [
    hello(seq=-1),
    hello(seq=10**12),
    hello(seq="7"),
    hello(seq="1:0:laptop"),
    hello(seq="1:1:"),
    hello(seq="1:1:..", v=1),
    hello(seq=1, base=[0, "a"]),
    hello(seq=1, base=[-1, "a"]),
    hello(seq=1, base=[10**12, "a"]),
    upload(b'{"seq":"","content":1}'),
    upload(b'{"seq":"1:1","content":1}'),
    upload(b'{"seq":"-1:1:a","content":1}'),
    upload(b'{"seq":"1:0:a","content":1}'),
    upload(b'{"seq":"+1:1:a","content":1}'),
    upload(b'{"seq":"1 :1:a","content":1}'),
    upload(b'{"seq":"1_0:1:a","content":1}'),
    upload(b'{"seq":"1:1:a\\n","content":1}'),
    upload(b'{"seq":"1:1:\\u0000","content":1}'),
    upload('{"seq":"\N{ARABIC-INDIC DIGIT ONE}:1:a","content":1}'.encode()),
    upload(b'{"seq":"1000000000000000:1:a","content":1}'),
    upload(b'{"seq":"1:1000000000000:a","content":1}'),
    upload(b'{%b,"redacts":["a",0]}' % GOOD),
    upload(b'{%b,"redacts":["a",1000000000000]}' % GOOD),
]

BAD_NAME = [
    hello(seq=1, user="a/b"),
    hello(seq=1, user=""),
    hello(seq=1, user=".."),
    hello(seq=1, user="bob#friend"),
    hello(seq=1, have={"a/b": 1}),
    hello(seq=1, have={"..": 1}),
    hello(seq=1, have={"": 1}),
    hello(seq=1, floor={"a b": 1}),
    b'["add",{"for":"../phone","messages":[]}]',
    b'["ack",{"have":{"a/b":1}}]',
    upload(b'{%b,"scope":"Friend"}' % GOOD),
    upload(b'{%b,"scope":""}' % GOOD),
    upload(b'{%b,"scope":"a,b"}' % GOOD),
    upload(b'{%b,"redacts":["..",1]}' % GOOD),
]

UNKNOWN = [b'["Hello",{}]', b'["",{}]', b'["subscribe",{}]', b'["hello ",{}]', b'["x",null]']

FAULTS = [
    *((data, InvalidContentError) for data in [*NOT_JSON, *NOT_UTF8, *TOO_DEEP]),
    *((data, BadFrameError) for data in NOT_A_FRAME),
    *((data, InvalidSeqError) for data in BAD_SEQ),
    *((data, InvalidNameError) for data in BAD_NAME),
    *((data, UnknownTypeError) for data in UNKNOWN),
]


@pytest.mark.parametrize(
    ("data", "error"),
    FAULTS,
    ids=[repr(data[:60]) + str(place) for place, (data, _) in enumerate(FAULTS)],
)
def test_each_fault_has_its_name(data: bytes, error: type[StrandlogError]) -> None:
    with pytest.raises(StrandlogError) as refused:
        decode_client_frame(data)

    assert type(refused.value) is error
    assert len(encode_frame(error_frame(refused.value))) < ERROR_FRAME_MAX


WANTS = ["[0,1]", "[-1,5]", "[2,1]", "[1,1000000000000]", "[1]", "[1,true]", '["1","2"]']


@pytest.mark.parametrize("span", WANTS)
def test_what_is_wanted_is_a_range_of_counters(span: str) -> None:
    """A client would read its store by these numbers."""
    with pytest.raises((InvalidSeqError, BadFrameError)):
        decode_server_frame(f'["hello",{{"messages":[],"want":{{"phone":{span}}}}}]')


@pytest.mark.parametrize("half", [r"\ud800", r"\udfff", r"\ud800\u0041"])
@pytest.mark.parametrize(
    "frame",
    [
        r'["hello",{"seq":1,"user":"%s"}]',
        r'["hello",{"seq":1,"view":"%s"}]',
        r'["hello",{"seq":1,"%s":1}]',
        r'["%s",{}]',
        r'["add",{"messages":[{"seq":"1:1:a","content":"%s"}]}]',
        r'["add",{"messages":[{"seq":"1:1:a","content":1,"meta":{"%s":1}}]}]',
        r'["error",{"code":"x","message":"%s"}]',
        r'["error",{"code":"x","reason":"%s"}]',
    ],
)
def test_half_a_surrogate_pair_is_named_or_kept(frame: str, half: str) -> None:
    """It cannot be written in UTF-8, so it must not get out in text of ours."""
    data = (frame % half).encode()
    refusal = _refusal(decode_client_frame, data)

    assert refusal.code in CODES if refusal else encode_frame(decode_client_frame(data))


def test_what_is_refused_names_the_frame_it_was_in() -> None:
    """A client that has several frames under way needs to know which."""
    with pytest.raises(InvalidSeqError) as refused:
        decode_client_frame(b'["add",{"id":"x7","messages":[{"seq":"1","content":1}]}]')

    assert refused.value.ref == "x7"
    assert error_frame(refused.value, ref=refused.value.ref).ref == "x7"


@pytest.mark.parametrize(
    "frame",
    [
        '["%s",{}]',
        '["hello",{"seq":"%s"}]',
        '["hello",{"seq":1,"user":"%s"}]',
        '["hello",{"seq":1,"have":{"%s":1}}]',
        '["add",{"messages":[{"seq":"%s","content":1}]}]',
        '["add",{"messages":[{"seq":"%s"}]}]',
        '["add",{"messages":[{"seq":"1:1:a","scope":"%s","content":1}]}]',
        '["add",{"messages":[{"seq":"1:1:a","content":1,"%s":1}]}]',
        '["add",{"messages":[{"seq":"1:1:a","digest":"%s","redacted":true}]}]',
        '["add",{"for":"%s","messages":[]}]',
    ],
)
def test_ten_megabytes_are_refused_without_an_echo(frame: str) -> None:
    """An error names what was wrong, not all of it: a peer could make us send as much as it."""
    with pytest.raises(StrandlogError) as refused:
        decode_client_frame((frame % ("x" * 10_000_000)).encode())

    assert refused.value.code in CODES
    assert len(encode_frame(error_frame(refused.value))) < ERROR_FRAME_MAX


def test_content_of_ten_megabytes_is_content() -> None:
    """How long one may be is a limit of the server, not of the codec."""
    content = b'"%b"' % (b"x" * 10_000_000)

    assert decode_entry(b'{"seq":"1:1:a","content":%b}' % content).content == content


def test_numbers_beyond_any_integer_are_content_too() -> None:
    content = b"[1e999,-0,%b,1.0000000000000000001]" % (b"9" * 5_000)

    assert decode_entry(b'{"seq":"1:1:a","content":%b}' % content).content == content


def _refusal(decode: Callable[[bytes | str], object], data: bytes | str) -> StrandlogError | None:
    try:
        decode(data)
    except StrandlogError as error:
        return error
    return None


def _no_other_error(data: bytes | str) -> None:
    """Decode on both sides; let through only what has a name on the wire."""
    for decode in (decode_client_frame, decode_server_frame):
        refusal = _refusal(decode, data)

        assert refusal is None or refusal.code in CODES
        assert refusal is None or len(encode_frame(error_frame(refusal))) < ERROR_FRAME_MAX


@given(st.binary(max_size=60) | st.text(max_size=60))
@example("\ud800")
@example('["hello",{"seq":1,"user":"\ud800"}]')
def test_any_bytes_are_read_or_refused_by_name(data: bytes | str) -> None:
    _no_other_error(data)


@given(st.sampled_from(["hello", "add", "ack", "error"]), strategies.values)
def test_any_body_is_read_or_refused_by_name(kind: str, body: Any) -> None:
    _no_other_error(json.dumps([kind, body]))


WORDS = [
    *("seq", "messages", "v", "base", "have", "tips", "user", "view", "floor", "limit", "live"),
    *("session", "id", "ref", "upto", "more", "want", "diverged", "epoch", "for", "tops"),
    *("code", "message", "fatal", "scope", "content", "redacts", "meta", "digest", "redacted"),
]
nearly: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, False, 0, 1, -1, 2**63, 2**64, 10**400, 1.5, 1e308, "", "1:1:a"])
    | st.sampled_from(["0" * 32, "laptop", "friend", "\x00", "é", ".."]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*WORDS, "laptop", ".."]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(["hello", "add", "ack", "error"]),
    st.dictionaries(st.sampled_from(WORDS), nearly, max_size=5),
)
def test_known_fields_with_any_value_are_read_or_refused_by_name(
    kind: str, body: dict[str, Any]
) -> None:
    _no_other_error(json.dumps([kind, body]))


@given(
    strategies.hellos | strategies.adds | strategies.replies | strategies.pushes,
    st.data(),
)
def test_a_damaged_frame_is_read_or_refused_by_name(
    frame: Hello | Add | Reply | Push, data: st.DataObject
) -> None:
    """One byte changed, left out or put in, somewhere in a good frame."""
    good = encode_frame(frame)
    at = data.draw(st.integers(0, len(good) - 1))
    damage = data.draw(st.binary(max_size=2))

    _no_other_error(good[:at] + damage + good[at + 1 :])
