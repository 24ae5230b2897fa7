// The history of a document beside its plots: who changed what and when, to open and to restore.

const POLL_EVERY = 3000   // ms, while it is open and somebody looks
const A_MINUTE = 60000    // ms

export class History {
  // config: of the page; restored(): called after a restore;
  // notice(text): says on the page what went wrong while the panel is closed.
  constructor(config, {restored, notice}) {
    this.config = config
    this.restored = restored
    this.notice = notice
    this.head = null
    this.groups = []
    this.rows = new Map()
    this.button = document.getElementById("history-button")
    this.panel = document.getElementById("history")
    this.days = document.getElementById("days")
    this.more = document.getElementById("history-more")
    this.end = document.getElementById("history-end")
    this.note = document.getElementById("history-note")
    this.template = document.getElementById("change")
    if (this.button != null) {
      this._listen()
    }
  }

  _listen() {
    this.button.hidden = false
    this.button.addEventListener("click", () => this.panel.hidden ? this.open() : this.close())
    document.getElementById("history-close").addEventListener("click", () => this.close())
    this.panel.addEventListener("keydown", (event) => event.key === "Escape" && this.close())
    this.more.addEventListener("click", () => this._show_earlier())
    document.addEventListener("visibilitychange", () => this._poll())
    if (sessionStorage.getItem(this._memory) != null) {
      this._unfold()
    }
  }

  // Whoever walks through revisions, page by page, keeps the panel open.
  get _memory() {
    return `bokeh-server history ${this.config.docid}`
  }

  open() {
    sessionStorage.setItem(this._memory, "open")
    this._unfold()
    document.getElementById("history-heading").focus()
  }

  _unfold() {
    this.panel.hidden = false
    this.button.setAttribute("aria-expanded", "true")
    this._poll()
  }

  close() {
    sessionStorage.removeItem(this._memory)
    this.panel.hidden = true
    this.button.setAttribute("aria-expanded", "false")
    this.button.focus()
  }

  // -- what is stored ----------------------------------------------------------------------------

  _url(path, query = "") {
    const {root, docid} = this.config
    return `${root}/bokeh/doc/${encodeURIComponent(docid)}/${path}${query}`
  }

  async _poll() {
    clearTimeout(this._timer)
    if (this.panel.hidden || document.visibilityState !== "visible") {
      return
    }
    await this._refresh()
    clearTimeout(this._timer)
    this._timer = setTimeout(() => this._poll(), POLL_EVERY)
  }

  // The newest group may have grown, so it is asked for again.
  async _refresh() {
    const newest = this.groups[0]
    const after = newest == null ? 0 : newest.first - 1
    const question = this._question = {}
    const told = await this._ask(`?after=${after}`)
    if (question !== this._question) {
      return  // another was asked meanwhile, and its answer is not older
    }
    if (told == null || this._tag === told.tag && newest != null) {
      return
    }
    this._tag = told.tag
    this.head = told.seq
    if (newest == null || told.more) {
      this.groups = told.groups
      this._has_more = told.more
    } else {
      this.groups = [...told.groups, ...this.groups.slice(1)]
    }
    this._draw(told)
  }

  async _show_earlier() {
    const last = this.groups.at(-1)
    this.more.disabled = true
    const told = await this._ask(`?before=${last.first}`)
    this.more.disabled = false
    if (told != null && this.groups.at(-1)?.first === last.first) {
      this.groups = [...this.groups, ...told.groups]
      this._has_more = told.more
      this._draw(told)
      this.rows.get(told.groups[0]?.first)?.querySelector("a").focus()
    }
  }

  async _ask(query) {
    try {
      const answer = await fetch(this._url("history", query), {
        headers: {Accept: "application/json"},
        cache: "no-cache",
      })
      const told = await answer.json()
      if (!answer.ok) {
        throw new Error(told.detail)
      }
      if (this._failed) {
        this._failed = false
        this._say("")
      }
      return {...told, tag: answer.headers.get("ETag")}
    } catch (error) {
      this._failed = true
      this._say(error instanceof TypeError ? "The server cannot be reached." : error.message)
      return null
    }
  }

  // -- what is shown -----------------------------------------------------------------------------

  _draw({oldest, oldest_revision}) {
    const shown = new Set(this.groups.map((group) => group.first))
    for (const [first, row] of this.rows) {
      if (!shown.has(first)) {
        row.remove()
        this.rows.delete(first)
      }
    }
    for (const group of this.groups) {
      this._place(group)
    }
    for (const day of [...this.days.children]) {
      day.hidden = day.querySelector("li") == null
    }
    if (!this._found) {
      this._found = true
      this.days.querySelector("[aria-current]")?.scrollIntoView({block: "nearest"})
    }
    this.more.hidden = !this._has_more
    this.end.hidden = this._has_more
    this.end.textContent = this.groups.length === 0 ? "Nothing has changed yet."
      : oldest > 1 ? `Earlier changes are no longer kept. The oldest revision is ${number(oldest_revision)}.` : ""
    this.end.hidden ||= this.end.textContent === ""
  }

