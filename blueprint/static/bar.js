// What surrounds a plot on its page: title, connection, notices, menus, the history.

import {explain, WORDS} from "./common.js"
import {History} from "./history.js"
import {start_managing} from "./manage.js"
import {start_menus} from "./menus.js"
import {Share} from "./share.js"
import {Viewers} from "./viewers.js"

const REPORTS = {
  empty: "Nothing has been drawn in this document yet. Plots appear here as soon as they are published.",
  gone: "This plot was removed from the document. It appears here again when it is published again.",
}

export class Bar {
  // config: of the page; retry(): somebody wants to connect at once;
  // ended(): nobody may look any more; demoted(): what is done here is no longer stored.
  constructor(config, {retry, ended, demoted}) {
    this.config = config
    this.ended = ended
    this.demoted = demoted
    this._notice = document.getElementById("notice")
    this._pill = document.getElementById("connection")
    this._retry = document.getElementById("retry")
    this._title = document.getElementById("title")
    this._retry.addEventListener("click", retry)
    localize_times()
    this._start_history()
    if (!config.embedded) {
      this._start_rest()
    }
  }

  _start_rest() {
    const {config} = this
    start_menus()
    start_managing(config)
    this.share = new Share(config)
    this._writes = config.rights.includes("write")
    this._owns = config.rights.includes("own")
    if (document.getElementById("watching") != null) {
      new Viewers(config, {
        told: (state) => this._told(state),
        over: (reason) => this._end(reason),
      })
    }
  }

  // has_document: there is something to look at, whatever became of the connection.
  show_state(state, detail, has_document) {
    if (this._over) {
      return
    }
    this._show_pill(state)
    this._retry.hidden = state !== "lost"
    // What is live and says something was refused a change: what is shown is what is stored.
    this._refusal = state === "live" ? detail ?? "" : this._refusal
    const is_fine = has_document && !["deleted", "refused", "failed"].includes(state)
    this.notice(is_fine ? this._refusal ?? "" : explain(state, detail))
  }

  // A page that follows its document and cannot draw it is not live for whoever looks at it.
  _show_pill(state) {
    const {dataset} = document.documentElement
    const shown = state === "live" && dataset.stage === "failed" ? "failed" : state
    this._state = state
    dataset.connection = shown
    this._pill.textContent = WORDS[shown]
  }

  notice(text) {
    this._notice.textContent = text
    this._notice.hidden = text === ""
  }

  show_title(title) {
    const {revision} = this.config
    this._title.textContent = title
    document.title = revision == null ? title : `${title} · revision ${revision.toLocaleString("en")}`
  }

  // What a stage says of its plots.
  report(what, detail) {
    if (this._over) {
      return
    }
    document.documentElement.dataset.stage = what
    this._show_pill(this._state)
    if (what === "failed") {
      this.notice(`The plot could not be drawn: ${detail}`)
    } else {
      this.notice(REPORTS[what === "shown" ? detail : what] ?? this._refusal ?? "")
    }
  }

  // -- what the server says of the document -------------------------------------------------------

  _told({rights, published, title}) {
    this.config.title = title
    this.share.show_published(published)
    const [writes, owns] = [rights.includes("write"), rights.includes("own")]
    if (writes !== this._writes || owns !== this._owns) {
      this._rights_changed(writes, owns)
    }
  }

  _rights_changed(writes, owns) {
    const lost = this._writes && !writes
    this._writes = writes
    this._owns = owns
    if (lost) {
      this.config.writes = false
      this.demoted()
    }
    this._stand(!writes ? "You may only look at this document now: what you do here stays in your browser."
      : owns ? "This document is yours now." : "You may change this document now.")
  }

  _stand(text) {
    const note = document.getElementById("standing")
    const button = document.createElement("button")
    button.type = "button"
    button.textContent = "Reload"
    button.addEventListener("click", () => location.reload())
    note.replaceChildren(text, button)
    note.hidden = false
  }

  _end(reason) {
    if (reason === "deleted") {
      this.show_state("deleted", "", true)
    } else {
      this.show_state("refused", "You may no longer look at it. Ask its owner.", false)
      this.ended()
    }
    this._over = true
    document.querySelectorAll(".bar button, .bar .drop a").forEach((each) => {
      each.tagName === "BUTTON" ? each.disabled = true : each.remove()
    })
    document.querySelectorAll(".drop").forEach((each) => { each.hidden = true })
    document.querySelectorAll("dialog[open]").forEach((each) => each.close())
  }

  _start_history() {
    const {revision} = this.config
    const history = new History(this.config, {
      restored: () => {
        if (revision != null) {
          location.assign(location.pathname)
        }
      },
      notice: (text) => this.notice(text),
    })
    const button = document.getElementById("restore")
    if (button != null) {
      button.hidden = false
      button.addEventListener("click", () => history.ask_restore(revision))
    }
  }
}

// Times in the words of whoever reads them.
function localize_times() {
  for (const time of document.querySelectorAll(".banner time")) {
    time.textContent = new Date(time.dateTime).toLocaleString([], {dateStyle: "medium", timeStyle: "short"})
  }
}
