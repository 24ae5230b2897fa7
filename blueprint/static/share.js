// The share panel: who may look, and the tag for other pages.

import {Links} from "./links.js"
import {ask, complain, copy_from, document_url} from "./requests.js"

const ROLES = [["viewer", "may look"], ["editor", "may change"]]

export class Share {
  constructor(config) {
    this.config = config
    this.panel = document.getElementById("share")
    this.button = document.getElementById("share-button")
    this.published = config.published
    this.owns = document.getElementById("sites") != null
    this._listen()
    this.show_published(config.published)
  }

  _listen() {
    this.button.addEventListener("click", () => this.open())
    this.panel.addEventListener("click", (event) => event.target === this.panel && this.panel.close())
    this.panel.addEventListener("close", () => this.button.focus())
    for (const button of this.panel.querySelectorAll(".copied .copy")) {
      button.addEventListener("click", () => copy_from(button.previousElementSibling, button))
    }
    this._listen_embed()
    if (this.owns) {
      this._listen_sites()
    }
    if (this.owns && this.config.shared) {
      this._listen_people()
      this.links = ["link", "key"].map((kind) => new Links(this.config, kind, (text) => this._say(text)))
    }
  }

  open() {
    const {revision} = this.config
    document.getElementById("share-address").value =
      location.origin + location.pathname + (revision == null ? "" : `?revision=${revision}`)
    this.panel.showModal()
    document.getElementById("share-heading").focus()
    this._load()
  }

  async _load() {
    if (this.owns) {
      try {
        const {published, grants, sites} = await ask("GET", this._url("grants"))
        this.show_published(published)
        this._show_people(grants)
        this._show_sites(sites)
      } catch (error) {
        complain(document.getElementById("people-wrong") ?? this._sites_wrong, error)
      }
      this.links?.forEach((each) => each.load())
    }
  }

  _url(path) {
    return document_url(this.config, path)
  }

  _say(text) {
    document.getElementById("share-said").textContent = text
  }

  // -- everybody -----------------------------------------------------------------------------------

  show_published(published) {
    this.published = published
    const tag = document.getElementById("published")
    if (tag != null) {
      tag.hidden = !published
    }
    const box = document.getElementById("publish")
    if (box != null) {
      box.checked = published
    }
    document.getElementById("share-who").textContent = this._who()
    const embeds = published || !this.config.shared
    document.getElementById("embed-code").hidden = !embeds
    document.getElementById("embed-hint").textContent = embeds
      ? "Put the tag where the plot is to stand. Everybody only looks there, and it stays live."
      : this.owns ? "Publish the document first: other pages show published documents only."
        : "Other pages show published documents only, and this one is not."
  }

  _who() {
    if (!this.config.shared) {
      return "Whoever reaches this server may open it."
    }
    return this.published ? "It is published: everybody who has the address may look."
      : this.owns ? "Only you and those whom you let in below may open it."
        : "Only those may open it whom its owner let in."
  }

  // -- people ------------------------------------------------------------------------------------

  _listen_people() {
    const box = document.getElementById("publish")
    box.addEventListener("change", async () => {
      const wanted = box.checked
      await this._try("publish-wrong", async () => {
        const {root, docid} = this.config
        await ask("POST", `${root}/bokeh/${encodeURIComponent(docid)}/${wanted ? "publish" : "unpublish"}`)
        this.show_published(wanted)
        this._say(wanted ? "Published." : "No longer published.")
      }) || (box.checked = this.published)
    })
    const form = document.getElementById("share-add")
    form.addEventListener("submit", async (event) => {
      event.preventDefault()
      const {username, role} = Object.fromEntries(new FormData(form))
      const name = username.trim()
      await this._give(name, role) && form.reset()
      form.elements.username.focus()
    })
  }

  async _give(name, role) {
    return this._try("people-wrong", async () => {
      await ask("PUT", this._url(`grants/${encodeURIComponent(name)}`), {role})
      await this._refresh()
      this._say(`${name} ${role === "editor" ? "may change it" : "may look"}.`)
    })
  }

  async _take(name) {
    const done = await this._try("people-wrong", async () => {
      await ask("DELETE", this._url(`grants/${encodeURIComponent(name)}`))
      await this._refresh()
      this._say(`${name} was removed.`)
    })
    if (done) {
      document.getElementById("share-add").elements.username.focus()
    }
  }

  async _refresh() {
    this._show_people((await ask("GET", this._url("grants"))).grants)
  }

  async _try(where, act) {
    const wrong = document.getElementById(where)
    complain(wrong, null)
    try {
      await act()
      return true
    } catch (error) {
      complain(wrong, error)
      return false
    }
  }

  _show_people(grants) {
    const list = document.getElementById("share-people")
    if (list == null) {
      return
    }
    const owner = element("li", {}, element("bdi", {textContent: this.config.owner}), element("span", {
      className: "role", textContent: "owner",
    }))
    list.replaceChildren(owner, ...grants.map((grant) => this._person(grant)))
  }

  _person({username, role}) {
    const choice = element("select", {}, ...ROLES.map(([value, text]) =>
      element("option", {value, textContent: text, selected: value === role})))
    choice.setAttribute("aria-label", `Right of ${username}`)
    choice.addEventListener("change", async () => {
      await this._give(username, choice.value) || (choice.value = role)
      document.querySelector(`#share-people [aria-label="Right of ${CSS.escape(username)}"]`)?.focus()
    })
    const remove = element("button", {type: "button", className: "quiet delete", textContent: "Remove"})
    remove.setAttribute("aria-label", `Remove ${username}`)
    remove.addEventListener("click", () => this._take(username))
    return element("li", {}, element("bdi", {textContent: username}), choice, remove)
  }

  // -- other pages -------------------------------------------------------------------------------

  _listen_embed() {
    const {tags} = this.config
    const choice = document.getElementById("embed-what")
    const field = document.getElementById("embed-tag")
    const show = () => { field.value = tags[choice.value] ?? tags.document }
    document.getElementById("embed-choice").hidden = tags.plot == null
    choice.value = tags.plot == null ? "document" : "plot"
    choice.addEventListener("change", show)
    show()
    const button = document.getElementById("embed-copy")
    button.addEventListener("click", () => copy_from(field, button))
  }

  _listen_sites() {
    const form = document.getElementById("sites")
    this._sites_wrong = form.querySelector(".wrong")
    form.addEventListener("change", () => {
      form.elements.sites.hidden = form.elements.which.value === "every"
    })
    form.addEventListener("submit", async (event) => {
      event.preventDefault()
      complain(this._sites_wrong, null)
      const lines = form.elements.sites.value.split(/\s+/).filter((each) => each !== "")
      try {
        const wanted = form.elements.which.value === "every" ? null : lines
        this._show_sites((await ask("PUT", this._url("sites"), {sites: wanted})).sites)
        this._say("Saved.")
        form.querySelector("button").textContent = "Saved"
        setTimeout(() => { form.querySelector("button").textContent = "Save" }, 2000)
      } catch (error) {
        complain(this._sites_wrong, error)
      }
    })
  }

  _show_sites(sites) {
    const {which, sites: field} = document.getElementById("sites").elements
    which.value = sites == null ? "every" : "some"
    field.hidden = sites == null
    field.value = (sites ?? []).join("\n")
  }
}

export function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...children)
  return made
}
