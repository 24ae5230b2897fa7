// Who is watching, and what whoever looks may do: the server tells the page, never the frame.

import {plural} from "./common.js"
import {document_url} from "./requests.js"

const POLL_EVERY = 5000       // ms, where WebSockets do not get through
const LONGEST_DELAY = 10000   // ms
const OVER = 4004             // there is no use in connecting again

export class Viewers {
  // told(state): something may have changed of {rights, published, title};
  // over(reason): the document is deleted, or may no longer be looked at.
  constructor(config, {told, over}) {
    this.config = config
    this.told = told
    this.over = over
    this.attempts = 0
    this._connect()
  }

  _connect() {
    const url = new URL(document_url(this.config, "viewers"), location.href)
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:"
    const socket = new WebSocket(url)
    socket.onmessage = (event) => {
      this.attempts = 0
      this._take(JSON.parse(event.data))
    }
    socket.onclose = ({code, reason}) => code === OVER ? this.over(reason) : this._lost()
  }

  async _lost() {
    if (this._ended || !await this._poll()) {
      return
    }
    const wait = Math.min(LONGEST_DELAY, 500 * 2 ** this.attempts++) * (0.5 + Math.random() / 2)
    setTimeout(() => this._connect(), this.attempts > 3 ? Math.max(wait, POLL_EVERY) : wait)
  }

  // Whether it is worth trying again.
  async _poll() {
    try {
      const answer = await fetch(document_url(this.config, "viewers"), {
        headers: {Accept: "application/json"}, cache: "no-store",
      })
      if ([401, 403, 404].includes(answer.status)) {
        this.over("no right to look")
        return false
      }
      if (answer.ok) {
        this._take(await answer.json())
      }
    } catch {
      // the server is away, which the bar says already
    }
    return true
  }

  _take(state) {
    show_viewers(state, this.config.actor)
    this.told(state)
  }
}

function show_viewers({count, people, links, others}, actor) {
  const button = document.getElementById("watching-button")
  const label = `Who is watching: ${plural(count, "viewer", "viewers")}`
  set_text(document.getElementById("watching-count"), count.toLocaleString("en"))
  button.setAttribute("aria-label", label)
  button.title = label
  button.dataset.count = count
  const rows = (people ?? []).map(({name, tabs}) => person(name, tabs, name === actor))
  rows.push(...(links ?? []).map(({title, count}) => by_link(title, count)))
  if (people != null && others > 0) {
    rows.push(row(rows.length === 0 ? plural(others, "viewer", "viewers") : plural(others, "other", "others")))
  }
  document.getElementById("watching-people").replaceChildren(...rows)
  set_text(document.getElementById("watching-note"),
    people == null ? `${plural(count, "person is", "people are")} looking. Editors see who.`
      : count === 0 ? "Nobody is looking." : "")
}

function person(name, tabs, is_me) {
  const item = row("")
  const who = document.createElement("bdi")
  who.textContent = name
  item.append(who, is_me ? " (you)" : "", tabs > 1 ? ` · ${tabs} tabs` : "")
  return item
}

function by_link(title, count) {
  const item = row("")
  const what = document.createElement("bdi")
  what.textContent = title || "without a title"
  item.append("by the link ", what, count > 1 ? ` · ${count.toLocaleString("en")}` : "")
  return item
}

function row(text) {
  const item = document.createElement("li")
  item.textContent = text
  return item
}

function set_text(element, text) {
  if (element.textContent !== text) {
    element.textContent = text
  }
}
