// The list of documents: live, and each can be renamed and deleted in place.

import {plural} from "./common.js"

const config = JSON.parse(document.getElementById("bokeh-server-config").textContent)
const list_el = document.getElementById("documents")
const empty_el = document.getElementById("empty")
const template = document.getElementById("row")
const state_el = document.getElementById("connection")
const spoken_el = document.getElementById("spoken")
const count_el = document.getElementById("count")
const dialog_el = document.getElementById("confirm")

const POLL_EVERY = 5000
const LONGEST_DELAY = 10000

const rows = new Map()

// -- rows -----------------------------------------------------------------------------------------

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

function fill(row, doc) {
  const link = row.querySelector(".title")
  link.textContent = doc.title
  link.href = `${config.root}/bokeh/doc/${encodeURIComponent(doc.docid)}/show`
  row.querySelector(".plots").textContent = plural(doc.plots, "plot", "plots")
  const viewers = row.querySelector(".viewers")
  viewers.textContent = plural(doc.viewers, "viewer", "viewers")
  viewers.dataset.count = doc.viewers
  const time = row.querySelector("time")
  time.dateTime = doc.changed
  time.title = new Date(doc.changed).toLocaleString()
  time.textContent = ago(doc.changed)
  row.querySelector(".rename").setAttribute("aria-label", `Rename ${doc.title}`)
  row.querySelector(".delete").setAttribute("aria-label", `Delete ${doc.title}`)
}

function add_row(doc) {
  const row = template.content.firstElementChild.cloneNode(true)
  row.dataset.docid = doc.docid
  return enliven(row, doc)
}

function enliven(row, doc) {
  const entry = {row, doc}
  row.querySelector(".rename").addEventListener("click", () => rename(entry))
  row.querySelector(".delete").addEventListener("click", () => remove(entry))
  rows.set(doc.docid, entry)
  fill(row, doc)
  return entry
}

function show(doc) {
  const entry = rows.get(doc.docid) ?? add_row(doc)
  const changed = entry.doc.seq !== doc.seq
  entry.doc = doc
  if (entry.editing == null) {
    fill(entry.row, doc)
  }
  if (changed) {
    flash(entry.row)
  }
  sort()
}

function flash(row) {
  row.classList.remove("changed")
  void row.offsetWidth
  row.classList.add("changed")
}

function drop(docid) {
  rows.get(docid)?.row.remove()
  rows.delete(docid)
  count()
}

function sort() {
  const entries = [...rows.values()].sort((a, b) => b.doc.changed.localeCompare(a.doc.changed))
  const busy = list_el.contains(document.activeElement) || list_el.matches(":hover")
  entries.forEach(({row}, i) => {
    if (!row.isConnected || (!busy && list_el.children[i] !== row)) {
      list_el.insertBefore(row, list_el.children[i] ?? null)
    }
  })
  count()
}

function count() {
  empty_el.hidden = rows.size > 0
  list_el.hidden = rows.size === 0
  count_el.textContent = rows.size === 0 ? "" : plural(rows.size, "document", "documents")
}

// -- what people do -------------------------------------------------------------------------------

async function call(method, docid, body) {
  const answer = await fetch(`${config.root}/bokeh/doc/${encodeURIComponent(docid)}/`, {
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

function say(text) {
  spoken_el.textContent = text
}

function rename(entry) {
  if (entry.editing != null) {
    return
  }
  const link = entry.row.querySelector(".title")
  const input = document.createElement("input")
  input.className = "title-input"
  input.value = entry.doc.title
  input.maxLength = config.title_length
  input.setAttribute("aria-label", "New title")
  entry.editing = input
  link.replaceWith(input)
  input.focus()
  input.select()
  const finish = async (keep) => {
    if (entry.editing == null) {
      return
    }
    const title = input.value.trim()
    entry.editing = null
    input.replaceWith(link)
    entry.row.querySelector(".rename").focus()
    if (keep && title !== "" && title !== entry.doc.title) {
      await change(entry, title)
    }
    fill(entry.row, entry.doc)
  }
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault()
      finish(event.key === "Enter")
    }
  })
  input.addEventListener("blur", () => finish(true))
}

async function change(entry, title) {
  try {
    entry.doc = await call("PATCH", entry.doc.docid, {title})
    say(`Renamed to ${title}.`)
  } catch (error) {
    complain(entry, error.message)
  }
}

function remove(entry) {
  dialog_el.querySelector("bdi").textContent = entry.doc.title
  dialog_el.returnValue = ""
  dialog_el.onclose = () => {
    if (dialog_el.returnValue === "delete") {
      really_remove(entry)
    } else {
      entry.row.querySelector(".delete").focus()
    }
  }
  dialog_el.showModal()
}

async function really_remove(entry) {
  try {
    await call("DELETE", entry.doc.docid)
    say(`Deleted ${entry.doc.title}.`)
    drop(entry.doc.docid)
  } catch (error) {
    complain(entry, error.message)
  }
}

function complain(entry, text) {
  const note = entry.row.querySelector(".problem")
  note.textContent = text
  note.hidden = false
  setTimeout(() => { note.hidden = true }, 10000)
  say(text)
}

// -- staying live ---------------------------------------------------------------------------------

let attempts = 0
let polling = null

function connect() {
  const url = new URL(`${config.root}/bokeh/ws`, location.href)
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:"
  const socket = new WebSocket(url)
  socket.onopen = () => {
    attempts = 0
    clearInterval(polling)
    polling = null
    set_state("live", "live")
  }
  socket.onmessage = (event) => receive(JSON.parse(event.data))
  socket.onclose = () => {
    set_state("reconnecting", "reconnecting")
    polling ??= setInterval(poll, POLL_EVERY)
    const wait = Math.min(LONGEST_DELAY, 250 * 2 ** attempts++) * (0.5 + Math.random() / 2)
    setTimeout(connect, wait)
  }
}

function receive(message) {
  switch (message.type) {
    case "documents": show_all(message.docs); break
    case "document": show(message.doc); break
    case "deleted": drop(message.docid); break
  }
}

function show_all(docs) {
  const known = new Set(docs.map((doc) => doc.docid))
  for (const docid of [...rows.keys()]) {
    if (!known.has(docid)) {
      drop(docid)
    }
  }
  docs.forEach(show)
  count()
}

// Where WebSockets do not get through the list is asked for again and again.
async function poll() {
  try {
    const answer = await fetch(`${config.root}/bokeh/userinfo/`, {headers: {Accept: "application/json"}})
    if (answer.ok) {
      show_all((await answer.json()).docs)
      set_state("polling", "live, every 5 s")
    }
  } catch {
    set_state("lost", "no connection")
  }
}

function set_state(state, text) {
  document.documentElement.dataset.connection = state
  state_el.textContent = text
}

for (const doc of config.docs) {
  const row = list_el.querySelector(`[data-docid="${CSS.escape(doc.docid)}"]`)
  enliven(row, doc)
}
count()
setInterval(() => rows.forEach(({row, doc}) => {
  row.querySelector("time").textContent = ago(doc.changed)
}), 15000)
document.getElementById("copy")?.addEventListener("click", async (event) => {
  await navigator.clipboard.writeText(document.getElementById("example").textContent)
  event.target.textContent = "Copied"
})
connect()
