// Live plots in anybody's page: one socket for a document, however many of its plots stand there.

import {load_bokehjs} from "./bundles.js"
import {explain, revision_url, socket_url} from "./common.js"
import {hear, OF_EMBEDDED} from "./messages.js"
import {RevisionSession} from "./revision.js"
import {LiveSession} from "./session.js"
import {Stage} from "./stage.js"

export const sessions = new Map()
const renewals = new Map()
let renewal_count = 0

const BOX = "position: relative; min-width: 8em"
const FINE = new Set(["connecting", "live", "still"])
const NOTE = "font: 14px/1.5 system-ui, sans-serif; color: #7a2e0e; background: #fff7ed; "
  + "border: 1px solid #fdba74; border-radius: 6px; padding: 8px 12px; margin: 4px 0"

// Where the script stands, or stood: the plot is drawn there.
function place_of(script) {
  const place = document.createElement("div")
  place.className = "bokeh-server-plot"
  place.style.cssText = BOX
  if (script.parentElement === document.head || !document.body?.contains(script)) {
    document.body.append(place)
  } else {
    script.after(place)
  }
  const note = document.createElement("div")
  note.setAttribute("role", "status")
  note.style.cssText = NOTE
  note.hidden = true
  const stage = document.createElement("div")
  place.append(note, stage)
  return {note, stage}
}

function say(note, text) {
  note.textContent = text
  note.hidden = text === ""
}

export async function embed(script, config) {
  if (config.renew != null) {
    renewals.get(config.renew)?.(config)
    return
  }
  if (document.body == null) {
    await new Promise((resolve) => addEventListener("DOMContentLoaded", resolve, {once: true}))
  }
  const {note, stage} = place_of(script)
  const reason = config.error ?? refusal(config)
  if (reason != null) {
    say(note, reason)
    return
  }
  if (config.page != null) {
    show_framed(stage, config)
    return
  }
  try {
    const session = await session_of(config)
    show(session, note, stage, config)
  } catch (error) {
    console.error(error)
    say(note, `This plot could not be shown: ${error.message}`)
  }
}

// Why the page may not show it, where its owner lets some sites alone do that. The server sees to
// it; here it is only told, as a browser shows nothing, and the server need not know where we are.
function refusal({sites, root, page}) {
  if (sites == null) {
    return null
  }
  const above = page == null ? [] : [...location.ancestorOrigins ?? []]
  const other = [location.origin, ...above].find((origin) => {
    return origin !== new URL(root).origin && !sites.some((site) => is_at(origin, site))
  })
  return other == null ? null : `Could not show this plot on ${other}: its owner lets other sites show it. Have its owner add this one.`
}

// As the server's own permits().
function is_at(origin, site) {
  const [scheme, page] = origin.split("://")
  const [wanted, authority] = site.split("://")
  const is_scheme = scheme === wanted || (scheme === "https" && wanted === "http")
  return is_scheme && (authority.startsWith("*.")
    ? page.endsWith(authority.slice(1)) && page.length >= authority.length : page === authority)
}

// A document of somebody else runs in a frame of its server, not here.
function show_framed(stage, config) {
  const frame = document.createElement("iframe")
  frame.title = "A plot"
  frame.src = config.root + config.page
  frame.allow = "clipboard-write; fullscreen"
  frame.style.cssText = "display: block; width: 100%; height: 120px; border: 0"
  stage.append(frame)
  hear(frame.contentWindow, new URL(frame.src).origin, OF_EMBEDDED, {
    size: ({height}) => frame.style.height = `${height}px`,
  })
}

function show(session, note, stage, config) {
  let drawn = ""
  const tell = () => say(note, FINE.has(session.state) ? drawn : explain(session.state, session.detail))
  session.on((what) => what === "state" && tell())
  new Stage(session, stage, config.target, config.bokehjs.base, (what, detail) => {
    drawn = {
      failed: `This plot could not be drawn: ${detail}`,
      gone: "This plot was removed from its document.",
    }[what] ?? ""
    tell()
  })
  tell()
}

function session_of(config) {
  const key = `${config.root} ${config.docid} ${config.public} ${config.revision}`
  if (!sessions.has(key)) {
    const opened = open(config)
    sessions.set(key, opened)
    opened.catch(() => sessions.delete(key))
  }
  return sessions.get(key)
}

async function open(config) {
  const bk = await load_bokehjs(config.bokehjs)
  const session = config.revision != null ? new RevisionSession(bk, {
    url: revision_url(config.root, config.docid, config.revision),
    ticket: config.ticket,
  }) : new LiveSession(bk, {
    url: socket_url(config.root, config.docid),
    ticket: config.ticket,
    writes: config.writes,
    renew: () => renew(config),
  })
  session.start()
  return session
}

// A page of another origin cannot fetch; it can load the script again.
function renew(config) {
  const key = String(renewal_count++)
  return new Promise((resolve, reject) => {
    const script = document.createElement("script")
    const url = new URL(config.script, location.href)
    url.searchParams.set("renew", key)
    script.src = url.href
    script.onerror = () => {
      renewals.delete(key)
      script.remove()
      reject(new Error("the server cannot be reached"))
    }
    renewals.set(key, (fresh) => {
      renewals.delete(key)
      script.remove()
      resolve(fresh.error != null ? {status: fresh.status, detail: fresh.error} : {ticket: fresh.ticket})
    })
    document.head.append(script)
  })
}
