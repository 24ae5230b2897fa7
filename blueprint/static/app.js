// Watches the connections of an application's page to its session, and tells people when that has
// ended. Loaded after BokehJS and before it connects; in pages of other sites, too.
(() => {
  const ENDED = 4005
  const LAPSED = 4003
  const SESSION = "session-"

  if (window.bokehServerWatches === true)
    return
  window.bokehServerWatches = true

  const STYLE = `
    div {
      display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: center; justify-content: center;
      padding: 12px 16px; font: 15px/1.4 system-ui, sans-serif;
      color: #1f1d16; background: #fff4ce; border-top: 2px solid #b98900;
    }
    button {
      font: inherit; padding: 6px 14px; border-radius: 6px; cursor: pointer;
      color: inherit; background: transparent; border: 1px solid currentColor;
    }
    button:focus-visible { outline: 3px solid #1769c4; outline-offset: 2px; }
    @media (prefers-color-scheme: dark) {
      div { color: #fdf3d0; background: #3b3216; border-top-color: #d9a514; }
      button:focus-visible { outline-color: #8ec5ff; }
    }
    @media print { div { display: none; } }
  `
  const ANEW = "The session of this page had ended, and another one has begun. "
    + "What was entered or chosen before is gone."
  const OVER = "The session of this page has ended. Load the page again to begin another."

  const LEFT = "You are logged out, or may use this application no more. Load the page again."

  // The session that each token led to first.
  const sessions = new Map()
  let bar = null

  function button(label, act) {
    const made = document.createElement("button")
    made.type = "button"
    made.textContent = label
    made.addEventListener("click", act)
    return made
  }

  function show(text, wordOfState) {
    hide()
    bar = document.createElement("div")
    bar.id = "bokeh-server-session"
    bar.dataset.state = wordOfState
    // Here and not in the sheet, where the page's own rules for its elements would win.
    bar.style.cssText = "all: initial; position: fixed; inset: auto 0 0 0; z-index: 2147483647"
    const root = bar.attachShadow({mode: "open"})
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(STYLE)
    root.adoptedStyleSheets = [sheet]
    const line = document.createElement("div")
    line.setAttribute("role", "alert")
    root.append(line)
    document.body.append(bar)
    // What is added to an alert is read out; what it had when it came is not, everywhere.
    const words = document.createElement("span")
    words.textContent = text
    line.append(
      words,
      button("Load again", () => window.location.reload()),
      button("Dismiss", hide),
    )
  }

  function hide() {
    bar?.remove()
    bar = null
  }

  function opened(token, first) {
    let message = null
    try {
      message = JSON.parse(first)
    } catch {
      return
    }
    const id = String(message?.msgid)
    if (message?.msgtype !== "ACK" || !id.startsWith(SESSION))
      return
    const before = sessions.get(token)
    sessions.set(token, id)
    if (before !== undefined && before !== id)
      show(ANEW, "anew")
    else if (bar?.dataset.state === "over")
      hide()
  }

  function closed(code) {
    if (code === ENDED)
      show(OVER, "over")
    else if (code === LAPSED)
      show(LEFT, "over")
  }

  function watch(socket, token) {
    socket.addEventListener("message", ({data}) => opened(token, data), {once: true})
    socket.addEventListener("close", ({code}) => closed(code))
  }

  window.WebSocket = class WebSocket extends window.WebSocket {
    constructor(url, protocols) {
      super(url, protocols)
      if (Array.isArray(protocols) && protocols[0] === "bokeh")
        watch(this, protocols[1])
    }
  }
})()
