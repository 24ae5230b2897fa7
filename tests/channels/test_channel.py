"""The ring of recent changes, and what each follower gets of it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bokeh_server.channels import Behind, Channel, Closed, Cursor, Entry
from bokeh_server.channels import channel as channel_module


@dataclass(eq=False)
class Viewer:
    """A follower that only counts how often it is woken."""

    origin: str = "viewer"
    is_script: bool = False
    woken: int = 0

    def wake(self) -> None:
        """Count."""
        self.woken += 1


@dataclass(eq=False)
class Taker:
    """A follower that takes everything at once, from whatever thread wakes it."""

    channel: Channel
    origin: str = "taker"
    is_script: bool = False
    got: list[Entry] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    again: bool = False
    cursor: Cursor | None = None

    def wake(self) -> None:
        """Take all, unless another thread is at it, which then looks again."""
        self.again = True
        while self.again and self.lock.acquire(blocking=False):
            self.again = False
            try:
                self.take()
            finally:
                self.lock.release()

    def take(self) -> None:
        """Take until nothing is left."""
        assert self.cursor is not None
        while isinstance(entry := self.channel.next(self.cursor), Entry):
            self.got.append(entry)


def seqs(channel: Channel, cursor: Cursor) -> list[int]:
    """Take all and give their numbers."""
    found = []
    while isinstance(entry := channel.next(cursor), Entry):
        found.append(entry.seq)
    return found


def filled(*entries: Entry, **limits: int) -> Channel:
    """A channel with entries."""
    channel = Channel(**limits)
    for entry in entries:
        channel.publish(entry)
    return channel


def test_a_follower_gets_what_is_published_after_it_came() -> None:
    """Earlier entries are in what it pulled; later ones come in order, then nothing."""
    channel = filled(Entry(1, b"a"))
    cursor = channel.follow(Viewer())
    channel.publish(Entry(2, b"b"))
    channel.publish(Entry(3, b"c"))
    assert seqs(channel, cursor) == [2, 3]
    assert channel.next(cursor) is None


def test_following_from_a_change_gives_exactly_what_comes_after_it() -> None:
    """A pull of change 2 goes on with 3, whether 3 was published before or after the pull."""
    channel = filled(Entry(1, b"a"), Entry(2, b"b"), Entry(3, b"c"))
    cursor = channel.follow(Viewer(), seq=2)
    channel.publish(Entry(4, b"d"))
    assert seqs(channel, cursor) == [3, 4]


def test_entries_that_the_pull_contained_are_not_given_again() -> None:
    """The memory may be ahead of the channel: what is published later but pulled is skipped."""
    channel = Channel()
    cursor = channel.follow(Viewer(), seq=5)
    for seq in (4, 5, 6):
        channel.publish(Entry(seq, b"x"))
    assert seqs(channel, cursor) == [6]


def test_only_who_has_everything_is_woken() -> None:
    """A follower that did not take its entries is not visited again until it has."""
    channel, viewer = Channel(), Viewer()
    cursor = channel.follow(viewer)
    channel.publish(Entry(1, b"a"))
    channel.publish(Entry(2, b"b"))
    assert viewer.woken == 1
    seqs(channel, cursor)
    channel.publish(Entry(3, b"c"))
    assert viewer.woken == 2


def test_a_follower_is_ready_as_soon_as_it_has_taken_the_last_entry() -> None:
    """It need not ask once more to be woken: ``ready`` says that nothing is left."""
    channel, viewer = Channel(), Viewer()
    cursor = channel.follow(viewer)
    channel.publish(Entry(1, b"a"))
    channel.next(cursor)
    assert cursor.ready
    channel.publish(Entry(2, b"b"))
    assert viewer.woken == 2


def test_the_sender_does_not_get_its_change_back() -> None:
    """Others do; what is only for one reaches nobody else."""
    channel = Channel()
    own, other = channel.follow(Viewer("me")), channel.follow(Viewer("you"))
    assert channel.has("me")
    assert not channel.has("them")
    channel.publish(Entry(1, b"a", origin="me"))
    channel.publish(Entry(1, b"b", only="me", transient=True))
    assert channel.next(own).data == b"b"
    assert seqs(channel, other) == [1]
    assert own.seq == 1


def test_entries_for_scripts_do_not_reach_browsers() -> None:
    """A browser's messages go to scripts only."""
    channel = Channel()
    browser, script = channel.follow(Viewer("b")), channel.follow(Viewer("s", is_script=True))
    channel.publish(Entry(0, b"m", origin="x", scripts_only=True, transient=True))
    assert seqs(channel, browser) == []
    assert seqs(channel, script) == [0]


