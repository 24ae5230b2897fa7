// Which of two edits of one attribute this page shows, when they cross on their way.
//
// The log decides: the later one, as everybody else sees it. What comes from the server carries
// the number of its change, and so does the answer to what this page sends. Until that answer is
// there, for a moment after, and while the pointer is down with which it was made, what others set
// the attribute to waits: a slider never jumps back under the finger that drags it. Rows cannot
// wait; where they crossed the server sends the whole column, for it is told with every patch what
// this page had seen.

const HOLD = 250  // ms after the last edit of a person, until what others set is shown

// The attribute that an event in wire form is about; null for messages.
export function key_of(event) {
  switch (event.kind) {
    case "MessageSent": return null
    case "TitleChanged": return "title"
    case "RootAdded":
    case "RootRemoved": return "roots"
    default: return `${event.model?.id} ${event.attr}`
  }
}

// Whether an event sets the whole of an attribute, whatever it was.
export function is_whole(event) {
  return event.kind === "ModelChanged" || event.kind === "TitleChanged"
    || event.kind === "ColumnDataChanged" && event.cols == null
}

// Whether an event brings a model that this page may not know.
export function brings_models(value) {
  if (value == null || typeof value !== "object" || ArrayBuffer.isView(value)) {
    return false
  }
  if (value.type === "object" && "id" in value) {
    return true
  }
  return Object.values(value).some(brings_models)
}

export class Crossing {
  // now(): milliseconds
  constructor(now = () => performance.now()) {
    this._now = now
    this._pressed = null  // since when a pointer is down
    this._edited = new Map()
    this._in_whole = new Set()  // keys of which a person's last edit set all
    this.start(0)
  }

  // The document was pulled: it is as change `seq` left it. What is held stays as it is now.
  start(seq) {
    const held = [...this._edited].filter(([key]) => this._is_dragged(key) && this._in_whole.has(key))
    this.seen = seq
    this._unsent = new Map()   // key -> {whole, seen}: edits that wait in the outbox
    this._sent = new Map()     // id of a message -> the keys in it
    this._count = new Map()    // key -> edits of it that have no answer yet
    // key -> number of the last answered edit, where it set all
    this._own = new Map(held.map(([key]) => [key, seq]))
    this._edited = new Map(held)  // key -> when a person last did it
    this._kept = new Set(held.map(([key]) => key))  // held since before the pull
    this._waiting = []         // {seq, event, buffers} of what others did
  }

  // Somebody holds something on the page, or nothing any more: see pointers.js.
  press(is_down) {
    this._pressed = is_down ? this._pressed ?? this._now() : null
  }

  // This page has made an edit, which will be sent.
  edited(key, whole) {
    const before = this._unsent.get(key)
    this._unsent.set(key, {whole: before?.whole !== false && whole, seen: before?.seen ?? this._shown()})
    this._edited.set(key, this._now())
    this._in_whole[whole ? "add" : "delete"](key)
    this._kept.delete(key)
  }

  // All that waited was sent, in one message.
  // Gives the last change that is in what was sent.
  sent(id) {
    const seen = Math.min(this._shown(), ...[...this._unsent.values()].map((each) => each.seen))
    this._sent.set(id, this._unsent)
    for (const key of this._unsent.keys()) {
      this._count.set(key, (this._count.get(key) ?? 0) + 1)
    }
    this._unsent = new Map()
    return seen
  }

  // The server has stored a message as change `seq`.
  answered(id, seq) {
    const edits = this._sent.get(id) ?? new Map()
    this._sent.delete(id)
    for (const [key, {whole}] of edits) {
      const left = this._count.get(key) - 1
      if (left === 0) {
        this._count.delete(key)
      } else {
        this._count.set(key, left)
      }
      if (whole) {
        this._own.set(key, seq)
      } else {
        this._own.delete(key)
      }
    }
  }

  // Events of change `seq` have come; gives those to show now.
  // null: they cross in a way that only pulling again can mend.
  incoming(seq, events, buffers) {
    const shown = []
    for (const event of events) {
      const key = key_of(event)
      if (this._kept.has(key) && is_whole(event) && brings_models(event)) {
        this._let_go(key)  // to pull again would only keep it once more
      }
      const fate = key == null ? "show" : this._fate(key, seq, event)
      if (fate !== "show" && brings_models(event)) {
        return null
      }
      if (fate === "show") {
        shown.push(event)
      } else if (fate === "wait") {
        this._put_off(key, {seq, event, buffers})
      }
    }
    this._note(seq)
    return shown
  }

  // What others did, that waited and may be shown now, in order.
  due() {
    const waiting = this._waiting
    this._waiting = []
    const ready = []
    for (const each of waiting) {
      const fate = this._fate(key_of(each.event), each.seq, each.event)
      if (fate === "wait") {
        this._waiting.push(each)
      } else if (fate === "show") {
        ready.push(each)
      }
    }
    return ready
  }

  // Milliseconds until `due` may have something; null: nothing waits for time to pass.
  wait() {
    const times = this._waiting.map(({event}) => key_of(event))
      .filter((key) => !this._is_open(key) && !this._is_dragged(key))
      .map((key) => this._edited.get(key) + HOLD - this._now())
    return times.length === 0 ? null : Math.max(0, Math.min(...times))
  }

  // -- inside

  _fate(key, seq, event) {
    if (this._is_open(key)) {
      return this._is_set_here(key) ? "wait" : "show"
    }
    const own = this._own.get(key)
    if (own != null && (is_whole(event) ? seq < own : seq <= own)) {
      return "skip"
    }
    if (this._waiting.some((each) => key_of(each.event) === key)) {
      return "wait"
    }
    const fresh = this._is_dragged(key) || this._now() - this._edited.get(key) < HOLD
    return own != null && fresh ? "wait" : "show"
  }

  _let_go(key) {
    this._kept.delete(key)
    this._own.delete(key)
    this._waiting = this._waiting.filter((each) => key_of(each.event) !== key)
  }

  _is_dragged(key) {
    return this._pressed != null && this._edited.get(key) >= this._pressed
  }

  // Of what waits only the newest value counts.
  _put_off(key, each) {
    if (is_whole(each.event)) {
      this._waiting = this._waiting.filter(({event}) => key_of(event) !== key)
    }
    this._waiting.push(each)
  }

  // Whether edits made here have no answer yet.
  _is_open(key) {
    return this._unsent.has(key) || this._count.has(key)
  }

  // Whether all of those set the whole attribute, so that nothing but the order counts.
  _is_set_here(key) {
    const sent = [...this._sent.values(), this._unsent]
    return sent.every((edits) => edits.get(key)?.whole !== false)
  }

  // The last change of which everything is shown.
  _shown() {
    return this._waiting.length === 0 ? this.seen : Math.min(this.seen, this._waiting[0].seq - 1)
  }

  _note(seq) {
    this.seen = Math.max(this.seen, seq)
  }
}
