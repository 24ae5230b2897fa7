// The feed of the gallery, which connects again by itself; where no socket gets through, what it
// would have told is asked for again and again.

const POLL_EVERY = 5000       // ms
const LONGEST_DELAY = 10000

export class Feed {
  // hear(message): what it tells; poll(): ask for it; lost(): there is no connection just now.
  constructor(address, {hear, poll, lost}) {
    this._address = new URL(address, location.href)
    this._address.protocol = this._address.protocol === "https:" ? "wss:" : "ws:"
    this._on = {hear, poll, lost}
    this._attempts = 0
    this._polling = null
    this._connect()
  }

  get is_polling() {
    return this._polling != null
  }

  // It has said something, so that nothing needs to be asked for.
  settle() {
    this._attempts = 0
    clearInterval(this._polling)
    this._polling = null
  }

  say(message) {
    if (this._socket.readyState === 1) {  // open
      this._socket.send(JSON.stringify(message))
    }
  }

  _connect() {
    this._socket = new WebSocket(this._address)
    this._socket.onmessage = (event) => this._on.hear(JSON.parse(event.data))
    this._socket.onclose = () => {
      this._on.lost()
      this._polling ??= setInterval(this._on.poll, POLL_EVERY)
      const wait = Math.min(LONGEST_DELAY, 250 * 2 ** this._attempts++) * (0.5 + Math.random() / 2)
      setTimeout(() => this._connect(), wait)
    }
  }
}
