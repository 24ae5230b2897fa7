// Links and keys that carry a right: made, shown once, listed and revoked.

import {ask, complain, document_url} from "./requests.js"

export class Links {
  // kind: "link" or "key"; say(text): read out by screen readers.
  constructor(config, kind, say) {
    this.config = config
    this.kind = kind
    this.say = say
    this.part = document.getElementById(`${kind}s`)
    this.list = this.part.querySelector(".given")
    this.once = this.part.querySelector(".once")
    this.form = this.part.querySelector("form")
    this.wrong = this.part.querySelector(".wrong")
    this.form.addEventListener("submit", (event) => {
      event.preventDefault()
      this._make()
    })
    const {revision} = config
    this._pinned = this.form.elements.pinned ?? null  // a key is for the document as it is
    if (this._pinned != null) {
      this._pinned.checked = revision != null
    }
    this._pin = revision
  }

  _url(path = "") {
    return document_url(this.config, `links${path}`)
  }

  async load() {
    this.once.hidden = true
    try {
      const {links} = await ask("GET", this._url())
      this.part.hidden = false
      this._show(links.filter((link) => link.kind === this.kind))
      complain(this.wrong, null)
    } catch (error) {
      this.part.hidden = error.status === 404
      complain(this.wrong, error)
    }
    if (this._pinned == null) {
      return
    }
    const shown = this._pin ?? (await ask("GET", document_url(this.config))).seq
    this._seq = shown
    this.part.querySelector(".pin").textContent = shown.toLocaleString("en")
  }

  async _make() {
    const {title, role, days} = this.form.elements
    complain(this.wrong, null)
    try {
      const made = await ask("POST", this._url(), {
        kind: this.kind, title: title.value.trim(), role: role.value,
        days: days.value === "" ? null : Number(days.value),
        revision: this._pinned?.checked ? this._seq : null,
      })
      await this.load()
      this._show_once(made.url ?? made.key)
    } catch (error) {
      complain(this.wrong, error)
    }
  }

  _show_once(secret) {
    const field = this.once.querySelector("input")
    field.value = secret
    this.once.hidden = false
    this.form.reset()
    this.once.querySelector("button").focus()
    this.say("Made. Copy it now: it is shown once.")
  }

  _show(links) {
    this.part.querySelector(".count").textContent = links.length === 0 ? "" : `(${links.length})`
    this.list.replaceChildren(...links.map((link) => this._row(link)))
  }

  _row(link) {
    const row = document.createElement("li")
    const what = document.createElement("div")
    const title = document.createElement("bdi")
    title.textContent = link.title || "without a title"
    const facts = document.createElement("p")
    facts.className = "facts"
    facts.append(...facts_of(link).map((text) => {
      const fact = document.createElement("span")
      fact.textContent = text
      return fact
    }))
    what.append(title, facts)
    const revoke = document.createElement("button")
    revoke.type = "button"
    revoke.className = "quiet delete"
    revoke.textContent = "Revoke"
    revoke.setAttribute("aria-label", `Revoke ${title.textContent}`)
    revoke.addEventListener("click", () => this._revoke(link))
    row.append(what, revoke)
    return row
  }

  async _revoke({id, title}) {
    try {
      await ask("DELETE", this._url(`/${encodeURIComponent(id)}`))
      await this.load()
      this.say(`Revoked ${title}.`)
      this.part.querySelector("summary").focus()
    } catch (error) {
      complain(this.wrong, error)
    }
  }
}

function facts_of({role, revision, used, expires}) {
  return [
    role === "editor" ? "may change" : "may look",
    ...(revision == null ? [] : [`revision ${revision.toLocaleString("en")}`]),
    used == null ? "never used" : `last used ${day(used)}`,
    expires == null ? "does not end"
      : `${new Date(expires) < Date.now() ? "ended" : "ends"} ${day(expires)}`,
  ]
}

function day(time) {
  return new Date(time).toLocaleDateString([], {dateStyle: "medium"})
}
