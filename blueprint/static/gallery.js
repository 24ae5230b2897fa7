// The gallery: lists of documents, live; searched and sorted as one types.

import {Card, say} from "./card.js"
import {plural} from "./common.js"
import {Feed} from "./feed.js"
import {copy_from} from "./requests.js"

const config = JSON.parse(document.getElementById("bokeh-server-config").textContent)
const main_el = document.getElementById("gallery")
const query_el = document.getElementById("query")
const sort_el = document.getElementById("sort")
const state_el = document.getElementById("connection")

const LOOK_EVERY = 30000      // ms; what another process of the server did
const TYPING_PAUSE = 150
const LOOK_PAUSE = 2500       // of what is not shown only the number is told
const MOST = 200              // documents that the server gives at once
const YEAR = 365 * 24 * 3600  // s

const asked = {q: config.query, sort: config.sort, show: config.show}

// In the order of the server, as near as makes no difference.
const ORDERS = {
  changed: (a, b) => b.changed.localeCompare(a.changed),
  title: (a, b) => a.title.toLowerCase().localeCompare(b.title.toLowerCase()),
  viewers: (a, b) => b.viewers - a.viewers || ORDERS.changed(a, b),
  created: (a, b) => b.created.localeCompare(a.created),
}

// -- lists ----------------------------------------------------------------------------------------

class Section {
  constructor(el, {name, total, docs, size}) {
    this.el = el
    this.name = name
    this.total = total
    this.size = size
    this.most = size    // documents that it may have on the page
    this.cards = new Map()
    this.list_el = el.querySelector(".docs")
    this.more_el = el.querySelector(".more")
    for (const doc of docs) {
      this._add(doc, this.list_el.querySelector(`[data-docid="${CSS.escape(doc.docid)}"]`))
    }
    this.more_el.addEventListener("click", (event) => this._show_more(event))
    this.list_el.addEventListener("pointerleave", () => this.sort())
    this.list_el.addEventListener("focusout", () => setTimeout(() => this.sort()))
  }

  get is_complete() {
    return config.skip === 0 && this.total <= this.cards.size
  }

  _add(doc, row) {
    const card = new Card(config, doc, () => this._deleted(doc.docid), row)
    this.cards.set(doc.docid, card)
    return card
  }

  // What the server has now; to what was shown further down it says nothing.
  take({total, docs}, {anew = false} = {}) {
    this.total = total
    const known = new Set(docs.map((doc) => doc.docid))
    const shown = [...this.cards.keys()]
    for (const docid of anew || shown.length <= Math.max(docs.length, MOST - 1) ? shown : []) {
      if (!known.has(docid)) {
        this._remove(docid)
      }
    }
    docs.forEach((doc) => this._put(doc))
    this.sort(anew)
  }

  append({total, docs}) {
    this.total = total
    docs.forEach((doc) => this._put(doc))
    this.sort(true)
  }

  _put(doc) {
    const card = this.cards.get(doc.docid)
    if (card != null) {
      card.show(doc)
    } else {
      this._add(doc)
    }
  }

  // Something happened to a document; false: the server is to be asked how the list is now.
  hear(doc) {
    if (this.cards.has(doc.docid)) {
      if (doc.section === this.name && matches(doc)) {
        this._put(doc)
        this.sort()
        return true
      }
      return this.drop(doc.docid)
    }
    if (doc.section !== this.name || !matches(doc)) {
      return true
    }
    const was_complete = this.is_complete
    if (config.skip === 0 && (was_complete || this._is_before_last(doc))) {
      this._put(doc)
      this.total += was_complete ? 1 : 0
      this.sort()
    }
    return was_complete
  }

  _is_before_last(doc) {
    const last = [...this.cards.values()].map((card) => card.doc).sort(ORDERS[asked.sort]).at(-1)
    return last == null || ORDERS[asked.sort](doc, last) < 0
  }

  drop(docid) {
    const was_complete = this.is_complete
    if (this.cards.has(docid)) {
      this._remove(docid)
      this.total = Math.max(0, this.total - 1)
      this.sort()
    }
    return was_complete
  }

  _remove(docid) {
    this.cards.get(docid).row.remove()
    this.cards.delete(docid)
  }

