// The page of a document or of one plot, live or as it once was.

import {load_bokehjs} from "./bundles.js"
import {History} from "./history.js"
import {RevisionSession} from "./revision.js"
import {LiveSession} from "./session.js"
import {Stage} from "./stage.js"
import {socket_url, renewal, revision_url, WORDS, explain} from "./common.js"

const config = JSON.parse(document.getElementById("bokeh-server-config").textContent)
const stage_el = document.getElementById("stage")
const notice_el = document.getElementById("notice")
const state_el = document.getElementById("connection")
const retry_el = document.getElementById("retry")
const title_el = document.getElementById("title")

function show_state(state, session) {
  show_pill(state)
  retry_el.hidden = state !== "lost"
  const text = session?.document != null && state !== "deleted" && state !== "refused" && state !== "failed"
    ? "" : explain(state, session?.detail)
  notice(text)
}

// A page that follows its document and cannot draw it is not live for whoever looks at it.
function show_pill(state) {
  const {dataset} = document.documentElement
  const shown = state === "live" && dataset.stage === "failed" ? "failed" : state
  dataset.connection = shown
  state_el.textContent = WORDS[shown]
}

function notice(text) {
  notice_el.textContent = text
  notice_el.hidden = text === ""
}

function show_title(title) {
  title_el.textContent = title
  document.title = config.revision == null ? title : `${title} · revision ${config.revision.toLocaleString("en")}`
}

// BokehJS calls a document that nobody gave a title by this name.
const NO_TITLE = "Bokeh Application"

function follow_title(session) {
  const look = () => {
    const own = session.document.title()
    show_title(own.trim() === "" || own === NO_TITLE ? config.title : own)
  }
  look()
  session.document.on_change((event) => event.kind === "TitleChanged" && look())
}

const REPORTS = {
  empty: "Nothing has been drawn in this document yet. Plots appear here as soon as they are published.",
  gone: "This plot was removed from the document. It appears here again when it is published again.",
}

function on_report(session, what, detail) {
  document.documentElement.dataset.stage = what
  show_pill(session.state)
  if (what === "failed") {
    notice(`The plot could not be drawn: ${detail}`)
  } else {
    notice(REPORTS[what === "shown" ? detail : what] ?? "")
  }
}

function make_session(bk) {
  if (config.revision != null) {
    return new RevisionSession(bk, {url: revision_url(config.root, config.docid, config.revision)})
  }
  return new LiveSession(bk, {
    url: socket_url(config.root, config.docid),
    ticket: config.ticket,
    writes: config.writes,
    renew: renewal(config),
  })
}

// Times in the words of whoever reads them.
function localize_times() {
  for (const time of document.querySelectorAll(".banner time")) {
    time.textContent = new Date(time.dateTime).toLocaleString([], {dateStyle: "medium", timeStyle: "short"})
  }
}

function start_history() {
  const history = new History(config, {
    restored: () => {
      if (config.revision != null) {
        location.assign(location.pathname)
      }
    },
    notice,
  })
  const button = document.getElementById("restore")
  if (button != null) {
    button.hidden = false
    button.addEventListener("click", () => history.ask_restore(config.revision))
  }
}

async function start() {
  localize_times()
  start_history()
  const bk = await load_bokehjs(config.bokehjs)
  const session = make_session(bk)
  let titled = false
  session.on((what) => {
    if (what === "state") {
      show_state(session.state, session)
    }
    if (session.document != null && !titled) {
      titled = true
      follow_title(session)
    }
  })
  new Stage(session, stage_el, config.target, config.bokehjs.base,
    (what, detail) => on_report(session, what, detail))
  retry_el.addEventListener("click", () => session.retry())
  window.bokeh_server_session = session
  session.start()
}

start().catch((error) => {
  console.error(error)
  show_state("failed", null)
  notice(`The page could not start: ${error.message}. Reload it to try again.`)
})
