"""A model of its own, whose view the server compiles, and a slider for it."""

from bokeh.core.properties import Float, String
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Slider
from bokeh.models.layouts import LayoutDOM
from bokeh.util.compiler import TypeScript

VIEW = """
import {LayoutDOM, LayoutDOMView} from "models/layouts/layout_dom"
import type * as p from "core/properties"

export class GaugeView extends LayoutDOMView {
  declare model: Gauge

  override connect_signals(): void {
    super.connect_signals()
    this.connect(this.model.change, () => this.rerender())
  }

  override get child_models(): [] {
    return []
  }

  override render(): void {
    super.render()
    const bar = document.createElement("meter")
    bar.max = 10
    bar.value = this.model.level
    bar.title = this.model.label
    this.shadow_el.append(bar)
  }
}

export namespace Gauge {
  export type Attrs = p.AttrsOf<Props>
  export type Props = LayoutDOM.Props & {label: p.Property<string>, level: p.Property<number>}
}

export interface Gauge extends Gauge.Attrs {}

export class Gauge extends LayoutDOM {
  declare properties: Gauge.Props
  declare __view_type__: GaugeView
  static {
    this.prototype.default_view = GaugeView
    this.define<Gauge.Props>(({Float, Str}) => ({label: [Str, ""], level: [Float, 0]}))
  }
}
"""


class Gauge(LayoutDOM):
    """A bar as long as its level says."""

    __implementation__ = TypeScript(VIEW)

    label = String(default="")
    level = Float(default=0.0)


gauge = Gauge(label="pressure", level=3.0, width=200, height=30, name="gauge")
slider = Slider(title="Level", start=0, end=10, step=1, value=3, name="level")
slider.on_change("value", lambda attr, old, new: gauge.update(level=float(new)))
curdoc().add_root(column(slider, gauge))