  // Whoever deleted it by keyboard goes on from where it was.
  _deleted(docid) {
    const {row} = this.cards.get(docid) ?? {}
    const next = row?.nextElementSibling ?? row?.previousElementSibling
    this.drop(docid)
    ;(next?.querySelector(".title") ?? query_el).focus()
  }

  // Nothing moves under somebody's pointer or keyboard, unless they asked for it.
  sort(at_once = false) {
    const order = ORDERS[asked.sort]
    const cards = [...this.cards.values()].sort((a, b) => order(a.doc, b.doc))
    this._cut(cards)
    const {activeElement: active} = document
    const is_busy = !at_once && (this.list_el.contains(active) || this.list_el.matches(":hover"))
    cards.forEach(({row}, i) => {
      if (!row.isConnected || (!is_busy && this.list_el.children[i] !== row)) {
        this.list_el.insertBefore(row, this.list_el.children[i] ?? null)
      }
    })
    if (active !== document.activeElement && active?.isConnected) {
      active.focus()
    }
    this.count()
  }

  _cut(cards) {
    while (cards.length > this.most && !cards.at(-1).row.contains(document.activeElement)) {
      this._remove(cards.pop().doc.docid)
    }
  }

  count() {
    const {total, cards} = this
    const has_some = cards.size > 0
    const is_searched = asked.q !== ""
    this.list_el.hidden = !has_some
    this.el.querySelector(".none").hidden = has_some || !is_searched
    this.el.querySelector(".empty").hidden = has_some || is_searched || total > 0
    const count_el = this.el.querySelector(".count") ?? document.getElementById("count")
    const word = this.el.querySelector(".count") == null
    count_el.textContent = total === 0 ? "" : word ? plural(total, "document", "documents") : total.toLocaleString("en")
    this._offer_more()
  }

  _offer_more() {
    const has_focus = document.activeElement === this.more_el
    this.more_el.hidden = config.skip + this.cards.size >= this.total
    if (this._leads_on) {
      this.more_el.textContent = `Show all ${this.total.toLocaleString("en")}`
    } else {
      this.more_el.href = address({show: config.multi_user ? this.name : "all", from: config.skip + this.cards.size})
    }
    if (has_focus && this.more_el.hidden) {
      this.list_el.lastElementChild?.querySelector(".title").focus()
    }
  }

  // Where all lists are on one page each leads to a page of its own.
  get _leads_on() {
    return config.multi_user && asked.show === "all"
  }

  async _show_more(event) {
    if (this._leads_on || event.ctrlKey || event.metaKey || event.shiftKey) {
      return
    }
    event.preventDefault()
    const from = config.skip + this.cards.size
    const first = this.cards.size
    const [found] = await ask({show: this.name, from, most: this.size}) ?? []
    if (found != null) {
      this.most += this.size
      this.append(found)
      this.list_el.children[first]?.querySelector(".title").focus({preventScroll: true})
      say(`${plural(this.cards.size, "document", "documents")} of ${this.total.toLocaleString("en")} shown.`)
      tell_shown()
    }
  }
}

function matches({title, owner}) {
  const text = [title, owner].map((each) => each.toLowerCase())
  return asked.q.toLowerCase().split(/\s+/).every((word) => text.some((each) => each.includes(word)))
}

const sections = new Map(config.sections.map((each) => {
  const el = main_el.querySelector(`[data-section="${each.name}"]`)
  return [each.name, new Section(el, each)]
}))

// -- asking ---------------------------------------------------------------------------------------

function address(other = {}) {
  const {q, sort, show, from} = {...asked, from: 0, ...other}
  const query = new URLSearchParams()
  const put = (name, value, usual) => value !== usual && query.set(name, value)
  put("q", q, "")
  put("sort", sort, "changed")
  put("show", show, "all")
  put("from", String(from), "0")
  const text = query.toString()
  return `${config.root}/bokeh/${text === "" ? "" : `?${text}`}`
}

let asking = null

// Of two questions only the later one is answered.
async function ask({show = asked.show, from = config.skip, most = null} = {}) {
  asking?.abort()
  const mine = asking = new AbortController()
  const query = new URLSearchParams({...asked, show, from})
  if (most != null) {
    query.set("most", most)
  }
  const url = `${config.root}/bokeh/gallery?${query}`
  try {
    const answer = await fetch(url, {headers: {Accept: "application/json"}, signal: mine.signal, cache: "no-store"})
    if (answer.status === 401) {
      location.reload()  // to log in
    }
    return answer.ok ? (await answer.json()).sections : null
  } catch {
    return null
  }
}