def test_a_transient_entry_is_no_change() -> None:
    """It is given although its number is not new, and does not move the follower's number."""
    channel = filled(Entry(7, b"a"))
    cursor = channel.follow(Viewer(), seq=7)
    channel.publish(Entry(7, b"m", transient=True))
    assert seqs(channel, cursor) == [7]
    assert cursor.seq == 7


@pytest.mark.parametrize("limits", [{"max_entries": 3}, {"max_bytes": 3}])
def test_who_falls_out_of_the_ring_is_behind(limits: dict[str, int]) -> None:
    """The ring is bounded in entries and bytes; the follower learns which change it has."""
    channel = Channel(**limits)
    cursor = channel.follow(Viewer(), seq=0)
    channel.publish(Entry(1, b"a"))
    channel.next(cursor)
    for seq in range(2, 10):
        channel.publish(Entry(seq, b"x"))
    assert channel.next(cursor) == Behind(1)


def test_following_from_a_change_that_the_ring_has_lost_is_behind_too() -> None:
    """Nothing is left out silently."""
    channel = filled(*(Entry(seq, b"x") for seq in range(1, 10)), max_entries=3)
    assert channel.next(channel.follow(Viewer(), seq=4)) == Behind(4)
    assert seqs(channel, channel.follow(Viewer(), seq=6)) == [7, 8, 9]


def test_one_entry_larger_than_the_ring_still_reaches_everybody() -> None:
    """The newest entry is always kept."""
    channel = Channel(max_bytes=10)
    cursor = channel.follow(Viewer())
    channel.publish(Entry(1, b"x" * 100))
    assert seqs(channel, cursor) == [1]


def test_closing_ends_every_follower_with_the_code() -> None:
    """Those who had everything are woken, others see it when they ask; later ones at once."""
    channel, ready, lagging = Channel(), Viewer(), Viewer()
    first = channel.follow(ready)
    late = channel.follow(lagging)
    channel.publish(Entry(1, b"a"))
    seqs(channel, first)
    channel.close(4004)
    channel.publish(Entry(2, b"b"))
    assert ready.woken == 2
    assert channel.next(first) == channel.next(late) == Closed(4004)
    assert channel.next(channel.follow(Viewer())) == Closed(4004)


def test_who_left_is_neither_counted_nor_woken() -> None:
    """Leaving twice does no harm."""
    channel, viewer = Channel(), Viewer()
    cursor = channel.follow(viewer)
    assert channel.viewers == 1
    channel.unfollow(cursor)
    channel.unfollow(cursor)
    channel.publish(Entry(1, b"a"))
    assert (channel.viewers, viewer.woken) == (0, 0)


def test_scripts_follow_and_are_no_viewers() -> None:
    """Only browsers are counted as such, whoever comes and goes, also twice."""
    channel = Channel()
    script = channel.follow(Viewer("s", is_script=True))
    browser = channel.follow(Viewer("b"))
    assert (channel.viewers, channel.followers) == (1, 2)
    channel.unfollow(browser)
    assert (channel.viewers, channel.followers) == (0, 1)
    for _ in range(2):
        channel.unfollow(script)
        assert (channel.viewers, channel.followers) == (0, 0)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["publish", "transient", "take", "follow"]), max_size=60))
