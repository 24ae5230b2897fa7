"""The session: a script's way to the documents of one server."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
from bokeh.document import Document
from bokeh.model import Model

from bokeh_server.client._applying import merge_content
from bokeh_server.client._homes import Home, home_of, note_home
from bokeh_server.client._ids import make_unique, use_unique_ids
from bokeh_server.client.batches import (
    changes_batch,
    content_batch,
    loose_models,
    needs_content,
    reaction_batch,
)
from bokeh_server.client.history import GoingBack
from bokeh_server.client.link import Link
from bokeh_server.client.subscription import Subscription
from bokeh_server.errors import (
    BokehServerError,
    ConnectionFailed,
    ServerFault,
)
from bokeh_server.protocol.packing import unpack

__all__ = ["Session"]


# A document owns its links, which hear its changes; here they are held weakly,
# because changes that wait hold models, and these the document.
Links = weakref.WeakKeyDictionary[Document, weakref.WeakValueDictionary[str, Link]]


class Session(GoingBack):
    """A script's way to the documents of one server.

    Changes are sent by :meth:`store_objects` and :meth:`store_document`,
    only what changed since the last time.
    Bokeh hears of ``source.data["y"] = …``, ``source.stream`` and ``source.patch``,
    but not of an array whose items are set in place:
    assign it anew, or store with ``dirty_only=False``.

    An object goes to where the document it is in is stored, whichever session is asked.
    An object of no document goes to the document in use.

    A session may be used by several threads, each changing and storing objects of its own.
    While a :meth:`subscribe` is active its thread changes the models too:
    hold :attr:`lock` where several changes belong together,
    or where one thread stores what another one changes.

    :param name: the name under which :meth:`save` keeps it; the address when not given.
    :param root_url: the server; when not given what is saved under ``name``,
        else ``BOKEH_SERVER_URL``, else ``http://localhost:5006/``.
    :param userapikey: a key to be known by, where the server asks for one.
    :param load_from_config: take what is not given from the saved servers.
    :param configdir: where they are saved; ``~/.bokeh`` when not given.
    :param key: the key of one document, for which alone the session is good then, whoever is known.
    :ivar docid: the docid of the document in use, after :meth:`use_doc`.
    :ivar lock: held while this session changes or reads models.
    """

    def __init__(
        self,
        name: str | None = None,
        root_url: str | None = None,
        userapikey: str | None = None,
        username: str | None = None,
        load_from_config: bool = True,
        configdir: str | Path | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(name, root_url, userapikey, username, load_from_config, configdir, key)
        self.lock = threading.RLock()
        self._links: Links = weakref.WeakKeyDictionary()
        self._loose: dict[str, set[str]] = {}
        self._subscriptions: set[Subscription] = set()
        use_unique_ids()

    # -- addresses

    def object_link(self, obj: Model | None = None) -> str:
        """The page of one object, or of the whole document."""
        home = self.home(obj)
        return home.http.url("doc", home.docid_of(obj), obj.id if obj is not None else "show")

    def autoload(self, model: Model, public: bool = False) -> str:
        """A ``<script>`` tag that shows the live object in any page; see :mod:`bokeh_server.embed`.

        :raises UnknownModel: the stored document does not have it.
        """
        from bokeh_server.embed import autoload_server

        return autoload_server(model, self, public=public)

    def show(self, *objs: Model) -> None:
        """Show live objects in a notebook."""
        from bokeh.io.notebook import publish_display_data

        for each in objs:
            publish_display_data({"text/html": self.autoload(each)})

    def home(self, obj: Model | Document | None) -> Session:
        """The session that stores an object or a document: this one, unless another has it."""
        document = obj.document if isinstance(obj, Model) else obj
        return home_of(document, self) if document is not None else self

    def docid_of(self, obj: Model | None) -> str:
        """The docid of the stored document that an object belongs to."""
        link = self.home(obj).link_for_model(obj) if obj is not None else None
        return link.docid if link is not None else self.used()

    # -- storing

    def store_document(self, doc: Document, dirty_only: bool = True) -> list[Model]:
        """Store what changed in a document; the first time all of it, in place of what is stored.

        :param dirty_only: ``False`` to replace what is stored by the whole document.
        :returns: the models that were sent.
        """
        session, link = self._way(doc)
        with session.lock:
            return session._store_all(link, dirty_only)

    def _store_all(self, link: Link, dirty_only: bool) -> list[Model]:
        self._confirm(link)
        if not dirty_only or not link.synced:
            return self._send(link, content_batch(link))
        if needs_content(link):
            self._merge(link)
            return self._send(link, content_batch(link))
        return self._send(link, changes_batch(link))

    def store_objects(self, *objs: Model, dirty_only: bool = True) -> list[Model]:
        """Store what changed in some objects and in what they refer to.

        :param dirty_only: ``False`` to send them whole, changed or not.
        :returns: the models that were sent; nothing is sent when nothing changed.
        :raises Conflict: their document is stored nowhere, and another one is in its place.
        """
        homes: dict[Session, list[Model]] = {}
        for obj in objs:
            home = self.home(obj)
            home.docid_of(obj)  # what belongs nowhere is refused before anything is sent
            homes.setdefault(home, []).append(obj)
        # one lock at a time: the callbacks of another session may store through this one
        return [each for home, own in homes.items() for each in home._store_own(own, dirty_only)]

    def _store_own(self, objs: Sequence[Model], dirty_only: bool) -> list[Model]:
        with self.lock:
            sent: list[Model] = []
            for link, models in self._by_link(objs):
                if link is None:
                    sent += self._upsert(models)
                else:
                    sent += self._store(link, models, dirty_only)
            return sent

    def _store(self, link: Link, models: list[Model], dirty_only: bool) -> list[Model]:
        self._confirm(link)
        if dirty_only and not link.pending:
            return []
        if link.structural and needs_content(link):
            self._merge(link)
            return self._send(link, content_batch(link))
        return self._send(link, changes_batch(link, models, dirty_only=dirty_only))

    def _way(self, doc: Document) -> Home:
        """How a whole document goes: to the document in use, unless it has a place of its own.

        That is so after :func:`output_server`, and for a document of another session
        when one of this session is stored in the document in use.
        """
        home = self.home(doc)
        if home is not self and (
            home.link_for(doc).pinned
            or self.docid is None
            or self._occupants.is_other(self.docid, doc)
        ):
            return Home(home, home.link_for(doc))
        return Home(self, self.link(doc))

    def link(self, doc: Document, *, pinned: bool = False) -> Link:
        """What joins a local document to the document in use, made if need be.

        A document of :func:`output_server` stays with the stored document it was made for.

        :param pinned: let it stay there.
        :raises Conflict: it is stored nowhere, and a document of :func:`output_server` is there.
        """
        with self.lock:
            docid = self.used()
            links = self._links.setdefault(doc, weakref.WeakValueDictionary())
            stays = next((each for each in links.values() if each.pinned), None)
            link = stays or links.get(docid)
            if link is None:
                title = self.title_of(docid)
                if not pinned:
                    self._occupants.check_free(docid, doc, title)
                loose = self._loose.setdefault(docid, set())
                link = links[docid] = Link(doc, docid, title, loose)
                link.pinned = pinned
                note_home(doc, Home(self, link))
            return link

    def link_for(self, doc: Document) -> Link:
        """What joins a local document to a stored one: the one in use, else its last."""
        links = list(self._links.get(doc, {}).values())
        if not links or self.docid in {each.docid for each in links}:
            return self.link(doc)
        return links[-1]

    def link_for_model(self, obj: Model) -> Link | None:
        """The same for a model; ``None`` when it is in no document."""
        return self.link_for(obj.document) if obj.document is not None else None

    def _by_link(self, objs: Sequence[Model]) -> list[tuple[Link | None, list[Model]]]:
        groups: dict[Link | None, list[Model]] = {}
        for obj in objs:
            link = self.link_for_model(obj)
            if link is not None and not link.synced:
                self._send(link, content_batch(link))
            groups.setdefault(link, []).append(obj)
        return list(groups.items())

    def _upsert(self, models: list[Model]) -> list[Model]:
        """Store models that are in no document; pages can show them all the same."""
        found, content = loose_models(models)
        self.push(*content)
        self._loose.setdefault(self.used(), set()).update(model.id for model in found)
        return found

    # -- loading

    def load_document(self, doc: Document) -> None:
        """Bring a document up to what is stored; local changes that are not stored stay.

        Models keep their identity, and callbacks run for what really changed.
        """
        session, link = self._way(doc)
        with session.lock:
            session._load_all(link)

    def _load_all(self, link: Link) -> None:
        self._confirm(link)
        if link.synced and link.complete and link.seq == int(self.info(link.docid)["seq"]):
            return
        _raise_first(self._merge(link))

    def load_object(self, obj: Model, doc: Document) -> None:
        """Bring one object up to what is stored of the document it is in."""
        document = obj.document or doc
        home = self.home(document)
        with home.lock:
            link = home.link_for(document)
            content, _, buffers = home._content(link)
            _raise_first(merge_content(link, content, buffers, only=obj))

    def _merge(self, link: Link) -> list[Exception]:
        content, seq, buffers = self._content(link)
        make_unique(link.document, link.knows)
        errors = merge_content(link, content, buffers)
        link.seq, link.complete = seq, True
        self._occupants.note(link)
        return errors

    def _content(self, link: Link) -> tuple[Any, int, Any]:
        url = self.http.url("doc", link.docid, "content")
        content, buffers = unpack(self.http.get_packed(url), "the document that the server sent")
        value = orjson.loads(content)
        return value["doc"], int(value["seq"]), buffers

    def _stored_as(self, document: Document | None) -> tuple[Session, str]:
        if document is None:
            return self, self.used()
        home = self.home(document)
        return home, home.link_for(document).docid

    def poll_document(self, document: Document, interval: float = 0.5) -> None:
        """Load the document again and again until Ctrl-C; :meth:`subscribe` is faster.

        :param interval: seconds in between.
        """
        try:
            while True:
                with contextlib.suppress(ServerFault):  # it is asked again anyway
                    self.load_document(document)
                time.sleep(interval)
        except KeyboardInterrupt:
            print()
        except ConnectionFailed:
            print("Connection to bokeh-server was terminated")

    # -- following

    def subscribe(self, document: Document, timeout: float = 10.0) -> Subscription:
        """Follow the stored document: changes arrive at once and callbacks run.

        What the callbacks change is stored.
        The document is stored first if :func:`output_server` began it anew.

        :param timeout: seconds to wait until it is up to date.
        :raises ConnectionFailed: no server answers.
        """
        session, link = self._way(document)
        with session.lock:
            if not link.synced and (document.roots or link.pinned):
                session._store_all(link, dirty_only=True)
        subscription = Subscription(session, link)
        session._subscriptions.add(subscription)
        return subscription.start(timeout)

    def unsubscribe(self, document: Document | None = None) -> None:
        """Stop to follow one document, or all."""
        for session in {self, self.home(document)}:
            for each in list(session._subscriptions):
                if document is None or each.document is document:
                    each.close()

    def ended(self, subscription: Subscription) -> None:
        """Forget a subscription that does not follow any more."""
        self._subscriptions.discard(subscription)

    def store_during(self, link: Link, work: Callable[[], list[Exception]]) -> list[Exception]:
        """Do something and store what it changed in the document, and nothing else."""
        with self.lock:
            with link.reacting() as reaction:
                errors = work()
            try:
                self._confirm(link)
            except BokehServerError:
                link.wait_too(reaction)
                raise
            self._send(link, reaction_batch(link, reaction))
            return errors

    def settle(self, link: Link) -> None:
        """Send again what waits for an answer, so that what is pulled next contains it."""
        with self.lock:
            self._confirm(link)

    def close(self) -> None:
        """Stop to follow and close all connections."""
        self.unsubscribe()
        self._pipes.close()
        self.http.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _raise_first(errors: list[Exception]) -> None:
    if errors:
        raise errors[0]