  _place(group) {
    let row = this.rows.get(group.first)
    if (row == null) {
      row = this.template.content.firstElementChild.cloneNode(true)
      row.querySelector(".restore").addEventListener("click", () => this.ask_restore(row.revision))
      this.rows.set(group.first, row)
    }
    this._fill(row, group)
    const list = this._list_of(group.at)
    const before = [...list.children].find((each) => each.revision < group.last)
    if (row.parentElement !== list || row.nextElementSibling !== (before ?? null)) {
      list.insertBefore(row, before === row ? row.nextElementSibling : before ?? null)
    }
  }

  _fill(row, {first, last, actor, began, at, what}) {
    row.revision = last
    const link = row.querySelector(".what")
    const here = this.config.revision
    set_text(link, what)
    link.href = `?revision=${last}`
    if (here != null && first <= here && here <= last) {
      link.setAttribute("aria-current", "true")
    } else {
      link.removeAttribute("aria-current")
    }
    const time = row.querySelector("time")
    time.dateTime = at
    time.title = new Date(at).toLocaleString()
    set_text(time, span_of(new Date(began), new Date(at)))
    set_text(row.querySelector(".who"), actor)
    set_text(row.querySelector(".which-one"), first === last ? `revision ${number(last)}`
      : `revisions ${number(first)}–${number(last)}`)
    const button = row.querySelector(".restore")
    button.hidden = !this.config.writes || last === this.head
    button.setAttribute("aria-label", `Restore revision ${last}: ${what}`)
  }

  _list_of(time) {
    const day = new Date(time)
    day.setHours(0, 0, 0, 0)
    const key = String(day.getTime())
    let section = [...this.days.children].find((each) => each.dataset.day === key)
    if (section == null) {
      section = document.createElement("section")
      section.dataset.day = key
      const heading = document.createElement("h3")
      heading.textContent = day_name(day)
      section.append(heading, document.createElement("ol"))
      const later = [...this.days.children].find((each) => Number(each.dataset.day) < day.getTime())
      this.days.insertBefore(section, later ?? null)
    }
    return section.lastElementChild
  }

  _say(text, action = null) {
    if (this.note.contains(document.activeElement)) {
      // the button that was pressed goes, and the focus must not go with it
      document.getElementById("history-heading").focus()
    }
    this.note.replaceChildren(text)
    if (action != null) {
      this.note.append(" ", action)
    }
    this.note.hidden = text === ""
  }

  // -- restoring ---------------------------------------------------------------------------------

  ask_restore(revision) {
    const dialog = document.getElementById("confirm")
    const opener = document.activeElement
    document.getElementById("confirm-revision").textContent = number(revision)
    dialog.returnValue = ""
    dialog.onclose = () => {
      opener?.focus()
      if (dialog.returnValue === "restore") {
        this.restore(revision)
      }
    }
    dialog.showModal()
  }

  async restore(revision) {
    try {
      const {seq} = await this._send(revision)
      const changed = this.head == null || seq > this.head
      this.restored()
      if (changed) {
        this._say(`Revision ${number(revision)} is restored.`, this._undo(seq))
      } else {
        this._say(`The document is as it was at revision ${number(revision)} already.`)
      }
      this._poll()
    } catch (error) {
      const text = error instanceof TypeError ? "The server cannot be reached. Nothing was restored."
        : error.message
      this.panel.hidden ? this.notice(text) : this._say(text)
    }
  }

  _undo(seq) {
    const button = document.createElement("button")
    button.type = "button"
    button.textContent = "Undo"
    button.addEventListener("click", () => this.restore(seq - 1))
    return button
  }

  async _send(revision) {
    const answer = await fetch(this._url("restore"), {
      method: "POST",
      headers: {
        Accept: "application/json", "Content-Type": "application/json", "Idempotency-Key": random_key(),
      },
      body: JSON.stringify({revision}),
    })
    const value = await answer.json().catch(() => ({}))
    if (!answer.ok) {
      throw new Error(value.detail ?? `The server answered ${answer.status}.`)
    }
    return value
  }
}

function random_key() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((each) => each.toString(16).padStart(2, "0")).join("")
}

// What did not change is not touched: nothing is read out again, and no selection is lost.
function set_text(element, text) {
  if (element.textContent !== text) {
    element.textContent = text
  }
}

function number(value) {
  return value.toLocaleString("en")
}

function clock(time) {
  return time.toLocaleTimeString([], {hour: "numeric", minute: "2-digit"})
}

function span_of(began, at) {
  return at - began < A_MINUTE ? clock(at) : `${clock(began)} – ${clock(at)}`
}

function day_name(day) {
  const today = new Date()
  today.setHours(0, 0, 0, 0)
  const ago = Math.round((today - day) / 86400000)
  if (ago < 2) {
    return ago < 1 ? "Today" : "Yesterday"
  }
  const year = day.getFullYear() === today.getFullYear() ? {} : {year: "numeric"}
  return day.toLocaleDateString([], {weekday: "long", day: "numeric", month: "long", ...year})
}
