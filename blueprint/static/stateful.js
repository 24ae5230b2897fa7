// What a live document and a revision have in common for a page: a state, and who is told of it.

const FIRST_DELAY = 250      // ms; doubled for every attempt
const LONGEST_DELAY = 8000   // ms
const LOST_AFTER = 4         // attempts, from when the page says "lost"

export class Stateful {
  constructor(bk, url) {
    this.bk = bk
    this.url = url
    this.document = null
    this.state = "connecting"
    this.detail = ""
    this.attempts = 0
    this._listeners = new Set()
  }

  // listener(what, session): "state", "replaced" or "patched".
  on(listener) {
    this._listeners.add(listener)
    return () => this._listeners.delete(listener)
  }

  _tell(what) {
    for (const listener of [...this._listeners]) {
      listener(what, this)
    }
  }

  _set_state(state, detail = "") {
    this.state = state
    this.detail = detail
    this._tell("state")
  }

  get _is_lost() {
    return this.attempts > LOST_AFTER
  }
}

// Milliseconds before the next attempt.
export function delay_after(attempts) {
  return Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** attempts)
}

// Pages that lost one server do not all come back in one moment.
export function spread(delay) {
  return delay * (0.5 + Math.random() / 2)
}
