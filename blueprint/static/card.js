// One document in the gallery: what is shown of it, renaming and deleting it in place.

import {plural} from "./common.js"

const NOTE_TIME = 10000  // ms
const HUES = 6

const template = document.getElementById("card")
const dialog_el = document.getElementById("confirm")
const spoken_el = document.getElementById("spoken")

const relative = new Intl.RelativeTimeFormat("en", {numeric: "auto", style: "long"})
const UNITS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]]

function ago(time) {
  const seconds = Math.round((new Date(time) - Date.now()) / 1000)
  if (seconds > -45) {
    return "just now"
  }
  const [unit, size] = UNITS.find(([, size]) => -seconds >= size * 0.75) ?? UNITS.at(-1)
  return relative.format(Math.min(-1, Math.round(seconds / size)), unit)
}

export function say(text) {
  spoken_el.textContent = text
}

export class Card {
  // config: of the page; dropped(card): it was deleted here.
  // row: where the server has written it already.
  constructor(config, doc, dropped, row = null) {
    this.config = config
    this.doc = doc
    this.dropped = dropped
    this.row = row ?? template.content.firstElementChild.cloneNode(true)
    this.row.dataset.docid = doc.docid
    this._find(".rename").addEventListener("click", () => this.rename())
    this._find(".delete").addEventListener("click", () => this.remove())
    this.fill()
  }

  _find(selector) {
    return this.row.querySelector(selector)
  }

  get url() {
    return `${this.config.root}/bokeh/doc/${encodeURIComponent(this.doc.docid)}/`
  }

  show(doc) {
    const has_changed = this.doc.seq !== doc.seq
    this.doc = doc
    if (this.editing == null) {
      this.fill()
    }
    if (has_changed) {
      this.flash()
    }
  }

  fill() {
    const {doc} = this
    const link = this._find(".title")
    if (link != null) {
      link.textContent = doc.title
      link.href = `${this.url}show`
    }
    this._find(".plots").textContent = plural(doc.plots, "plot", "plots")
    const viewers = this._find(".viewers")
    viewers.textContent = plural(doc.viewers, "viewer", "viewers")
    viewers.dataset.count = doc.viewers
    const owner = this._find(".owner")
    owner.querySelector("bdi").textContent = doc.owner
    owner.hidden = doc.section === "mine"
    const time = this._find("time")
    time.dateTime = doc.changed
    time.title = new Date(doc.changed).toLocaleString()
    this.tell_time()
    this._fill_badges()
    this._fill_picture()
    this._find(".actions").hidden = !doc.rights.includes("own")
    this._find(".rename").setAttribute("aria-label", `Rename ${doc.title}`)
    this._find(".delete").setAttribute("aria-label", `Delete ${doc.title}`)
  }

  tell_time() {
    this._find("time").textContent = ago(this.doc.changed)
  }

  _fill_badges() {
    const {section, published, shared, rights} = this.doc
    this._find(".badge.published").hidden = !published || section === "published"
    const given = this._find(".badge.given")
    given.hidden = shared === 0
    given.textContent = `Shared with ${shared}`
    const role = this._find(".badge.role")
    role.hidden = section !== "shared"
    role.textContent = rights.includes("write") ? "Editor" : "Viewer"
  }

  _fill_picture() {
    const {docid, plots, thumbnail} = this.doc
    const place = this._find(".picture")
    place.dataset.hue = [...docid].reduce((sum, each) => sum + each.charCodeAt(0), 0) % HUES
    place.toggleAttribute("data-empty", plots === 0)
    const before = place.querySelector("img")
    if (thumbnail == null) {
      before?.remove()
      return
    }
    const url = `${this.url}thumbnail?seq=${thumbnail}`
    if (before?.getAttribute("src") !== url) {
      this._load(place, url, before)
    }
  }

  // The old picture stays until the new one is here.
  _load(place, url, before) {
    const image = new Image(480, 300)
    image.alt = ""
    image.decoding = "async"
    image.loading = before == null ? "lazy" : "eager"
    image.src = url
    if (before == null) {
      place.append(image)
    } else {
      image.addEventListener("load", () => before.replaceWith(image))
    }
  }

  flash() {
    this.row.classList.remove("changed")
    void this.row.offsetWidth
    this.row.classList.add("changed")
  }

  // -- what people do -----------------------------------------------------------------------------

  async _call(method, body) {
    const answer = await fetch(this.url, {
      method,
      headers: {Accept: "application/json", "Content-Type": "application/json"},
      body: body == null ? undefined : JSON.stringify(body),
    })
    if (!answer.ok) {
      const {detail} = await answer.json().catch(() => ({}))
      throw new Error(detail ?? `The server answered ${answer.status}.`)
    }
    return answer.status === 204 ? null : answer.json()
  }

  rename() {
    if (this.editing != null) {
      return
    }
    const link = this._find(".title")
    const input = document.createElement("input")
    input.className = "title-input"
    input.value = this.doc.title
    input.maxLength = this.config.title_length
    input.dir = "auto"
    input.setAttribute("aria-label", "New title")
    this.editing = input
    link.replaceWith(input)
    input.focus()
    input.select()
    const finish = async (keep, back) => {
      if (this.editing == null) {
        return
      }
      const title = input.value.trim()
      this.editing = null
      input.replaceWith(link)
      if (back) {
        this._find(".rename").focus()
      }
      if (keep && title !== "" && title !== this.doc.title) {
        await this._change(title)
      }
      this.fill()
    }
    input.addEventListener("keydown", (event) => {
      if ((event.key === "Enter" || event.key === "Escape") && !event.isComposing) {
        event.preventDefault()
        finish(event.key === "Enter", true)
      }
    })
    input.addEventListener("blur", () => finish(true, false))
  }

  async _change(title) {
    try {
      this.doc = {...this.doc, ...await this._call("PATCH", {title})}
      say(`Renamed to ${title}.`)
    } catch (error) {
      this._complain(error.message)
    }
  }

  remove() {
    dialog_el.querySelector("bdi").textContent = this.doc.title
    dialog_el.returnValue = ""
    dialog_el.onclose = () => {
      if (dialog_el.returnValue === "delete") {
        this._really_remove()
      } else {
        this._find(".delete").focus()
      }
    }
    dialog_el.showModal()
  }

  async _really_remove() {
    try {
      await this._call("DELETE")
      say(`Deleted ${this.doc.title}.`)
      this.dropped(this)
    } catch (error) {
      this._complain(error.message)
      this._find(".delete").focus()
    }
  }

  _complain(text) {
    const note = this._find(".problem")
    note.textContent = text
    note.hidden = false
    setTimeout(() => { note.hidden = true }, NOTE_TIME)
    say(text)
  }
}
