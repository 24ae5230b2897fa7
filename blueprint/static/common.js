// What pages and embedded plots share: words, addresses, tickets.

export const WORDS = {
  connecting: "connecting",
  live: "live",
  still: "not live",
  reconnecting: "reconnecting",
  lost: "no connection",
  deleted: "deleted",
  refused: "refused",
  failed: "failed",
}

// What to tell where the plot would be.
export function explain(state, detail) {
  const more = detail ? ` ${detail}` : ""
  switch (state) {
    case "deleted": return detail ? "This document was deleted, or may not be seen any more." : "This document was deleted."
    case "refused": return `The server refused to show this document.${more}`
    case "failed": return `This document could not be shown.${more} Reload the page to try again.`
    case "lost": return `The server cannot be reached.${more} Trying again until it answers.`
    case "reconnecting": return "The connection was lost. Connecting again."
    default: return ""
  }
}

export function plural(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`
}

export function revision_url(root, docid, revision) {
  return new URL(`${root}/bokeh/doc/${encodeURIComponent(docid)}/content?revision=${revision}`, location.href).href
}

export function socket_url(root, docid) {
  const url = new URL(`${root}/bokeh/doc/${encodeURIComponent(docid)}/ws`, location.href)
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:"
  return url.href
}

// BokehJS calls a document that nobody gave a title by this name.
const NO_TITLE = "Bokeh Application"

// Tells the title that the author gave the document, else the one it is stored under.
export function follow_title(session, stored, tell) {
  let followed = null
  const look = () => {
    const own = session.document.title()
    tell(own.trim() === "" || own === NO_TITLE ? stored : own)
  }
  session.on(() => {
    if (session.document != null && session.document !== followed) {
      followed = session.document
      followed.on_change((event) => event.kind === "TitleChanged" && look())
      look()
    }
  })
}

// Asks for a fresh ticket for a page of ours, or for its frame.
export function renewal({root, docid, public: is_public, revision}, kind = "page") {
  const query = new URLSearchParams({
    kind, ...(is_public ? {public: "true"} : {}), ...(revision == null ? {} : {revision}),
  })
  const url = `${root}/bokeh/doc/${encodeURIComponent(docid)}/ticket?${query}`
  return async () => {
    const answer = await fetch(url, {headers: {Accept: "application/json"}, cache: "no-store"})
    if (answer.ok) {
      return answer.json()
    }
    const {detail} = await answer.json().catch(() => ({}))
    return {status: answer.status, detail}
  }
}
