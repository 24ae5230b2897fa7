// Shows a live document, or one plot of it, in an element; follows what replaces it.

import {load_for} from "./bundles.js"

const GONE_AFTER = 1500  // ms without a successor, until the page says so

const managers = new WeakMap()

export class Stage {
  // target: {kind: "document"} or {kind: "model", id, name, plot, root}: where the plot stands
  // among the plots and the roots, -1 where it does not.
  constructor(session, element, target, base, report) {
    this.session = session
    this.element = element
    this.target = target
    this.base = base
    this.report = report
    this.shown = new Map()
    this._work = Promise.resolve()
    session.on((what) => this._on(what))
    if (session.document != null) {
      this._follow()
    }
  }

  _on(what) {
    if (what === "state" && this.session.state === "live" || what === "replaced") {
      this._follow()
    }
  }

  _follow() {
    const {document} = this.session
    if (this._document !== document) {
      this._document = document
      document.on_change((event) => {
        if (is_structural(event)) {
          this._update_soon()
        }
      })
    }
    this._update_soon()
  }

  _update_soon() {
    if (!this._asked) {
      this._asked = true
      this._work = this._work.then(() => {
        this._asked = false
        return this._update()
      }).catch((error) => {
        console.error(error)
        this.report("failed", error.message)
      })
    }
  }

  async _update() {
    const {document, bk} = this.session
    const wanted = this._wanted()
    if (wanted == null) {
      this._wait()
      return
    }
    clearTimeout(this._gone)
    await load_for(references(document), bk, this.base)
    const old = [...this.shown.keys()].filter((model) => !wanted.includes(model))
    for (const model of wanted) {
      if (!this.shown.has(model)) {
        await this._show(model)
      }
    }
    old.forEach((model) => this._remove(model))
    this.element.querySelector(":scope > .loading")?.remove()
    this._sort(wanted)
    this._notify_idle(wanted)
    await show_notifications(this.session)
    this.report("shown", wanted.length === 0 ? "empty" : "")
  }

  // The models to show, in order; null while the plot has no successor yet.
  _wanted() {
    const {document} = this.session
    if (this.target.kind === "document") {
      return document.roots().filter(has_view)
    }
    const model = this._resolve()
    return model == null ? null : [model]
  }

  _resolve() {
    const {document, bk} = this.session
    const {Plot} = bk.require("models/plots/plot")
    const models = references(document)
    const plots = [...models].filter((model) => model instanceof Plot)
    const model = this._same(models) ?? this._successor(models, plots)
    if (model != null) {
      this.target = {
        kind: "model", id: model.id, name: model.name ?? this.target.name,
        plot: plots.indexOf(model), root: document.roots().indexOf(model),
      }
    }
    return model
  }

  _same(models) {
    for (const model of models) {
      if (model.id === this.target.id && has_view(model)) {
        return model
      }
    }
    return null
  }

  _successor(models, plots) {
    const {name, plot, root} = this.target
    const named = name == null ? [] : [...models].filter((each) => each.name === name && has_view(each))
    const placed = plot >= 0 ? plots[plot] : this.session.document.roots()[root]
    return named[0] ?? (placed != null && has_view(placed) ? placed : null)
  }

  // Keep showing the old plot for a moment: a script may be about to add its successor.
  _wait() {
    clearTimeout(this._gone)
    this._gone = setTimeout(() => {
      [...this.shown.keys()].forEach((model) => this._remove(model))
      this.report("gone")
    }, GONE_AFTER)
  }

  async _show(model) {
    const slot = document.createElement("div")
    slot.className = "bokeh-server-slot"
    this.element.append(slot)
    const manager = manager_of(this.session)
    const view = await manager.build_view(model)
    this.shown.set(model, {view, slot})
    view.build?.(slot)
    slot.toggleAttribute("data-wide", stretches(view, "width_policy"))
    slot.toggleAttribute("data-tall", stretches(view, "height_policy"))
  }

  _remove(model) {
    const {view, slot} = this.shown.get(model)
    this.shown.delete(model)
    view.remove()
    slot.remove()
  }

  _sort(wanted) {
    const slots = wanted.map((model) => this.shown.get(model).slot)
    if (slots.some((slot, i) => this.element.children[i] !== slot)) {
      slots.forEach((slot) => this.element.append(slot))
    }
  }

  // A document is ready when its roots are drawn; those that nobody draws here are never waited for.
  _notify_idle(wanted) {
    const {document} = this.session
    for (const root of document.roots()) {
      if (!wanted.includes(root)) {
        document.notify_idle(root)
      }
    }
  }
}

// Whether the view wants all the room there is; only known once it is built.
function stretches(view, policy) {
  return view.box_sizing?.()[policy] === "max"
    || (view.child_views ?? []).some((child) => stretches(child, policy))
}

function has_view(model) {
  return model.default_view != null
}

function references(document) {
  const models = new Set()
  for (const root of document.roots()) {
    for (const model of root.references()) {
      models.add(model)
    }
  }
  return models
}

function is_structural(event) {
  if (event.kind === "RootAdded" || event.kind === "RootRemoved") {
    return true
  }
  return event.kind === "ModelChanged" && holds_models(event.value)
}

function holds_models(value, depth = 0) {
  if (value == null || typeof value !== "object" || ArrayBuffer.isView(value) || depth > 3) {
    return false
  }
  if (value.default_view !== undefined || typeof value.references === "function") {
    return true
  }
  return Array.isArray(value) && value.some((each) => holds_models(each, depth + 1))
}

function manager_of({bk, document: doc}) {
  if (!managers.has(doc)) {
    const {ViewManager} = bk.require("core/view_manager")
    const {index} = bk.require("embed/standalone")
    doc.views_manager = new ViewManager([], index)
    managers.set(doc, doc.views_manager)
  }
  return managers.get(doc)
}

// Messages that a document's own JavaScript pushes.
async function show_notifications(session) {
  const {notifications} = session.document.config
  const manager = manager_of(session)
  if (notifications == null || manager.get(notifications) != null) {
    return
  }
  const place = document.createElement("div")
  place.style.cssText = "position: fixed; width: 0; height: 0; overflow: hidden"
  document.body.append(place)
  const view = await manager.build_view(notifications)
  view.build?.(place)
}
