// The page around a frame: it has the login, the frame has the plot and its author's JavaScript.

import {Bar} from "./bar.js"
import {renewal} from "./common.js"
import {hear, OF_FRAME} from "./messages.js"
import {Thumbnails} from "./thumbnail.js"

const STILL_GOOD = 30000    // ms, for which the ticket that came with the page is given out
const MOST_WAITING = 3      // a frame may ask for tickets as often as it likes, and gets
const TICKET_PAUSE = 250    // ms; no more than a few a second
const LOADING_TIME = 60000  // ms for a frame to load,
const ANSWER_TIME = 5000    // ms for one that was loaded to say something

const config = JSON.parse(document.getElementById("bokeh-server-config").textContent)
const frame = document.getElementById("frame")
const renew = renewal(config, "frame")
const bar = new Bar(config, {
  retry: () => say("retry"),
  ended: () => frame.remove(),
  demoted: restart,
})
const thumbnails = config.draws ? new Thumbnails(config, () => say("draw")) : null

let {ticket} = config
let waiting = 0
let given = Promise.resolve()
let silence

// To any origin, for a frame has none; the policy of this page lets nothing else be in its place.
function say(what, fields = {}) {
  frame.contentWindow?.postMessage({bokeh_server: what, ...fields}, "*")
}

// Once for each document in the frame; one that started already does not listen.
function start() {
  clearTimeout(silence)
  frame.dataset.ready = ""
  const {writes, revision, target, title, draws} = config
  const fresh = performance.now() < STILL_GOOD ? ticket : null
  ticket = null
  say("start", {config: {writes, revision, target, title, draws, ticket: fresh}})
}

// What whoever looks has changed here, and is not stored, goes.
function restart() {
  delete frame.dataset.ready
  frame.src = frame.getAttribute("src")
}

function call(time) {
  clearTimeout(silence)
  silence = setTimeout(() => bar.show_state("failed", "Its frame does not answer.", false), time)
  say("call")
}

function give_ticket(id) {
  if (waiting < MOST_WAITING) {
    waiting += 1
    given = given.then(async () => {
      say("ticket", {id, ...await renew().catch(() => ({}))})
      await new Promise((resolve) => setTimeout(resolve, TICKET_PAUSE))
      waiting -= 1
    })
  }
}

function grow(height) {
  if (config.embedded) {
    frame.style.height = `${height}px`
  }
}

hear(frame.contentWindow, "null", OF_FRAME, {
  hello: start,
  state: ({state, detail, has_document}) => bar.show_state(state, detail, has_document),
  report: ({what, detail}) => bar.report(what, detail),
  title: ({title}) => bar.show_title(title),
  size: ({height}) => grow(height),
  ticket: ({id}) => give_ticket(id),
  changed: ({seq, whole}) => thumbnails?.changed(seq, whole),
  picture: (drawn) => thumbnails?.take(drawn),
})
frame.addEventListener("load", () => call(ANSWER_TIME))
call(LOADING_TIME)

if (config.embedded) {
  new ResizeObserver(() => {
    parent.postMessage({bokeh_server: "size", height: document.body.offsetHeight}, "*")
  }).observe(document.body)
}
