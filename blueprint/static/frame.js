// The page in a shell's frame: the plot, and nothing that needs a login.

import {load_bokehjs} from "./bundles.js"
import {follow_title, revision_url, socket_url} from "./common.js"
import {draw, watch_quiet} from "./drawing.js"
import {hear, OF_SHELL} from "./messages.js"
import {RevisionSession} from "./revision.js"
import {LiveSession} from "./session.js"
import {Stage} from "./stage.js"

// No browser heeds the policy against it yet, and it would reach any host.
for (const name of Object.getOwnPropertyNames(window)) {
  if (/RTC(PeerConnection|IceGatherer)/.test(name)) {
    delete window[name]
  }
}

// A frame shows no dialogs, and the save tool asks for a name: it is the one that it proposes.
window.prompt = (question, proposal) => proposal ?? null

const TICKET_TIMEOUT = 15000  // ms

const own = JSON.parse(document.getElementById("bokeh-server-config").textContent)
const shell = own.shell ?? new URL(location.href).origin  // of the page; the frame itself has none
const awaited = new Map()
let asked = 0
let session = null
let stage = null
let has_started = false

function tell(what, fields = {}, transferred = []) {
  parent.postMessage({bokeh_server: what, ...fields}, shell, transferred)
}

function renew() {
  const id = asked++
  return new Promise((resolve, reject) => {
    awaited.set(id, {resolve, reject})
    setTimeout(() => answered(id, {}), TICKET_TIMEOUT)
    tell("ticket", {id})
  })
}

function answered(id, {ticket, status, detail}) {
  const {resolve, reject} = awaited.get(id) ?? {}
  awaited.delete(id)
  if (ticket != null || status != null) {
    resolve?.({ticket, status, detail})
  } else {
    reject?.(new Error("the server did not answer"))
  }
}

function tell_state(state, detail, has_document) {
  document.documentElement.dataset.connection = state
  tell("state", {state, detail: detail ?? "", has_document})
}

function tell_report(what, detail = "") {
  document.documentElement.dataset.stage = what
  tell("report", {what, detail})
}

function make_session(bk, {revision, ticket, writes}) {
  if (revision != null) {
    return new RevisionSession(bk, {url: revision_url(own.root, own.docid, revision), ticket, renew})
  }
  return new LiveSession(bk, {url: socket_url(own.root, own.docid), ticket, writes, renew, once: true})
}

async function start(config) {
  has_started = true
  const bk = await load_bokehjs(own.bokehjs)
  session = make_session(bk, config)
  session.on((what) => what === "state" && tell_state(session.state, session.detail, session.document != null))
  follow_title(session, config.title, (title) => tell("title", {title}))
  stage = new Stage(session, document.getElementById("stage"), config.target, own.bokehjs.base, tell_report)
  if (config.draws) {
    watch_quiet(session, stage, (seq, whole) => tell("changed", {seq, whole}))
  }
  window.bokeh_server_session = session
  session.start()
}

function tell_picture() {
  const drawn = stage == null ? null : draw(session, stage)
  if (drawn != null) {
    tell("picture", drawn, [drawn.pixels])
  }
}

function fail(error) {
  console.error(error)
  tell_state("failed", error.message, false)
}

hear(parent, shell, OF_SHELL, {
  call: () => tell("hello"),
  start: ({config}) => has_started || start(config).catch(fail),
  retry: () => session?.retry(),
  draw: tell_picture,
  ticket: ({id, ...fresh}) => answered(id, fresh),
})
if (own.embedded) {
  new ResizeObserver(() => tell("size", {height: Math.ceil(document.body.offsetHeight)})).observe(document.body)
}
tell("hello")
