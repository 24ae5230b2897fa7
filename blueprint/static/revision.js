// A document as it once was: loaded once, changed by nobody, and interactive all the same.

import {Ranges} from "./ranges.js"
import {delay_after, spread, Stateful} from "./stateful.js"

const PACKED = "application/vnd.bokeh-server.packed"

// Statuses that another attempt will not change.
const STATES = {401: "refused", 403: "refused", 404: "deleted", 410: "failed"}

// Looks to a page like a LiveSession: connecting, then still; or lost, deleted, refused, failed.
export class RevisionSession extends Stateful {
  // ticket: for a page of another site, or a frame, which the server knows by nothing else.
  // renew(): where each attempt takes another; see LiveSession.
  constructor(bk, {url, ticket, renew}) {
    super(bk, url)
    this.ticket = ticket
    this.renew = renew
  }

  start() {
    this._load()
  }

  retry() {
    if (this.state === "lost" && !this._loading) {
      this._load()
    }
  }

  async _load() {
    clearTimeout(this._timer)
    this._loading = true
    try {
      const answer = await this._fetch()
      if (answer != null) {
        this._show(unpack(answer))
      }
    } catch (error) {
      console.error(error)
      this._set_state("failed", error.message)
    } finally {
      this._loading = false
    }
  }

  // The bytes of the document; null where there will be another attempt, or none.
  async _fetch() {
    try {
      const answer = await this._ask()
      if (answer.ok) {
        return await answer.arrayBuffer()
      }
      if (answer.status in STATES) {
        const detail = answer.detail ?? (await answer.json().catch(() => ({}))).detail
        this._set_state(STATES[answer.status], detail)
        return null
      }
    } catch {
      // the server is away, which it may not be for long
    }
    this._schedule()
    return null
  }

  // The answer of the server, or of whoever would not renew the ticket.
  async _ask() {
    if (this.renew != null && (this.ticket == null || this.attempts > 0)) {
      const fresh = await this.renew()
      if (fresh.ticket == null) {
        return fresh
      }
      this.ticket = fresh.ticket
    }
    const ticket = this.ticket != null ? {"Bokeh-Ticket": this.ticket} : {}
    return fetch(this.url, {headers: {Accept: PACKED, ...ticket}})
  }

  _schedule() {
    const delay = spread(delay_after(this.attempts))
    this.attempts += 1
    this._set_state(this._is_lost ? "lost" : "connecting")
    this._timer = setTimeout(() => this._load(), delay)
  }

  _show({content, buffers}) {
    const {Document} = this.bk.require("document/document")
    this.document = Document.from_json(content.doc, [], buffers)
    this.document.config.setv({notify_connection_status: false}, {sync: false})
    new Ranges(this.bk).restore(this.document._all_models.values())
    this._set_state("still")
    this._tell("replaced")
  }
}

// Takes apart what protocol/packing.py puts together.
export function unpack(data) {
  const view = new DataView(data)
  const text = new TextDecoder("utf-8", {fatal: true})
  const magic = text.decode(data.slice(0, 4))
  if (magic !== "BkP1") {
    throw new Error("what the server sent is not a document")
  }
  const content_size = Number(view.getBigUint64(4, true))
  const count = view.getUint32(12, true)
  let at = 16 + 10 * count
  const content = JSON.parse(text.decode(data.slice(at, at + content_size)))
  at += content_size
  const buffers = new Map()
  for (let i = 0; i < count; i++) {
    const id_size = view.getUint16(16 + 10 * i, true)
    const size = Number(view.getBigUint64(18 + 10 * i, true))
    const id = text.decode(data.slice(at, at + id_size))
    buffers.set(id, data.slice(at + id_size, at + id_size + size))
    at += id_size + size
  }
  return {content, buffers}
}
