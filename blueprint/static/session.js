// One live document: BokehJS's connection and session, with what a published plot needs besides.
//
// Unmodified BokehJS gives up after five attempts, sends what it computed for one screen,
// and cannot follow a socket that was cut in the middle of a message. This wraps it; nothing
// of BokehJS is changed.

import {Crossing} from "./crossing.js"
import {drop_socket, make_line, number_of, reset, within} from "./line.js"
import {Outbox} from "./outbox.js"
import {Pointers} from "./pointers.js"
import {Ranges} from "./ranges.js"
import {delay_after, spread, Stateful} from "./stateful.js"

const CLOSE_RESTART = 1012
const CLOSE_PULL_AGAIN = 4001
const CLOSE_DELETED = 4004

const PROBE_TIMEOUT = 5000   // ms
const PULL_TIMEOUT = 90000   // ms
const FAULT_PAUSE = 5000     // ms; between two patches that could not be shown

const CONNECTION_TROUBLE = /websocket|Disconnected|Error reply|did not answer/i

// States: connecting, live, reconnecting, lost, and for good: deleted, refused, failed.
const FINAL = new Set(["deleted", "refused", "failed"])

export class LiveSession extends Stateful {
  // renew() resolves to {ticket}, or to {status} of the answer that refused one;
  // it rejects when the server cannot be reached.
  // once: a ticket is good for one connection, so that each after the first needs another.
  constructor(bk, {url, ticket, writes, renew, once = false}) {
    super(bk, url)
    this.ticket = ticket
    this._once = once
    this.writes = writes
    this.renew = renew
    this.retry_at = null
    this._messages = bk.require("core/bokeh_events")
    this._ranges = new Ranges(bk)
    this._crossing = new Crossing()
    this._outbox = new Outbox(bk, this._ranges, this._crossing, {
      is_live: () => this.state === "live",
      send: (events) => this._send(events),
    })
    this._quiet = 0
    this._wake()
  }

  // The number of the last change that it shows.
  get seq() {
    return this._crossing.seen
  }

  // -- connecting --------------------------------------------------------------------------------

  start() {
    this._connect()
  }

  _make_connection() {
    return make_line(this.bk, this.url, this.ticket, this._arguments(false), {
      adopt: (session) => this._adopt(session),
      pulled: (reply) => this._crossing.start(number_of(reply) ?? 0),
      closed: (connection, event, reject) => this._on_close(connection, event, reject),
    })
  }

  _arguments(again) {
    return [this.writes ? "ranges=1" : "", again ? "repull=1" : ""].filter((each) => each).join("&")
  }

  async _connect() {
    if (FINAL.has(this.state) || this._connecting || this._connection?.socket != null) {
      return
    }
    this._connecting = true
    clearTimeout(this._timer)
    this.retry_at = null
    try {
      if (this.ticket == null || this.attempts > (this._once ? 0 : 1)) {
        await this._renew()
      }
      this._connection ??= this._make_connection()
      this._connection.token = this.ticket
      await within(PULL_TIMEOUT, this._connection.connect())
      this._connected()
    } catch (error) {
      this._connecting = false
      if (!FINAL.has(this.state)) {
        this._abandon(error)
        this._go_on(error)
      }
    } finally {
      this._connecting = false
    }
  }

  // A refused handshake looks to a page like a server that is away: ask over HTTP which it is.
  async _renew() {
    const {ticket, status, detail} = await this.renew().catch(() => {
      throw new Error("the server did not answer")
    })
    if (ticket != null) {
      this.ticket = ticket
    } else if (status === 404) {
      this._set_state("deleted", detail)
      throw new Error("the document was deleted")
    } else if (status === 401 || status === 403) {
      this._set_state("refused", detail)
      throw new Error("the server refused")
    }
  }

  _connected() {
    this.attempts = 0
    this._set_state("live", this._refusal)
    this._outbox.replay(this.document)
  }

  // A document that BokehJS cannot build would fail again; a connection may come back.
  _go_on(error) {
    if (CONNECTION_TROUBLE.test(error.message)) {
      this._schedule()
    } else {
      console.error(error)
      this._set_state("failed", error.message)
    }
  }

  // The pull failed on a socket that is still open, or the socket is already gone.
  _abandon(error) {
    const connection = this._connection
    if (connection?.socket != null) {
      drop_socket(connection)
    }
    this.detail = /^Error reply/.test(error.message) ? error.message.slice("Error reply ".length) : ""
    if (connection != null && connection.session == null) {
      connection.closed_permanently = true
      this._connection = null
    }
  }

  _on_close(connection, event, reject) {
    connection.socket = null
    reset(connection)
    reject(new Error(`Lost websocket connection, ${event.code}`))
    if (connection !== this._connection || FINAL.has(this.state)) {
      return
    }
    if (event.code === CLOSE_DELETED) {
      this._set_state("deleted")
    } else if (!this._connecting) {
      this._lost(event.code)
    }
  }

  _lost(code) {
    this.attempts = 0
    this._outbox.set_aside()
    this._send_event(new this._messages.ConnectionLost(new WeakRef(this._connection), 0, null))
    this._schedule(code === CLOSE_PULL_AGAIN ? 0 : code === CLOSE_RESTART ? 500 : undefined)
  }

  _schedule(delay = delay_after(this.attempts)) {
    const wait = spread(delay)
    this.attempts += 1
    this.retry_at = Date.now() + wait
    this._set_state(this._waiting_state(), this.detail)
    clearTimeout(this._timer)
    this._timer = setTimeout(() => this._connect(), wait)
  }

