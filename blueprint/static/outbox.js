// What a page sends: only what people did, and only the newest of what waits.

import {is_whole, key_of} from "./crossing.js"

const SEND_EVERY = 30  // ms; a drag makes an event for every frame

const MOST_KEPT = 100000  // values, or hundreds of characters, in an edit that waits for a connection

const VIEW_STATE = new Set(["inner_width", "inner_height", "outer_width", "outer_height"])
const PAGE_EVENTS = new Set(["document_ready", "connection_lost", "client_reconnected"])

export class Outbox {
  // is_live(): whether the connection takes messages; send(events) sends them and gives the
  // id of the message.
  constructor(bk, ranges, crossing, {is_live, send}) {
    this._events = bk.require("document/events")
    this._columns = bk.require("models/sources/columnar_data_source").ColumnarDataSource
    this._ranges = ranges
    this._crossing = crossing
    this._unanswered = new Map()
    this._is_live = is_live
    this._send = send
    this._queue = new Map()
    this._offline = new Map()
  }

  put(event) {
    const batch = event instanceof this._events.DocumentEventBatch ? event.events : [event]
    const events = this._ranges.outgoing(batch.filter((each) => each.sync && this._is_wanted(each)))
    if (events.length > 0) {
      this._enqueue(events)
    }
  }

  _is_wanted(event) {
    if (event instanceof this._events.ModelChangedEvent) {
      return !VIEW_STATE.has(event.attr)
    }
    return !(event.kind === "MessageSent" && event.msg_type === "bokeh_event"
      && PAGE_EVENTS.has(event.msg_data?.event_name))
  }

  _enqueue(events) {
    if (!this._is_live()) {
      this._keep(events)
      return
    }
    for (const event of events) {
      this._put_last(this._queue, event)
      if (key_of(event) != null) {
        this._crossing.edited(key_of(event), is_whole(event))
      }
    }
    if (this._timer == null) {
      this.flush()
      this._timer = setTimeout(() => {
        this._timer = null
        this.flush()
      }, SEND_EVERY)
    }
  }

  // Nobody listens: keep what a person changed, until somebody does again.
  _keep(events) {
    for (const event of events) {
      if (this._is_kept(event)) {
        this._put_last(this._offline, event)
      } else {
        this._offline.delete(this._key(event))
      }
    }
  }

  _put_last(queue, event) {
    const key = this._key(event)
    queue.delete(key)
    queue.set(key, event)
  }

  _key(event) {
    return event instanceof this._events.ModelChangedEvent
      ? `${event.model.id} ${event.attr}` : Symbol("once")
  }

  flush() {
    if (this._queue.size > 0 && this._is_live()) {
      const events = [...this._queue.values()]
      this._queue.clear()
      this._unanswered.set(this._send(events), events)
    }
  }

  // The server has stored a message, or refused it for good.
  answered(id) {
    this._unanswered.delete(id)
  }

  // The connection is lost, and with it perhaps what has no answer.
  set_aside() {
    for (const events of [...this._unanswered.values(), this._queue.values()]) {
      this._keep(events)
    }
    this._unanswered.clear()
    this._queue.clear()
  }

  // Columns are not kept: rows may have come meanwhile, which all of the old ones would undo.
  _is_kept(event) {
    return event instanceof this._events.ModelChangedEvent && is_plain(event.value)
      && !(event.attr === "data" && event.model instanceof this._columns)
  }

  // Make those changes again, in the document as it is now.
  replay(document) {
    const events = [...this._offline.values()]
    this._offline.clear()
    for (const {model, attr, value} of events) {
      const today = document.get_model_by_id(model.id)
      if (today != null && attr in today.properties) {
        this._ranges.touch(today, attr)
        today.setv({[attr]: value})
      }
    }
  }
}

// Whether something is made of nothing but numbers, texts and the like, and not much: no models,
// which may be gone when it is made again, and no arrays of data.
export function is_plain(value, most = MOST_KEPT) {
  const left = [value]
  let size = 0
  while (left.length > 0) {
    const each = left.pop()
    size += typeof each === "string" ? 1 + each.length / 100 : 1
    const parts = parts_of(each)
    if (parts == null || size + left.length + parts.length > most) {
      return false
    }
    for (const part of parts) {
      left.push(part)
    }
  }
  return true
}

// What a value is made of; null where that is not known.
function parts_of(value) {
  if (value == null || ["boolean", "number", "string"].includes(typeof value)) {
    return []
  }
  if (Array.isArray(value)) {
    return value
  }
  if (value instanceof Map) {
    return [...value].flat()
  }
  const is_simple = typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype
  return is_simple ? Object.entries(value).flat() : null
}