// anew: what is asked for has changed, so that nothing of what is shown needs to stay.
async function look({anew = false} = {}) {
  // Where all lists are on one page each has a length of its own, which the server knows.
  const [only, other] = sections.values()
  const most = other != null ? null : Math.min(MOST, anew ? only.size : Math.max(only.size, only.cards.size))
  const same = JSON.stringify(asked)
  const found = await ask({most})
  if (found == null || JSON.stringify(asked) !== same) {
    return false
  }
  for (const each of found) {
    sections.get(each.name)?.take(each, {anew})
  }
  tell_shown()
  return true
}

let looking = null

function look_soon() {
  looking ??= setTimeout(() => {
    looking = null
    look()
  }, LOOK_PAUSE)
}

// -- what people do -------------------------------------------------------------------------------

async function search() {
  if (query_el.value.trim() === asked.q && sort_el.value === asked.sort) {
    return
  }
  asked.q = query_el.value.trim()
  asked.sort = sort_el.value
  config.skip = 0
  history.replaceState(null, "", address())
  for (const link of document.querySelectorAll(".tabs a")) {
    link.href = address({show: link.dataset.show})
  }
  sections.forEach((each) => { each.most = each.size })
  if (await look({anew: true})) {
    const total = [...sections.values()].reduce((sum, each) => sum + each.total, 0)
    say(`${plural(total, "document", "documents")} found.`)
  }
}

let typing = null
query_el.addEventListener("input", () => {
  clearTimeout(typing)
  typing = setTimeout(search, TYPING_PAUSE)
})
sort_el.addEventListener("change", search)
document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault()
  search()
})
for (const link of main_el.querySelectorAll(".none a")) {
  link.addEventListener("click", (event) => {
    event.preventDefault()
    query_el.value = ""
    query_el.focus()
    search()
  })
}
addEventListener("keydown", (event) => {
  const is_typing = event.target.matches?.("input, select, textarea, [contenteditable]")
  if (event.key === "/" && !is_typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault()
    query_el.focus()
    query_el.select()
  } else if (event.key === "Escape" && event.target === query_el) {
    query_el.value = ""
    search()
  }
})

const views_el = main_el.querySelector(".views")
views_el.hidden = false
for (const button of views_el.querySelectorAll("button")) {
  button.addEventListener("click", () => {
    const {view} = button.dataset
    main_el.dataset.view = view
    document.cookie = `bokeh-server-view=${view}; path=/; max-age=${YEAR}; samesite=lax`
    views_el.querySelectorAll("button").forEach((each) => each.setAttribute("aria-pressed", each === button))
  })
}

document.getElementById("copy")?.addEventListener("click", ({currentTarget}) => {
  copy_from(document.getElementById("example"), currentTarget)
})

// -- staying live ---------------------------------------------------------------------------------

let feed = null

async function receive(message) {
  if (message.type === "hello") {
    feed.settle()
    await look()
    set_state("live", "live")
  } else if (message.type === "documents") {
    const heard = message.docs.flatMap((doc) => [...sections.values()].map((each) => each.hear(doc)))
    const gone = message.gone.flatMap((docid) => {
      return [...sections.values()].filter((each) => each.cards.has(docid)).map((each) => each.drop(docid))
    })
    if ([...heard, ...gone].includes(false)) {
      look_soon()
    }
  }
}

// The server tells of these whatever happens to them.
function tell_shown() {
  feed?.say({shows: [...sections.values()].flatMap((each) => [...each.cards.keys()])})
}

// Where WebSockets do not get through the list is asked for again and again.
async function poll() {
  if (await look()) {
    set_state("polling", "live, every 5 s")
  } else {
    set_state("lost", "no connection")
  }
}

function set_state(state, text) {
  document.documentElement.dataset.connection = state
  state_el.textContent = text
}

sections.forEach((each) => each.count())
setInterval(() => sections.forEach(({cards}) => cards.forEach((card) => card.tell_time())), 15000)
setInterval(() => document.visibilityState === "visible" && !feed.is_polling && look(), LOOK_EVERY)
feed = new Feed(`${config.root}/bokeh/ws`, {
  hear: receive,
  poll,
  lost: () => set_state("reconnecting", "reconnecting"),
})