def test_no_change_is_given_twice_out_of_order_or_left_out_silently(steps: list[str]) -> None:
    """For any order of publishing and taking, a follower sees every change, or is behind."""
    channel = Channel(max_entries=5)
    seq, cursors = 0, {channel.follow(Viewer(), seq=0): [0]}
    for step in steps:
        if step == "publish":
            seq += 1
            channel.publish(Entry(seq, b"x"))
        elif step == "transient":
            channel.publish(Entry(seq, b"m", transient=True))
        elif step == "follow":
            cursors[channel.follow(Viewer(), seq=seq)] = [seq]
        else:
            take_one_each(channel, cursors)
    for cursor, seen in cursors.items():
        while isinstance(entry := channel.next(cursor), Entry):
            seen += [] if entry.transient else [entry.seq]
        last = channel.next(cursor)
        assert seen == list(range(seen[0], seen[-1] + 1))
        assert last == Behind(seen[-1]) or (last is None and seen[-1] == seq)


def take_one_each(channel: Channel, cursors: dict[Cursor, list[int]]) -> None:
    """Let every follower take one entry."""
    for cursor, seen in cursors.items():
        entry = channel.next(cursor)
        if isinstance(entry, Entry) and not entry.transient:
            seen.append(entry.seq)


def test_threads_that_publish_and_take_lose_nothing() -> None:
    """Several threads publish messages while takers are woken by them: everybody gets all."""
    channel = Channel(max_entries=100_000)
    takers = [Taker(channel) for _ in range(8)]
    for taker in takers:
        taker.cursor = channel.follow(taker)
    threads = [threading.Thread(target=publish_many, args=(channel, n)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    expected = {f"{number}-{i}".encode() for number in range(4) for i in range(500)}
    for taker in takers:
        assert {entry.data for entry in taker.got} == expected
        assert len(taker.got) == len(expected)


def publish_many(channel: Channel, number: int) -> None:
    """Publish messages that tell who published them."""
    for i in range(500):
        channel.publish(Entry(0, f"{number}-{i}".encode(), transient=True))


def burst(channel: Channel, first: int, last: int) -> None:
    """Publish so much at one go."""
    channel.keep()
    for seq in range(first, last + 1):
        channel.publish(Entry(seq, b"x" * 100))
    channel.keep_no_more()


def test_more_is_kept_of_what_comes_at_one_go() -> None:
    """Until all have got it, also when more comes meanwhile; not of what was before."""
    channel = Channel(max_entries=100, max_bytes=1000)
    behind = channel.follow(Viewer("early"))
    for seq in range(1, 11):
        channel.publish(Entry(seq, b"x" * 100))
    one, other = channel.follow(Viewer("one"), seq=10), channel.follow(Viewer("other"), seq=10)
    burst(channel, 11, 50)
    burst(channel, 51, 51)
    assert isinstance(channel.next(behind), Behind)
    assert seqs(channel, one) == list(range(11, 52))
    assert len(channel._ring) == 41
    assert seqs(channel, other) == list(range(11, 52))
    assert len(channel._ring) == 10


def test_who_has_all_lets_nothing_be_kept() -> None:
    """Also while somebody publishes at one go for long; and whoever leaves waits for nothing."""
    channel = Channel(max_entries=100, max_bytes=1000)
    reader = channel.follow(Viewer("reader"))
    channel.keep()
    for seq in range(1, 101):
        channel.publish(Entry(seq, b"x" * 100))
        assert seqs(channel, reader) == [seq]
        assert len(channel._ring) <= 11
    gone = channel.follow(Viewer("gone"))
    burst(channel, 101, 150)
    assert seqs(channel, reader) == list(range(101, 151))
    assert len(channel._ring) == 50
    channel.unfollow(gone)
    assert len(channel._ring) == 10


def test_what_is_kept_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """In size, and in time: a follower that takes nothing does not hold it for ever."""
    channel = Channel(max_entries=100, max_bytes=1000)
    deaf = channel.follow(Viewer("deaf"))
    channel.keep()
    for seq in range(1, 201):
        channel.publish(Entry(seq, b"x" * 100))
    assert len(channel._ring) <= 80
    assert isinstance(channel.next(deaf), Behind)
    slow = channel.follow(Viewer("slow"))
    monkeypatch.setattr(channel_module, "KEPT_SECONDS", 0.0)
    channel.keep_no_more()
    burst(channel, 201, 250)
    time.sleep(0.01)
    channel.publish(Entry(251, b"x" * 100))
    assert len(channel._ring) == 10
    assert isinstance(channel.next(slow), Behind)
