// What surrounds a plot on its page: title, connection, notices, the history.

import {explain, WORDS} from "./common.js"
import {History} from "./history.js"

const REPORTS = {
  empty: "Nothing has been drawn in this document yet. Plots appear here as soon as they are published.",
  gone: "This plot was removed from the document. It appears here again when it is published again.",
}

export class Bar {
  // config: of the page; retry(): somebody wants to connect at once.
  constructor(config, retry) {
    this.config = config
    this._notice = document.getElementById("notice")
    this._pill = document.getElementById("connection")
    this._retry = document.getElementById("retry")
    this._title = document.getElementById("title")
    this._retry.addEventListener("click", retry)
    localize_times()
    this._start_history()
  }

  // has_document: there is something to look at, whatever became of the connection.
  show_state(state, detail, has_document) {
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
    document.documentElement.dataset.stage = what
    this._show_pill(this._state)
    if (what === "failed") {
      this.notice(`The plot could not be drawn: ${detail}`)
    } else {
      this.notice(REPORTS[what === "shown" ? detail : what] ?? this._refusal ?? "")
    }
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