  _waiting_state() {
    if (this._is_lost) {
      return "lost"
    }
    return this.document == null ? "connecting" : "reconnecting"
  }

  // Try at once, because somebody asks or the network is back.
  retry() {
    if (!FINAL.has(this.state)) {
      this._connect()
    }
  }

  _wake() {
    addEventListener("online", () => this._look())
    addEventListener("pageshow", (event) => event.persisted && this._look())
    addEventListener("pagehide", () => this._outbox.flush())
    new Pointers((is_held) => this._press(is_held)).listen(window)
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") {
        this._look()
      }
    })
  }

  // After a sleep a socket may look open though nobody is at its other end.
  async _look() {
    const connection = this._connection
    if (this.state !== "live" || connection?.session == null) {
      this.retry()
      return
    }
    const {socket} = connection
    try {
      await within(PROBE_TIMEOUT, connection.session.force_roundtrip())
    } catch {
      if (connection.socket === socket && this.state === "live") {
        drop_socket(connection)
        this._lost(1006)
      }
    }
  }

  // -- the document ------------------------------------------------------------------------------

  _adopt(session) {
    const connection = this._connection
    const {document} = session
    this.document = document
    connection.args_string = this._arguments(true)
    session._document_changed = (event) => this._outgoing(event)
    this._apply = session._handle_patch.bind(session)
    session._handle_patch = (message) => this._incoming(message)
    const handle = session.handle.bind(session)
    session.handle = (message) => {
      handle(message)
      this._answered(message)
    }
    const replace = document.replace_with_json.bind(document)
    document.replace_with_json = (json) => this._replace(replace, json)
    this._prepare()
  }

  _prepare() {
    const {document} = this
    document.config.setv({notify_connection_status: false}, {sync: false})
    this._ranges.restore(document._all_models.values())
  }

  // BokehJS tells the server of every root that it puts in place of an old one, and keeps
  // the emptied replacement in its list of documents.
  _replace(replace, json) {
    const {documents} = this.bk
    const before = new Set(documents)
    this._quiet += 1
    try {
      replace(json)
      this._prepare()
    } finally {
      this._quiet -= 1
      documents.splice(0, documents.length, ...documents.filter((each) => before.has(each)))
    }
    this._tell("replaced")
    this._send_event(new this._messages.ClientReconnected())
  }

  _send_event(event) {
    this.document?.event_manager.send_event(event)
  }

  _incoming(message) {
    const {content, buffers} = message
    const seq = number_of(message) ?? this._crossing.seen
    const shown = this._crossing.incoming(seq, content.events, buffers)
    if (shown == null) {
      this._pull_again()
    } else if (this._show(shown, buffers)) {
      this._show_due()
    }
  }

  _show(events, buffers) {
    const content = {events: [...events]}
    const finish = this._ranges.incoming(content.events, this.document)
    const unsent = new Set(this.document._new_models)
    try {
      this._apply({content, buffers})
      finish()
      this._know_again(unsent)
    } catch (error) {
      console.error("a change could not be shown; the document is pulled again", error)
      this._pull_again()
      return false
    }
    this._tell("patched")
    return true
  }

  _press(is_held) {
    this._crossing.press(is_held)
    if (!is_held) {
      this._show_due()
    }
  }

  // What others set while this page was setting it, too.
  _show_due() {
    clearTimeout(this._due)
    for (const {event, buffers} of this._crossing.due()) {
      if (!this._show([event], buffers)) {
        return
      }
    }
    const wait = this._crossing.wait()
    if (wait != null) {
      this._due = setTimeout(() => this._show_due(), wait)
    }
  }

  _answered(message) {
    const type = message.msgtype()
    if (type === "OK" || type === "ERROR") {
      if (message.content.retry !== true) {
        this._outbox.answered(message.reqid())
      }
      if (type === "ERROR") {
        this._refusal = message.content.text
        this._pull_again()  // the page shows what is not stored
      } else {
        if (this._refusal && this.state === "live") {
          this._refusal = ""
          this._set_state("live")
        }
        this._crossing.answered(message.reqid(), number_of(message) ?? 0)
        this._show_due()
      }
    }
  }

  // BokehJS takes models that the server sent for its own new ones, until it next sends something:
  // a page that only looks would keep all that a script ever replaced.
  _know_again(unsent) {
    const fresh = this.document._new_models
    for (const model of fresh) {
      if (!unsent.has(model)) {
        fresh.delete(model)
      }
    }
  }

  _pull_again() {
    const recent = Date.now() - (this._fault_at ?? 0) < FAULT_PAUSE
    this._fault_at = Date.now()
    if (this._connection.socket != null) {
      drop_socket(this._connection)
    }
    this._lost(CLOSE_PULL_AGAIN)
    if (recent) {
      this._schedule(FAULT_PAUSE)
    }
  }

  // -- sending -----------------------------------------------------------------------------------

  _outgoing(event) {
    if (this.writes && this._quiet === 0 && event.sync) {
      this._outbox.put(event)
    }
  }

  _send(events) {
    const {Message} = this.bk.require("protocol/message")
    const message = Message.create("PATCH-DOC", {}, this.document.create_json_patch(events))
    message.metadata.seen = this._crossing.sent(message.msgid())
    this._connection.send(message)
    return message.msgid()
  }
}
