// Which changes of a range a person made, and where "Reset" leads.
//
// BokehJS computes the bounds of a DataRange1d for one screen; that is nobody else's business.
// A pan or zoom is: it is sent, and stays until somebody resets. Where the range was before the
// first pan is kept with the model in `tags`, so that "Reset" leads there on pages opened later.

const HOME = "bokeh-server:home"
const BOUNDS = ["start", "end"]

export class Ranges {
  constructor(bk) {
    this.NumericalRange = bk.require("models/ranges/numerical_range").NumericalRange
    this.DataRange1d = bk.require("models/ranges/data_range1d").DataRange1d
    this.Range = bk.require("models/ranges/range").Range
    this.ModelChangedEvent = bk.require("document/events").ModelChangedEvent
    this.moved = new WeakSet()
  }

  // Ranges that were moved before this page was opened.
  restore(models) {
    for (const range of models) {
      if (range instanceof this.NumericalRange) {
        const home = home_of(range)
        if (home != null) {
          this._set_home(range, home)
          if (isFinite(range.start) && isFinite(range.end)) {
            this._mark(range)
          }
        }
      }
    }
  }

  _set_home(range, [start, end]) {
    if (range instanceof this.DataRange1d) {
      range._initial_start = start
      range._initial_end = end
    } else {
      range._reset_start = start ?? range.start
      range._reset_end = end ?? range.end
    }
  }

  _mark(range) {
    this.moved.add(range)
    if (range instanceof this.DataRange1d) {
      range.have_updated_interactively = true
    }
  }

  // A person is about to move the range.
  touch(range, attr) {
    if (range instanceof this.DataRange1d && BOUNDS.includes(attr)) {
      range.have_updated_interactively = true
    }
  }

  // The events to send instead of `events`, which this page is about to send.
  outgoing(events) {
    return events.flatMap((event) => this._is_bound(event) ? this._bound(event) : [event])
  }

  _is_bound(event) {
    return event instanceof this.ModelChangedEvent
      && event.model instanceof this.Range && BOUNDS.includes(event.attr)
  }

  _bound(event) {
    const range = event.model
    if (!(range instanceof this.NumericalRange)) {
      return []
    }
    if (range instanceof this.DataRange1d && !range.have_updated_interactively) {
      return this.moved.has(range) ? this._go_home(event.document, range) : []
    }
    return [...this._remember(event.document, range), event]
  }

  _remember(document, range) {
    if (this.moved.has(range)) {
      return []
    }
    this.moved.add(range)
    if (home_of(range) != null) {
      return []
    }
    const tags = [...range.tags, [HOME, ...this._home_now(range)]]
    range.setv({tags}, {sync: false})
    return [new this.ModelChangedEvent(document, range, "tags", tags)]
  }

  _home_now(range) {
    return range instanceof this.DataRange1d
      ? [range._initial_start, range._initial_end]
      : [range._reset_start, range._reset_end]
  }

  _go_home(document, range) {
    this.moved.delete(range)
    const home = [range._initial_start, range._initial_end]
    return BOUNDS.map((attr, i) => new this.ModelChangedEvent(document, range, attr, home[i] ?? NaN))
  }

  // Bounds in a patch that comes in: `events` are changed in place,
  // and the function returned is to be called when the patch has been applied.
  incoming(events, document) {
    const automatic = new Set()
    const bounds = events.filter((event) => this._is_remote_bound(event, document))
    for (const event of bounds) {
      const range = document.get_model_by_id(event.model.id)
      if (is_nan(event.new)) {
        automatic.add(range)
      } else if (range instanceof this.DataRange1d) {
        this._mark(range)
      }
    }
    const dropped = new Set(bounds.filter((event) => is_nan(event.new)))
    events.splice(0, events.length, ...events.filter((event) => !dropped.has(event)))
    return () => automatic.forEach((range) => this._follow_data(range, dropped))
  }

  _is_remote_bound(event, document) {
    return event.kind === "ModelChanged" && BOUNDS.includes(event.attr)
      && document.get_model_by_id(event.model.id) instanceof this.DataRange1d
  }

  _follow_data(range, dropped) {
    const cleared = [...dropped].filter((event) => event.model.id === range.id)
    const keeps = (attr) => !cleared.some((event) => event.attr === attr)
    range._initial_start = keeps("start") ? range.start : null
    range._initial_end = keeps("end") ? range.end : null
    this.moved.delete(range)
    range.have_updated_interactively = false
    for (const plot of range.linked_plots) {
      plot.invalidate_dataranges = true
      plot.request_repaint()
    }
  }
}

function home_of(range) {
  for (const tag of range.tags) {
    if (Array.isArray(tag) && tag[0] === HOME) {
      return [tag[1], tag[2]]
    }
  }
  return null
}

function is_nan(value) {
  return value != null && value.type === "number" && value.value === "nan"
}
