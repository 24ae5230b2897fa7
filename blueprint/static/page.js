// The page of a document or of one plot, live or as it once was.

import {Bar} from "./bar.js"
import {load_bokehjs} from "./bundles.js"
import {follow_title, renewal, revision_url, socket_url} from "./common.js"
import {draw, watch_quiet} from "./drawing.js"
import {RevisionSession} from "./revision.js"
import {LiveSession} from "./session.js"
import {Stage} from "./stage.js"
import {Thumbnails} from "./thumbnail.js"

const config = JSON.parse(document.getElementById("bokeh-server-config").textContent)
const bar = new Bar(config, {
  retry: () => window.bokeh_server_session?.retry(),
  ended: () => document.getElementById("stage").remove(),
  demoted: () => {},
})

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

function keep_thumbnail(session, stage) {
  const thumbnails = new Thumbnails(config, () => {
    const drawn = draw(session, stage)
    if (drawn != null) {
      thumbnails.take(drawn)
    }
  })
  watch_quiet(session, stage, (seq, whole) => thumbnails.changed(seq, whole))
}

async function start() {
  const bk = await load_bokehjs(config.bokehjs)
  const session = make_session(bk)
  session.on((what) => {
    if (what === "state") {
      bar.show_state(session.state, session.detail, session.document != null)
    }
  })
  follow_title(session, config.title, (title) => bar.show_title(title))
  const stage = new Stage(session, document.getElementById("stage"), config.target, config.bokehjs.base,
    (what, detail) => bar.report(what, detail))
  if (config.draws) {
    keep_thumbnail(session, stage)
  }
  window.bokeh_server_session = session
  session.start()
}

start().catch((error) => {
  console.error(error)
  bar.show_state("failed", "", false)
  bar.notice(`The page could not start: ${error.message}. Reload it to try again.`)
})
